// From directories to tar archives: an overlay's upper directory as a layer, a tree as it is, a stack of layers as one tree.
//
// The same tree makes the same bytes: names in the order of their bytes, a directory before what is in it.

using System.Globalization;
using System.Security.Cryptography;
using Conman.Images.Tar;
using Conman.Linux;

namespace Conman.Images.Layers;

/// <summary>Packs. Names are followed by descriptor, never through a link.</summary>
public sealed class LayerPacker
{
    private static readonly OpenFlags OpenDirectory = OpenFlags.ReadOnly | Files.Directory;

    private static readonly byte[] Zeros = new byte[64 << 10];

    private readonly TarWriter _tar;
    private readonly bool _isLayer, _isExact, _isLive;
    private readonly Func<byte[], NodeStatus, bool>? _isLeftOut;
    private readonly byte[] _buffer = GC.AllocateUninitializedArray<byte>(256 << 10);

    // Of files with more names than one: the first that was packed.
    private readonly Dictionary<(int Layer, ulong Inode), byte[]> _linked = [];

    private LayerPacker(Stream stream, bool isLayer, bool isExact, bool isLive, Func<byte[], NodeStatus, bool>? isLeftOut) =>
        (_tar, _isLayer, _isExact, _isLive, _isLeftOut) = (new TarWriter(stream), isLayer, isExact, isLive, isLeftOut);

    /// <summary>The upper directory of an overlay as a layer: whiteouts and opaque directories in the words of the image specification.</summary>
    /// <param name="isLeftOut">Of a path and what is there: it is no part of the layer.</param>
    /// <returns>How many members the archive has.</returns>
    public static long PackLayer(FileDescriptor upper, Stream tar, Func<byte[], NodeStatus, bool>? isLeftOut = null) => Pack([upper], tar, isLayer: true, isLeftOut: isLeftOut);

    /// <summary>A tree as it is.</summary>
    public static void PackTree(FileDescriptor tree, Stream tar) => Pack([tree], tar, isLayer: false);

    /// <summary>Layers, the uppermost first, as the one tree that overlayfs would show.</summary>
    /// <param name="isLive">As for <see cref="PackEntry"/>.</param>
    /// <param name="isLeftOut">As for <see cref="PackLayer"/>.</param>
    /// <returns>How many members the archive has.</returns>
    public static long PackMerged(IReadOnlyList<FileDescriptor> layers, Stream tar, bool isLive = false, Func<byte[], NodeStatus, bool>? isLeftOut = null) =>
        Pack(layers, tar, isLayer: false, isMerged: true, isLive: isLive, isLeftOut: isLeftOut);

    /// <summary>
    /// One file, or a folder with all that is in it, which others may change meanwhile: what is gone by then is left out, what was cut short is
    /// filled with zeros, and what has become something else is not opened.
    /// </summary>
    /// <param name="entry">Opened with O_PATH and O_NOFOLLOW.</param>
    /// <param name="name">What it is called in the archive; empty: a folder that is the top of it.</param>
    public static void PackEntry(FileDescriptor entry, byte[] name, Stream tar)
    {
        var packer = new LayerPacker(tar, isLayer: false, isExact: false, isLive: true, null);
        Check(Nodes.TryStatus(entry.Number, "\0"u8, out var status), "look at", name);
        if (status.File.Type == FileType.Directory)
        {
            Check(Nodes.TryOpen(entry.Number, ".\0"u8, OpenDirectory, out var fd), "open", name);
            using var directory = new FileDescriptor(fd);
            packer.PackDirectory([(0, fd)], name, isMerged: false);
        }
        else
        {
            packer.PackNode(0, entry, name, status);
        }
        packer._tar.Finish();
    }

    /// <summary>A digest of all that a tree is, what overlayfs keeps in it included, but not where its holes are: two trees are the same if theirs are.</summary>
    public static Digest DigestOf(FileDescriptor tree)
    {
        using var hash = SHA256.Create();
        using (var stream = new CryptoStream(Stream.Null, hash, CryptoStreamMode.Write))
            Pack([tree], stream, isLayer: false, isExact: true);
        return Digest.Sha256(hash.Hash);
    }

    private static long Pack(
        IReadOnlyList<FileDescriptor> layers, Stream tar, bool isLayer, bool isMerged = false, bool isExact = false, bool isLive = false, Func<byte[], NodeStatus, bool>? isLeftOut = null)
    {
        var packer = new LayerPacker(tar, isLayer, isExact, isLive, isLeftOut);
        packer.PackDirectory([.. layers.Select((l, i) => (i, l.Number))], [], isMerged);
        packer._tar.Finish();
        return packer._tar.Members;
    }

