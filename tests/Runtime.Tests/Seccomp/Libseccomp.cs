// The oracle: libseccomp, fed with a profile as runc feeds it.

using System.Runtime.InteropServices;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Seccomp;
using Microsoft.Win32.SafeHandles;
using Profile = Conman.Oci.RuntimeSpec.Seccomp;

namespace Conman.Runtime.Tests.Seccomp;

internal static partial class Libseccomp
{
    private const string Library = "libseccomp.so.2";
    private const int InvalidArgument = -22, Exists = -17;

    public static bool IsInstalled { get; } = NativeLibrary.TryLoad(Library, out _);

    /// <summary>Whether this version of it knows an architecture.</summary>
    public static bool Knows(string architecture)
    {
        var filter = seccomp_init(0x7fff0000);
        try
        {
            return seccomp_arch_exist(filter, Token(architecture)) != InvalidArgument;
        }
        finally
        {
            seccomp_release(filter);
        }
    }

    /// <summary>The number of a call, negative if there is none; from -100 on down for calls through a multiplexer.</summary>
    public static int Number(string name, string? architecture = null) =>
        architecture is null ? seccomp_syscall_resolve_name(name) : seccomp_syscall_resolve_name_arch(Token(architecture), name);

    /// <summary>The filter, or null if it refuses the profile because of a contradiction.</summary>
    public static byte[]? Compile(Profile profile, string native)
    {
        var defaultAction = SeccompWords.Action(profile.DefaultAction, profile.DefaultErrnoRet);
        var filter = seccomp_init(defaultAction);
        Assert.NotEqual(0, filter);
        try
        {
            if (native != SeccompArchitecture.Native)
            {
                Assert.Equal(0, seccomp_arch_remove(filter, 0));
                Assert.Equal(0, seccomp_arch_add(filter, Token(native)));
            }
            foreach (var architecture in profile.Architectures ?? [])
                Assert.Contains(seccomp_arch_add(filter, Token(architecture)), new[] { 0, Exists });
            foreach (var (calls, place) in (profile.Syscalls ?? []).Select((c, i) => (c, i)))
            {
                var action = SeccompWords.Action(calls.Action, calls.ErrnoRet, place);
                foreach (var name in calls.Names!)
                {
                    var number = Number(name);
                    if (action != defaultAction && number != -1 && !Add(filter, action, number, calls.Args ?? []))
                        return null;
                }
            }
            return Export(filter);
        }
        finally
        {
            seccomp_release(filter);
        }
    }

    // Of several conditions on one argument each is a rule of its own: that is runc's doing, libseccomp refuses them.
    private static bool Add(nint filter, uint action, int number, List<SeccompArg> args)
    {
        var arguments = args.Select(a => new scmp_arg_cmp { arg = a.Index, op = Operator(a.Op!), datum_a = a.Value, datum_b = a.ValueTwo ?? 0 }).ToArray();
        if (args.DistinctBy(a => a.Index).Count() == args.Count)
            return Check(seccomp_rule_add_array(filter, action, number, (uint)arguments.Length, arguments));
        return arguments.All(a => Check(seccomp_rule_add_array(filter, action, number, 1, [a])));

        static bool Check(int result)
        {
            Assert.Contains(result, new[] { 0, Exists });
            return result == 0;
        }
    }

    private static byte[] Export(nint filter)
    {
        var path = Path.GetTempFileName();
        try
        {
            using SafeFileHandle file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite);
            Assert.Equal(0, seccomp_export_bpf(filter, (int)file.DangerousGetHandle()));
            var program = new byte[RandomAccess.GetLength(file)];
            RandomAccess.Read(file, program, 0);
            return program;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static int Operator(string word) => word switch
    {
        "SCMP_CMP_NE" => 1,
        "SCMP_CMP_LT" => 2,
        "SCMP_CMP_LE" => 3,
        "SCMP_CMP_EQ" => 4,
        "SCMP_CMP_GE" => 5,
        "SCMP_CMP_GT" => 6,
        _ => 7,
    };

    // SCMP_ARCH_* is AUDIT_ARCH_*, but for x32, which the kernel does not tell from x86_64.
    private static uint Token(string architecture) =>
        SeccompArchitecture.Find(architecture) is { IsX32: true } x32 ? x32.Audit & ~0x80000000 : SeccompArchitecture.Find(architecture).Audit;

    [LibraryImport(Library)]
    private static partial nint seccomp_init(uint action);

    [LibraryImport(Library)]
    private static partial void seccomp_release(nint filter);

    [LibraryImport(Library)]
    private static partial int seccomp_arch_exist(nint filter, uint architecture);

    [LibraryImport(Library)]
    private static partial int seccomp_arch_add(nint filter, uint architecture);

    [LibraryImport(Library)]
    private static partial int seccomp_arch_remove(nint filter, uint architecture);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int seccomp_syscall_resolve_name(string name);

    [LibraryImport(Library, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int seccomp_syscall_resolve_name_arch(uint architecture, string name);

    [LibraryImport(Library)]
    private static partial int seccomp_rule_add_array(nint filter, uint action, int number, uint count, [In] scmp_arg_cmp[] arguments);

    [LibraryImport(Library)]
    private static partial int seccomp_export_bpf(nint filter, int descriptor);

    [StructLayout(LayoutKind.Sequential)]
    private struct scmp_arg_cmp
    {
        public uint arg;
        public int op;
        public ulong datum_a;
        public ulong datum_b;
    }
}
