// The confined unpacker as the binary has it: what it makes, what it cannot do, and what becomes of its failures.

using System.Reflection;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;
using Conman.Images.Compression;
using Conman.Images.Layers;
using Conman.Images.Tar;
using Conman.Images.Tests.Tar;
using Conman.Linux;

namespace Conman.Images.Tests.Layers;

public sealed class ConfinedUnpackTests : IDisposable
{
    private static readonly string Repository =
        typeof(ConfinedUnpackTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;

    private static readonly string Binary = Path.Combine(Repository, "out/conman");

    private readonly Scratch _scratch = new();

    // What native/spawn.c starts processes by is part of the binary; here it is a library.
    static ConfinedUnpackTests()
    {
        var folder = Directory.CreateTempSubdirectory("conman-images-tests-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        NativeLibrary.SetDllImportResolver(typeof(Files).Assembly, (name, _, _) =>
        {
            if (name != "conman")
                return 0;
            var library = Path.Combine(folder, "libconman.so");
            Host.Shell(folder, $"gcc -shared -fPIC -O1 -DCONMAN_INIT='\"{Repository}/out/native/conman-init\"' -o {library} {Repository}/native/spawn.c");
            return NativeLibrary.Load(library);
        });
    }

    public ConfinedUnpackTests()
    {
        Host.NeedRoot();
        Skip.IfNot(File.Exists(Binary), "out/conman is not built");
        Skip.IfNot(File.ReadAllBytes(Binary).AsSpan().IndexOf("OpenSSL 3"u8) >= 0, "out/conman is linked without OpenSSL, and cannot hash");
    }

    public void Dispose() => _scratch.Dispose();

    private UnpackedLayer Unpack(byte[] archive, CompressionKind kind = CompressionKind.None, string name = "layer")
    {
        var bytes = new MemoryStream();
        using (var writer = Decompression.Compress(bytes, kind))
            writer.Write(archive);
        return UnpackRaw(bytes.ToArray(), name);
    }

    private UnpackedLayer UnpackRaw(byte[] compressed, string name = "layer")
    {
        File.WriteAllBytes(_scratch["blob"], compressed);
        using var directory = _scratch.NewDirectory(name);
        using var blob = Files.Open(_scratch["blob"], OpenFlags.ReadOnly);
        return new LayerUnpacker(Binary).Unpack(directory, blob, compressed.Length);
    }

    private static string Hash(byte[] bytes) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));

    [SkippableTheory]
    [InlineData(CompressionKind.None)]
    [InlineData(CompressionKind.Gzip)]
    [InlineData(CompressionKind.Zstd)]
    public void A_layer_is_unpacked_and_hashed_to_its_very_end(CompressionKind kind)
    {
        var file = Archive.Entry(TarType.File, "dir/file", 0x9ed /* 04755 */);
        (file.Uid, file.Gid) = (1000, 7);
        file.Attributes = [new("security.capability"u8.ToArray(), Convert.FromHexString("0100000200200000000000000000000000000000"))];
        var marked = Archive.Entry(TarType.Directory, "marked", 0x1ed);
        marked.Attributes = [new("trusted.mark"u8.ToArray(), [0, 1])];
        byte[] archive = [.. new Archive().Add(file, new string('x', 3_000_000)).Add(marked).File(".wh.gone").File("opaque/.wh..wh..opq").Device("null", TarType.CharacterDevice, 1, 3).ToArray(), .. "what follows the end"u8];
        var layer = Unpack(archive, kind);
        Assert.Equal((Hash(archive), 3_000_000, 5), (layer.DiffId.ToString(), layer.Size, layer.Entries));
        Assert.Equal(["", "dir", "opaque"], layer.ImpliedDirectories.Select(Encoding.UTF8.GetString));
        Assert.Equal("1000 7 4755 3000000", Host.Shell(_scratch["layer"], "stat -c '%u %g %a %s' dir/file").Trim());
        Assert.Equal("0x0001", Host.Shell(_scratch["layer"], "getfattr -e hex -n trusted.mark marked | grep -o 0x.*").Trim());
        Assert.Equal("y", Files.TryGetAttribute(_scratch["layer/opaque"], "trusted.overlay.opaque"));
        Assert.Equal("0:0 1:3", Host.Shell(_scratch["layer"], "stat -c %t:%T gone null | xargs").Trim());
    }

    [SkippableFact]
    public void A13_layers_that_are_cut_short_or_go_on_are_refused_and_empty_ones_are_not()
    {
        Assert.Contains("cut short", Assert.Throws<ImageException>(() => Unpack(new Archive().File("a", "text").Unfinished()[..514])).Message);
        Assert.Equal((0, 0), (Unpack(new Archive().ToArray()).Size, Unpack([]).Entries));
        Assert.Throws<ImageException>(() => UnpackRaw([0x1f, 0x8b, 8, 0, 0]));
        Assert.Contains("xz", Assert.Throws<ImageException>(() => UnpackRaw([0xfd, (byte)'7', (byte)'z', (byte)'X', (byte)'Z', 0, 0])).Message);
    }

    [SkippableFact]
    public void What_fails_is_told_in_the_extractor_s_words() =>
        Assert.Equal("cannot open directory file for file/x: not a directory", Assert.Throws<ImageException>(() => Unpack(new Archive().File("file").File("file/x").ToArray())).Message);

    [SkippableFact]
    public void A1_to_A7_nothing_outside_is_touched()
    {
        Directory.CreateDirectory(_scratch["canaries"]);
        File.WriteAllText(_scratch["canaries/canary"], "good");
        var outside = _scratch["canaries"];
        foreach (var archive in (Archive[])
            [
                new Archive().File("../canaries/canary", "bad"), new Archive().File(outside + "/canary", "bad"), new Archive().Symlink("l", outside).File("l/canary", "bad"),
                new Archive().Symlink("l", "../canaries").File("l/canary", "bad"), new Archive().HardLink("l", "../canaries/canary").File("l", "bad"),
                new Archive().Symlink("l", outside).File("l/.wh.canary").File("l/.wh..wh..opq"), new Archive().Symlink("l", outside + "/canary").HardLink("h", "l"),
            ])
        {
            try
            {
                Unpack(archive.ToArray(), name: Guid.NewGuid().ToString("N"));
            }
            catch (ImageException)
            {
                // refused
            }
        }
        Assert.Equal("canary 1 good", Host.Shell(outside, "echo $(ls) $(stat -c %h canary) $(cat canary)").Trim());
        Assert.Empty(Host.Shell(outside, "getfattr -d -m - . canary"));
    }

    [SkippableFact]
    public void A12_a_bomb_is_stopped_at_its_cap()
    {
        // 1 MiB of gzip that would be a gibibyte is within 10 GiB; a cap is tried on the worker by what it is told the size is.
        var bomb = Archive.Entry(TarType.File, "bomb");
        (bomb.Size, bomb.Segments) = (1L << 50, []);
        Assert.Contains("more than 10737418240 bytes", Assert.Throws<ImageException>(() => Unpack(new Archive().Add(bomb).ToArray())).Message);
    }

    [SkippableFact]
    public void The_process_is_alone_with_the_layer_and_can_do_nothing_else()
    {
        var (read, write) = Files.Pipe(1 << 16);
        using var directory = _scratch.NewDirectory("layer");
        var unpacking = Task.Run(() => new LayerUnpacker(Binary).Unpack(directory, read, 1000));
        Files.Write(write.Number, new Archive().File("started").Unfinished(), "pipe");
        while (!File.Exists(_scratch["layer/started"]))
            Thread.Yield();
        var pid = Host.Shell("/", $"for p in /proc/[0-9]*; do [ \"$(tr '\\0' ' ' <$p/cmdline | cut -d' ' -f1-2)\" = 'conman unpack-layer' ] && [ $(stat -L -c %i $p/root) = $(stat -c %i {_scratch["layer"]}) ] && echo ${{p#/proc/}}; done; true").Trim();
        var status = File.ReadAllLines($"/proc/{pid}/status").Select(l => l.Split(":\t")).Where(l => l.Length == 2).ToDictionary(l => l[0], l => l[1].Trim());
        Assert.Equal("000000008800001b", status["CapEff"]);
        Assert.Equal("000000008800001b", status["CapBnd"]);
        Assert.Equal("0000000000000000", status["CapInh"]);
        Assert.Equal(("1", "2"), (status["NoNewPrivs"], status["Seccomp"]));
        Assert.Single(File.ReadAllLines($"/proc/{pid}/mountinfo"));
        foreach (var kind in (string[])["mnt", "net", "ipc", "uts", "pid", "cgroup"])
            Assert.NotEqual(Host.Shell("/", $"readlink /proc/self/ns/{kind}"), Host.Shell("/", $"readlink /proc/{pid}/ns/{kind}"));
        foreach (var task in Directory.GetDirectories($"/proc/{pid}/task"))
            Assert.Contains("Seccomp:\t2", File.ReadAllText(task + "/status"));
        Files.Write(write.Number, new byte[1024], "pipe");
        write.Dispose();
        unpacking.Wait();
        read.Dispose();
    }

    [SkippableFact]
    public void A_process_that_is_killed_is_told_of()
    {
        var (read, write) = Files.Pipe(1 << 16);
        using var directory = _scratch.NewDirectory("layer");
        var unpacking = Task.Run(() => Assert.Throws<ImageException>(() => new LayerUnpacker(Binary).Unpack(directory, read, 1000)).Message);
        Files.Write(write.Number, new Archive().File("started").Unfinished(), "pipe");
        while (!File.Exists(_scratch["layer/started"]))
            Thread.Yield();
        Host.Shell("/", $"for p in /proc/[0-9]*; do [ \"$(tr '\\0' ' ' <$p/cmdline | cut -d' ' -f1-2)\" = 'conman unpack-layer' ] && [ $(stat -L -c %i $p/root) = $(stat -c %i {_scratch["layer"]}) ] && kill -9 ${{p#/proc/}}; done; true");
        Assert.Equal("the unpacker was killed by signal 9", unpacking.Result);
        write.Dispose();
        read.Dispose();
    }

    [Fact]
    public void A_report_is_read_as_it_was_written()
    {
        var layer = new ExtractedLayer(5, 6, [Encoding.UTF8.GetBytes("a/b"), [0xff]], [new LateAttribute("p"u8.ToArray(), "trusted.x"u8.ToArray(), [0, 1])]);
        var report = UnpackReport.Write(SHA256.HashData("x"u8), layer);
        var read = UnpackReport.Parse(report)!;
        Assert.Equal((Hash("x"u8.ToArray()), 5, 6), (read.DiffId.ToString(), read.Layer.Size, read.Layer.Entries));
        Assert.Equal(layer.ImpliedDirectories, read.Layer.ImpliedDirectories);
        Assert.Equal([0, 1], read.Layer.LateAttributes[0].Value);
        Assert.Equal("line", UnpackReport.Parse(UnpackReport.Write("li\nne"))!.Failure);
        for (var length = 0; length < report.Length; length++)
            Assert.Null(UnpackReport.Parse(report.AsSpan(0, length)));
        Assert.Null(UnpackReport.Parse([.. report, 0]));
        Assert.Null(UnpackReport.Parse([(byte)'I', 0xff, 0xff, 0xff, 0x7f]));
    }

    [SkippableFact]
    public void A_hostile_report_sets_nothing_that_is_the_store_s()
    {
        using var directory = _scratch.NewDirectory("layer");
        Directory.CreateDirectory(_scratch["outside"]);
        Host.Shell(_scratch["layer"], "ln -s ../outside link; mkdir dir");
        LayerUnpacker.SetLateAttributes(directory, [new("link"u8.ToArray(), "trusted.x"u8.ToArray(), [1]), new("../outside"u8.ToArray(), "trusted.x"u8.ToArray(), [1])]);
        Assert.Null(Files.TryGetAttribute(_scratch["outside"], "trusted.x"));
        Assert.Throws<ImageException>(() => LayerUnpacker.SetLateAttributes(directory, [new("dir"u8.ToArray(), "trusted.overlay.redirect"u8.ToArray(), "/etc"u8.ToArray())]));
        Assert.Throws<ImageException>(() => LayerUnpacker.SetLateAttributes(directory, [new("dir"u8.ToArray(), "trusted.overlay.opaque"u8.ToArray(), "x"u8.ToArray())]));
    }
}
