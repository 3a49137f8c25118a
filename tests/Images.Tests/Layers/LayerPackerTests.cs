// From directory to archive and back: trees come back equal, GNU tar and umoci read what is written, and the same tree makes the same bytes.

using CsCheck;
using Conman.Images.Layers;
using Conman.Images.Tests.Tar;
using Conman.Linux;

namespace Conman.Images.Tests.Layers;

public sealed class LayerPackerTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    private byte[] PackTree(string name)
    {
        using var tree = Files.Open(_scratch[name], OpenFlags.ReadOnly | Files.Directory);
        using var tar = new MemoryStream();
        LayerPacker.PackTree(tree, tar);
        return tar.ToArray();
    }

    private void Extract(byte[] archive, string name)
    {
        using var directory = _scratch.NewDirectory(name);
        var layer = LayerExtractor.Extract(directory, new MemoryStream(archive), UnpackLimits.For(archive.Length));
        LayerUnpacker.SetLateAttributes(directory, layer.LateAttributes);
    }

    private void MakeTree(string name)
    {
        Directory.CreateDirectory(_scratch[name]);
        Host.Shell(_scratch[name], """
            mkdir -p a/b "$(printf 'n%.0s' {1..120})/$(printf 'm%.0s' {1..120})" empty
            chmod 2775 a; chown 1:70000000 a
            echo text > a/file; chmod 4711 a/file; ln a/file a/b/hard; ln -s ../file a/b/soft; mkfifo a/fifo; mknod a/dev c 5 1
            echo long > "$(printf 'n%.0s' {1..120})/$(printf 'm%.0s' {1..120})/file"
            touch $'a/\xff\xfe'; truncate -s 3M a/hole; printf data | dd of=a/hole bs=1 seek=1500000 conv=notrunc status=none; truncate -s 1M a/only-hole
            setfattr -n user.x -v 0x00010aff a/file; setfattr -n user.d -v 1 a; setfattr -n trusted.t -v 1 empty
            find . -depth -exec touch -h -d '2021-02-03 04:05:06.987654321' {} +
            """);
    }

    [SkippableFact]
    public void A_tree_comes_back_and_makes_the_same_bytes_again()
    {
        Host.NeedRoot();
        MakeTree("tree");
        var archive = PackTree("tree");
        Extract(archive, "copy");
        Assert.Equal(Host.Describe(_scratch["tree"]), Host.Describe(_scratch["copy"]));
        Assert.Equal(archive, PackTree("copy"));
    }

    [SkippableFact]
    public void GNU_tar_reads_what_is_written()
    {
        Host.NeedRoot();
        MakeTree("tree");
        File.WriteAllBytes(_scratch["archive.tar"], PackTree("tree"));
        Directory.CreateDirectory(_scratch["copy"]);
        Host.Shell(_scratch["copy"], "tar --xattrs --xattrs-include='*' --numeric-owner -xpf ../archive.tar");
        Assert.Equal(Host.Describe(_scratch["tree"]), Host.Describe(_scratch["copy"]));
    }

    [SkippableFact]
    public void Umoci_reads_what_is_written()
    {
        Host.NeedRoot();
        Skip.IfNot(Host.Has("umoci"), "umoci is not installed");
        MakeTree("tree");
        // Go's reader knows no sparse file that is all hole, and umoci keeps no fractions of a second in directories.
        Host.Shell(_scratch["tree"], "rm -f a/only-hole; find . -depth -exec touch -h -d @1600000000 {} +");
        File.WriteAllBytes(_scratch["archive.tar"], PackTree("tree"));
        Host.Shell(_scratch.Path, """
            umoci init --layout oci && umoci new --image oci:x && umoci raw add-layer --image oci:x archive.tar && umoci unpack --image oci:x bundle
            """);
        Assert.Equal(Host.Describe(_scratch["tree"], directoryTimes: false), Host.Describe(_scratch["bundle/rootfs"], directoryTimes: false));
    }

    [SkippableFact]
    public void An_upper_directory_becomes_a_layer_and_a_lower_directory_again()
    {
        Host.NeedRoot();
        Directory.CreateDirectory(_scratch["o/lower/dir/sub"]);
        Host.Shell(_scratch["o"], """
            mkdir upper work merged; echo 1 > lower/dir/one; echo 2 > lower/two; echo 3 > lower/dir/sub/three; mkdir lower/gone; echo 4 > lower/gone/four
            mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work,redirect_dir=off,metacopy=off merged
            rm merged/two; rm -r merged/gone; rm -r merged/dir; mkdir merged/dir; echo new > merged/dir/new; ln merged/dir/new merged/link
            """);
        try
        {
            using var upper = Files.Open(_scratch["o/upper"], OpenFlags.ReadOnly | Files.Directory);
            using var tar = new MemoryStream();
            LayerPacker.PackLayer(upper, tar);
            var names = Archive.Read(tar.ToArray()).Select(m => m.Entry.ToString());
            Assert.Equal([".wh.gone", ".wh.two", "dir/", "dir/.wh..wh..opq", "dir/new", "link"], names.Order(StringComparer.Ordinal));
            Extract(tar.ToArray(), "again");
            using var again = Files.Open(_scratch["again"], OpenFlags.ReadOnly | Files.Directory);
            using var lower = Files.Open(_scratch["o/lower"], OpenFlags.ReadOnly | Files.Directory);
            using var flat = new MemoryStream();
            LayerPacker.PackMerged([again, lower], flat);
            Extract(flat.ToArray(), "flat");
            Assert.Equal(Host.Describe(_scratch["o/merged"]), Host.Describe(_scratch["flat"]));
        }
        finally
        {
            Host.Shell(_scratch["o"], "umount merged");
        }
    }

    [SkippableFact]
    public void Random_trees_come_back()
    {
        Host.NeedRoot();
        var number = 0;
        Gen.Select(Gen.Int[0, 6], Gen.Int[0, 5], Gen.Int[0, 5], Gen.Int[0, 4095], Gen.UInt[0, 100_000], Gen.Long[-1_000_000_000, 4_000_000_000]).Array[1, 25].Sample(nodes =>
        {
            var tree = "tree" + ++number;
            using (var directory = _scratch.NewDirectory(tree))
            {
                var top = directory.Number;
                foreach (var (kind, a, b, mode, id, time) in nodes)
                {
                    var name = System.Text.Encoding.ASCII.GetBytes($"{kind}{a}{b}\0");
                    var errno = kind switch
                    {
                        0 => Nodes.TryMakeDirectory(top, name, (uint)mode),
                        1 => Nodes.TrySymlink("target\0"u8, top, name),
                        2 => Nodes.TryMakeNode(top, name, FileType.Fifo, (uint)mode),
                        3 => Nodes.TryMakeNode(top, name, FileType.CharacterDevice, (uint)mode, (uint)a + 1, id & 0xfffff),
                        4 => Nodes.TryLink(top, System.Text.Encoding.ASCII.GetBytes($"5{a}{b}\0"), top, name),
                        _ => MakeFile(top, name, new byte[a * 1000]),
                    };
                    if (errno != 0)
                        continue;
                    Nodes.TryChangeOwner(top, name, id, id / 2);
                    if (kind != 1)
                        Nodes.TryChangeMode(top, name, (uint)mode);
                    Nodes.TrySetTimes(top, name, (time, 5), (time, (uint)(mode * 1000)));
                }
            }
            var archive = PackTree(tree);
            Extract(archive, tree + "-copy");
            Assert.Equal(archive, PackTree(tree + "-copy"));
        }, iter: 30, threads: 1);
    }

    [SkippableFact]
    public void Random_trees_are_as_GNU_tar_has_them()
    {
        Host.NeedRoot();
        var number = 0;
        const string Options = "--xattrs --xattrs-include='*' --numeric-owner";
        // Names of three letters in folders of folders; kinds, modes, owners, times, attributes and holes as they come.
        Gen.Select(Gen.Int[0, 8], Gen.Int[0, 26], Gen.Int[0, 26], Gen.Int[0, 4095], Gen.UInt[0, 3_000_000], Gen.Long[-1_000_000_000, 9_000_000_000]).Array[1, 40].Sample(nodes =>
        {
            var tree = $"random{++number}";
            Directory.CreateDirectory(_scratch[tree]);
            var script = new System.Text.StringBuilder("set +e\n");
            foreach (var (kind, a, b, mode, id, time) in nodes)
            {
                var (name, other) = ($"{(char)('a' + (a % 3))}/{(char)('a' + (a / 3 % 3))}/{(char)('a' + (b % 9))}{a}", $"{(char)('a' + (b % 3))}/{(char)('a' + (b / 3 % 3))}/{(char)('a' + (a % 9))}{b}");
                script.Append($"mkdir -p {Path.GetDirectoryName(name)}; [ -e {name} -o -L {name} ] || {{ ");
                script.Append(kind switch
                {
                    0 => $"mkdir {name}",
                    1 => $"ln -s ../{other} {name}",
                    2 => $"mkfifo {name}",
                    3 => $"mknod {name} c {a + 1} {id & 0xfffff}",
                    // GNU tar knows no second name of a device or a fifo: it makes two of them.
                    4 => $"{{ [ -f {other} -o -L {other} ] && ln {other} {name}; }} || echo {id} > {name}",
                    5 => $"truncate -s {id * 3} {name}; echo {id} | dd of={name} bs=1 seek={id} conv=notrunc status=none",
                    6 => $"echo {id} > {name}; setfattr -n user.a{a} -v 0x{mode:x4} {name}; setfattr -n trusted.b -v {b} {name}",
                    7 => $"echo {id} > {name}; setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 {name}",
                    _ => $"head -c {id} /dev/urandom > {name}",
                });
                // A change of owner takes capabilities away.
                script.Append(kind == 7 ? "; }\n" : $"; chown -h {id}:{id / 2} {name}; [ -L {name} ] || chmod {Convert.ToString(mode, 8)} {name}; }}\n");
                script.Append($"touch -h -d @{time}.{id % 1_000_000_000:d9} {name}; touch -d @{time / 2} {Path.GetDirectoryName(name)}\n");
            }
            Host.Shell(_scratch[tree], script + "true");
            var expected = Host.Describe(_scratch[tree]);

            Host.Shell(_scratch[tree], $"tar --format=posix --sparse {Options} -cf ../{tree}.tar .");
            Extract(File.ReadAllBytes(_scratch[tree + ".tar"]), tree + "-ours");
            Assert.Equal(expected, Host.Describe(_scratch[tree + "-ours"]));
            File.WriteAllBytes(_scratch[tree + ".ours.tar"], PackTree(tree));
            Host.Shell(_scratch.Path, $"mkdir {tree}-gnu; tar -C {tree}-gnu {Options} -xpf {tree}.ours.tar");
            Assert.Equal(expected, Host.Describe(_scratch[tree + "-gnu"]));
            using var copy = Files.Open(_scratch[tree + "-ours"], OpenFlags.ReadOnly | Files.Directory);
            using var source = Files.Open(_scratch[tree], OpenFlags.ReadOnly | Files.Directory);
            Assert.Equal(LayerPacker.DigestOf(source), LayerPacker.DigestOf(copy));
        }, iter: Environment.GetEnvironmentVariable("CONMAN_SOAK") is null ? 12 : 300, threads: 1);
    }

    private static int MakeFile(int at, ReadOnlySpan<byte> name, byte[] data)
    {
        var errno = Nodes.TryOpen(at, name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out var fd, 0x180);
        if (errno != 0)
            return errno;
        errno = Files.TryWrite(fd, data);
        Nodes.Close(fd);
        return errno;
    }
}
