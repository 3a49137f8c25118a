// Names, records and what becomes of content that nothing names any more.

using Conman.Images.Store;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Tests.Store;

public sealed class RemovalTests : IDisposable
{
    private const string A = "docker.io/library/a:1", B = "docker.io/library/b:1";

    private readonly TemporaryStore _store = new();

    private ImageStore Store => _store.Images;

    public void Dispose() => _store.Dispose();

    private int BlobCount => Directory.GetFiles(_store.Path + "/blobs/sha256").Length;

    private int LayerCount => Directory.GetDirectories(_store.Path + "/layers").Length;

    [Fact]
    public void What_two_images_share_goes_with_the_second()
    {
        _store.Add(A, "base", "a");
        _store.Add(B, "base", "b");
        Assert.Equal((3 + 4, 3), (BlobCount, LayerCount));
        Assert.True(Store.Images.Remove(A));
        var removed = Removal.Collect(Store);
        Assert.Equal((3, 1), (removed.Blobs.Count, removed.Layers.Count));
        Assert.Equal((4, 2), (BlobCount, LayerCount));
        Store.Images.Remove(B);
        Removal.Collect(Store);
        Assert.Equal((0, 0), (BlobCount, LayerCount));
        Assert.False(Store.Images.Remove(B));
    }

    [Fact]
    public void A_lease_keeps_what_no_record_names_until_its_owner_is_gone()
    {
        var blob = Digest.Parse(Store.Blobs.Write("leased"u8, MediaTypes.Layer).Digest);
        using (Store.Leases.Take([blob]))
            Assert.Empty(Removal.Collect(Store).Blobs);
        Assert.Equal([blob], Removal.Collect(Store).Blobs);
        Assert.Empty(Directory.GetFiles(_store.Path + "/leases"));
    }

    [Fact]
    public void A_lease_whose_owner_died_counts_for_nothing()
    {
        var blob = Digest.Parse(Store.Blobs.Write("leased"u8, MediaTypes.Layer).Digest);
        File.WriteAllText(_store.Path + "/leases/dead", blob.ToString());
        Assert.Equal([blob], Removal.Collect(Store).Blobs);
        Assert.Empty(Directory.GetFiles(_store.Path + "/leases"));
    }

    [Fact]
    public void Half_made_layers_are_removed_unless_somebody_is_at_work()
    {
        var chainId = Digest.Of("layer"u8);
        Directory.CreateDirectory($"{_store.Path}/layers/.{Digest.Of("dead"u8).Hex}/diff/etc");
        using (var making = Store.Layers.Begin(chainId)!)
        {
            making.NewDiff().Dispose();
            Removal.Collect(Store);
            Assert.Equal(["." + chainId.Hex], Directory.GetDirectories(_store.Path + "/layers").Select(Path.GetFileName));
        }
        Assert.Equal(0, LayerCount);
    }

    [Fact]
    public void A_download_that_was_cut_is_kept_for_a_day_or_until_a_prune()
    {
        var old = $"{_store.Path}/ingest/sha256-{Digest.Of("old"u8).Hex}";
        var young = $"{_store.Path}/ingest/sha256-{Digest.Of("young"u8).Hex}";
        File.WriteAllText(old, "x");
        File.WriteAllText(young, "x");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddDays(-2));
        Removal.Collect(Store);
        Assert.Equal([young], Directory.GetFiles(_store.Path + "/ingest"));
        Removal.Collect(Store, partial: true);
        Assert.Empty(Directory.GetFiles(_store.Path + "/ingest"));
    }

    [Theory]
    [InlineData(""), InlineData("{"), InlineData("{}"), InlineData("\0\0\0\0"), InlineData("""{"name":"x","target":{},"manifest":{},"config":{}}""")]
    public void E9_While_a_record_cannot_be_read_nothing_is_removed(string content)
    {
        _store.Add(A, "base");
        File.WriteAllText($"{_store.Path}/images/docker.io+library+a:1.json", content);
        var removed = Removal.Collect(Store);
        Assert.Contains("image check --repair", removed.Kept, StringComparison.Ordinal);
        Assert.Empty(removed.Blobs);
        Assert.Equal(3, BlobCount);
    }

    [Fact]
    public void An_image_that_loses_its_tag_to_another_keeps_a_name_by_its_digest()
    {
        var first = _store.Add(A, "one");
        var second = _store.Add(A, "two");
        var names = Store.Images.All().ConvertAll(r => (r.Name, r.Tag, r.Repository, r.Config!.Digest));
        Assert.Equal([(A, "1", "docker.io/library/a", second.Config!.Digest),
            ($"docker.io/library/a@{first.Target!.Digest}", null, "docker.io/library/a", first.Config!.Digest)], names);
        Assert.Empty(Removal.Collect(Store).Blobs);
    }

    [Fact]
    public void A_name_as_long_as_they_may_be_is_a_file_too()
    {
        var name = "registry.example:5000/" + string.Join('/', Enumerable.Repeat("component", 22)) + ":" + new string('t', 128);
        _store.Add(name, "base");
        Assert.Equal(name, Store.Images.Find(name)!.Name);
        Assert.True(Store.Images.Remove(name));
    }

    [Fact]
    public void E8_A_store_that_others_may_write_to_is_refused()
    {
        File.SetUnixFileMode(_store.Path, (UnixFileMode)0x1ff);
        Assert.Contains("writable by no other", Assert.Throws<ImageException>(() => ImageStore.Open(_store.Path)).Message, StringComparison.Ordinal);
    }
}
