// From a layer's tar archive to a lower directory of overlayfs (image-spec layer.md; the kernel's Documentation/filesystems/overlayfs.rst).
//
// Nothing of the archive is trusted. Every name is one component below an open directory, and no link is followed but by DirectoryWalk.

using Conman.Images.Compression;
using Conman.Images.Tar;
using Conman.Linux;

namespace Conman.Images.Layers;

/// <summary>An attribute that is left to be set by whoever may: of a path within the layer.</summary>
public readonly record struct LateAttribute(byte[] Path, byte[] Name, byte[] Value);

/// <summary>What was extracted.</summary>
/// <param name="Size">Bytes of file data, holes included.</param>
/// <param name="Entries">Members of the archive.</param>
/// <param name="ImpliedDirectories">Paths of directories without a member of their own, parents first; the empty one is the top.</param>
/// <param name="LateAttributes">What takes rights that the extractor may not have: opaque directories, and attributes such as <c>trusted.*</c>.</param>
public sealed record ExtractedLayer(long Size, long Entries, List<byte[]> ImpliedDirectories, List<LateAttribute> LateAttributes);

/// <summary>Extracts one archive.</summary>
public sealed class LayerExtractor : IDisposable
{
    // Modes that a usual umask leaves as they are need no fchmod(2).
    private const uint Masked = 0xe12 /* 07022 */, AllModes = 0xfff /* 07777 */, SetGroupId = 0x400 /* 02000 */;

    // Of a file that is made; no user has this number (chown(2)).
    private const uint Nobody = uint.MaxValue;

    private readonly int _top;
    private readonly UnpackLimits _limits;
    private readonly bool _isLayer, _replaces;
    private readonly DirectoryWalk _walk, _linked;
    private readonly uint _uid, _gid, _masked;
    private readonly List<(byte[] Path, TarEntry Entry)> _directories = [];
    private readonly List<byte[]> _implied = [];
    private readonly HashSet<string> _own = [];
    private readonly List<LateAttribute> _late = [];
    private TarReader _reader = null!;
    private byte[]? _lastParent;
    private long _size, _entries, _lateBytes;
    private bool _hasTop;

    private LayerExtractor(FileDescriptor directory, UnpackLimits limits, bool isLayer, bool replaces)
    {
        (_top, _limits, _isLayer, _replaces) = (directory.Number, limits, isLayer, replaces);
        // A layer begins with nothing and under a known umask: what is made so is right mostly. A directory of others may give its group away.
        (_uid, _gid, _masked) = isLayer ? (Processes.EffectiveUser, Processes.EffectiveGroup, Masked) : (Nobody, Nobody, AllModes);
        _walk = new DirectoryWalk(_top) { Make = MakeImplied };
        _linked = new DirectoryWalk(_top);
    }

    /// <summary>Extracts into an empty directory. The archive is read to its end, and no further.</summary>
    /// <exception cref="ImageException">The archive is malformed or hostile, or the file system refuses: says which member, what and why.</exception>
    public static ExtractedLayer Extract(FileDescriptor directory, Stream archive, UnpackLimits limits) => Extract(directory, archive, limits, isLayer: true, replaces: true);

    /// <summary>
    /// Extracts an archive that is no layer into a directory that may hold something, and that others may change meanwhile: all of it stays below. An
    /// existing directory stays, with what is in it; another file gives way, but not to a directory, and a directory to no other file.
    /// </summary>
    /// <param name="archive">Compressed or not.</param>
    /// <param name="replaces">A directory and another file give way to each other.</param>
    /// <returns>Bytes of its files.</returns>
    public static long ExtractTree(FileDescriptor directory, Stream archive, bool replaces)
    {
        using var plain = Decompression.Open(archive);
        var extracted = Extract(directory, plain, new UnpackLimits(long.MaxValue, long.MaxValue), isLayer: false, replaces);
        LayerUnpacker.SetLateAttributes(directory, extracted.LateAttributes);
        return extracted.Size;
    }

