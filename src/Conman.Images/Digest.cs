// A digest: how content is named, found and verified (image-spec descriptor.md, "Digests").

using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Conman.Images;

/// <summary><c>sha256:</c> or <c>sha512:</c> and the hash in lower-case hexadecimal. Only a well-formed one exists: it may be part of a path.</summary>
public readonly record struct Digest
{
    private readonly string? _text;

    private Digest(string text) => _text = text;

    /// <summary><c>sha256</c> or <c>sha512</c>.</summary>
    public string Algorithm => ToString()[..6];

    /// <summary>The hash, 64 or 128 hexadecimal digits.</summary>
    public string Hex => ToString()[7..];

    /// <summary>As images show it: the first 12 digits.</summary>
    public string Short => Hex[..12];

    public override string ToString() => _text ?? throw new InvalidOperationException("no digest");

    /// <exception cref="ImageException">It is none, or of another algorithm.</exception>
    public static Digest Parse(string? text) =>
        TryParse(text, out var digest) ? digest : throw new ImageException($"invalid digest \"{text}\": sha256 or sha512 and its hexadecimal digits are expected");

    public static bool TryParse([NotNullWhen(true)] string? text, out Digest digest)
    {
        digest = default;
        var digits = text is null ? 0 : text.StartsWith("sha256:", StringComparison.Ordinal) ? 64 : text.StartsWith("sha512:", StringComparison.Ordinal) ? 128 : 0;
        if (digits == 0 || text!.Length != 7 + digits || text.AsSpan(7).ContainsAnyExcept("0123456789abcdef"))
            return false;
        digest = new Digest(text);
        return true;
    }

    /// <summary>The digest of bytes, by SHA-256.</summary>
    public static Digest Of(ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[DocumentHash.Size];
        DocumentHash.Of(content, hash);
        return Sha256(hash);
    }

    /// <summary>The digest that a SHA-256 hash stands for.</summary>
    public static Digest Sha256(ReadOnlySpan<byte> hash) => new("sha256:" + Convert.ToHexStringLower(hash));

    /// <summary>What is hashed piece by piece with this digest's algorithm.</summary>
    public IncrementalHash NewHash() => IncrementalHash.CreateHash(Algorithm == "sha512" ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);

    /// <summary>Whether this is the digest of these bytes.</summary>
    public bool IsOf(ReadOnlySpan<byte> content)
    {
        if (Algorithm == "sha256")
            return this == Of(content);
        using var hash = NewHash();
        hash.AppendData(content);
        return Is(hash.GetHashAndReset());
    }

    /// <summary>Where a blob of this digest lies in an OCI layout (image-spec image-layout.md, "Blobs").</summary>
    public string BlobPath => $"blobs/{Algorithm}/{Hex}";

    /// <summary>Whether a hash of this digest's algorithm is this digest.</summary>
    public bool Is(ReadOnlySpan<byte> hash) => Hex == Convert.ToHexStringLower(hash);
}
