// Processes: started without fork, waited for and signalled by pidfd, never trusted by number alone.

using System.Buffers.Text;
using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Linux;

/// <summary>CLONE_NEW* of clone(2), as a namespace's kind.</summary>
[Flags]
public enum Namespaces : ulong
{
    None = 0,
    Time = 0x80,
    Mount = 0x20000,
    Cgroup = 0x2000000,
    Uts = 0x4000000,
    Ipc = 0x8000000,
    User = 0x10000000,
    Pid = 0x20000000,
    Network = 0x40000000,
}

/// <summary>How a process ended: an exit status, or the signal that killed it.</summary>
public readonly record struct Exit(int Status, int Signal)
{
    /// <summary>As a shell tells it: the status, or 128 and the signal.</summary>
    public int Code => Signal != 0 ? 128 + Signal : Status;
}

/// <summary>A process of which one holds a pidfd.</summary>
public sealed class ProcessHandle(int pid, FileDescriptor pidfd) : IDisposable
{
    private Exit? _exit;

    /// <summary>The pid in this process's pid namespace.</summary>
    public int Pid { get; } = pid;

    /// <summary>Readable in poll(2) once the process has ended.</summary>
    public FileDescriptor Descriptor { get; } = pidfd;

    public void Dispose() => Descriptor.Dispose();

    /// <summary>It has been waited for, and is no more.</summary>
    public bool Reaped => _exit is not null;

    /// <summary>pidfd_send_signal(2); errno or 0.</summary>
    public int TrySignal(int signal) => Reaped ? Errno.ESRCH : Processes.TrySignal(Descriptor, signal);

    /// <summary>Waits for its end, and reaps it if it is a child of this process. How another's child ended only newer kernels tell, where a status is asked for too early: nobody knows.</summary>
    public Exit Wait() => _exit ??= Processes.Reap(Descriptor) ?? Processes.Await(Descriptor) ?? default;
}

/// <summary>What may differ from the parent in a process that <see cref="Processes.Spawn"/> starts.</summary>
public sealed class SpawnOptions
{
    /// <summary>Namespaces that the child is born into, all new.</summary>
    public Namespaces New { get; init; }

    /// <summary>The cgroup that the child is born into (a directory of cgroup2).</summary>
    public FileDescriptor? Cgroup { get; init; }

    /// <summary>A pid namespace that the child is born into.</summary>
    public FileDescriptor? PidNamespace { get; init; }

    /// <summary>What becomes standard input, output and error; -1: the parent's.</summary>
    public (int In, int Out, int Error) StandardStreams { get; init; } = (-1, -1, -1);

    /// <summary>Descriptors that stay open in the child under their own numbers.</summary>
    public List<int> Keep { get; } = [];
}

/// <summary>Starts a process as <see cref="Processes.Spawn"/> does, which may be another process's work.</summary>
public delegate ProcessHandle Spawner(FileDescriptor executable, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment, SpawnOptions options);

/// <summary>Starting, waiting, signalling.</summary>
public static unsafe class Processes
{
    /// <summary>conman-init in a sealed memfd.</summary>
    public static FileDescriptor Helper() => Files.SealedMemory("conman-init", HelperImage, executable: true);

    /// <summary>The helper itself, an ELF file.</summary>
    public static ReadOnlySpan<byte> HelperImage
    {
        get
        {
            nint size;
            var file = Native.conman_helper(&size);
            return new ReadOnlySpan<byte>(file, (int)size);
        }
    }

