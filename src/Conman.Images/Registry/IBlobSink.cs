// Where a download goes: bytes in their order, and no further than what has come.

namespace Conman.Images.Registry;

/// <summary>Takes the bytes of one blob in order. It may hold some already: a download that was cut goes on there.</summary>
public interface IBlobSink
{
    /// <summary>So many bytes, from the first on, are there.</summary>
    long Written { get; }

    /// <summary>Takes the next bytes.</summary>
    void Write(ReadOnlySpan<byte> bytes);

    /// <summary>Forgets what is there: the registry cannot go on in the middle, or has other content now.</summary>
    void Restart();
}
