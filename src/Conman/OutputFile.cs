// A file that a command writes for its user: it is there when it is whole, or not at all.

using Conman.Linux;

namespace Conman;

internal static class OutputFile
{
    /// <summary>Writes standard output, or a file: one without a name until it is whole, so that a killed command leaves nothing; or, where there are no such files, one of another name.</summary>
    /// <param name="path">Null: standard output.</param>
    /// <param name="write">Told whether what it writes is to be on the disk in the end.</param>
    public static void Write(string? path, Action<FileDescriptor, bool> write)
    {
        // What is there and no file (a pipe, a device) is written to as it is.
        if (path is null || Files.TryStatus(path, out _) is { Type: not FileType.Regular })
        {
            using var open = path is null ? Files.Duplicate(1) : Files.Open(path, OpenFlags.WriteOnly);
            write(open, false);
            return;
        }
        var folder = Path.GetDirectoryName(Path.GetFullPath(path))!;
        if (Files.TryTemporary(folder) is { } unnamed)
        {
            using (unnamed)
            {
                write(unnamed, true);
                Files.Publish(unnamed, Files.CurrentDirectory, path);
            }
            return;
        }
        var beside = path + ".part";
        using var file = Files.Open(beside, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate, mode: 0x180 /* 0600 */);
        try
        {
            write(file, true);
            Storage.Rename(Files.CurrentDirectory, beside, Files.CurrentDirectory, path);
        }
        catch
        {
            Files.TryUnlink(beside);
            throw;
        }
    }
}