    /// <summary>clone3(CLONE_VM|CLONE_VFORK|CLONE_PIDFD) and execveat(2) of an open file. The process is a child of this one.</summary>
    public static ProcessHandle Spawn(FileDescriptor executable, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment, SpawnOptions options)
    {
        using var own = options.PidNamespace is null ? null : Files.Open("/proc/self/ns/pid", OpenFlags.ReadOnly);
        var keep = options.Keep.ToArray();
        using var argv = new Utf8Vector(arguments);
        using var envp = new Utf8Vector(environment);
        var request = new SpawnRequest
        {
            flags = (ulong)options.New,
            cgroup = options.Cgroup?.Number ?? -1,
            pid_namespace = options.PidNamespace?.Number ?? -1,
            own_pid_namespace = own?.Number ?? -1,
            executable = executable.Number,
            keep_count = keep.Length,
            argv = argv.Pointers,
            envp = envp.Pointers,
        };
        (request.stdio[0], request.stdio[1], request.stdio[2]) = options.StandardStreams;
        nint pid;
        fixed (int* k = keep)
        {
            request.keep = k;
            pid = Native.conman_spawn(&request);
        }
        if (pid < 0)
            LinuxException.Throw((int)-pid, "start a process");
        return new ProcessHandle((int)pid, new FileDescriptor(request.pidfd));
    }

    /// <summary>pidfd_open(2); null if there is no such process.</summary>
    public static FileDescriptor? TryOpen(int pid)
    {
        var fd = Native.syscall(SyscallNumber.pidfd_open, pid, 0, 0, 0, 0, 0);
        if (fd >= 0)
            return new FileDescriptor((int)fd);
        var errno = Marshal.GetLastPInvokeError();
        if (errno is not (Errno.ESRCH or Errno.EINVAL))
            LinuxException.Throw(errno, $"open process {pid}");
        return null;
    }

    /// <summary>A pidfd of a process that is still the one that was started at that time; null if it is gone, or another now has its number.</summary>
    public static FileDescriptor? TryOpen(int pid, ulong startTime)
    {
        var pidfd = TryOpen(pid);
        if (pidfd is not null && StartTime(pid) != startTime)
        {
            pidfd.Dispose();
            return null;
        }
        return pidfd;
    }

