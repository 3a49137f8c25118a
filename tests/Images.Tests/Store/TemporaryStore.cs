// A store of a test's own, removed with it.

using Conman.Images.Store;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Tests.Store;

public sealed class TemporaryStore : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("conman-test-");

    public TemporaryStore() => Images = ImageStore.Open(Path);

    public string Path => _folder.FullName + "/store";

    public ImageStore Images { get; private set; }

    /// <summary>As another process would see it.</summary>
    public ImageStore Reopen()
    {
        Images.Dispose();
        return Images = ImageStore.Open(Path);
    }

    /// <summary>An image of some layers that hold a file each; its record is written.</summary>
    public ImageRecord Add(string name, params string[] layers)
    {
        var diffIds = layers.Select(l => Digest.Of(System.Text.Encoding.UTF8.GetBytes("diff of " + l))).ToArray();
        var blobs = layers.Select(l => Images.Blobs.Write(System.Text.Encoding.UTF8.GetBytes(l), MediaTypes.Layer)).ToList();
        foreach (var chainId in LayerStore.ChainIds(diffIds))
        {
            using var making = Images.Layers.Begin(chainId);
            if (making is null)
                continue;
            using (making.NewDiff())
                making.Complete(new LayerRecord { Size = 1 });
            making.Publish();
        }
        var image = new Image { Architecture = "amd64", Os = "linux", Rootfs = new RootFs { Type = "layers", DiffIds = [.. diffIds.Select(d => d.ToString())] } };
        var config = Images.Blobs.Write(image.ToUtf8(false), MediaTypes.Config);
        var manifest = Images.Blobs.Write(new Manifest { SchemaVersion = 2, Config = config, Layers = blobs }.ToUtf8(false), MediaTypes.Manifest);
        var record = new ImageRecord { Name = name, Target = manifest, Manifest = manifest, Config = config, Size = layers.Length, Pulled = true };
        Images.Images.Write(record);
        return record;
    }

    public void Dispose()
    {
        Images.Dispose();
        _folder.Delete(recursive: true);
    }
}
