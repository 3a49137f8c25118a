// Every number and every layout of Conman.Linux against the kernel's headers. What is not in a table here fails: nothing new escapes.

using System.Reflection;
using System.Text.RegularExpressions;

namespace Conman.Linux.Tests.Layout;

public class KernelLayoutTests
{
    private static readonly string[] KernelHeaders =
    [
        "stddef.h", "asm/termbits.h", "asm/ioctls.h", "asm/errno.h", "linux/fcntl.h", "linux/openat2.h", "linux/mount.h", "linux/sched.h", "linux/stat.h",
        "linux/bpf.h", "linux/memfd.h", "linux/magic.h", "linux/capability.h", "linux/prctl.h", "linux/keyctl.h", "linux/ioprio.h", "linux/resource.h", "linux/wait.h",
        "linux/close_range.h", "linux/securebits.h", "linux/seccomp.h", "linux/filter.h", "linux/netlink.h", "linux/rtnetlink.h", "linux/if_link.h", "linux/if_addr.h", "linux/neighbour.h", "linux/veth.h", "linux/netfilter.h", "linux/netfilter/nfnetlink.h", "linux/netfilter/nf_tables.h", "linux/netfilter/nf_conntrack_common.h", "linux/landlock.h", "linux/signalfd.h", "linux/inotify.h", "asm/signal.h", "asm/siginfo.h", "asm/poll.h", "linux/sockios.h", "asm/statfs.h", "asm/unistd.h",
        // Of newer kernels than the headers may be of.
        "#define LANDLOCK_ACCESS_FS_TRUNCATE (1ULL << 14)", "#define LANDLOCK_ACCESS_FS_IOCTL_DEV (1ULL << 15)",
        "#define LANDLOCK_ACCESS_NET_BIND_TCP (1ULL << 0)", "#define LANDLOCK_ACCESS_NET_CONNECT_TCP (1ULL << 1)",
        "#define LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)", "#define LANDLOCK_SCOPE_SIGNAL (1ULL << 1)",
        // Of the kernel's own, but only the C library hands them out.
        "#define SEEK_SET 0", "#define SEEK_END 2", "#define SEEK_DATA 3", "#define SEEK_HOLE 4",
    ];

    private static readonly string[] LibraryHeaders = ["#define _GNU_SOURCE", "sys/socket.h", "sys/mount.h", "sys/un.h", "sys/eventfd.h", "netinet/in.h", "net/if.h", "poll.h", "regex.h"];

