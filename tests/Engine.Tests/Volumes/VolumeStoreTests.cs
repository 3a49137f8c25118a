// Volumes on the real file system: what is kept, what is refused, and what a killed command leaves.

using Conman.Engine.Volumes;

namespace Conman.Engine.Tests.Volumes;

public sealed class VolumeStoreTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("conman-engine-tests-").FullName;

    private VolumeStore Store => new(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void A_volume_is_made_once_and_found_again()
    {
        var made = Store.Create("data", new() { ["a"] = "b" }, null, anonymous: false, out var isNew);
        Assert.True(isNew);
        File.WriteAllText(made.Data + "/file", "kept");
        var again = Store.Create("data", null, null, anonymous: false, out isNew);
        Assert.False(isNew);
        Assert.Equal("b", again.Record.Labels!["a"]);
        Assert.Equal(made.Data, Store.TryFind("data")!.Data);
        Assert.Equal("kept", File.ReadAllText(again.Data + "/file"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute, File.GetUnixFileMode(made.Data));
        Assert.Equal(["data"], Store.All().Select(v => v.Name));
        Store.Remove("data");
        Assert.Null(Store.TryFind("data"));
        Assert.Empty(Directory.GetFileSystemEntries(_root + "/volumes"));
        Assert.Equal("no such volume: data", Assert.Throws<NoSuchVolumeException>(() => Store.Remove("data")).Message);
    }

    [Theory]
    [InlineData("a")]
    [InlineData("../x")]
    [InlineData("..")]
    [InlineData(".hidden")]
    [InlineData("a b")]
    [InlineData("-x")]
    [InlineData("a/b")]
    [InlineData("")]
    [Proves("A22")]
    public void What_is_no_name_names_nothing(string name)
    {
        Assert.Throws<EngineException>(() => Store.Create(name, null, null, false, out _));
        Assert.Throws<EngineException>(() => Store.TryFind(name));
        Assert.Throws<EngineException>(() => Store.Remove(name));
    }

    [Theory]
    [InlineData("size", "1g", "volume option size=1g: the options are type, device and o")]
    [InlineData("type", "nfs", "volume option device: must be given")]
    [InlineData("device", "/x", "volume option type: must be given, or o must have bind")]
    public void An_option_that_cannot_be_is_refused(string name, string value, string message) =>
        Assert.Equal(message, Assert.Throws<EngineException>(() => Store.Create("data", null, new() { [name] = value }, false, out _)).Message);

    [Fact, Proves("E1")]
    public void Half_a_volume_is_none_and_becomes_one()
    {
        Directory.CreateDirectory(_root + "/volumes/data");
        Assert.Null(Store.TryFind("data"));
        Assert.Empty(Store.All());
        Store.Create("data", null, null, false, out var isNew);
        Assert.True(isNew);
        Assert.NotNull(Store.TryFind("data"));
    }

    [Fact, Proves("E1")]
    public void What_a_killed_removal_left_goes_with_the_next_and_is_never_a_volume()
    {
        Store.Create("data", null, null, false, out _);
        Directory.CreateDirectory(_root + "/volumes/.removed-old/_data/deep");
        Assert.Equal(["data"], Store.All().Select(v => v.Name));
        Store.Remove("data");
        Assert.Empty(Directory.GetFileSystemEntries(_root + "/volumes"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("\0\0\0\0")]
    [Proves("E9")]
    public void A_damaged_record_neither_hides_nor_keeps_a_volume(string content)
    {
        var volume = Store.Create("data", new() { ["a"] = "b" }, null, false, out _);
        File.WriteAllText(volume.Path + "/volume.json", content);
        Assert.Null(Store.TryFind("data")!.Record.Labels);
        Store.Remove("data");
        Assert.Empty(Store.All());
    }

    [Fact]
    public void Of_many_who_make_one_volume_one_is_first()
    {
        var first = 0;
        Parallel.For(0, 32, _ =>
        {
            new VolumeStore(_root).Create("data", null, null, false, out var isNew);
            if (isNew)
                Interlocked.Increment(ref first);
        });
        Assert.Equal(1, first);
    }
}
