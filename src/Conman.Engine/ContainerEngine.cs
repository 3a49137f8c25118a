// The engine on one host: where things are. There is no daemon: each command opens what it needs, and is gone.

using Conman.Engine.Events;
using Conman.Engine.Secrets;
using Conman.Engine.Store;
using Conman.Engine.Volumes;
using Conman.Images;
using Conman.Images.References;
using Conman.Images.Store;
using Conman.Linux;
using Conman.Network;
using Conman.Network.Store;

namespace Conman.Engine;

/// <summary>The folders of one host's containers and images.</summary>
public sealed class ContainerEngine : IDisposable
{
    /// <summary>Where lies what dies with the boot.</summary>
    public const string DefaultRunRoot = "/run/conman";

    private ContainerStore? _containers;
    private EventLog? _events;
    private VolumeStore? _volumes;
    private SecretStore? _secrets;
    private ImageStore? _images;
    private HostNetworks? _networks;

    /// <param name="root">What lasts: images, containers, volumes.</param>
    /// <param name="runRoot">What dies with the boot.</param>
    public ContainerEngine(string root, string runRoot)
    {
        Root = Path.GetFullPath(root);
        RunRoot = Path.GetFullPath(runRoot);
    }

    public string Root { get; }

    public string RunRoot { get; }

    /// <summary>The root of the OCI runtime's own state.</summary>
    public string RuntimeRoot => RunRoot + "/oci";

    public ContainerStore Containers => _containers ??= ContainerStore.Open(Root, RunRoot);

    public ImageStore Images => _images ??= OpenImages();

    /// <summary>Opens the store of images, which asks here what containers use of it.</summary>
    public ImageStore OpenImages()
    {
        var images = ImageStore.Open(Root);
        images.Uses = Uses;
        images.Images.Told = (action, name, id) => TellImage(action, id ?? name, name);
        return images;
    }

    /// <summary>Hears what is worth a warning.</summary>
    public Action<string> Warn { get; init; } = _ => { };

    public EventLog Events => _events ??= new EventLog(RunRoot);

    /// <summary>Writes down that something happened to a container.</summary>
    public void Tell(Container container, string action, params ReadOnlySpan<(string Name, string Value)> more)
    {
        var record = container.Record;
        var attributes = new Dictionary<string, string>(record?.Config?.Labels ?? []);
        foreach (var (name, value) in more)
            attributes[name] = value;
        attributes["image"] = record?.Config?.Image ?? "";
        attributes["name"] = record?.Name ?? "";
        Events.Append("container", action, container.Id, attributes);
    }

    /// <summary>Writes down that something happened to an image.</summary>
    public void TellImage(string action, string id, string name) => Events.Append("image", action, id, new() { ["name"] = ImageReference.Shorten(name) });

    public VolumeStore Volumes => _volumes ??= new VolumeStore(Root, (action, name) => Events.Append("volume", action, name, new() { ["driver"] = "local" }));

    public SecretStore Secrets => _secrets ??= new SecretStore(Root);

    /// <summary>The networks of the host; made when they are first asked for.</summary>
    public HostNetworks Networks => _networks ??= new HostNetworks(Root, RunRoot, Holds, Connected);

    // A container that runs has its addresses and ports, and one that another command works on may be about to have them.
    private bool Holds(string id)
    {
        using var container = Containers.TryOpen(id);
        return container is not null && (container.Init is not null || !Files.Lock(container.Folder, wait: false, id));
    }

    private IEnumerable<(Endpoints Endpoints, string Id)> Connected()
    {
        foreach (var id in Containers.Ids())
        {
            using var container = Containers.TryOpen(id);
            if (container?.Init is not null && Networking.ContainerNetworks.Read(container) is { } endpoints)
                yield return (endpoints, id);
        }
    }

    private IEnumerable<ImageUse> Uses()
    {
        foreach (var id in Containers.Ids())
        {
            using var container = Containers.TryOpen(id);
            foreach (var mount in container?.Record?.Mounts ?? [])
            {
                if (mount.Image.Length > 0)
                    yield return new ImageUse(container!.Record!.Name ?? container.ShortId, Digest.Parse(mount.Image), (mount.Layers ?? []).ConvertAll(Digest.Parse), container.Init is not null);
            }
            if (container?.Record is { ImageId: not null, Layers: not null } record)
                yield return new ImageUse(record.Name ?? container.ShortId, Digest.Parse(record.ImageId), record.Layers.ConvertAll(Digest.Parse), container.Init is not null);
        }
    }

    public void Dispose()
    {
        _networks?.Dispose();
        _containers?.Dispose();
        _images?.Dispose();
    }
}