    // Enumerations: C# name → C name by a prefix, or one by one. A member that is zero and means "nothing" has no name in C.
    private static readonly Dictionary<Type, Func<string, string?>> Enums = new()
    {
        [typeof(OpenFlags)] = name => name switch
        {
            "ReadOnly" => "O_RDONLY", "WriteOnly" => "O_WRONLY", "ReadWrite" => "O_RDWR", "Create" => "O_CREAT", "Exclusive" => "O_EXCL",
            "NoTerminal" => "O_NOCTTY", "Truncate" => "O_TRUNC", "Append" => "O_APPEND", "NonBlock" => "O_NONBLOCK", "Path" => "O_PATH",
            "CloseOnExec" => "O_CLOEXEC", _ => null,
        },
        [typeof(Resolve)] = name => name switch
        {
            "NoXdev" => "RESOLVE_NO_XDEV", "NoMagicLinks" => "RESOLVE_NO_MAGICLINKS", "NoSymlinks" => "RESOLVE_NO_SYMLINKS",
            "Beneath" => "RESOLVE_BENEATH", "InRoot" => "RESOLVE_IN_ROOT", _ => null,
        },
        [typeof(FileType)] = name => name switch
        {
            "Fifo" => "S_IFIFO", "CharacterDevice" => "S_IFCHR", "Directory" => "S_IFDIR", "BlockDevice" => "S_IFBLK", "Regular" => "S_IFREG",
            "SymbolicLink" => "S_IFLNK", "Socket" => "S_IFSOCK", _ => null,
        },
        [typeof(MountAttributes)] = name => name switch
        {
            "None" => "0", "ReadOnly" => "MOUNT_ATTR_RDONLY", "NoSuid" => "MOUNT_ATTR_NOSUID", "NoDev" => "MOUNT_ATTR_NODEV", "NoExec" => "MOUNT_ATTR_NOEXEC",
            "AccessTimeMask" => "MOUNT_ATTR__ATIME", "NoAccessTime" => "MOUNT_ATTR_NOATIME", "StrictAccessTime" => "MOUNT_ATTR_STRICTATIME",
            "NoDirectoryAccessTime" => "MOUNT_ATTR_NODIRATIME", "IdMap" => "MOUNT_ATTR_IDMAP", "NoSymlinkFollow" => "MOUNT_ATTR_NOSYMFOLLOW", _ => null,
        },
        [typeof(Propagation)] = name => name switch
        {
            "Unchanged" => "0", "Unbindable" => "MS_UNBINDABLE", "Private" => "MS_PRIVATE", "Slave" => "MS_SLAVE", "Shared" => "MS_SHARED", _ => null,
        },
        [typeof(Namespaces)] = name => name switch
        {
            "None" => "0", "Time" => "CLONE_NEWTIME", "Mount" => "CLONE_NEWNS", "Cgroup" => "CLONE_NEWCGROUP", "Uts" => "CLONE_NEWUTS", "Ipc" => "CLONE_NEWIPC",
            "User" => "CLONE_NEWUSER", "Pid" => "CLONE_NEWPID", "Network" => "CLONE_NEWNET", _ => null,
        },
        [typeof(LandlockFileRights)] = name => name switch
        {
            "None" => "0", "Execute" => "LANDLOCK_ACCESS_FS_EXECUTE", "WriteFile" => "LANDLOCK_ACCESS_FS_WRITE_FILE", "ReadFile" => "LANDLOCK_ACCESS_FS_READ_FILE",
            "ReadDirectory" => "LANDLOCK_ACCESS_FS_READ_DIR", "RemoveDirectory" => "LANDLOCK_ACCESS_FS_REMOVE_DIR", "RemoveFile" => "LANDLOCK_ACCESS_FS_REMOVE_FILE",
            "MakeCharacterDevice" => "LANDLOCK_ACCESS_FS_MAKE_CHAR", "MakeDirectory" => "LANDLOCK_ACCESS_FS_MAKE_DIR", "MakeFile" => "LANDLOCK_ACCESS_FS_MAKE_REG",
            "MakeSocket" => "LANDLOCK_ACCESS_FS_MAKE_SOCK", "MakeFifo" => "LANDLOCK_ACCESS_FS_MAKE_FIFO", "MakeBlockDevice" => "LANDLOCK_ACCESS_FS_MAKE_BLOCK",
            "MakeSymbolicLink" => "LANDLOCK_ACCESS_FS_MAKE_SYM", "Refer" => "LANDLOCK_ACCESS_FS_REFER", "Truncate" => "LANDLOCK_ACCESS_FS_TRUNCATE",
            "DeviceControl" => "LANDLOCK_ACCESS_FS_IOCTL_DEV", _ => null,
        },
        [typeof(LandlockNetworkRights)] = name => name switch
        {
            "None" => "0", "BindTcp" => "LANDLOCK_ACCESS_NET_BIND_TCP", "ConnectTcp" => "LANDLOCK_ACCESS_NET_CONNECT_TCP", _ => null,
        },
        [typeof(LandlockScopes)] = name => name switch
        {
            "None" => "0", "AbstractUnixSocket" => "LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET", "Signal" => "LANDLOCK_SCOPE_SIGNAL", _ => null,
        },
        [typeof(PollEvents)] = name => name switch
        {
            "None" => "0", "In" => "POLLIN", "Priority" => "POLLPRI", "Out" => "POLLOUT", "Error" => "POLLERR", "HangUp" => "POLLHUP", "Invalid" => "POLLNVAL", _ => null,
        },
    };

