// What a download came to.

using System.Diagnostics.CodeAnalysis;
using Conman.Images.Registry;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Tests.Registry;

public sealed class Sink : IBlobSink
{
    private readonly MemoryStream _bytes = new();

    public byte[] Bytes => _bytes.ToArray();

    public int Restarts { get; private set; }

    public long Written => _bytes.Length;

    public void Write(ReadOnlySpan<byte> bytes) => _bytes.Write(bytes);

    public void Restart()
    {
        Restarts++;
        _bytes.SetLength(0);
    }
}

/// <summary>A blob of random bytes.</summary>
[SuppressMessage("Security", "CA5394", Justification = "only to be the same each time")]
public sealed class Blob
{
    public Blob(int size, int seed = 1)
    {
        Bytes = new byte[size];
        new Random(seed).NextBytes(Bytes);
        Descriptor = new Descriptor { MediaType = MediaTypes.LayerGzip, Digest = Digest.Of(Bytes).ToString(), Size = size };
    }

    public byte[] Bytes { get; }

    public Descriptor Descriptor { get; }

    /// <summary>Answers as a good server does: all, or the part that is asked for.</summary>
    public void Serve(Request request, Reply reply, int? cutAfter = null, string etag = "\"1\"")
    {
        var from = (int)(request.From ?? 0);
        var to = (int)Math.Min(request.To ?? Bytes.Length - 1, Bytes.Length - 1);
        var part = Bytes.AsSpan(from..(to + 1));
        var sent = part[..Math.Min(part.Length, cutAfter ?? part.Length)];
        if (request.From is null)
            reply.Send(200, sent, part.Length, ("ETag", etag));
        else
            reply.Send(206, sent, part.Length, ("Content-Range", $"bytes {from}-{to}/{Bytes.Length}"), ("ETag", etag));
    }
}
