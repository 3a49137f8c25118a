// STUB until the compiler is merged.
namespace Conman.Runtime.Seccomp;
public sealed record SeccompFilter(byte[] Program, uint Flags, bool NeedsListener);
public static class SeccompCompiler
{
    public static SeccompFilter Compile(Conman.Oci.RuntimeSpec.Seccomp profile) => throw new RuntimeException("linux.seccomp: is not supported yet");
}
public static class SyscallTable { public static IReadOnlyList<string> Architectures => []; }