    // Constants in classes: by the class, from its member's name to C's.
    private static readonly Dictionary<string, Func<string, string?>> Constants = new()
    {
        ["Errno"] = name => name,
        ["Signals"] = name => name switch { "Block" => "SIG_BLOCK", "InfoSize" => "sizeof(struct signalfd_siginfo)", _ => name },
        ["Terminals"] = name => name,
        ["Inotify"] = name => name,
        ["SyscallNumber"] = name => "__NR_" + name,
        ["SyscallNumbers"] = name => "__NR_" + name,
        ["Files"] = name => name switch
        {
            "CurrentDirectory" => "AT_FDCWD", "O_DIRECTORY_X64" => "O_DIRECTORY", "O_NOFOLLOW_X64" => "O_NOFOLLOW", _ => null,
        },
        ["Mounts"] = name => name switch
        {
            "AtEmptyPath" => "AT_EMPTY_PATH", "AtRecursive" => "AT_RECURSIVE", "AtNoFollow" => "AT_SYMLINK_NOFOLLOW",
            "SelinuxMagic" => "SELINUX_MAGIC", _ => null,
        },
        ["Storage"] = name => name switch { "EmptyPath" => "AT_EMPTY_PATH", "NoFollow" => "AT_SYMLINK_NOFOLLOW", _ => null },
        ["Trees"] = name => name switch { "RemoveDirectory" => "AT_REMOVEDIR", "TypeDirectory" => "S_IFDIR >> 12", "OpenDirectory" => "O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC", _ => null },
        ["CgroupHierarchy"] = name => name switch { "Cgroup2Magic" => "CGROUP2_SUPER_MAGIC", "CgroupMagic" => "CGROUP_SUPER_MAGIC", _ => null },
        ["Rtnetlink"] = name => name,
        ["Nftables"] = name => name,
        ["NetlinkBatch"] = name => name switch
        {
            "Request" => "NLM_F_REQUEST", "Acknowledge" => "NLM_F_ACK", "Dump" => "NLM_F_DUMP", "Create" => "NLM_F_CREATE", "Exclusive" => "NLM_F_EXCL", "Append" => "NLM_F_APPEND",
            "HeaderSize" => "sizeof(struct nlmsghdr)", "NestedFlag" => "NLA_F_NESTED", _ => null,
        },
        ["NetlinkSocket"] = name => name switch
        {
            "Route" => "NETLINK_ROUTE", "Netfilter" => "NETLINK_NETFILTER", "MessageError" => "NLMSG_ERROR", "MessageDone" => "NLMSG_DONE", _ => null,
        },
        ["InternetPorts"] = name => name switch
        {
            "Tcp" => "IPPROTO_TCP", "Udp" => "IPPROTO_UDP", "Sctp" => "IPPROTO_SCTP", "Family4" => "AF_INET", "Family6" => "AF_INET6", _ => null,
        },
        ["RouteNetlink"] = name => name switch
        {
            "AddressFlags" => "IFA_FLAGS", "AddressLabel" => "IFA_LABEL", "AddressCacheInfo" => "IFA_CACHEINFO", "Permanent" => "IFA_F_PERMANENT",
            "LinkSize" => "sizeof(struct ifinfomsg)", "AddressSize" => "sizeof(struct ifaddrmsg)", _ => null,
        },
        ["Bpf"] = name => name switch
        {
            "LoadProgram" => "BPF_PROG_LOAD", "Attach" => "BPF_PROG_ATTACH", "CgroupDeviceProgram" => "BPF_PROG_TYPE_CGROUP_DEVICE",
            "CgroupDevice" => "BPF_CGROUP_DEVICE", "AllowMulti" => "BPF_F_ALLOW_MULTI", _ => null,
        },
        ["Nodes"] = name => name switch { "EmptyPath" => "AT_EMPTY_PATH", "NoFollow" => "AT_SYMLINK_NOFOLLOW", _ => null },
        ["Confinement"] = name => name switch
        {
            "Capabilities" => "(1UL << CAP_CHOWN | 1UL << CAP_DAC_OVERRIDE | 1UL << CAP_FOWNER | 1UL << CAP_FSETID | 1UL << CAP_MKNOD | 1UL << CAP_SETFCAP)",
            "Load" => "BPF_LD | BPF_W | BPF_ABS", "JumpIfEqual" => "BPF_JMP | BPF_JEQ | BPF_K", "JumpIfSet" => "BPF_JMP | BPF_JSET | BPF_K", "Return" => "BPF_RET | BPF_K",
            "Allow" => "SECCOMP_RET_ALLOW", "Refuse" => "SECCOMP_RET_ERRNO", "Kill" => "SECCOMP_RET_KILL_PROCESS", _ => null,
        },
        ["PosixPattern"] = name => name == "Size" ? "sizeof(regex_t)" : name,
        ["Sockets"] = name => name switch
        {
            "CloseOnExec" => "SOCK_CLOEXEC", "NonBlock" => "SOCK_NONBLOCK", "NoSignal" => "MSG_NOSIGNAL", "DontWait" => "MSG_DONTWAIT", "CmsgCloseOnExec" => "MSG_CMSG_CLOEXEC", _ => null,
        },
    };

