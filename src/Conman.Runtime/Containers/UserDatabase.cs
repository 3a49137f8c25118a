// passwd(5) and group(5) of a root file system, which whoever made it may have filled with anything.

using System.Text;
using Conman.Linux;

namespace Conman.Runtime.Containers;

/// <summary>passwd(5) of a container.</summary>
public static class UserDatabase
{
    private const int LargestFile = 1 << 20;

    /// <summary>The home directory of a numeric user; null if the file does not say.</summary>
    public static string? HomeOf(FileDescriptor root, string path, uint uid)
    {
        var content = TryRead(root, path);
        foreach (var line in content.AsSpan().Split((byte)'\n'))
        {
            var fields = Encoding.UTF8.GetString(content.AsSpan()[line]).Split(':');
            if (fields.Length >= 6 && uint.TryParse(fields[2], out var id) && id == uid)
                return fields[5].Length > 0 ? fields[5] : null;
        }
        return null;
    }

    /// <summary>A file of a root file system; nothing if it is not there, no regular file, or more than anyone would put there.</summary>
    public static byte[] TryRead(FileDescriptor root, string path)
    {
        // NonBlock: a FIFO in an image must not make the runtime wait for a writer.
        using var file = Files.TryOpenResolved(root.Number, path, OpenFlags.ReadOnly | OpenFlags.NonBlock, Resolve.InRoot | Resolve.NoMagicLinks, out _);
        if (file is null || Files.Status(file, path).Type != FileType.Regular)
            return [];
        try
        {
            return Files.ReadAll(file, path, LargestFile);
        }
        catch (LinuxException)
        {
            return [];
        }
    }
}
