// Blobs: there when they are whole and verified, resumable until then.

using System.Text;
using Conman.Images.Registry;
using Conman.Images.Store;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Tests.Store;

public sealed class BlobStoreTests : IDisposable
{
    private static readonly byte[] Content = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("conman ", 100_000)));
    private static readonly Descriptor Blob = new() { MediaType = MediaTypes.Layer, Digest = Digest.Of(Content).ToString(), Size = Content.Length };

    private readonly TemporaryStore _store = new();

    private BlobStore Blobs => _store.Images.Blobs;

    public void Dispose() => _store.Dispose();

    [Fact]
    public void What_was_committed_can_be_read()
    {
        Blobs.Write(Blob, Content);
        Assert.True(Blobs.Contains(Blob));
        Assert.Equal(Content, File.ReadAllBytes($"{_store.Path}/blobs/sha256/{Digest.Parse(Blob.Digest).Hex}"));
        Assert.Empty(Directory.GetFiles(_store.Path + "/ingest"));
    }

    [Fact]
    public void A_download_that_was_cut_goes_on_where_it_was()
    {
        using (var first = Blobs.Begin(Blob)!)
        {
            first.Resume();
            first.Write(Content.AsSpan(0, 300_001));
        }
        Assert.False(Blobs.Contains(Blob));
        _store.Reopen();
        using var second = Blobs.Begin(Blob)!;
        var seen = new Collector();
        second.Tee = seen;
        second.Resume();
        Assert.Equal(300_001, second.Written);
        second.Write(Content.AsSpan(300_001));
        second.Commit();
        Assert.Equal(Content, seen.Bytes);
        Assert.True(Blobs.Contains(Blob));
    }

    [Fact]
    public void A14_Another_content_is_refused_and_removed()
    {
        var other = (byte[])Content.Clone();
        other[^1] ^= 1;
        using (var blob = Blobs.Begin(Blob)!)
        {
            blob.Resume();
            blob.Write(other);
            Assert.Contains("has other content than its digest says", Assert.Throws<ImageException>(blob.Commit).Message, StringComparison.Ordinal);
        }
        Assert.False(Blobs.Contains(Blob));
        Assert.Empty(Directory.GetFiles(_store.Path + "/ingest"));
    }

    [Fact]
    public void A14_Another_size_is_refused_before_it_is_written()
    {
        using (var blob = Blobs.Begin(new Descriptor { Digest = Blob.Digest, Size = 10 })!)
        {
            blob.Resume();
            Assert.Contains("its descriptor says 10", Assert.Throws<ImageException>(() => blob.Write(Content)).Message, StringComparison.Ordinal);
        }
        Blobs.Write(Blob, Content);
        Assert.Throws<ImageException>(() => Blobs.Contains(new Descriptor { Digest = Blob.Digest, Size = 10 }));
    }

    [Fact]
    public void E3_What_a_power_cut_left_of_a_download_is_not_trusted()
    {
        File.WriteAllBytes($"{_store.Path}/ingest/sha256-{Digest.Parse(Blob.Digest).Hex}", new byte[Content.Length]);
        using var blob = Blobs.Begin(Blob)!;
        blob.Resume();
        Assert.Equal(Content.Length, blob.Written);
        Assert.Throws<ImageException>(blob.Verify);
    }

    [Fact]
    public void B10_One_download_a_digest_the_others_wait_and_find_it()
    {
        using var blob = Blobs.Begin(Blob)!;
        var waiting = new ManualResetEventSlim();
        BlobIngest? other = null;
        var thread = new Thread(() =>
        {
            using var store = ImageStore.Open(_store.Path);
            other = store.Blobs.Begin(Blob, waiting.Set);
        });
        thread.Start();
        waiting.Wait();
        blob.Resume();
        blob.Write(Content);
        blob.Commit();
        blob.Dispose();
        thread.Join();
        Assert.Null(other);
    }

    [Fact]
    public void A_document_that_the_disk_changed_is_found()
    {
        Blobs.Write(Blob, Content);
        File.WriteAllBytes($"{_store.Path}/blobs/sha256/{Digest.Parse(Blob.Digest).Hex}", new byte[Content.Length]);
        Assert.Contains("other content", Assert.Throws<ImageException>(() => Blobs.ReadDocument(Blob)).Message, StringComparison.Ordinal);
    }

    private sealed class Collector : IBlobSink
    {
        private readonly MemoryStream _bytes = new();

        public byte[] Bytes => _bytes.ToArray();

        public long Written => _bytes.Length;

        public void Write(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);

        public void Restart() => _bytes.SetLength(0);
    }
}
