// cp: from a place to a place, or an archive from one or to one. Docker's rules (docs.docker.com/reference/cli/docker/container/cp).
//
// Both ends are descriptors, and nothing is ever opened by a path twice: who changes the container's files meanwhile changes what is copied, never
// where to (CVE-2018-15664).

using Conman.Images.Layers;
using Conman.Linux;

namespace Conman.Engine.Contents;

/// <summary>How it is copied.</summary>
/// <param name="Owners">Owners stay; else all belongs to who copies, in a container to its root.</param>
/// <param name="FollowLink">Of a source that is a symbolic link, what it points to.</param>
/// <param name="Replace">A folder and a file give way to each other.</param>
public readonly record struct CopyOptions(bool Owners, bool FollowLink, bool Replace);

public static class FileCopy
{
    /// <summary>Copies; bytes of files.</summary>
    /// <exception cref="EngineException">The two do not go together, or one is not there.</exception>
    public static long Run(FilePlace from, FilePlace to, CopyOptions options)
    {
        using var source = from.OpenSource(options.FollowLink);
        var isFolder = Files.Status(source, from.Typed).Type == FileType.Directory;
        var copy = new TreeCopy { Owners = options.Owners, Replace = options.Replace };
        using (var folder = to.TryOpenFolder(out var errno))
        {
            if (folder is not null && isFolder && from.IsContent)
            {
                using var content = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, source.Number);
                copy.Content(content, folder, from.Typed);
                return copy.Bytes;
            }
            if (folder is not null)
            {
                copy.Entry(source, folder, from.Name, from.Typed);
                return copy.Bytes;
            }
            if (errno == Errno.ENOENT && to.IsFolder && !isFolder)
                throw new EngineException($"cannot copy to {to.Typed}: the destination directory must exist");
        }
        var (parent, name) = to.OpenParent();
        using (parent)
        {
            var exists = Nodes.TryStatus(parent.Number, name, out var status) == 0;
            if (exists && (isFolder || to.IsFolder) && !options.Replace)
                throw new EngineException(isFolder ? $"cannot copy directory {from.Typed} to {to.Typed}, which is a file" : $"cannot copy to {to.Typed}: it is not a directory");
            if (exists && status.File.Type != FileType.Regular)
                throw new EngineException($"cannot copy to {to.Typed}: it is neither a directory nor a regular file");
            copy.Entry(source, parent, name, from.Typed);
        }
        return copy.Bytes;
    }

    /// <summary>Writes an archive of a file, or of a folder with all that is in it.</summary>
    public static void Pack(FilePlace from, bool followLink, Stream archive)
    {
        using var source = from.OpenSource(followLink);
        LayerPacker.PackEntry(source, from.IsContent ? [] : from.Name[..^1], archive);
    }

    /// <summary>Extracts an archive into a folder that must be there; bytes of files.</summary>
    public static long Extract(Stream archive, FilePlace to, bool replace)
    {
        using var folder = to.TryOpenFolder(out var errno)
            ?? throw new EngineException(errno == Errno.ENOTDIR ? $"cannot extract to {to.Typed}: it is not a directory" : $"cannot extract to {to.Typed}: {LinuxException.Describe(errno)}");
        return LayerExtractor.ExtractTree(folder, archive, replace);
    }
}