    // A directory and all below it: of a stack of layers, those that have it, the uppermost first.
    private void PackDirectory(List<(int Layer, int Descriptor)> layers, byte[] path, bool isMerged)
    {
        Check(Nodes.TryStatus(layers[0].Descriptor, "\0"u8, out var own), "look at", path);
        var entry = Entry(TarType.Directory, path.Length == 0 ? "./"u8.ToArray() : [.. path, (byte)'/'], own);
        Check(Nodes.TryOpen(layers[0].Descriptor, ".\0"u8, OpenFlags.Path | Files.Directory, out var top), "open", path);
        using (var node = new FileDescriptor(top))
            AddAttributes(entry, node, path);
        if (path.Length > 0 || !_isLayer)
            _tar.Write(entry);
        if (_isLayer && IsOpaque(layers[0].Descriptor))
            _tar.Write(Whiteout(path, ".opq"u8, own));
        foreach (var (name, found) in Names(layers, isMerged, path))
        {
            byte[] below = path.Length == 0 ? name[..^1] : [.. path, (byte)'/', .. name[..^1]];
            if (_isLeftOut?.Invoke(below, found[0].Status) is true)
                continue;
            if (found[0].Status.File.Type != FileType.Directory)
            {
                PackFile(found[0].Layer, found[0].Descriptor, name, below, found[0].Status);
                continue;
            }
            var opened = new List<(int, int)>();
            try
            {
                // Those below count until one hides what is under it: something else than a directory, or an opaque one.
                foreach (var (layer, descriptor, status) in found.TakeWhile(f => f.Status.File.Type == FileType.Directory))
                {
                    var errno = Nodes.TryOpen(descriptor, name, OpenDirectory, out var fd);
                    if (IsGone(errno))
                        break;
                    Check(errno, "open", below);
                    opened.Add((layer, fd));
                    if (isMerged && IsOpaque(fd))
                        break;
                }
                if (opened.Count > 0)
                    PackDirectory(opened, below, isMerged);
            }
            finally
            {
                foreach (var (_, fd) in opened)
                    Nodes.Close(fd);
            }
        }
    }

