// Tar: what is written is read, what GNU tar writes is read, what is written GNU tar reads, and what is malformed is refused.

using System.Text;
using CsCheck;
using Conman.Images.Tar;

namespace Conman.Images.Tests.Tar;

public class TarTests
{
    private static readonly TarType[] Types = [TarType.File, TarType.HardLink, TarType.SymbolicLink, TarType.CharacterDevice, TarType.Directory, TarType.Fifo];

    private static readonly Gen<byte[]> Name = Gen.Byte[1, 255].Array[1, 140].Select(b => b.Select(x => x == '/' ? (byte)'_' : x).ToArray());

    private static readonly Gen<TarEntry> Entries = Gen.Select(
        Name.Array[1, 3], Gen.Int[0, Types.Length - 1].Select(i => Types[i]), Name, Gen.UInt[0, 0xfff],
        Gen.UInt[0, uint.MaxValue - 1], Gen.Select(Gen.Long[-1L << 35, 1L << 36], Gen.UInt[0, 999_999_999]), Gen.Select(Name, Gen.Byte.Array[0, 300]).Array[0, 3], Gen.Int[0, 2000])
        .Select((parts, type, link, mode, id, time, attributes, size) => new TarEntry
        {
            Type = type,
            Name = [.. parts.SelectMany((p, i) => i == 0 ? p : [(byte)'/', .. p])],
            Link = type is TarType.HardLink or TarType.SymbolicLink ? link : [],
            Mode = mode,
            Uid = id,
            Gid = id / 3,
            Modified = new TarTime(time.Item1, time.Item2),
            DeviceMajor = type == TarType.CharacterDevice ? id & 0xfff : 0,
            DeviceMinor = type == TarType.CharacterDevice ? id & 0xfffff : 0,
            Size = type == TarType.File ? size : 0,
            Attributes = attributes.Length == 0 ? null : [.. attributes.DistinctBy(a => Convert.ToHexString(a.Item1)).Select(a => new TarAttribute(a.Item1, a.Item2))],
        });

    [Fact]
    public void The_last_members_padding_may_be_missing()
    {
        using var stream = new MemoryStream();
        var writer = new TarWriter(stream);
        writer.Write(new TarEntry { Type = TarType.File, Name = "f"u8.ToArray(), Mode = 0x1a4, Size = 3 });
        writer.WriteData("abc"u8);
        var cut = new TarReader(new MemoryStream(stream.ToArray()[..515]));
        Assert.Equal(512, cut.Next() is { } entry && entry.ToString() == "f" ? cut.DataOffset : 0);
        Assert.Null(cut.Next());
    }

    [Fact]
    public void What_is_written_is_read() => Entries.Array[1, 4].Sample(entries =>
    {
        using var stream = new MemoryStream();
        var writer = new TarWriter(stream);
        foreach (var entry in entries)
        {
            writer.Write(entry);
            writer.WriteData(new byte[entry.Size]);
        }
        writer.Finish();
        var read = Archive.Read(stream.ToArray());
        Assert.Equal(entries.Length, read.Count);
        foreach (var (expected, (actual, data)) in entries.Zip(read))
        {
            Assert.Equal(Text(expected), Text(actual));
            Assert.Equal(expected.Size, data.Length);
        }
    }, iter: 300);

    [Fact]
    public void Sparse_files_keep_their_holes()
    {
        var entry = Archive.Entry(TarType.File, "sparse");
        (entry.Size, entry.Segments) = (1L << 40, [new(4096, 5), new(1L << 30, 3)]);
        var (read, data) = Assert.Single(Archive.Read(new Archive().Add(entry, "hello123").ToArray()));
        Assert.Equal(entry.Segments, read.Segments);
        Assert.Equal((1L << 40, "sparse", "hello123"), (read.Size, read.ToString(), Encoding.UTF8.GetString(data)));
    }

