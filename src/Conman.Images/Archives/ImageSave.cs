// Saving images: their documents and blobs as they are in the store, so that their digests stay what they were.
//
// The default is what Docker writes since version 25: an OCI layout with Docker's manifest.json beside it, which older ones read.

using Conman.Images.Store;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Archives;

/// <summary>How images are saved.</summary>
public enum SaveFormat
{
    /// <summary>An OCI layout and <c>manifest.json</c>, in an archive.</summary>
    DockerArchive,

    /// <summary>An OCI layout in an archive.</summary>
    OciArchive,

    /// <summary>An OCI layout in a folder.</summary>
    OciFolder,

    /// <summary>What skopeo calls <c>dir:</c>: one image.</summary>
    DockerFolder,
}

public static class ImageSave
{
    /// <summary>Writes images.</summary>
    /// <param name="images">Each with the names (canonical, with a tag) that it is saved under.</param>
    public static void Write(ImageStore store, IReadOnlyList<(ImageRecord Record, List<string> Names)> images, SaveFormat format, IFileSink sink)
    {
        if (format == SaveFormat.DockerFolder)
        {
            if (images.Count != 1)
                throw new ImageException("a folder of this format holds one image: give one");
            WriteFolder(store, images[0].Record, sink);
            return;
        }
        var index = new ImageIndex { SchemaVersion = 2, MediaType = MediaTypes.Index, Manifests = [] };
        var list = new OciWriter();
        list.WriteStartArray();
        var written = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (record, names) in images)
        {
            var manifest = ImageDocuments.Manifest(store, record);
            List<Descriptor> blobs = [record.Manifest!, manifest.Config!, .. manifest.Layers ?? []];
            foreach (var blob in blobs.Where(b => written.Add(b.Digest!)))
                AddBlob(store, blob, Path(blob), sink);
            foreach (var name in names.Count > 0 ? names : [null!])
                index.Manifests.Add(Named(record, name));
            new DockerArchiveEntry
            {
                Config = Path(record.Config!),
                RepoTags = names.Count > 0 ? names.ConvertAll(Familiar) : null,
                Layers = (manifest.Layers ?? []).ConvertAll(Path),
            }.WriteTo(list);
        }
        list.WriteEndArray();
        sink.Add("index.json", index.ToUtf8(indented: false));
        if (format == SaveFormat.DockerArchive)
            sink.Add("manifest.json", list.Written);
        sink.Add("oci-layout", new ImageLayout { ImageLayoutVersion = "1.0.0" }.ToUtf8(indented: false));
        sink.Finish();
    }

    private static void WriteFolder(ImageStore store, ImageRecord record, IFileSink sink)
    {
        var manifest = ImageDocuments.Manifest(store, record);
        foreach (var blob in new[] { manifest.Config! }.Concat(manifest.Layers ?? []).DistinctBy(b => b.Digest))
            AddBlob(store, blob, Digest.Parse(blob.Digest).Hex, sink);
        sink.Add("manifest.json", store.Blobs.ReadDocument(record.Manifest!));
        sink.Add("version", "Directory Transport Version: 1.1\n"u8);
        sink.Finish();
    }

    private static void AddBlob(ImageStore store, Descriptor blob, string name, IFileSink sink)
    {
        using var file = store.Blobs.Open(Digest.Parse(blob.Digest));
        sink.Add(name, file, blob.Size);
    }

    private static Descriptor Named(ImageRecord record, string? name)
    {
        var manifest = new Descriptor { MediaType = record.Manifest!.MediaType, Digest = record.Manifest.Digest, Size = record.Manifest.Size };
        if (name is not null)
        {
            manifest.Annotations = new Dictionary<string, string>
            {
                [OciLayoutSource.ContainerdName] = name,
                [OciLayoutSource.StandardName] = name[(name.LastIndexOf(':') + 1)..],
            };
        }
        return manifest;
    }

    private static string Path(Descriptor blob) => Digest.Parse(blob.Digest).BlobPath;

    private static string Familiar(string name) => References.ImageReference.Parse(name).Familiar;
}
