// The cache of compiled filters: the same profile gives the same filter, whatever has become of the cache.

using Conman.Runtime.Seccomp;
using Xunit;

namespace Conman.Runtime.Tests.Seccomp;

public sealed class FilterCacheTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("conman-filters-").FullName;

    private string Folder => Path.Combine(_root, FilterCache.Folder);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    private static Oci.RuntimeSpec.Seccomp Profile(string action) => new()
    {
        DefaultAction = "SCMP_ACT_ALLOW",
        Syscalls = [new() { Names = ["mkdirat", "keyctl"], Action = action }],
    };

    [Fact]
    public void A_second_look_finds_the_filter_that_the_first_compiled()
    {
        var compiled = SeccompCompiler.Compile(Profile("SCMP_ACT_ERRNO"))!;
        foreach (var _ in (int[])[1, 2])
        {
            var filter = FilterCache.Compile(Profile("SCMP_ACT_ERRNO"), _root)!;
            Assert.Equal(compiled.Program, filter.Program);
            Assert.Equal((compiled.Flags, compiled.NeedsListener), (filter.Flags, filter.NeedsListener));
            Assert.Single(Directory.GetFiles(Folder));
        }
    }

    [Fact]
    public void Another_profile_has_an_entry_of_its_own()
    {
        FilterCache.Compile(Profile("SCMP_ACT_ERRNO"), _root);
        var filter = FilterCache.Compile(Profile("SCMP_ACT_KILL"), _root)!;
        Assert.Equal(SeccompCompiler.Compile(Profile("SCMP_ACT_KILL"))!.Program, filter.Program);
        Assert.Equal(2, Directory.GetFiles(Folder).Length);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(7)]
    [InlineData(40)]
    public void Half_an_entry_or_that_of_another_profile_is_none(int size)
    {
        FilterCache.Compile(Profile("SCMP_ACT_ERRNO"), _root);
        var entry = Directory.GetFiles(Folder).Single();
        var content = File.ReadAllBytes(entry);
        content[20] ^= 1; // within the profile
        foreach (var bad in (byte[][])[content, content[..size]])
        {
            File.WriteAllBytes(entry, bad);
            Assert.Equal(SeccompCompiler.Compile(Profile("SCMP_ACT_ERRNO"))!.Program, FilterCache.Compile(Profile("SCMP_ACT_ERRNO"), _root)!.Program);
        }
    }

    [Fact]
    public void A_root_that_cannot_be_written_is_no_error() =>
        Assert.NotNull(FilterCache.Compile(Profile("SCMP_ACT_ERRNO"), "/proc/conman"));
}