    // Numbers that are ours, not the kernel's: "Class.Name".
    private static readonly HashSet<string> OurOwnNumbers = ["NetlinkSocket.BufferSize", "NetlinkBatch.FirstSize", "Signals.FirstRealTime", "Signals.Last", "Bpf.MostTries", "Trees.MaximalDepth", "TreeCopy.MostLevels", "Confinement.FirstUsefulLandlock", "Trees.TypeUnknown"];

    private static readonly Dictionary<Type, (string Name, Dictionary<string, string>? Fields, bool Prefix)> Structs = new()
    {
        [typeof(StatX)] = ("struct statx", null, false),
        [typeof(StatFs)] = ("struct statfs", null, false),
        [typeof(SigInfo)] = ("siginfo_t", new() { ["si_status"] = "_sifields._sigchld._status", ["si_pid"] = "_sifields._sigchld._pid", ["si_uid"] = "_sifields._sigchld._uid" }, false),
        [typeof(PollEntry)] = ("struct pollfd", new() { ["returned"] = "revents" }, false),
        [typeof(Bpf.Attributes)] = ("union bpf_attr", null, true),
        [typeof(Terminals.KernelTermios)] = ("struct termios", null, false),
    };

    // struct spawn_request is of native/spawn.h: PlanFormatTests. struct pidfd_info is younger than the headers may be. The others never reach the kernel.
    private static readonly HashSet<string> OurOwnStructs = ["SpawnRequest", "ProcessInfo", "NetworkInterface", "FileStatus", "NodeStatus", "MountId", "FileOwner", "Exit", "CgroupFolder", "Utf8Text", "Utf8Vector", "DiskUse", "Nest"];

    private static IEnumerable<Type> Types => typeof(Files).Assembly.GetTypes().Where(t =>
        t.Namespace == "Conman.Linux" && !t.FullName!.Contains('<') && t.GetCustomAttribute<System.Runtime.CompilerServices.CompilerGeneratedAttribute>() is null);

    [Fact]
    public void Every_enumeration_has_the_values_of_the_kernel()
    {
        var c = new CSource(KernelHeaders);
        foreach (var type in Types.Where(t => t.IsEnum))
        {
            Assert.True(Enums.TryGetValue(type, out var names), $"enum {type.Name} is not checked against the kernel: add it to {nameof(Enums)}");
            foreach (var name in Enum.GetNames(type))
            {
                var expression = names(name);
                Assert.True(expression is not null, $"{type.Name}.{name} is not checked against the kernel: add it to {nameof(Enums)}");
                c.Value(expression, Convert.ToUInt64(Enum.Parse(type, name)), $"{type.Name}.{name}");
            }
        }
        c.Check();
    }