    private static ExtractedLayer Extract(FileDescriptor directory, Stream archive, UnpackLimits limits, bool isLayer, bool replaces)
    {
        using var extractor = new LayerExtractor(directory, limits, isLayer, replaces);
        extractor._reader = new TarReader(archive);
        while (extractor._reader.Next() is { } entry)
            extractor.Extract(entry);
        extractor.FinishDirectories();
        return new ExtractedLayer(extractor._size, extractor._entries, extractor.Implied(), extractor._late);
    }

    public void Dispose()
    {
        _walk.Dispose();
        _linked.Dispose();
    }

    private void Extract(TarEntry entry)
    {
        if (++_entries > _limits.Entries)
            throw new ImageException($"a layer of more than {_limits.Entries} entries");
        var path = LayerPath.Parse(entry.Name, entry, _isLayer);
        switch (path.Kind)
        {
            case LayerName.Ignored:
                return;
            case LayerName.Root when !_isLayer:
                return; // the directory is there, and not the archive's
            case LayerName.Root when entry.Type == TarType.Directory:
                _hasTop = true;
                _directories.Add(([], entry));
                SetOwnerAndMode(_top, entry);
                return;
            case LayerName.Root:
                throw new ImageException($"{entry}: the top of a layer is a directory");
        }
        GoToParent(path, entry);
        var name = path.Name;
        switch (path.Kind)
        {
            case LayerName.Opaque:
                MakeOpaque(_walk.Path);
                return;
            case LayerName.Whiteout:
                MakeWhiteout(name, entry);
                return;
        }
        switch (entry.Type)
        {
            case TarType.Directory:
                MakeDirectory(name, entry);
                return;
            case TarType.File:
                MakeFile(name, entry);
                return;
            case TarType.HardLink:
                MakeHardLink(name, entry);
                return;
            case TarType.CharacterDevice when _isLayer && entry is { DeviceMajor: 0, DeviceMinor: 0 }:
                MakeWhiteout(name, entry); // what it would be to overlayfs
                return;
            case TarType.SymbolicLink:
                byte[] target = [.. entry.Link, 0];
                Make(name, entry, () => Nodes.TrySymlink(target, _walk.Current, name));
                break;
            default:
                var type = entry.Type switch
                {
                    TarType.CharacterDevice => FileType.CharacterDevice,
                    TarType.BlockDevice => FileType.BlockDevice,
                    _ => FileType.Fifo,
                };
                Make(name, entry, () => Nodes.TryMakeNode(_walk.Current, name, type, entry.Mode, entry.DeviceMajor, entry.DeviceMinor));
                break;
        }
        if (entry.Uid != _uid || entry.Gid != _gid)
            Check(Nodes.TryChangeOwner(_walk.Current, name, entry.Uid, entry.Gid), "change the owner of", entry);
        if (entry.Type != TarType.SymbolicLink && (entry.Mode & _masked) != 0)
            Check(_isLayer ? Nodes.TryChangeMode(_walk.Current, name, entry.Mode) : ChangeMode(name, entry.Mode), "change the mode of", entry);
        foreach (var attribute in entry.Attributes ?? [])
            AddLate(PathOf(name), attribute);
        Check(Nodes.TrySetTimes(_walk.Current, name, Accessed(entry), Modified(entry)), "set the times of", entry);
    }

    // Mostly the same directory as before; else it is looked for from the top.
    private void GoToParent(LayerPath path, TarEntry entry)
    {
        var written = entry.Name.AsSpan().TrimEnd((byte)'/');
        var slash = written.LastIndexOf((byte)'/');
        var parent = written[..Math.Max(0, slash)];
        if (_lastParent is not null && _lastParent.AsSpan().SequenceEqual(parent))
            return;
        _lastParent = null;
        var errno = _walk.Go(path.Parents, out var at);
        if (errno != 0)
            throw Failed(errno, $"open directory {TarEntry.Text(at.AsSpan().TrimEnd((byte)0))} for", entry);
        if (!written[(slash + 1)..].StartsWith("."u8)) // of "a/." and "a/.." the directory is another than it seems
            _lastParent = parent.ToArray();
    }