    [SkippableTheory]
    [InlineData("--format=gnu --sparse")]
    [InlineData("--format=posix --sparse --sparse-version=0.0")]
    [InlineData("--format=posix --sparse --sparse-version=0.1")]
    [InlineData("--format=posix --sparse --sparse-version=1.0")]
    [InlineData("--format=v7")]
    [InlineData("--format=oldgnu")]
    [InlineData("--format=ustar")]
    public void What_GNU_tar_writes_is_read(string options)
    {
        using var scratch = new Scratch();
        Directory.CreateDirectory(scratch["tree"]);
        Host.Shell(scratch["tree"], """
            mkdir -p d; printf hello > d/file; ln d/file link; ln -s d/file symlink; mkfifo fifo
            for i in $(seq 0 40); do printf x$i | dd of=sparse bs=1 seek=$((i * 200000)) conv=notrunc status=none; done; truncate -s 20000000 sparse
            touch -d @1600000000 d/file d symlink -h
            """);
        var isOld = options.Contains("v7");
        var longName = isOld || options.Contains("ustar") ? "short" : new string('n', 180);
        File.WriteAllText(scratch["tree/" + longName], "long");
        Host.Shell(scratch["tree"], $"tar {options} {(isOld ? "--exclude=fifo" : "")} -cf ../archive.tar .");
        using var archive = File.OpenRead(scratch["archive.tar"]);
        var members = Archive.Read(archive);
        var byName = members.ToDictionary(m => m.Entry.ToString().TrimEnd('/'));
        Assert.Equal("hello", Encoding.UTF8.GetString(byName[byName["./d/file"].Entry.Type == TarType.File ? "./d/file" : "./link"].Data));
        Assert.Equal(1_600_000_000, byName["./d/file"].Entry.Modified.Seconds);
        Assert.Equal("d/file", Encoding.UTF8.GetString(byName["./symlink"].Entry.Link));
        Assert.Equal("long", Encoding.UTF8.GetString(byName["./" + longName].Data));
        Assert.Equal(TarType.Directory, byName["./d"].Entry.Type);
        var (sparse, data) = byName["./sparse"];
        Assert.Equal(20_000_000, sparse.Size);
        var whole = new byte[sparse.Size];
        var used = 0;
        foreach (var (offset, length) in sparse.Segments ?? [new TarSegment(0, sparse.Size)])
        {
            data.AsSpan(used, (int)length).CopyTo(whole.AsSpan((int)offset));
            used += (int)length;
        }
        Assert.Equal(File.ReadAllBytes(scratch["tree/sparse"]), whole);
        Assert.Equal(options.Contains("sparse"), sparse.Segments is not null);
    }

    [Fact]
    public void Numbers_of_256_are_read()
    {
        var block = Archive.Header("file", '0', 0, b =>
        {
            new byte[] { 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xfe }.CopyTo(b, 108);
            new byte[] { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xf6 }.CopyTo(b, 136);
        });
        var (entry, _) = Assert.Single(Archive.Read(block));
        Assert.Equal((uint.MaxValue - 1, -10), (entry.Uid, entry.Modified.Seconds));
    }

    [Fact]
    public void Global_headers_hold_until_they_are_replaced()
    {
        static byte[] Global(string value)
        {
            var record = Archive.Record("uid", value);
            return [.. Archive.Header("global", 'g', record.Length), .. Archive.Padded(Encoding.ASCII.GetBytes(record))];
        }
        var members = Archive.Read([.. Global("5"), .. Archive.Header("a", '0', 0), .. Archive.Header("b", '0', 0), .. Archive.Pax(("uid", "7")), .. Archive.Header("c", '0', 0), .. Global("6"), .. Archive.Header("d", '0', 0)]);
        Assert.Equal([5u, 5u, 7u, 6u], members.Select(m => m.Entry.Uid));
    }

    [Fact]
    public void Attributes_of_libarchive_are_read()
    {
        var (entry, _) = Assert.Single(Archive.Read([.. Archive.Pax(("LIBARCHIVE.xattr.user.a%3Db", "AAEC/w")), .. Archive.Header("file", '0', 0)]));
        Assert.Equal("user.a=b 000102FF", string.Join(',', entry.Attributes!.Select(a => Encoding.UTF8.GetString(a.Name) + " " + Convert.ToHexString(a.Value))));
    }

