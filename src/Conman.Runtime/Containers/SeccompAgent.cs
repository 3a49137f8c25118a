// The seccomp agent: a process outside that answers the calls for which a profile says SCMP_ACT_NOTIFY (seccomp_unotify(2)).

using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Containers;

/// <summary>
/// A connection to the agent of <c>linux.seccomp.listenerPath</c>. It is made before the filter is loaded: an agent that is not there ends the
/// command while nothing runs yet that would need it. One connection carries one state (config-linux.md, "The Container Process State").
/// </summary>
internal sealed class SeccompAgent : IDisposable
{
    private readonly FileDescriptor _connection;
    private readonly Oci.RuntimeSpec.Seccomp _profile;

    private SeccompAgent(FileDescriptor connection, Oci.RuntimeSpec.Seccomp profile) => (_connection, _profile) = (connection, profile);

    /// <summary>Whether a profile has rules that only an agent can answer.</summary>
    public static bool IsNeeded(Oci.RuntimeSpec.Seccomp? profile) => profile?.Syscalls?.Exists(static s => s.Action == "SCMP_ACT_NOTIFY") is true;

    /// <summary>Connects.</summary>
    /// <exception cref="RuntimeException">Nobody listens.</exception>
    public static SeccompAgent Connect(Oci.RuntimeSpec.Seccomp profile) => new(
        Sockets.TryConnect(profile.ListenerPath!, out var errno)
            ?? throw new RuntimeException($"failed to connect with seccomp agent specified in the seccomp profile: {profile.ListenerPath}: {LinuxException.Describe(errno)}"),
        profile);

    /// <summary>Sends a filter's listener, and of whom it is.</summary>
    /// <exception cref="RuntimeException">The agent is gone.</exception>
    public void Deliver(FileDescriptor listener, int pid, State state)
    {
        state.Pid = state.Pid == 0 ? pid : state.Pid;
        var message = new ContainerProcessState
        {
            OciVersion = Container.SpecVersion,
            Fds = ["seccompFd"],
            Pid = pid,
            Metadata = _profile.ListenerMetadata,
            State = state,
        };
        var errno = Sockets.TrySendDescriptor(_connection, listener.Number, message.ToUtf8(false));
        _connection.Dispose(); // "it MUST be closed after sending a seccomp state"
        if (errno != 0)
            throw new RuntimeException($"cannot send seccomp fd to {_profile.ListenerPath}: {LinuxException.Describe(errno)}");
    }

    public void Dispose() => _connection.Dispose();
}
