// Resource limits by name (getrlimit(2)).

using Conman.Runtime.Plans;

namespace Conman.Runtime.Compiling;

internal static class ResourceLimits
{
    // A name's place is its number (asm-generic/resource.h).
    private static readonly string[] Names =
    [
        "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC", "RLIMIT_NOFILE",
        "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE", "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
    ];

    public static int Number(string name)
    {
        var number = Array.IndexOf(Names, name);
        return number >= 0 ? number : RuntimeException.Throw<int>($"process.rlimits: unknown limit {Words.Quote(name)}");
    }
}