    [Fact]
    public void Every_constant_has_the_value_of_the_kernel()
    {
        var (kernel, library) = (new CSource(KernelHeaders), new CSource(LibraryHeaders));
        foreach (var type in Types.Where(t => !t.IsEnum))
        {
            foreach (var field in type.GetFields(BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.DeclaredOnly))
            {
                var constant = field.IsLiteral || (field.IsInitOnly && field.FieldType.IsPrimitive);
                if (!constant || field.FieldType == typeof(string) || field.Name.Contains('<') || OurOwnNumbers.Contains($"{type.Name}.{field.Name}"))
                    continue;
                var expression = Constants.GetValueOrDefault(type.Name)?.Invoke(field.Name);
                Assert.True(expression is not null, $"{type.Name}.{field.Name} is not checked against the kernel: add it to {nameof(Constants)}");
                var value = field.IsLiteral ? field.GetRawConstantValue()! : field.GetValue(null)!;
                (IsOfTheLibrary(expression) ? library : kernel).Value32(expression, unchecked((long)Convert.ToDecimal(value is nuint n ? (ulong)n : value)), $"{type.Name}.{field.Name}");
            }
        }
        kernel.Check();
        library.Check();
    }

    [Fact]
    public void Every_struct_has_the_layout_of_the_kernel()
    {
        var c = new CSource(KernelHeaders);
        foreach (var type in Types.Where(t => t.IsValueType && !t.IsEnum && !OurOwnStructs.Contains(t.Name)))
        {
            Assert.True(Structs.TryGetValue(type, out var known), $"struct {type.Name} is not checked against the kernel: add it to {nameof(Structs)}");
            c.Struct(type, known.Name, known.Fields, known.Prefix);
        }
        c.Value("__builtin_offsetof(union bpf_attr, attach_flags) + 4", 16, "what BPF_PROG_ATTACH reads");
        c.Value("sizeof(struct open_how)", 24, "struct open_how");
        c.Value("__builtin_offsetof(struct landlock_path_beneath_attr, parent_fd)", 8, "landlock_path_beneath_attr.parent_fd");
        c.Value("__builtin_offsetof(struct ifinfomsg, ifi_index)", 4, "ifinfomsg.ifi_index");
        c.Value("__builtin_offsetof(struct ifinfomsg, ifi_flags)", 8, "ifinfomsg.ifi_flags");
        c.Value("__builtin_offsetof(struct ifaddrmsg, ifa_index)", 4, "ifaddrmsg.ifa_index");
        c.Value("sizeof(struct rtmsg)", 12, "struct rtmsg");
        c.Value("sizeof(struct nfgenmsg)", 4, "struct nfgenmsg");
        c.Value("sizeof(struct mount_attr)", 32, "struct mount_attr");
        c.Value("__builtin_offsetof(struct mount_attr, propagation)", 16, "mount_attr.propagation");
        c.Value("__builtin_offsetof(struct mount_attr, userns_fd)", 24, "mount_attr.userns_fd");
        c.Check();
    }

    [Fact]
    public void System_calls_have_their_numbers_on_both_architectures()
    {
        // What cannot be run here can be read: each line says both numbers.
        var source = File.ReadAllText(Path.Combine(CSource.Root, "src/Conman.Linux/SyscallNumbers.cs")) + File.ReadAllText(Path.Combine(CSource.Root, "src/Conman.Linux/Native.cs"));
        var x64 = new CSource("#define __x86_64__ 1", "asm/unistd_64.h");
        // As arm64's asm/unistd.h has it: the generic table, for 64 bits.
        var arm64 = new CSource("#define __BITS_PER_LONG 64", "#define __ARCH_WANT_RENAMEAT", "#define __ARCH_WANT_NEW_STAT", "#define __ARCH_WANT_SET_GET_RLIMIT", "#define __ARCH_WANT_SYS_CLONE3", "asm-generic/unistd.h");
        var names = new HashSet<string>();
        foreach (Match match in Regex.Matches(source, @"int (\w+) =>? (?:Arm64|RuntimeInformation\.ProcessArchitecture == Architecture\.Arm64) \? (\d+) : (\d+);"))
        {
            names.Add(match.Groups[1].Value);
            arm64.Value("__NR_" + match.Groups[1].Value, ulong.Parse(match.Groups[2].Value), match.Groups[1].Value + " on aarch64");
            x64.Value("__NR_" + match.Groups[1].Value, ulong.Parse(match.Groups[3].Value), match.Groups[1].Value + " on x86_64");
        }
        foreach (Match match in Regex.Matches(source, @"const int (\w+) = (4\d\d);"))
        {
            names.Add(match.Groups[1].Value);
            arm64.Value("__NR_" + match.Groups[1].Value, ulong.Parse(match.Groups[2].Value), match.Groups[1].Value + " on aarch64");
            x64.Value("__NR_" + match.Groups[1].Value, ulong.Parse(match.Groups[2].Value), match.Groups[1].Value + " on x86_64");
        }
        arm64.Check();
        x64.Check();
        const BindingFlags All = BindingFlags.Static | BindingFlags.Public | BindingFlags.NonPublic;
        var members = typeof(SyscallNumbers).GetProperties(All).Where(p => p.PropertyType == typeof(int)).Select(p => p.Name)
            .Concat(typeof(SyscallNumbers).GetFields(All).Select(f => f.Name)).Concat(typeof(SyscallNumber).GetFields(All).Select(f => f.Name));
        Assert.Empty(members.Except(names));
    }

