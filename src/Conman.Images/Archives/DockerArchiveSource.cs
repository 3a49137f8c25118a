// An image in the archive that `docker save` and `podman save` write: manifest.json, a configuration, and layers that are not compressed, or are.
//
// It has no registry manifest, so one is made: the same archive always gives the same one.

using Conman.Images.Registry;
using Conman.Images.Transfer;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Archives;

/// <summary>An element of <c>manifest.json</c>.</summary>
[OciObject]
public sealed partial class DockerArchiveEntry
{
    /// <summary>The configuration's file.</summary>
    [OciName("Config")]
    public string? Config { get; set; }

    [OciName("RepoTags")]
    public List<string>? RepoTags { get; set; }

    /// <summary>The layers' files, the lowest first.</summary>
    [OciName("Layers")]
    public List<string>? Layers { get; set; }
}

/// <summary>One image of the archive.</summary>
public sealed class DockerArchiveSource : IImageSource
{
    private readonly IFileSet _files;
    private readonly Dictionary<string, string> _paths = [];
    private readonly Document _manifest;

    public DockerArchiveSource(IFileSet files, DockerArchiveEntry entry)
    {
        _files = files;
        var config = files.ReadDocument(entry.Config ?? throw new ImageException($"{files.Name}: an image of manifest.json has no configuration"));
        var manifest = new Manifest
        {
            SchemaVersion = 2,
            MediaType = MediaTypes.Manifest,
            Config = new Descriptor { MediaType = MediaTypes.Config, Digest = Digest.Of(config).ToString(), Size = config.Length },
            Layers = (entry.Layers ?? []).ConvertAll(Layer),
        };
        _paths[manifest.Config.Digest!] = entry.Config;
        var content = manifest.ToUtf8(indented: false);
        _manifest = new Document(new Descriptor { MediaType = MediaTypes.Manifest, Digest = Digest.Of(content).ToString(), Size = content.Length }, content);
    }

    /// <summary>The images that an archive has.</summary>
    public static List<DockerArchiveEntry> Images(IFileSet files)
    {
        try
        {
            // A list at the top is no object of the generator's: it is read as the member of one.
            return DockerArchiveList.Parse([.. "{\"images\":"u8, .. files.ReadDocument("manifest.json"), (byte)'}']).Images ?? [];
        }
        catch (OciFormatException e)
        {
            throw new ImageException($"{files.Name}: manifest.json is damaged: {e.Message}", e);
        }
    }

    public static bool IsDockerArchive(IFileSet files) => files.Size("manifest.json") is not null;

    public Digest? CurrentDigest() => Digest.Parse(_manifest.Descriptor.Digest);

    public Document Root() => _manifest;

    public byte[] Manifest(Descriptor descriptor) => throw new ImageException($"{_files.Name} has no manifest {descriptor.Digest}");

    public void Download(Descriptor blob, IBlobSink sink) => _files.CopyTo(_paths[blob.Digest!], sink);

    private Descriptor Layer(string path)
    {
        var size = _files.Size(path) ?? throw new ImageException($"{_files.Name} has no {path}");
        Span<byte> magic = stackalloc byte[4];
        var n = _files.Read(path, magic, 0);
        var type = magic[..n] switch
        {
            [0x1f, 0x8b, ..] => MediaTypes.LayerGzip,
            [0x28, 0xb5, 0x2f, 0xfd] => MediaTypes.LayerZstd,
            _ => MediaTypes.Layer,
        };
        var layer = new Descriptor { MediaType = type, Digest = _files.DigestOf(path).ToString(), Size = size };
        _paths[layer.Digest!] = path;
        return layer;
    }
}

/// <summary><c>manifest.json</c> as the member of an object.</summary>
[OciObject]
public sealed partial class DockerArchiveList
{
    public List<DockerArchiveEntry>? Images { get; set; }
}
