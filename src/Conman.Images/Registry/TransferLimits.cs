// How long a registry is waited for, how often it is asked again, and how much it may say.

using Conman.Linux;

namespace Conman.Images.Registry;

/// <summary>Times and sizes of exchanges with registries; tests shorten them.</summary>
public sealed record TransferLimits
{
    /// <summary>Longest documents other than manifests: tokens, errors, lists.</summary>
    public const int LongestAnswer = 1 << 20;

    /// <summary>Longest headers of an answer, KiB.</summary>
    internal const int LongestHeaders = 64;

    internal const int MostRedirects = 10;

    /// <summary>A connection, with its TLS handshake.</summary>
    public TimeSpan Connect { get; init; } = TimeSpan.FromSeconds(15);

    /// <summary>The headers of an answer after the request; and nothing, or less than <see cref="LeastBytes"/>, of its body.</summary>
    public TimeSpan Idle { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Bytes in <see cref="Idle"/> that count as something: 1 KiB/s.</summary>
    public int LeastBytes { get; init; } = 30 << 10;

    /// <summary>Tries of one request, and of a download that makes no progress.</summary>
    public int Tries { get; init; } = 5;

    /// <summary>Before the second try; it doubles with each, and a random part of it is taken off.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromMilliseconds(500);

    /// <summary>All waits of one request together, those that the registry asks for among them.</summary>
    public TimeSpan Waits { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>A large blob is fetched in pieces of this size, bytes.</summary>
    public int Segment { get; init; } = 8 << 20;

    /// <summary>Bytes a second of one connection that are enough: a blob comes over it alone.</summary>
    public long Plenty { get; init; } = 64 << 20;

    /// <summary>Pieces that may be fetched ahead at a time, of all blobs together: each holds its memory.</summary>
    public int SegmentsAhead { get; init; } = 4;

    /// <summary>How to wait.</summary>
    public Action<TimeSpan> Wait { get; init; } = time => Waiting.Poll([], (int)time.TotalMilliseconds);
}