    [Fact]
    public void Flags_that_differ_between_architectures_are_those_of_each()
    {
        // arm64 swaps what the generic numbering has; asm-generic/fcntl.h takes what the architecture defined before it.
        var source = File.ReadAllText(Path.Combine(CSource.Root, "src/Conman.Linux/Files.cs"));
        var arm64 = new CSource("#define O_DIRECTORY 040000", "#define O_NOFOLLOW 0100000", "#define O_DIRECT 0200000", "#define O_LARGEFILE 0400000", "asm-generic/fcntl.h");
        foreach (var name in (string[])["Directory", "NoFollow"])
        {
            var value = Regex.Match(source, $@"OpenFlags {name} => .*Arm64 \? 0x([0-9a-f]+) :").Groups[1].Value;
            arm64.Value("O_" + name.ToUpperInvariant(), Convert.ToUInt64(value, 16), name + " on aarch64");
        }
        foreach (var name in Enum.GetNames<OpenFlags>())
            arm64.Value(Enums[typeof(OpenFlags)](name)!, Convert.ToUInt64(Enum.Parse<OpenFlags>(name)), name + " on aarch64");
        arm64.Check();
        Assert.Equal(System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64, Files.Directory == (OpenFlags)0x4000);
    }

    [Fact]
    public void A_number_with_a_name_beside_it_is_what_the_name_says()
    {
        // 4 /* WEXITED */, 1 | 2 /* A | B */, 0x1ed /* 0755 */: wherever they stand in the sources.
        var (kernel, library) = (new CSource([.. KernelHeaders, "#ifndef MFD_EXEC", "#define MFD_EXEC 0x10u", "#endif", "#ifndef PIDFD_INFO_EXIT", "#define PIDFD_INFO_EXIT 8", "#endif", "#define LOCK_EX 2", "#define LOCK_NB 4", "#define LOCK_UN 8"]), new CSource(LibraryHeaders));
        var count = 0;
        foreach (var file in Directory.GetFiles(Path.Combine(CSource.Root, "src"), "*.cs", SearchOption.AllDirectories))
        {
            foreach (Match match in Regex.Matches(File.ReadAllText(file), @"((?:(?:0x[0-9a-f]+|\d+)u?(?: \| )?)+) /\* ((?:[A-Z_]+[A-Z0-9_]*(?: \| )?)+|0[0-7]+) \*/"))
            {
                var (value, name) = (match.Groups[1].Value, match.Groups[2].Value);
                var number = value.Split(" | ").Aggregate(0ul, (sum, part) => sum | (part.StartsWith("0x") ? Convert.ToUInt64(part.TrimEnd('u')[2..], 16) : ulong.Parse(part.TrimEnd('u'))));
                (IsOfTheLibrary(name) ? library : kernel).Value(name, number, $"{Path.GetFileName(file)}: {value}");
                count++;
            }
        }
        kernel.Check();
        library.Check();
        Assert.True(count > 30, $"only {count} were found");
    }

    private static bool IsOfTheLibrary(string name) => Regex.IsMatch(name, "^(SOCK_|SO_|EFD_|IFF_|MSG_|AF_|SOL_|SCM_|IPPROTO_|MNT_|REG_|sizeof.regex_t)");
}
