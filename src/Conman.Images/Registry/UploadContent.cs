// The body of an upload: a stream, piece by piece, that tells how it gets on.

using System.Net;

namespace Conman.Images.Registry;

/// <param name="open">The bytes from where the upload goes on.</param>
/// <param name="length">How many.</param>
/// <param name="progress">Is told how many have gone out so far.</param>
internal sealed class UploadContent(Func<Stream> open, long length, Action<long> progress) : HttpContent
{
    private const int Piece = 256 << 10;

    /// <summary>Is called with each piece: somebody takes them.</summary>
    public Action Progressed { get; set; } = () => { };

    protected override void SerializeToStream(Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        using var source = open();
        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(Piece, Math.Max(length, 1)));
        for (long sent = 0; sent < length;)
        {
            var n = source.Read(buffer, 0, (int)Math.Min(buffer.Length, length - sent));
            if (n == 0)
                throw new ImageException($"the blob ends after {sent} bytes, {length} were to be sent");
            stream.Write(buffer, 0, n);
            sent += n;
            Progressed();
            progress(sent);
        }
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        SerializeToStream(stream, context, default);
        return Task.CompletedTask;
    }

    protected override bool TryComputeLength(out long result)
    {
        result = length;
        return true;
    }
}