    /// <summary>pidfd_send_signal(2); errno or 0.</summary>
    public static int TrySignal(FileDescriptor pidfd, int signal) =>
        Native.syscall(SyscallNumber.pidfd_send_signal, pidfd.Number, signal, 0, 0, 0, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;

    /// <summary>A copy of another process's descriptor (pidfd_getfd(2)).</summary>
    public static FileDescriptor Descriptor(FileDescriptor pidfd, int number) =>
        FileDescriptor.Check(Native.syscall(SyscallNumber.pidfd_getfd, pidfd.Number, number, 0, 0, 0, 0), "take a descriptor of a process");

    /// <summary>
    /// What this thread makes until the result is disposed belongs to these ids (setfsuid(2)), and no capability is lost meanwhile
    /// (SECBIT_NO_SETUID_FIXUP): a file system of a user namespace takes nothing whose owner it does not know.
    /// </summary>
    public static FileOwner MakeFilesAs(uint uid, uint gid) => new(uid, gid);

    /// <summary>See <see cref="MakeFilesAs"/>.</summary>
    public readonly ref struct FileOwner
    {
        private readonly nint _bits, _uid, _gid;

        internal FileOwner(uint uid, uint gid)
        {
            _bits = Native.syscall(SyscallNumbers.prctl, 27 /* PR_GET_SECUREBITS */, 0, 0, 0, 0, 0);
            Native.syscall(SyscallNumbers.prctl, 28 /* PR_SET_SECUREBITS */, _bits | 4 /* SECBIT_NO_SETUID_FIXUP */, 0, 0, 0, 0);
            _gid = Native.syscall(SyscallNumbers.setfsgid, (nint)gid, 0, 0, 0, 0, 0);
            _uid = Native.syscall(SyscallNumbers.setfsuid, (nint)uid, 0, 0, 0, 0, 0);
        }

        public void Dispose()
        {
            Native.syscall(SyscallNumbers.setfsuid, _uid, 0, 0, 0, 0, 0);
            Native.syscall(SyscallNumbers.setfsgid, _gid, 0, 0, 0, 0, 0);
            Native.syscall(SyscallNumbers.prctl, 28 /* PR_SET_SECUREBITS */, _bits, 0, 0, 0, 0);
        }
    }

    /// <summary>Waits for a child's end and reaps it; null if it is not a child of this process.</summary>
    public static Exit? Reap(FileDescriptor pidfd)
    {
        SigInfo info = default;
        int result;
        do result = Native.waitid(3 /* P_PIDFD */, pidfd.Number, &info, 4 /* WEXITED */);
        while (result < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        if (result < 0)
            return null;
        return info.si_code == 1 /* CLD_EXITED */ ? new Exit(info.si_status, 0) : new Exit(0, info.si_status);
    }

    /// <summary>Waits for the end of a process that is another's child; null where the kernel does not tell how it ended.</summary>
    public static Exit? Await(FileDescriptor pidfd)
    {
        Waiting.Readable(pidfd);
        return TryExit(pidfd);
    }

    /// <summary>How a process ended that another has reaped (PIDFD_GET_INFO with PIDFD_INFO_EXIT, which is 8, since Linux 6.15); null: that is not known.</summary>
    public static Exit? TryExit(FileDescriptor pidfd)
    {
        const nuint PIDFD_GET_INFO = 0xc040ff0b;
        ProcessInfo info = new() { mask = 8 };
        if (Native.ioctl(pidfd.Number, PIDFD_GET_INFO, &info) < 0 || (info.mask & 8) == 0)
            return null;
        return new Exit((info.exit_code >> 8) & 255, info.exit_code & 127);
    }

    /// <summary>A descriptor stays open when this process becomes another program.</summary>
    public static void KeepAcrossExecution(FileDescriptor descriptor) => _ = Tmds.Linux.LibC.fcntl(descriptor.Number, 2 /* F_SETFD */, 0);

    /// <summary>Becomes another program (execveat(2) of an open file); returns errno if it cannot.</summary>
    public static int TryExecute(FileDescriptor executable, ReadOnlySpan<string> arguments, ReadOnlySpan<string> environment)
    {
        using var argv = new Utf8Vector(arguments);
        using var envp = new Utf8Vector(environment);
        byte nothing = 0;
        Native.syscall(SyscallNumbers.execveat, executable.Number, (nint)(&nothing), (nint)argv.Pointers, (nint)envp.Pointers, 0x1000 /* AT_EMPTY_PATH */, 0);
        return Marshal.GetLastPInvokeError();
    }

    /// <summary>sched_setaffinity(2) of this thread, and so of what it starts; errno or 0.</summary>
    /// <param name="cpus">One bit a CPU, the first in the lowest bit of the first byte.</param>
    public static int TrySetAffinity(ReadOnlySpan<byte> cpus)
    {
        fixed (byte* p = cpus)
            return Native.syscall(SyscallNumbers.sched_setaffinity, 0, cpus.Length, (nint)p, 0, 0, 0) < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>The time a process was started, in clock ticks since boot (proc(5), stat field 22); 0 if there is none.</summary>
    public static ulong StartTime(int pid) => Stat(pid).StartTime;

    /// <summary>A process's parent (proc(5), stat field 4); 0 if there is none in this pid namespace.</summary>
    public static int Parent(int pid)
    {
        Span<byte> buffer = stackalloc byte[1024];
        return Stat(pid, buffer) is { Length: > 2 } rest && Utf8Parser.TryParse(rest[2..], out int parent, out _) ? parent : 0;
    }

    /// <summary>State letter and start time of a process (proc(5)); ('\0', 0) if there is none.</summary>
    public static (char State, ulong StartTime) Stat(int pid)
    {
        Span<byte> buffer = stackalloc byte[1024];
        var rest = Stat(pid, buffer);
        if (rest.IsEmpty)
            return default;
        var state = (char)rest[0];
        for (var field = 3; field < 22; field++)
            rest = rest[(rest.IndexOf((byte)' ') + 1)..];
        return Utf8Parser.TryParse(rest, out ulong time, out _) ? (state, time) : default;
    }

    // From field 3, the state, on. The name in parentheses before it may hold anything, spaces and parentheses too.
    private static Span<byte> Stat(int pid, Span<byte> buffer)
    {
        using var file = Files.TryOpen("/proc/" + pid + "/stat", OpenFlags.ReadOnly, out _);
        if (file is null)
            return default;
        try
        {
            var n = Files.Read(file.Number, buffer, "stat");
            return buffer[..n][(buffer[..n].LastIndexOf((byte)')') + 2)..];
        }
        catch (LinuxException e) when (e.Errno == Errno.ESRCH)
        {
            return default;
        }
    }

    /// <summary>The capabilities that this kernel knows, as bits: asked of it one by one from the end (prctl(2), PR_CAPBSET_READ).</summary>
    public static ulong KnownCapabilities
    {
        get
        {
            var last = 40; // CAP_CHECKPOINT_RESTORE, of Linux 5.9
            while (last < 63 && Knows(last + 1))
                last++;
            while (last > 0 && !Knows(last))
                last--;
            return ulong.MaxValue >> (63 - last);

            static bool Knows(int capability) => Native.syscall(SyscallNumbers.prctl, 23 /* PR_CAPBSET_READ */, capability, 0, 0, 0, 0) >= 0;
        }
    }

    /// <summary>The capabilities that this process can give to another (its bounding set), as bits.</summary>
    public static ulong BoundingCapabilities
    {
        get
        {
            var bits = 0ul;
            for (var capability = 0; capability < 64; capability++)
            {
                if (Native.syscall(SyscallNumbers.prctl, 23 /* PR_CAPBSET_READ */, capability, 0, 0, 0, 0) == 1)
                    bits |= 1ul << capability;
            }
            return bits;
        }
    }

    /// <summary>This boot's own random name (random(4)); empty where procfs does not tell.</summary>
    public static string BootId
    {
        get
        {
            using var file = Files.TryOpen("/proc/sys/kernel/random/boot_id", OpenFlags.ReadOnly, out _);
            return file is null ? "" : Encoding.UTF8.GetString(Files.ReadAll(file, "boot_id")).Trim();
        }
    }

    /// <summary>The numeric effective user id.</summary>
    public static uint EffectiveUser => Native.geteuid();

    /// <summary>The numeric effective group id.</summary>
    public static uint EffectiveGroup => Native.getegid();

    /// <summary>The beginning of struct pidfd_info (linux/pidfd.h), 64 bytes.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct ProcessInfo
    {
        public ulong mask;
        public ulong cgroupid;
        private fixed uint _ids[11];
        public int exit_code;
    }

    /// <summary>The ceiling of one of this process's own limits (getrlimit(2)).</summary>
    /// <param name="resource">RLIMIT_*.</param>
    public static ulong HardLimit(int resource)
    {
        var limits = stackalloc ulong[2];
        return Native.getrlimit(resource, limits) == 0 ? limits[1] : ulong.MaxValue;
    }

    /// <summary>What this process has got from its caller beyond the standard streams goes to none of its children, unless they are to keep it.</summary>
    public static void KeepInherited() => _ = Native.syscall(SyscallNumbers.close_range, 3, unchecked((nint)uint.MaxValue), 4 /* CLOSE_RANGE_CLOEXEC */, 0, 0, 0);

    /// <summary>This thread enters a network namespace: of a process (a pidfd), or that a descriptor stands for.</summary>
    public static void EnterNetwork(FileDescriptor target)
    {
        if (Native.syscall(SyscallNumbers.setns, target.Number, (nint)Namespaces.Network, 0, 0, 0, 0) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "enter a network namespace");
    }

    private readonly ref struct Utf8Vector
    {
        public readonly byte** Pointers;

        public Utf8Vector(ReadOnlySpan<string> texts)
        {
            var total = 0;
            foreach (var text in texts)
                total += Encoding.UTF8.GetByteCount(text) + 1;
            Pointers = (byte**)NativeMemory.Alloc((nuint)((texts.Length + 1) * sizeof(byte*) + total));
            var next = (byte*)(Pointers + texts.Length + 1);
            for (var i = 0; i < texts.Length; i++)
            {
                Pointers[i] = next;
                next += Encoding.UTF8.GetBytes(texts[i], new Span<byte>(next, Encoding.UTF8.GetByteCount(texts[i])));
                *next++ = 0;
            }
            Pointers[texts.Length] = null;
        }

        public void Dispose() => NativeMemory.Free(Pointers);
    }
}