    private void MakeFile(byte[] name, TarEntry entry)
    {
        if (entry.Size > _limits.Size - _size)
            throw new ImageException($"{entry}: the layer's files would take more than {_limits.Size} bytes");
        _size += entry.Size;
        var fd = -1;
        if (_isLayer || !TryOpenMounted(name, out fd))
            Make(name, entry, () => Nodes.TryOpen(_walk.Current, name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out fd, entry.Mode));
        try
        {
            if (entry.Segments is null)
            {
                for (ReadOnlySpan<byte> piece; !(piece = _reader.ReadData()).IsEmpty;)
                    Check(Files.TryWrite(fd, piece), "write", entry);
            }
            else
            {
                WriteSegments(fd, entry);
            }
            // In this order: a change of owner takes away set-id bits and capabilities.
            SetOwnerAndMode(fd, entry);
            SetAttributes(fd, entry, name);
            Check(Nodes.TrySetTimes(fd, Accessed(entry), Modified(entry)), "set the times of", entry);
        }
        finally
        {
            Nodes.Close(fd);
        }
    }

    // A file on which another is mounted stays, and is written to.
    private bool TryOpenMounted(byte[] name, out int fd)
    {
        fd = -1;
        if (Nodes.TryStatus(_walk.Current, name, out var old) != 0 || !old.IsMountRoot || old.File.Type != FileType.Regular
            || Nodes.TryOpen(_walk.Current, name, OpenFlags.WriteOnly | OpenFlags.NonBlock, out fd) != 0)
        {
            return false;
        }
        return Nodes.TryStatus(fd, "\0"u8, out var status) == 0 && status.File.Type == FileType.Regular && Nodes.TrySetLength(fd, 0) == 0;
    }

    private void WriteSegments(int fd, TarEntry entry)
    {
        ReadOnlySpan<byte> piece = default;
        foreach (var (offset, length) in entry.Segments!)
        {
            Check(Nodes.TrySeek(fd, offset), "seek in", entry);
            for (var left = length; left > 0;)
            {
                if (piece.IsEmpty)
                    piece = _reader.ReadData();
                var n = (int)Math.Min(left, piece.Length);
                Check(Files.TryWrite(fd, piece[..n]), "write", entry);
                piece = piece[n..];
                left -= n;
            }
        }
        Check(Nodes.TrySetLength(fd, entry.Size), "set the length of", entry);
    }

    // An existing directory stays, with what is in it.
    private void MakeDirectory(byte[] name, TarEntry entry)
    {
        var errno = Nodes.TryMakeDirectory(_walk.Current, name, entry.Mode & ~SetGroupId);
        if (errno == Errno.EEXIST)
        {
            Check(Nodes.TryStatus(_walk.Current, name, out var status), "look at", entry);
            if (status.File.Type != FileType.Directory)
            {
                if (!_replaces)
                    throw new ImageException($"cannot overwrite {entry}, which is no directory, with a directory");
                Remove(name, entry);
                Check(Nodes.TryMakeDirectory(_walk.Current, name, entry.Mode & ~SetGroupId), "make directory", entry);
                if (status.IsWhiteout)
                    MakeOpaque(PathOf(name));
            }
        }
        else
        {
            Check(errno, "make directory", entry);
        }
        if (errno != 0 || entry.Uid != _uid || entry.Gid != _gid || (entry.Mode & _masked & ~SetGroupId) != 0)
        {
            Check(Nodes.TryOpen(_walk.Current, name, OpenFlags.ReadOnly | Files.Directory, out var fd), "open directory", entry);
            SetOwnerAndMode(fd, entry);
            Nodes.Close(fd);
        }
        var path = PathOf(name);
        if (_implied.Count > 0)
            _own.Add(Key(path));
        _directories.Add((path, entry));
    }

    // Of a path that leads through a name without a member of its own (so far), or through what was removed.
    private void MakeImplied(int parent, byte[] name)
    {
        const uint Mode = 0x1ed /* 0755 */;
        var path = PathOf(name);
        var errno = Nodes.TryMakeDirectory(parent, name, Mode);
        if (errno == Errno.EEXIST)
        {
            errno = Nodes.TryUnlink(parent, name);
            if (errno == 0)
                errno = Nodes.TryMakeDirectory(parent, name, Mode);
            MakeOpaque(path);
        }
        if (errno != 0)
            throw new ImageException($"cannot make directory {TarEntry.Text(path)}: {LinuxException.Describe(errno)}");
        _own.Remove(Key(path));
        _implied.Add(path);
    }

