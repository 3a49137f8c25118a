// A member's path as its components, and what its last one means in a layer (image-spec layer.md, "Whiteouts").

using Conman.Images.Tar;

namespace Conman.Images.Layers;

internal enum LayerName
{
    /// <summary>The top of the layer itself.</summary>
    Root,
    Ordinary,
    /// <summary>Something in the layers below is removed: the last component is its name.</summary>
    Whiteout,
    /// <summary>Everything in the layers below that is in this directory is removed: there is no last component.</summary>
    Opaque,
    /// <summary>What AUFS kept for itself, in layers of long ago: to be left out.</summary>
    Ignored,
}

internal readonly struct LayerPath
{
    private LayerPath(LayerName kind, List<byte[]> parents, byte[] name) => (Kind, Parents, Name) = (kind, parents, name);

    public LayerName Kind { get; }

    /// <summary>The directories above, the topmost first; each name ends with a zero byte.</summary>
    public List<byte[]> Parents { get; }

    /// <summary>The last component, which ends with a zero byte.</summary>
    public byte[] Name { get; }

    /// <param name="isLayer">Some names are whiteouts; else a name is a name.</param>
    /// <exception cref="ImageException">It leads out of the layer, or is no name that could be.</exception>
    public static LayerPath Parse(ReadOnlySpan<byte> path, TarEntry entry, bool isLayer = true)
    {
        var parts = new List<byte[]>();
        foreach (var range in path.Split((byte)'/'))
        {
            var part = path[range];
            if (part.IsEmpty || part.SequenceEqual("."u8))
                continue;
            if (!part.SequenceEqual(".."u8))
                parts.Add([.. part, 0]);
            else if (parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
            else
                throw new ImageException($"{entry}: a path that leads out of the {(isLayer ? "layer" : "archive")}");
        }
        if (parts.Count == 0)
            return new LayerPath(LayerName.Root, parts, []);
        var name = parts[^1];
        var kind = LayerName.Ordinary;
        foreach (var part in isLayer ? parts : [])
        {
            if (!part.AsSpan().StartsWith(".wh."u8))
                continue;
            if (part.AsSpan().StartsWith(".wh..wh."u8))
                kind = part == name && part.AsSpan().SequenceEqual(".wh..wh..opq\0"u8) ? LayerName.Opaque : LayerName.Ignored;
            else if (part != name)
                throw new ImageException($"{entry}: a whiteout that is a directory");
            else if (part.AsSpan(4) is [0] or [(byte)'.', 0] or [(byte)'.', (byte)'.', 0])
                throw new ImageException($"{entry}: a whiteout of nothing");
            else
                kind = LayerName.Whiteout;
            if (kind == LayerName.Ignored)
                break;
        }
        parts.RemoveAt(parts.Count - 1);
        return new LayerPath(kind, parts, kind == LayerName.Whiteout ? name[4..] : name);
    }
}
