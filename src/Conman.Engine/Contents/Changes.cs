// diff: what a container has made of its image's files, in Docker's three letters.

using System.Text;
using Conman.Engine.Store;
using Conman.Images.Layers;
using Conman.Linux;

namespace Conman.Engine.Contents;

/// <summary>A file that differs.</summary>
/// <param name="Kind">A: added, C: changed, D: deleted.</param>
/// <param name="Path">Absolute, in the container.</param>
public readonly record struct Change(char Kind, string Path);

/// <summary>Compares what was written with what the layers below have. A directory is changed where something in it is, or its owner or mode.</summary>
public sealed class Changes
{
    private readonly List<Change> _found = [];

    /// <summary>By path, a directory before what is in it.</summary>
    public static List<Change> Of(ContainerEngine engine, Container container)
    {
        using var layers = ContainerLayers.Open(engine, container);
        var changes = new Changes();
        changes.Compare(layers[0].Number, [.. layers.Skip(1).Select(l => l.Number)], [], hides: false);
        return changes._found;
    }

    /// <param name="below">The directories below it, the uppermost first.</param>
    /// <param name="hides">Nothing of those is to be seen but what is in the upper one as well.</param>
    private void Compare(int upper, List<int> below, byte[] path, bool hides)
    {
        var names = Names(upper);
        if (hides)
            names.UnionWith(below.SelectMany(Names));
        foreach (var name in names)
        {
            byte[] full = path.Length == 0 ? name[..^1] : [.. path, (byte)'/', .. name[..^1]];
            var isThere = Nodes.TryStatus(upper, name, out var status) == 0 && !status.IsWhiteout;
            using var old = new Lower(below, name);
            if (!isThere)
            {
                if (old.Exists)
                    Add('D', full);
                continue;
            }
            if (!old.Exists && ContainerLayers.IsMountPoint(full, status))
                continue;
            var at = _found.Count;
            if (status.File.Type == FileType.Directory && Nodes.TryOpen(upper, name, OpenFlags.ReadOnly | Files.Directory, out var fd) == 0)
            {
                using var directory = new FileDescriptor(fd);
                Compare(fd, old.Directories, full, hides || LayerPacker.IsOpaque(fd));
            }
            if (!old.Exists)
                Add('A', full, at);
            else if (_found.Count > at || Differs(old.Status, status))
                Add('C', full, at);
        }
    }

    private void Add(char kind, byte[] path, int at = -1) => _found.Insert(at < 0 ? _found.Count : at, new Change(kind, "/" + Encoding.UTF8.GetString(path)));

    // The time and the size of a directory change with what is in it, and that is told by itself.
    private static bool Differs(NodeStatus old, NodeStatus now) =>
        (old.File with { Size = 0 }) != (now.File with { Size = 0 })
        || (now.File.Type != FileType.Directory && (old.File.Size, old.Seconds, old.Nanoseconds) != (now.File.Size, now.Seconds, now.Nanoseconds));

    private static SortedSet<byte[]> Names(int directory)
    {
        var names = new SortedSet<byte[]>(Comparer<byte[]>.Create((a, b) => a.AsSpan().SequenceCompareTo(b)));
        if (Nodes.TryOpen(directory, ".\0"u8, OpenFlags.ReadOnly | Files.Directory, out var fd) != 0)
            return names; // removed meanwhile
        using var reading = new FileDescriptor(fd);
        foreach (var (name, _) in Trees.List(reading))
            names.Add(name);
        return names;
    }

    /// <summary>What a stack of directories shows under a name.</summary>
    private sealed class Lower : IDisposable
    {
        public Lower(List<int> stack, byte[] name)
        {
            foreach (var layer in stack)
            {
                if (Nodes.TryStatus(layer, name, out var status) != 0)
                    continue;
                if (status.IsWhiteout || (Exists && status.File.Type != FileType.Directory))
                    return;
                if (!Exists)
                    (Exists, Status) = (true, status);
                if (status.File.Type != FileType.Directory || Nodes.TryOpen(layer, name, OpenFlags.ReadOnly | Files.Directory, out var fd) != 0)
                    return;
                Directories.Add(fd);
                if (LayerPacker.IsOpaque(fd))
                    return;
            }
        }

        public bool Exists { get; }

        /// <summary>The uppermost one's.</summary>
        public NodeStatus Status { get; }

        /// <summary>Those that are seen as one, the uppermost first.</summary>
        public List<int> Directories { get; } = [];

        public void Dispose() => Directories.ForEach(Nodes.Close);
    }
}
