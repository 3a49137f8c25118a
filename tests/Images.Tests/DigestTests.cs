// Digests: only well-formed ones exist, for they become names of files.

namespace Conman.Images.Tests;

public class DigestTests
{
    private const string Empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    [Fact]
    public void The_digest_of_nothing_is_the_known_one() => Assert.Equal(Empty, Digest.Of([]).ToString());

    [Fact]
    public void The_digest_of_bytes_is_their_hash_by_the_framework()
    {
        var bytes = new byte[300];
        new Random(1).NextBytes(bytes);
        for (var length = 0; length <= bytes.Length; length++)
            Assert.Equal(Digest.Sha256(System.Security.Cryptography.SHA256.HashData(bytes.AsSpan(0, length))), Digest.Of(bytes.AsSpan(0, length)));
        Assert.True(Digest.Of(bytes).IsOf(bytes));
        Assert.False(Digest.Of(bytes).IsOf(bytes.AsSpan(1)));
    }

    [Theory]
    [InlineData(null), InlineData(""), InlineData("sha256:"), InlineData("sha256"), InlineData("md5:d41d8cd98f00b204e9800998ecf8427e")]
    [InlineData("sha256:../../../../etc/passwd"), InlineData("sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")]
    [InlineData("sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("SHA256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    public void What_is_not_well_formed_is_refused(string? text)
    {
        Assert.False(Digest.TryParse(text, out _));
        Assert.Contains("invalid digest", Assert.Throws<ImageException>(() => Digest.Parse(text)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("sha256"), InlineData("sha512")]
    public void A_hash_of_its_algorithm_is_recognised(string algorithm)
    {
        using var hash = Digest.Parse(algorithm + ":" + new string('0', algorithm == "sha256" ? 64 : 128)).NewHash();
        hash.AppendData("conman"u8);
        var bytes = hash.GetHashAndReset();
        var digest = Digest.Parse($"{algorithm}:{Convert.ToHexStringLower(bytes)}");
        Assert.True(digest.Is(bytes));
        Assert.Equal(digest, Digest.Parse(digest.ToString()));
        bytes[0] ^= 1;
        Assert.False(digest.Is(bytes));
    }
}
