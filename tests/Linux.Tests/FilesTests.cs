// Files on the real kernel: replaced atomically, resolved inside a root, locked, sealed.

using System.Text;

namespace Conman.Linux.Tests;

public sealed class FilesTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_reader_of_a_replaced_file_sees_the_old_or_the_new_and_nothing_between()
    {
        byte[] a = new byte[70_000], b = new byte[90_000];
        Array.Fill(a, (byte)'a');
        Array.Fill(b, (byte)'b');
        using var folder = _scratch.Open();
        Files.Replace(folder.Number, "state", a);
        var done = 0;
        var writer = new Thread(() =>
        {
            for (var i = 0; i < 300; i++)
                Files.Replace(folder.Number, "state", i % 2 == 0 ? b : a);
            Volatile.Write(ref done, 1);
        });
        writer.Start();
        var looks = 0;
        for (; Volatile.Read(ref done) == 0; looks++)
        {
            var seen = Files.ReadAll("state", folder.Number);
            Assert.True(seen.AsSpan().SequenceEqual(a) || seen.AsSpan().SequenceEqual(b), $"{seen.Length} bytes");
        }
        writer.Join();
        Assert.True(looks > 0);
        Assert.Equal(["state"], Files.List(folder, "folder"));
    }

    [Fact]
    public void What_a_killed_writer_left_does_not_disturb_the_next()
    {
        using (var left = Files.Open(_scratch[".state.new"], OpenFlags.WriteOnly | OpenFlags.Create, mode: 0x180 /* 0600 */))
            Files.Write(left.Number, "half of something longer than what comes"u8, "it");
        using var folder = _scratch.Open();
        Files.Replace(folder.Number, "state", "new"u8);
        Assert.Equal("new", File.ReadAllText(_scratch["state"]));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_scratch["state"]));
        Assert.Equal(["state"], Files.List(folder, "folder"));
    }

    [Theory]
    [InlineData("link/passwd")]
    [InlineData("up/etc/passwd")]
    [InlineData("../../../../etc/passwd")]
    [InlineData("/etc/passwd")]
    public void A_path_in_a_root_stays_in_the_root(string path)
    {
        Directory.CreateDirectory(_scratch["etc"]);
        File.WriteAllText(_scratch["etc/passwd"], "of the container");
        File.CreateSymbolicLink(_scratch["link"], "/etc");
        File.CreateSymbolicLink(_scratch["up"], "../../../../../..");
        using var root = _scratch.Open();
        using var file = Files.TryOpenResolved(root.Number, path, OpenFlags.ReadOnly, Resolve.InRoot | Resolve.NoMagicLinks, out var errno);
        Assert.Equal(0, errno);
        Assert.Equal("of the container", Encoding.UTF8.GetString(Files.ReadAll(file!, path)));
    }

    [Fact]
    public void Resolving_refuses_what_it_is_told_to_refuse()
    {
        File.CreateSymbolicLink(_scratch["link"], "/etc");
        File.CreateSymbolicLink(_scratch["loop"], "loop");
        using var root = _scratch.Open();
        Assert.Equal(Errno.ELOOP, Refusal(root, "link", Resolve.InRoot | Resolve.NoSymlinks));
        Assert.Equal(Errno.ELOOP, Refusal(root, "loop", Resolve.InRoot));
        Assert.Equal(18 /* EXDEV */, Refusal(root, "..", Resolve.Beneath));
        Assert.Equal(Errno.ENOENT, Refusal(root, "link/passwd", Resolve.InRoot));
        using var proc = Files.Open("/proc/self", OpenFlags.Path | Files.Directory);
        Assert.Equal(Errno.ELOOP, Refusal(proc, "exe", Resolve.NoMagicLinks));
    }

    [Fact]
    public void A_lock_has_one_holder_and_dies_with_its_descriptor()
    {
        using var first = _scratch.Open();
        Assert.True(Files.Lock(first, wait: false, "it"));
        Assert.True(Files.Lock(first, wait: false, "it")); // its holder may ask again
        using (var second = _scratch.Open())
        {
            Assert.False(Files.Lock(second, wait: false, "it"));
            first.Dispose();
            Assert.True(Files.Lock(second, wait: true, "it"));
        }
        using var third = _scratch.Open();
        Assert.True(Files.Lock(third, wait: false, "it"));
    }

    [Fact]
    public void A_lock_that_is_waited_for_comes_when_it_is_let_go()
    {
        using var holder = _scratch.Open();
        Files.Lock(holder, wait: false, "it");
        using var waiter = _scratch.Open();
        using var got = new ManualResetEventSlim();
        var thread = new Thread(() =>
        {
            if (Files.Lock(waiter, wait: true, "it"))
                got.Set();
        });
        thread.Start();
        Assert.False(got.Wait(100));
        holder.Dispose();
        Assert.True(got.Wait(10_000));
        thread.Join();
    }

    [Fact]
    public void Sealed_memory_can_be_read_and_never_changed()
    {
        using var memory = Files.SealedMemory("test", "content"u8);
        Assert.Equal("content", Encoding.UTF8.GetString(Files.ReadAll(memory, "memory")));
        Assert.Equal(Errno.EPERM, Files.TryWrite(memory.Number, "x"u8));
        // Nor through another descriptor of it, nor made longer or shorter.
        using var again = Files.Open($"/proc/self/fd/{memory.Number}", OpenFlags.ReadWrite);
        Assert.Equal(Errno.EPERM, Files.TryWrite(again.Number, "x"u8));
        Assert.Null(Files.TryOpen($"/proc/self/fd/{memory.Number}", OpenFlags.ReadWrite | OpenFlags.Truncate, out var errno));
        Assert.Equal(Errno.EPERM, errno);
        Assert.Equal(7ul, Files.Status(memory, "memory").Size);
    }

    [Fact]
    public void Descriptors_do_not_reach_other_programs()
    {
        using var folder = _scratch.Open();
        using var copy = Files.Duplicate(folder.Number);
        using var memory = Files.Memory("test");
        using var tree = Files.TryOpenResolved(folder.Number, ".", OpenFlags.Path, Resolve.Beneath, out _);
        var (left, right) = Sockets.Pair();
        foreach (var fd in (FileDescriptor[])[folder, copy, memory, tree!, left, right])
        {
            var flags = File.ReadAllLines($"/proc/self/fdinfo/{fd.Number}").Single(l => l.StartsWith("flags:"));
            Assert.True((Convert.ToInt32(flags[6..].Trim(), 8) & (int)OpenFlags.CloseOnExec) != 0, $"{fd.Number}: {flags}");
        }
        left.Dispose();
        right.Dispose();
    }

    [Fact]
    public void A_status_is_that_of_the_path()
    {
        File.WriteAllText(_scratch["file"], "12345");
        File.SetUnixFileMode(_scratch["file"], UnixFileMode.UserRead | UnixFileMode.SetUser);
        Files.TrySymlink("file", _scratch["link"]);
        using var folder = _scratch.Open();
        Assert.Equal((FileType.Regular, 0x900u, 5ul), Files.TryStatus("file", out _, folder.Number) is { } f ? (f.Type, f.Permissions, f.Size) : default);
        Assert.Equal(FileType.SymbolicLink, Files.TryStatus("link", out _, folder.Number, 0x100 /* AT_SYMLINK_NOFOLLOW */)?.Type);
        Assert.Equal(FileType.Directory, Files.Status(folder, "folder").Type);
        Assert.Null(Files.TryStatus("none", out var errno, folder.Number));
        Assert.Equal(Errno.ENOENT, errno);
        using var zero = Files.Open("/dev/null", OpenFlags.Path);
        Assert.Equal((FileType.CharacterDevice, 1u, 3u), Files.Status(zero, "null") is var d ? (d.Type, d.DeviceMajor, d.DeviceMinor) : default);
        Assert.Equal("file", Files.TryReadLink("link", folder.Number));
        Assert.Null(Files.TryReadLink("file", folder.Number));
    }

    [Fact]
    public void All_names_of_a_large_folder_are_listed_once()
    {
        var names = Enumerable.Range(0, 2000).Select(i => $"näme {i}").ToList();
        names.ForEach(n => File.Create(_scratch[n]).Dispose());
        using var folder = _scratch.Open();
        Assert.Equal(names.Order(StringComparer.Ordinal), Files.List(folder, "folder").Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Reading_ends_at_the_limit_whatever_the_file_says()
    {
        using var endless = Files.Open("/dev/zero", OpenFlags.ReadOnly);
        var error = Assert.Throws<LinuxException>(() => Files.ReadAll(endless, "zeros", 1 << 20));
        Assert.Equal("cannot read zeros: file too large", error.Message);
        // procfs says that its files are empty.
        Assert.NotEmpty(Files.ReadAll("/proc/self/status"));
    }

    [Fact]
    public void Directories_are_made_with_those_above_and_may_be_there_already()
    {
        Files.MakeDirectories(_scratch["a/b/c"], 0x1c0);
        Files.MakeDirectories(_scratch["a/b/c"], 0x1c0);
        Assert.True(Directory.Exists(_scratch["a/b/c"]));
        Assert.Equal(Errno.ENOTEMPTY, Files.TryRemoveDirectory(_scratch["a"]));
        File.WriteAllText(_scratch["file"], "");
        var error = Assert.Throws<LinuxException>(() => Files.MakeDirectories(_scratch["file/x"], 0x1c0));
        Assert.Equal((Errno.ENOTDIR, $"cannot make directory {_scratch["file/x"]}: not a directory"), (error.Errno, error.Message));
    }

    private static int Refusal(FileDescriptor root, string path, Resolve resolve)
    {
        using var file = Files.TryOpenResolved(root.Number, path, OpenFlags.ReadOnly, resolve, out var errno);
        Assert.Null(file);
        return errno;
    }
}
