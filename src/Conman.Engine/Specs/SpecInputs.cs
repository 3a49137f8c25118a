// All that a runtime's document is made from.

using Conman.Engine.Settings;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

/// <summary>What <see cref="SpecBuilder"/> is told of one container.</summary>
public sealed record SpecInputs
{
    /// <summary>64 hexadecimal digits.</summary>
    public required string Id { get; init; }

    public required string Name { get; init; }

    /// <summary>Completed from the image.</summary>
    public required ContainerConfig Config { get; init; }

    public required HostConfig Host { get; init; }

    /// <summary>The root file system, mounted, though nowhere: users and groups are looked up in it.</summary>
    public required FileDescriptor Root { get; init; }

    /// <summary>Binds and volumes, resolved; those that are mounted first come first.</summary>
    public IReadOnlyList<Mount> Volumes { get; init; } = [];

    /// <summary>The container's folder, which gets the files that are mounted over those of /etc.</summary>
    public required string LibFolder { get; init; }

    /// <summary>The host can limit how many processes a container has: what nobody asked for must not fail where it cannot.</summary>
    public bool LimitsProcesses { get; init; } = true;

    /// <summary>The path of a network namespace that is there already; null: by <see cref="HostConfig.NetworkMode"/>.</summary>
    public string? NetworkNamespace { get; init; }

    /// <summary>The first process of another container, by name or id, whose namespaces are to be joined.</summary>
    public required Func<string, int> PidOf { get; init; }

    /// <summary>The folder (<see cref="LibFolder"/>) of another container, whose network and thus names are shared.</summary>
    public Func<string, string>? FolderOf { get; init; }

    /// <summary>Where /dev/shm of another container is, by its name or id; null: it cannot be shared.</summary>
    public Func<string, string>? SharedMemoryOf { get; init; }

    /// <summary>There is no program: it holds the namespaces of a pod.</summary>
    public bool Holds { get; init; }

    /// <summary>Address and names of the container in its networks, for /etc/hosts.</summary>
    public IReadOnlyList<(string Address, string Names)> OwnAddresses { get; init; } = [];

    /// <summary>What /etc/hosts ends with.</summary>
    public string HostsEnd { get; init; } = "";

    /// <summary>The host's addresses in its networks, for <c>--add-host NAME:host-gateway</c>.</summary>
    public IReadOnlyList<string> Gateways { get; init; } = [];

    /// <summary>Name servers of its networks; null: the host's.</summary>
    public IReadOnlyList<string>? NameServers { get; init; }

    /// <summary>Secrets by name; null: there are none.</summary>
    public Func<string, byte[]>? SecretOf { get; init; }
}