    // A whiteout is of the layers below. What this layer itself has stays, be it before or after it in the archive; but a directory is then all
    // that there is, and nothing shines through.
    private void MakeWhiteout(byte[] name, TarEntry entry)
    {
        var errno = Nodes.TryMakeNode(_walk.Current, name, FileType.CharacterDevice, 0);
        if (errno == Errno.EEXIST)
        {
            Check(Nodes.TryStatus(_walk.Current, name, out var status), "look at", entry);
            if (status.File.Type == FileType.Directory)
                MakeOpaque(PathOf(name));
            return;
        }
        Check(errno, "make whiteout", entry);
    }

    private void MakeOpaque(byte[] path) => _late.Add(new LateAttribute(path, "trusted.overlay.opaque"u8.ToArray(), "y"u8.ToArray()));

    private void MakeHardLink(byte[] name, TarEntry entry)
    {
        var target = LayerPath.Parse(entry.Link, entry, _isLayer);
        if (target.Kind != LayerName.Ordinary)
            throw new ImageException($"{entry}: a hard link to {TarEntry.Text(entry.Link)}, which is no file of this layer");
        Check(_linked.Go(target.Parents, out _), $"link to {TarEntry.Text(entry.Link)} from", entry);
        Check(Nodes.TryStatus(_linked.Current, target.Name, out var old), $"link to {TarEntry.Text(entry.Link)} from", entry);
        if (old.File.Type == FileType.Directory || old.IsWhiteout)
            throw new ImageException($"{entry}: a hard link to {TarEntry.Text(entry.Link)}, which is no file of this layer");
        var errno = Nodes.TryLink(_linked.Current, target.Name, _walk.Current, name);
        if (errno == Errno.EEXIST)
        {
            if (Nodes.TryStatus(_walk.Current, name, out var present) == 0 && present.Inode == old.Inode && present.File.Type == old.File.Type)
                return; // it is that very file
            Remove(name, entry);
            Check(_linked.Go(target.Parents, out _), $"link to {TarEntry.Text(entry.Link)} from", entry);
            errno = Nodes.TryLink(_linked.Current, target.Name, _walk.Current, name);
        }
        Check(errno, $"link to {TarEntry.Text(entry.Link)} from", entry);
    }

    // Makes something that is no directory; what is there by that name gives way.
    private void Make(byte[] name, TarEntry entry, Func<int> make)
    {
        var errno = make();
        if (errno == Errno.EEXIST)
        {
            Remove(name, entry);
            errno = make();
        }
        Check(errno, "make", entry);
    }

    private void Remove(byte[] name, TarEntry entry)
    {
        if (!_isLayer && Nodes.TryStatus(_walk.Current, name, out var old) == 0 && old.IsMountRoot)
            throw Failed(Errno.EBUSY, "replace", entry);
        var errno = Nodes.TryUnlink(_walk.Current, name);
        if (errno is Errno.EISDIR or Errno.EPERM)
        {
            if (!_replaces)
                throw new ImageException($"cannot overwrite the directory {entry} with a file");
            _linked.Forget();
            Trees.Remove(_walk.Current, name);
            return;
        }
        Check(errno, "replace", entry);
    }

    // What is made in a directory changes its times, and would inherit its group and its access list: these come when all is made.
    private void FinishDirectories()
    {
        foreach (var (path, entry) in _directories)
        {
            if (!IsDirectory(path))
                continue; // a later member has replaced it
            var fd = _linked.Current;
            foreach (var attribute in entry.Attributes ?? [])
                SetAttribute(fd, attribute, entry, path);
            if ((entry.Mode & SetGroupId) != 0)
                Check(Nodes.TryChangeMode(fd, entry.Mode), "change the mode of", entry);
            Check(Nodes.TrySetTimes(fd, Accessed(entry), Modified(entry)), "set the times of", entry);
        }
    }

    private List<byte[]> Implied()
    {
        var seen = new HashSet<string>();
        return [.. _hasTop ? [] : (byte[][])[[]], .. _implied.Where(path => !_own.Contains(Key(path)) && seen.Add(Key(path)) && IsDirectory(path))];
    }

