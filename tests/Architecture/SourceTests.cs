// The sources: what a reader finds at the top of each, and how much C there is to read.

using System.Buffers.Binary;

namespace Conman.Architecture.Tests;

public class SourceTests
{
    private const int MostLinesOfC = 1200, MostLinesOfMonitor = 940, MostBytesOfHelper = 64 << 10;

    public static TheoryData<string> Sources(string folder, string pattern)
    {
        var files = new TheoryData<string>();
        foreach (var file in Directory.GetFiles(Path.Combine(Repository.Root, folder), pattern, SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            if (!file.Contains("/obj/") && !file.Contains("/bin/"))
                files.Add(Path.GetRelativePath(Repository.Root, file));
        }
        return files;
    }

    [Theory]
    [MemberData(nameof(Sources), "src", "*.cs")]
    [MemberData(nameof(Sources), "tests", "*.cs")]
    public void A_file_begins_by_saying_what_it_is_for(string file)
    {
        var line = File.ReadLines(Path.Combine(Repository.Root, file)).First();
        Assert.StartsWith("// ", line);
        Assert.True(line.Length > 20 && line.Contains(' '), $"{file}: \"{line}\" says too little");
    }

    [Theory]
    [MemberData(nameof(Sources), "native", "*.c")]
    [MemberData(nameof(Sources), "native", "*.h")]
    [MemberData(nameof(Sources), "native", "*.S")]
    public void A_C_file_begins_by_saying_what_it_is_for(string file) =>
        Assert.StartsWith("/*", File.ReadAllText(Path.Combine(Repository.Root, file)));

    [Fact]
    public void All_of_the_C_can_be_read_in_one_sitting()
    {
        var files = Directory.GetFiles(Path.Combine(Repository.Root, "native")).Where(f => f.EndsWith(".c") || f.EndsWith(".h") || f.EndsWith(".S")).ToLookup(f => Path.GetFileName(f) is ['m', 'o', 'n', 'i', 't', 'o', 'r', ..] or "reaper.c");
        Assert.InRange(files[false].Sum(f => File.ReadLines(f).Count()), 1, MostLinesOfC);
        Assert.InRange(files[true].Sum(f => File.ReadLines(f).Count()), 1, MostLinesOfMonitor);
    }

    /// <summary>Whatever lies in a container that is looked into, no library of it can become part of conman: nothing is loaded at all.</summary>
    [SkippableFact]
    public void CVE_2019_14271_no_library_is_loaded_into_the_binary()
    {
        var binary = Path.Combine(Repository.Root, "out/conman");
        Skip.IfNot(File.Exists(binary), "out/conman is not built");
        var elf = File.ReadAllBytes(binary).AsSpan(); // elf(5)
        var (at, size) = (BinaryPrimitives.ReadUInt64LittleEndian(elf[32..]), BinaryPrimitives.ReadUInt16LittleEndian(elf[54..]));
        for (var i = 0; i < BinaryPrimitives.ReadUInt16LittleEndian(elf[56..]); i++)
            Assert.NotEqual(3u /* PT_INTERP */, BinaryPrimitives.ReadUInt32LittleEndian(elf[((int)at + (i * size))..]));
    }

    [SkippableFact]
    public void The_helper_is_small()
    {
        var helper = new FileInfo(Path.Combine(Repository.Root, "out/native/conman-init"));
        Skip.IfNot(helper.Exists, "out/native/conman-init is not built");
        Assert.InRange(helper.Length, 1, MostBytesOfHelper);
    }
}
