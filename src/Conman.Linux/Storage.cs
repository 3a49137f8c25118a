// What lasts: writes that reach the disk before they count, and renames.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>Thin wrappers for state that must survive a power cut.</summary>
public static unsafe class Storage
{
    private const int EmptyPath = 0x1000 /* AT_EMPTY_PATH */, NoFollow = 0x100 /* AT_SYMLINK_NOFOLLOW */;

    /// <summary>fsync(2), of a file or a directory.</summary>
    public static void Sync(FileDescriptor file, string name) => Check(Native.fsync(file.Number), $"write {name} to the disk");

    /// <summary>syncfs(2): everything that was written to the file system so far.</summary>
    public static void SyncFileSystem(FileDescriptor file, string name) => Check(Native.syncfs(file.Number), $"write the file system of {name} to the disk");

    /// <summary>sync_file_range(2), SYNC_FILE_RANGE_WRITE: the disk begins with these bytes now, so that a later <see cref="Sync"/> waits less. A hint.</summary>
    public static void BeginWriting(FileDescriptor file, long offset, long count) => _ = Native.sync_file_range(file.Number, offset, count, 2);

    /// <summary>renameat(2).</summary>
    public static void Rename(int from, string oldName, int to, string newName) => Check(Native.renameat(from, oldName, to, newName), $"rename {oldName} to {newName}");

    /// <summary>Replaces a file so that it is the old or the new one even after a power cut: written beside, synced, renamed, and the directory synced.</summary>
    public static void Replace(FileDescriptor directory, string name, ReadOnlySpan<byte> data, uint mode = 0x180 /* 0600 */)
    {
        var temporary = "." + name + ".new";
        using (var file = Files.Open(temporary, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate, directory.Number, mode))
        {
            Files.Write(file.Number, data, name);
            Sync(file, name);
        }
        Rename(directory.Number, temporary, directory.Number, name);
        Sync(directory, $"the directory of {name}");
    }

    /// <summary>ftruncate(2).</summary>
    public static void SetLength(FileDescriptor file, long length, string name) => Check(Native.ftruncate(file.Number, length), $"cut {name}");

    /// <summary>pread(2); 0 at the end.</summary>
    public static int ReadAt(FileDescriptor file, Span<byte> buffer, long offset, string name)
    {
        nint n;
        fixed (byte* p = buffer)
        {
            do n = Native.pread64(file.Number, p, buffer.Length, offset);
            while (n < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
        }
        Check((int)Math.Min(n, 0), $"read {name}");
        return (int)n;
    }

    /// <summary>pwrite(2), everything.</summary>
    public static void WriteAt(FileDescriptor file, ReadOnlySpan<byte> data, long offset, string name)
    {
        while (data.Length > 0)
        {
            nint n;
            fixed (byte* p = data)
                n = Native.pwrite64(file.Number, p, data.Length, offset);
            if (n < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR)
                continue;
            Check((int)Math.Min(n, 0), $"write {name}");
            data = data[(int)n..];
            offset += n;
        }
    }

    /// <summary>lseek(2) to a place from the beginning.</summary>
    public static void Seek(FileDescriptor file, long offset, string name) => Check((int)Math.Min(Native.lseek(file.Number, offset, 0 /* SEEK_SET */), 0), $"seek in {name}");

    /// <summary>What tells one file from all others as long as it is open: device and inode.</summary>
    public static (uint Major, uint Minor, ulong Inode) Identity(FileDescriptor file)
    {
        StatX x;
        Check(Native.statx(file.Number, "", EmptyPath, 0x100 /* STATX_INO */, &x), "stat a file");
        return (x.stx_dev_major, x.stx_dev_minor, x.stx_ino);
    }

    /// <summary>Whether a name in a directory still is this open file.</summary>
    public static bool IsStill(FileDescriptor file, int directory, string name)
    {
        StatX open, named;
        return Native.statx(file.Number, "", EmptyPath, 0x100 /* STATX_INO */, &open) == 0
            && Native.statx(directory, name, NoFollow, 0x100, &named) == 0
            && (open.stx_ino, open.stx_dev_major, open.stx_dev_minor) == (named.stx_ino, named.stx_dev_major, named.stx_dev_minor);
    }

    /// <summary>When the content was last changed, seconds since 1970.</summary>
    public static long Modified(FileDescriptor file)
    {
        StatX x;
        return Native.statx(file.Number, "", EmptyPath, 0x40 /* STATX_MTIME */, &x) == 0 ? (long)x._times[6] : 0;
    }

    private static void Check(int result, string operation)
    {
        if (result < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), operation);
    }
}