    // Goes to a directory by its own path, as it was when it was made.
    private bool IsDirectory(byte[] path)
    {
        var parts = new List<byte[]>();
        foreach (var range in path.AsSpan().Split((byte)'/'))
        {
            if (path.Length > 0)
                parts.Add([.. path.AsSpan(range), 0]);
        }
        return _linked.Go(parts, out _) == 0 && _linked.Path.AsSpan().SequenceEqual(path);
    }

    // What has just been made may have been replaced by a link since.
    private int ChangeMode(byte[] name, uint mode)
    {
        var errno = Nodes.TryOpen(_walk.Current, name, OpenFlags.Path, out var fd);
        if (errno != 0)
            return errno;
        using var node = new FileDescriptor(fd);
        return Files.Status(node, "a new file").Type == FileType.SymbolicLink ? Errno.ELOOP : Files.TryChangeMode(node, mode);
    }

    private void SetOwnerAndMode(int fd, TarEntry entry)
    {
        var isDirectory = entry.Type == TarType.Directory;
        if (isDirectory || entry.Uid != _uid || entry.Gid != _gid)
            Check(Nodes.TryChangeOwner(fd, entry.Uid, entry.Gid), "change the owner of", entry);
        if (isDirectory || (entry.Mode & _masked) != 0)
            Check(Nodes.TryChangeMode(fd, isDirectory ? entry.Mode & ~SetGroupId : entry.Mode), "change the mode of", entry);
    }

    private void SetAttributes(int fd, TarEntry entry, byte[] name)
    {
        foreach (var attribute in entry.Attributes ?? [])
            SetAttribute(fd, attribute, entry, PathOf(name));
    }

    private void SetAttribute(int fd, TarAttribute attribute, TarEntry entry, byte[] path)
    {
        if (IsOfOverlay(attribute.Name))
            return;
        var errno = attribute.Name.AsSpan().StartsWith("trusted."u8) ? Errno.EPERM : Nodes.TrySetAttribute(fd, [.. attribute.Name, 0], attribute.Value);
        if (errno == Errno.EPERM)
            AddLate(path, attribute);
        else if (errno != Errno.EOPNOTSUPP || attribute.Name.AsSpan().StartsWith("security.capability"u8))
            Check(errno, $"set attribute {TarEntry.Text(attribute.Name)} of", entry);
    }

    private void AddLate(byte[] path, TarAttribute attribute)
    {
        if (!IsOfOverlay(attribute.Name))
            _late.Add(new LateAttribute(path, attribute.Name, attribute.Value));
        if ((_lateBytes += path.Length + attribute.Name.Length + attribute.Value.Length) > UnpackReport.MaximalSize / 2)
            throw new ImageException($"a layer with more than {UnpackReport.MaximalSize / 2} bytes of attributes that only the host may set");
    }

    // By these overlayfs would redirect, hide and reveal: a layer has no say in that.
    private static bool IsOfOverlay(ReadOnlySpan<byte> name) => name.StartsWith("trusted.overlay."u8) || name.StartsWith("user.overlay."u8);

    private byte[] PathOf(ReadOnlySpan<byte> name)
    {
        var parent = _walk.Path;
        return parent.Length == 0 ? name[..^1].ToArray() : [.. parent, (byte)'/', .. name[..^1]];
    }

    private static string Key(byte[] path) => System.Text.Encoding.Latin1.GetString(path);

    private static (long, uint) Modified(TarEntry entry) => (entry.Modified.Seconds, entry.Modified.Nanoseconds);

    // Without one of its own the time of last access is that of the last change: the same archive makes the same tree.
    private static (long, uint) Accessed(TarEntry entry) => entry.Accessed is { } time ? (time.Seconds, time.Nanoseconds) : Modified(entry);

    private static void Check(int errno, string operation, TarEntry entry)
    {
        if (errno != 0)
            throw Failed(errno, operation, entry);
    }

    private static ImageException Failed(int errno, string operation, TarEntry entry) => new($"cannot {operation} {entry}: {LinuxException.Describe(errno)}");
}
