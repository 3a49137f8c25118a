// One end of a copy: a path of the host or of a container, by Docker's rules of what its last letters mean.

using System.Text;
using Conman.Linux;

namespace Conman.Engine.Contents;

/// <summary>A path, and the root that it begins at.</summary>
public sealed class FilePlace
{
    // As the kernel does (path_resolution(7)).
    private const int MostLinks = 40;

    // Null: the host's.
    private readonly FileDescriptor? _root;

    private FilePlace(FileDescriptor? root, string path, string typed)
    {
        (_root, Typed) = (root, typed);
        IsContent = path.EndsWith("/.", StringComparison.Ordinal) || path is "." or "";
        IsFolder = IsContent || path.EndsWith('/') || path.EndsWith("/..", StringComparison.Ordinal) || path == "..";
        AbsolutePath = Path.TrimEndingDirectorySeparator(Path.GetFullPath(path, root is null ? Environment.CurrentDirectory : "/"));
        if (AbsolutePath == "/")
            IsContent = true; // it has no name that it could keep
    }

    /// <summary>A path of the host; a relative one begins where this command was called.</summary>
    public static FilePlace OfHost(string path) => new(null, path.Length > 0 ? path : throw new EngineException("an empty path"), path);

    /// <summary>A path of a container; a relative one begins at its root.</summary>
    public static FilePlace OfContainer(FileDescriptor root, string container, string path) => new(root, path, $"{container}:{path}");

    /// <summary>Another path of the same container.</summary>
    public FilePlace Beside(string container, string path) => new(_root, path, $"{container}:{path}");

    /// <summary>As people know it.</summary>
    public string Typed { get; }

    /// <summary>Without . and .. and a slash at its end.</summary>
    public string AbsolutePath { get; }

    /// <summary>It ends with a slash: it must be a folder.</summary>
    public bool IsFolder { get; }

    /// <summary>It ends with <c>/.</c>: what is in the folder is meant, not the folder.</summary>
    public bool IsContent { get; }

    /// <summary>Its last component; a zero byte ends it.</summary>
    public byte[] Name => NameOf(AbsolutePath);

    /// <summary>Opens what is to be copied (O_PATH).</summary>
    /// <param name="follow">A symbolic link stands for what it points to.</param>
    public FileDescriptor OpenSource(bool follow)
    {
        var found = TryOpen(AbsolutePath, OpenFlags.Path | (follow || IsFolder ? 0 : Files.NoFollow), out var errno)
            ?? throw new EngineException($"cannot copy {Typed}: {LinuxException.Describe(errno)}");
        if (!IsFolder || Files.Status(found, Typed).Type == FileType.Directory)
            return found;
        found.Dispose();
        throw new EngineException($"cannot copy {Typed}: it is not a directory");
    }

    /// <summary>Opens an existing folder; null where there is something else, or nothing.</summary>
    public FileDescriptor? TryOpenFolder(out int errno) => TryOpen(AbsolutePath, OpenFlags.ReadOnly | Files.Directory, out errno);

    /// <summary>The folder in which the last name of the path stands or is to stand, and that name: if it is a link, the last one that it leads to.</summary>
    public (FileDescriptor Folder, byte[] Name) OpenParent()
    {
        var path = AbsolutePath;
        for (var links = 0; links <= MostLinks; links++)
        {
            var parent = Path.GetDirectoryName(path) ?? "/";
            var folder = TryOpen(parent, OpenFlags.ReadOnly | Files.Directory, out var errno)
                ?? throw new EngineException($"cannot copy to {Typed}: {parent}: {LinuxException.Describe(errno)}");
            if (Files.TryReadLink(Path.GetFileName(path), folder.Number) is not { } target)
                return (folder, NameOf(path));
            folder.Dispose();
            path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(target, parent));
        }
        throw new EngineException($"cannot copy to {Typed}: {LinuxException.Describe(Errno.ELOOP)}");
    }

    private FileDescriptor? TryOpen(string path, OpenFlags flags, out int errno) =>
        _root is null ? Files.TryOpen(path, flags, out errno) : ContainerRoot.TryOpen(_root, path, flags, out errno);

    private static byte[] NameOf(string path) => Encoding.UTF8.GetBytes(Path.GetFileName(path) + '\0');
}
