// Trees of others: names of any bytes, any depth, links that lead out.

using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Linux.Tests;

public sealed partial class TreesTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("conman-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Names_of_any_bytes_are_removed()
    {
        Directory.CreateDirectory(_folder + "/tree");
        byte[] name = [.. Encoding.UTF8.GetBytes(_folder + "/tree/"), 0xff, 0xfe, (byte)'x', 0];
        Assert.Equal(0, mkdir(name, 0x1ff));
        Trees.Remove(Files.CurrentDirectory, _folder + "/tree");
        Assert.False(Directory.Exists(_folder + "/tree"));
    }

    [Fact]
    public void A_tree_deeper_than_any_path_is_removed()
    {
        Assert.Equal(0, Files.TryMakeDirectory(_folder + "/tree", 0x1ff));
        var at = Files.Open(_folder + "/tree", OpenFlags.ReadOnly | Files.Directory);
        for (var i = 0; i < 3000; i++)
        {
            Assert.Equal(0, Files.TryMakeDirectory("deeper", 0x1ff, at.Number));
            var below = Files.Open("deeper", OpenFlags.ReadOnly | Files.Directory, at.Number);
            at.Dispose();
            at = below;
        }
        at.Dispose();
        Trees.Remove(Files.CurrentDirectory, _folder + "/tree");
        Assert.False(Directory.Exists(_folder + "/tree"));
    }

    [Fact]
    public void Links_are_removed_and_not_what_they_lead_to()
    {
        Directory.CreateDirectory(_folder + "/tree/below");
        Directory.CreateDirectory(_folder + "/other");
        File.WriteAllText(_folder + "/other/file", "x");
        Directory.CreateSymbolicLink(_folder + "/tree/link", _folder + "/other");
        Trees.Remove(Files.CurrentDirectory, _folder + "/tree");
        Assert.True(File.Exists(_folder + "/other/file"));
        Directory.CreateSymbolicLink(_folder + "/link", _folder + "/other");
        Trees.Remove(Files.CurrentDirectory, _folder + "/link");
        Assert.True(File.Exists(_folder + "/other/file"));
        Assert.False(Path.Exists(_folder + "/link"));
    }

    [Fact]
    public void A_tree_is_measured_as_du_measures_it()
    {
        Directory.CreateDirectory(_folder + "/tree/below");
        File.WriteAllBytes(_folder + "/tree/one", new byte[100_000]);
        File.WriteAllBytes(_folder + "/tree/below/two", new byte[5]);
        Assert.Equal(0, link(_folder + "/tree/one", _folder + "/tree/below/linked"));
        using (var sparse = File.Create(_folder + "/tree/sparse"))
            sparse.SetLength(1 << 30);
        File.CreateSymbolicLink(_folder + "/tree/link", "/usr");
        var du = System.Diagnostics.Process.Start(new System.Diagnostics.ProcessStartInfo("du", ["-sB1", _folder + "/tree"]) { RedirectStandardOutput = true })!;
        var bytes = long.Parse(du.StandardOutput.ReadToEnd().Split('\t')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(new DiskUse(bytes, 6), Trees.Measure(Files.CurrentDirectory, _folder + "/tree"));
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int mkdir(byte[] path, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int link(string from, string to);
}
