// Where one is in a tree: the open directories from its top down, kept for the next path, which is mostly near the last one.
//
// A path is followed name by name, each opened with O_NOFOLLOW below the one before; symbolic links are followed here, not by the kernel, and
// never lead above the top. Nobody else changes the tree meanwhile.

using Conman.Linux;

namespace Conman.Images.Layers;

internal sealed class DirectoryWalk(int top) : IDisposable
{
    // Of each level a descriptor is held: half of what a process may usually have open, and deeper than any program makes folders.
    private const int MaximalDepth = 500;

    // As the kernel does (path_resolution(7)).
    private const int MaximalLinks = 40;

    private static readonly OpenFlags Open = OpenFlags.ReadOnly | Files.Directory;

    private readonly List<(byte[] Name, int Descriptor)> _levels = [];
    private readonly Stack<byte[]> _ahead = new();

    /// <summary>Called for a name that is not there, or is a whiteout: makes a directory of it. Null: it is an error.</summary>
    public Action<int, byte[]>? Make { get; init; }

    /// <summary>The directory that the last path led to.</summary>
    public int Current => _levels.Count == 0 ? top : _levels[^1].Descriptor;

    /// <summary>Its path, without links; empty for the top.</summary>
    public byte[] Path
    {
        get
        {
            var path = new byte[Math.Max(0, _levels.Sum(l => l.Name.Length) - 1)];
            var used = 0;
            foreach (var (name, _) in _levels)
            {
                if (used > 0)
                    path[used++] = (byte)'/';
                name.AsSpan(..^1).CopyTo(path.AsSpan(used));
                used += name.Length - 1;
            }
            return path;
        }
    }

    /// <summary>Goes to a directory; errno or 0. Where it fails, <paramref name="at"/> is the name that it failed at.</summary>
    public int Go(List<byte[]> path, out byte[] at)
    {
        at = [];
        _ahead.Clear();
        for (var i = path.Count - 1; i >= 0; i--)
            _ahead.Push(path[i]);
        var (level, links) = (0, 0);
        while (_ahead.TryPop(out var name))
        {
            if (name.AsSpan().SequenceEqual("..\0"u8))
            {
                level = Math.Max(0, level - 1); // only a link's target has it
                continue;
            }
            if (level < _levels.Count && _levels[level].Name.AsSpan().SequenceEqual(name))
            {
                level++;
                continue;
            }
            Return(level);
            at = name;
            if (level == MaximalDepth)
                return 36 /* ENAMETOOLONG */;
            var errno = Nodes.TryOpen(Current, name, Open, out var fd);
            if (errno is Errno.ENOENT or Errno.ENOTDIR or Errno.ELOOP)
            {
                errno = Detour(name, errno, ref level, ref links, out var opened);
                if (errno == 0 && !opened)
                    continue;
                if (errno == 0)
                    errno = Nodes.TryOpen(Current, name, Open, out fd);
            }
            if (errno != 0)
                return errno;
            _levels.Add((name, fd));
            level++;
        }
        Return(level);
        return 0;
    }

    /// <summary>Forgets what it has open: a directory has been removed.</summary>
    public void Forget() => Return(0);

    public void Dispose() => Return(0);

    // It is no directory: a link is followed, what is missing is made.
    private int Detour(byte[] name, int errno, ref int level, ref int links, out bool made)
    {
        made = false;
        var status = default(NodeStatus);
        if (errno != Errno.ENOENT)
            errno = Nodes.TryStatus(Current, name, out status);
        if (errno == Errno.ENOENT || (errno == 0 && status.IsWhiteout))
        {
            if (Make is null)
                return Errno.ENOENT;
            Make(Current, name);
            made = true;
            return 0;
        }
        if (errno != 0)
            return errno;
        if (status.File.Type != FileType.SymbolicLink)
            return Errno.ENOTDIR;
        if (++links > MaximalLinks)
            return Errno.ELOOP;
        errno = Nodes.TryReadLink(Current, name, out var target);
        if (errno != 0)
            return errno;
        if (target.AsSpan().StartsWith("/"u8))
            level = 0;
        var parts = new List<byte[]>();
        foreach (var range in target.AsSpan().Split((byte)'/'))
        {
            var part = target.AsSpan(range);
            if (!part.IsEmpty && !part.SequenceEqual("."u8))
                parts.Add([.. part, 0]);
        }
        for (var i = parts.Count - 1; i >= 0; i--)
            _ahead.Push(parts[i]);
        return 0;
    }

    private void Return(int level)
    {
        for (var i = _levels.Count - 1; i >= level; i--)
            Nodes.Close(_levels[i].Descriptor);
        _levels.RemoveRange(level, _levels.Count - level);
    }
}