    public static TheoryData<string, byte[]> Malformed => new()
    {
        { "a wrong checksum", Archive.Header("file", '0', 0).Select((b, i) => i == 0 ? (byte)'x' : b).ToArray() },
        { "no numbers", Archive.Header("file", '0', 0, b => "zzzzzzzzzzz"u8.CopyTo(b.AsSpan(124))) },
        { "a negative size", Archive.Header("file", '0', 0, b => b.AsSpan(124, 12).Fill(0xff)) },
        { "an owner of 2^32-1", [.. Archive.Pax(("uid", "4294967295")), .. Archive.Header("file", '0', 0)] },
        { "no data", Archive.Header("file", '0', 5) },
        { "half a header", Archive.Header("file", '0', 0)[..300] },
        { "an extended header alone", Archive.Pax(("path", "x")) },
        { "a zero byte in a path", [.. Archive.Pax(("path", "a\0b")), .. Archive.Header("file", '0', 0)] },
        { "a type nobody knows", Archive.Header("file", 'Q', 0) },
        { "one block of zeros", [.. new byte[512], .. Archive.Header("file", '0', 0)] },
        { "a record longer than its header", [.. Archive.Header("x", 'x', 10), .. Archive.Padded("99 a=b\n\n\n\n"u8.ToArray()), .. Archive.Header("file", '0', 0)] },
        { "holes out of order", [.. Archive.Pax(("GNU.sparse.size", "100"), ("GNU.sparse.map", "50,2,10,2")), .. Archive.Header("file", '0', 4), .. new byte[512]] },
        { "holes that overlap the end", [.. Archive.Pax(("GNU.sparse.size", "10"), ("GNU.sparse.map", "8,4")), .. Archive.Header("file", '0', 4), .. new byte[512]] },
        { "more map than data", [.. Archive.Pax(("GNU.sparse.major", "1"), ("GNU.sparse.minor", "0"), ("GNU.sparse.realsize", "10")), .. Archive.Header("file", '0', 4), .. Archive.Padded("99\n1"u8.ToArray())] },
        { "a device that no kernel has", Archive.Header("file", '3', 0, b => "7777777\0"u8.CopyTo(b.AsSpan(329))) },
    };

    [Theory, MemberData(nameof(Malformed))]
    public void What_is_malformed_is_refused(string what, byte[] archive)
    {
        Assert.NotEmpty(what);
        Assert.Throws<ImageException>(() => Archive.Read(archive));
    }

    [Theory]
    [InlineData('x')]
    [InlineData('g')]
    [InlineData('L')]
    public void A11_an_extended_header_of_64_MiB_is_refused_before_it_is_read(char type)
    {
        var before = GC.GetTotalAllocatedBytes(precise: true);
        Assert.Contains("are allowed", Assert.Throws<ImageException>(() => Archive.Read(Archive.Header("pax", type, 64 << 20))).Message);
        Assert.InRange(GC.GetTotalAllocatedBytes(precise: true) - before, 0, 4 << 20);
    }

    [Fact]
    public void A11_a_path_of_a_mebibyte_is_refused() =>
        Assert.Throws<ImageException>(() => Archive.Read([.. Archive.Pax(("path", new string('a', (1 << 20) - 100))), .. Archive.Header("file", '0', 0)]));

    [Fact]
    public void Random_bytes_never_do_worse_than_being_refused() => Gen.Select(Gen.Int[0, 511], Gen.Byte, Gen.Char["0123456xgLKS7"]).Array[1, 6].Sample(changes =>
    {
        byte[] archive = [.. Archive.Pax(("path", "long"), ("mtime", "1.5")), .. Archive.Header("file", '0', 600), .. new byte[1024], .. Archive.Header("other", changes[0].Item3, 0), .. new byte[1024]];
        foreach (var (position, value, _) in changes)
            archive[(position * 7) % archive.Length] = value;
        try
        {
            Archive.Read(archive);
        }
        catch (ImageException)
        {
            // refused
        }
    }, iter: 2000);

    private static string Text(TarEntry e) =>
        $"{Convert.ToHexString(e.Name)} {e.Type} {Convert.ToHexString(e.Link)} {e.Mode} {e.Uid} {e.Gid} {e.Size} {e.Modified} {e.DeviceMajor}:{e.DeviceMinor} "
        + string.Join(',', (e.Attributes ?? []).OrderBy(a => Convert.ToHexString(a.Name)).Select(a => Convert.ToHexString(a.Name) + "=" + Convert.ToHexString(a.Value)));
}
