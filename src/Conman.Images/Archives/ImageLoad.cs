// Loading: every image that a folder or an archive holds, whichever of the known formats it is in.

using Conman.Images.References;
using Conman.Images.Store;
using Conman.Images.Transfer;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Archives;

/// <summary>Puts the images of a set of files into the store.</summary>
public sealed class ImageLoad(ImageStore store, IFileSet files, UnpackLayer unpack, ITransferProgress progress)
{
    /// <summary>Loads all of them.</summary>
    /// <param name="platform">What they are to run on; null: this machine where there is a choice.</param>
    /// <returns>The record of each, under each of its names.</returns>
    public List<ImageRecord> Run(Platform? platform)
    {
        var loaded = new List<ImageRecord>();
        foreach (var (source, names) in Sources())
        {
            // Without a name it is one by its digest.
            List<string> under = names.Count > 0 ? names : [$"<none>@{source.Root().Descriptor.Digest}"];
            foreach (var name in under)
                loaded.Add(new ImagePull(store, source, unpack, progress).Run(name, platform, fromRegistry: false).Record);
        }
        return loaded.Count > 0 ? loaded : throw new ImageException($"{files.Name} holds no image");
    }

    // A layout is preferred where there is both: it has the manifests that the registries know.
    private List<(IImageSource, List<string>)> Sources()
    {
        if (OciLayoutSource.IsLayout(files))
        {
            return OciLayoutSource.Images(files).GroupBy(image => image.Root.Digest)
                .Select(group => ((IImageSource)new OciLayoutSource(files, group.First().Root), group.Select(image => Name(image.Name)).OfType<string>().ToList())).ToList();
        }
        if (DirectorySource.IsDirectory(files))
            return [(new DirectorySource(files), [])];
        if (DockerArchiveSource.IsDockerArchive(files))
        {
            return DockerArchiveSource.Images(files)
                .ConvertAll(entry => ((IImageSource)new DockerArchiveSource(files, entry), (entry.RepoTags ?? []).ConvertAll(Name).OfType<string>().ToList()));
        }
        throw new ImageException($"{files.Name} is no image: it has neither index.json nor manifest.json");
    }

    // A tag alone, as layouts often have it, is no name.
    private static string? Name(string? text) =>
        text is not null && text.AsSpan().ContainsAny('/', ':') && ImageReference.TryParse(text, out var reference) && reference.Digest is null
            ? $"{reference.Name}:{reference.Tag ?? "latest"}" : null;
}