    // The names in a stack of directories, in order, each with where it is found; what a whiteout hides is left out.
    private IEnumerable<KeyValuePair<byte[], List<(int Layer, int Descriptor, NodeStatus Status)>>> Names(List<(int Layer, int Descriptor)> layers, bool isMerged, byte[] path)
    {
        var names = new SortedDictionary<byte[], List<(int, int, NodeStatus Status)>>(Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)));
        foreach (var (layer, descriptor) in layers)
        {
            Check(Nodes.TryOpen(descriptor, ".\0"u8, OpenDirectory, out var fd), "open", path);
            using var reading = new FileDescriptor(fd);
            foreach (var (name, _) in Trees.List(reading))
            {
                var errno = Nodes.TryStatus(descriptor, name, out var status);
                if (IsGone(errno))
                    continue;
                Check(errno, "look at", [.. path, (byte)'/', .. name]);
                if (!names.TryGetValue(name, out var found))
                    names.Add(name, found = []);
                found.Add((layer, descriptor, status));
            }
        }
        return names.Where(n => !isMerged || !n.Value[0].Status.IsWhiteout);
    }

    private void PackFile(int layer, int parent, byte[] name, byte[] path, NodeStatus status)
    {
        if (_isLayer && status.IsWhiteout)
        {
            _tar.Write(Whiteout(path, default, status));
            return;
        }
        if (name.AsSpan().StartsWith(".wh."u8) && _isLayer)
            throw new ImageException($"{TarEntry.Text(path)}: a file whose name would be a whiteout in a layer");
        var errno = Nodes.TryOpen(parent, name, OpenFlags.Path, out var fd);
        if (IsGone(errno))
            return;
        Check(errno, "open", path);
        using var node = new FileDescriptor(fd);
        if (_isLive)
        {
            Check(Nodes.TryStatus(fd, "\0"u8, out status), "look at", path);
            if (status.File.Type == FileType.Directory)
                return; // it was something else a moment ago
        }
        PackNode(layer, node, path, status);
    }

    // Something that is no directory, by a descriptor of it.
    private void PackNode(int layer, FileDescriptor node, byte[] path, NodeStatus status)
    {
        if (status.File.Type == FileType.Socket)
            return; // an archive has no such thing
        if (status.Links > 1 && !_linked.TryAdd((layer, status.Inode), path))
        {
            var link = Entry(TarType.HardLink, path, status);
            link.Link = _linked[(layer, status.Inode)];
            _tar.Write(link);
            return;
        }
        var entry = Entry(TypeOf(status.File.Type), path, status);
        (entry.DeviceMajor, entry.DeviceMinor) = (status.File.DeviceMajor, status.File.DeviceMinor);
        if (_isExact && status.IsWhiteout)
            entry.Modified = default; // when it was unpacked
        AddAttributes(entry, node, path);
        if (status.File.Type == FileType.SymbolicLink)
        {
            Check(Nodes.TryReadLink(node.Number, "\0"u8, out var target), "read link", path);
            entry.Link = target;
        }
        if (status.File.Type != FileType.Regular)
        {
            _tar.Write(entry);
            return;
        }
        using var file = Files.Open("/proc/self/fd/" + node.Number.ToString(CultureInfo.InvariantCulture), OpenFlags.ReadOnly | OpenFlags.NonBlock);
        PackData(entry, file, status);
    }

    private void PackData(TarEntry entry, FileDescriptor file, NodeStatus status)
    {
        entry.Size = (long)status.File.Size;
        if (!_isExact && (long)status.Blocks * 512 < entry.Size)
            entry.Segments = Segments(file.Number, entry.Size);
        _tar.Write(entry);
        foreach (var (offset, length) in entry.Segments ?? [new TarSegment(0, entry.Size)])
        {
            for (var at = offset; at < offset + length;)
            {
                ReadOnlySpan<byte> piece = _buffer.AsSpan(0, Storage.ReadAt(file, _buffer.AsSpan(0, (int)Math.Min(_buffer.Length, offset + length - at)), at, entry.ToString()));
                if (piece.IsEmpty)
                    piece = _isLive ? Zeros.AsSpan(0, (int)Math.Min(Zeros.Length, offset + length - at)) : throw new ImageException($"{entry}: it was cut short while it was read");
                _tar.WriteData(piece);
                at += piece.Length;
            }
        }
    }

    // Null: there is no hole, or the file system does not tell.
    private static List<TarSegment>? Segments(int fd, long size)
    {
        var segments = new List<TarSegment>();
        for (long at = 0; at < size && Nodes.NextData(fd, at) is { } data; at = data.End)
            segments.Add(new TarSegment(data.Start, Math.Min(data.End, size) - data.Start));
        if (segments is [{ Offset: 0 } only] && only.Length == size)
            return null;
        // So that the length of a file that ends in a hole is told, as GNU tar does.
        if (segments.Count == 0 || segments[^1].Offset + segments[^1].Length < size)
            segments.Add(new TarSegment(size, 0));
        return segments;
    }

    private void AddAttributes(TarEntry entry, FileDescriptor node, byte[] path)
    {
        foreach (var (attribute, value) in Files.RawAttributes(node))
        {
            if (_isExact)
            {
                (entry.Attributes ??= []).Add(new TarAttribute(attribute, value));
                continue;
            }
            if (attribute.AsSpan().StartsWith("trusted.overlay.redirect"u8) || attribute.AsSpan().StartsWith("trusted.overlay.metacopy"u8) || attribute.AsSpan().StartsWith("trusted.overlay.whiteout"u8))
                throw new ImageException($"{TarEntry.Text(path)}: {TarEntry.Text(attribute)} cannot be said in an archive; mount the overlay with redirect_dir=off,metacopy=off");
            // What overlayfs and SELinux keep there is this host's.
            if (!attribute.AsSpan().StartsWith("trusted.overlay."u8) && !attribute.AsSpan().StartsWith("user.overlay."u8) && !attribute.AsSpan().SequenceEqual("security.selinux"u8))
                (entry.Attributes ??= []).Add(new TarAttribute(attribute, value));
        }
    }

    // Somebody has removed it, or put something else in its place.
    private bool IsGone(int errno) => _isLive && errno is (Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP);

    /// <summary>Whether an open directory hides what is in those of its name below.</summary>
    public static bool IsOpaque(int directory)
    {
        var path = "/proc/self/fd/" + directory.ToString(CultureInfo.InvariantCulture);
        return Files.TryGetAttribute(path, "trusted.overlay.opaque") == "y" || Files.TryGetAttribute(path, "user.overlay.opaque") == "y";
    }

    // .wh.NAME beside it; .wh..wh..opq in it.
    private static TarEntry Whiteout(ReadOnlySpan<byte> path, ReadOnlySpan<byte> suffix, NodeStatus status)
    {
        var slash = path.LastIndexOf((byte)'/') + 1;
        byte[] name = suffix.IsEmpty
            ? [.. path[..slash], .. ".wh."u8, .. path[slash..]]
            : path.IsEmpty ? [.. ".wh..wh."u8, .. suffix] : [.. path, .. "/.wh..wh."u8, .. suffix];
        return new TarEntry { Type = TarType.File, Name = name, Modified = new TarTime(status.Seconds, status.Nanoseconds) };
    }

    private static TarType TypeOf(FileType type) => type switch
    {
        FileType.Regular => TarType.File,
        FileType.SymbolicLink => TarType.SymbolicLink,
        FileType.CharacterDevice => TarType.CharacterDevice,
        FileType.BlockDevice => TarType.BlockDevice,
        _ => TarType.Fifo,
    };

    private static TarEntry Entry(TarType type, byte[] name, NodeStatus status) => new()
    {
        Type = type,
        Name = name,
        Mode = status.File.Permissions,
        Uid = status.File.Uid,
        Gid = status.File.Gid,
        Modified = new TarTime(status.Seconds, status.Nanoseconds),
    };

    private static void Check(int errno, string operation, ReadOnlySpan<byte> path)
    {
        if (errno != 0)
            throw new ImageException($"cannot {operation} {(path.IsEmpty ? "the top of the tree" : TarEntry.Text(path))}: {LinuxException.Describe(errno)}");
    }
}
