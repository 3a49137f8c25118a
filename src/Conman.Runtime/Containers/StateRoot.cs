// The folder that holds the containers' folders: where it is by default, and who else may have a hand in it.

using Conman.Linux;

namespace Conman.Runtime.Containers;

/// <summary>What <c>--root</c> names.</summary>
public static class StateRoot
{
    private const uint OthersMayWrite = 0x12 /* 0022 */, Sticky = 0x200 /* 01000 */;

    /// <summary>
    /// Root's is in /run. An ordinary user's is in $XDG_RUNTIME_DIR, which is his alone and goes with his last session; without one, in a folder
    /// of his own below /tmp, which is refused should somebody else have made it.
    /// </summary>
    public static string Default =>
        Processes.EffectiveUser == 0 ? "/run/conman/oci"
        : Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } folder ? folder + "/conman/oci"
        : "/tmp/conman-" + Processes.EffectiveUser + "/oci";

    /// <summary>
    /// Refuses a folder of state that somebody else could have put there, or could put something into: what it says would be done with the
    /// caller's rights. A sticky one (as /tmp is) protects what is in it.
    /// </summary>
    internal static void RefuseUnsafe(FileStatus status, string path)
    {
        if (status.Uid != Processes.EffectiveUser && status.Uid != 0)
            throw new RuntimeException($"cannot use {path} for the state of containers: it belongs to user {status.Uid}");
        if ((status.Permissions & OthersMayWrite) != 0 && (status.Permissions & Sticky) == 0)
            throw new RuntimeException($"cannot use {path} for the state of containers: others may write to it (mode {Plans.Words.Octal(status.Permissions)})");
    }
}
