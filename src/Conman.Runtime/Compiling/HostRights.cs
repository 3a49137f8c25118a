// What the runtime may do on this host: as root everything; as an ordinary user, or as root of a user namespace, what that gives.

using Conman.Linux;

namespace Conman.Runtime.Compiling;

/// <summary>The caller's rights, asked of the kernel once.</summary>
/// <param name="OrdinaryUser">Not root: a container needs a user namespace, and every right comes from that.</param>
/// <param name="InUserNamespace">In a user namespace, not the host's first: there may be no device nodes, and no device program.</param>
/// <param name="CopiesMounts">It may copy mounts of its own mount namespace (CAP_SYS_ADMIN in the user namespace that owns it).</param>
public sealed record HostRights(bool OrdinaryUser, bool InUserNamespace, bool CopiesMounts)
{
    private const string FirstUserNamespace = "user:[4026531837]"; // PROC_USER_INIT_INO of linux/proc_ns.h

    private static HostRights? s_current;

    /// <summary>Root of the host.</summary>
    public static HostRights All { get; } = new(false, false, true);

    /// <summary>Those of this process. For root of the host that is one system call.</summary>
    public static HostRights Current => s_current ??= Ask();

    /// <summary>Neither root nor on the host: what runc calls rootless.</summary>
    public bool Rootless => OrdinaryUser || InUserNamespace;

    private static HostRights Ask()
    {
        if (Processes.EffectiveUser != 0)
            return new HostRights(true, true, false);
        return Files.TryReadLink("/proc/self/ns/user") is null or FirstUserNamespace ? All : new HostRights(false, true, Mounts.MayCopy);
    }
}
