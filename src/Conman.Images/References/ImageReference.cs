// The names of images, as Docker reads them (github.com/distribution/reference, reference.go and normalize.go).

namespace Conman.Images.References;

/// <summary>
/// <c>[DOMAIN/]PATH[:TAG][@DIGEST]</c>. A short name is one of docker.io, and one of a single word is one of docker.io/library.
/// Only a well-formed reference exists: its parts may stand in an address.
/// </summary>
public sealed record ImageReference
{
    /// <summary>The domain of names that have none.</summary>
    public const string DefaultDomain = "docker.io";

    /// <summary>The tag of names that have none.</summary>
    public const string DefaultTag = "latest";

    private const string Official = "library/";
    private const int LongestPath = 255, LongestTag = 128;

    private ImageReference(string domain, string path, string? tag, Digest? digest) => (Domain, Path, Tag, Digest) = (domain, path, tag, digest);

    /// <summary>The registry: a host name or address, and a port if it is not the usual one.</summary>
    public string Domain { get; }

    /// <summary>The repository in the registry: <c>library/alpine</c>.</summary>
    public string Path { get; }

    public string? Tag { get; private init; }

    public Digest? Digest { get; private init; }

    /// <summary>The repository: <c>docker.io/library/alpine</c>.</summary>
    public string Name => Domain + "/" + Path;

    /// <summary>The repository as people write it: <c>alpine</c>. The domain stays where the rest alone would be another's.</summary>
    public string FamiliarName =>
        Domain != DefaultDomain ? Name
        : Path.StartsWith(Official, StringComparison.Ordinal) && Path.IndexOf('/', Official.Length) < 0 ? Path[Official.Length..]
        : SplitDomain(Path).Domain == DefaultDomain ? Path
        : Name;

    /// <summary>The reference as people write it: <c>alpine:3.20</c>.</summary>
    public string Familiar => FamiliarName + Suffix;

    /// <summary>A canonical name as people know it: without the registry that goes without saying.</summary>
    public static string Shorten(string name) => name.StartsWith("docker.io/library/", StringComparison.Ordinal) ? name[18..]
        : name.StartsWith("docker.io/", StringComparison.Ordinal) ? name[10..] : name;

    /// <summary>The canonical reference: <c>docker.io/library/alpine:3.20</c>.</summary>
    public override string ToString() => Name + Suffix;

    private string Suffix => (Tag is null ? "" : ":" + Tag) + (Digest is null ? "" : "@" + Digest);

    /// <summary>With the tag <c>latest</c> if there is neither a tag nor a digest.</summary>
    public ImageReference OrLatest() => Tag is null && Digest is null ? this with { Tag = DefaultTag } : this;

    /// <summary>The same repository with another tag, and no digest.</summary>
    /// <exception cref="ImageException">It is no tag.</exception>
    public ImageReference WithTag(string tag) =>
        IsTag(tag) ? this with { Tag = tag, Digest = null } : throw new ImageException($"invalid tag \"{tag}\": letters, digits and _ . - are expected, at most {LongestTag}");

    /// <summary>The same repository by a digest, without a tag.</summary>
    public ImageReference WithDigest(Digest digest) => this with { Tag = null, Digest = digest };

    /// <summary>The repository alone.</summary>
    public ImageReference WithoutTag() => this with { Tag = null, Digest = null };

    /// <exception cref="ImageException">It is none; the message is Docker's.</exception>
    public static ImageReference Parse(string text)
    {
        if (text.Length == 64 && !text.AsSpan().ContainsAnyExcept("0123456789abcdef"))
            throw new ImageException($"invalid repository name ({text}), cannot specify 64-byte hexadecimal strings");
        var (domain, rest) = SplitDomain(text);
        var colon = rest.IndexOf(':', StringComparison.Ordinal);
        var repository = colon < 0 ? rest : rest[..colon];
        if (repository.AsSpan().ContainsAnyInRange('A', 'Z'))
            throw new ImageException($"invalid reference format: repository name ({repository}) must be lowercase");

        Digest? digest = null;
        var at = rest.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0)
        {
            if (!Images.Digest.TryParse(rest[(at + 1)..], out var parsed))
                throw Invalid();
            digest = parsed;
            rest = rest[..at];
        }
        string? tag = null;
        colon = rest.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0)
        {
            tag = rest[(colon + 1)..];
            if (!IsTag(tag))
                throw Invalid();
            rest = rest[..colon];
        }
        if (!IsDomain(domain) || !IsPath(rest))
            throw Invalid();
        if (rest.Length > LongestPath)
            throw new ImageException($"invalid reference format: repository name must not be more than {LongestPath} characters");
        return new ImageReference(domain, rest, tag, digest);

        static ImageException Invalid() => new("invalid reference format");
    }

    public static bool TryParse(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out ImageReference? reference)
    {
        try
        {
            reference = Parse(text);
        }
        catch (ImageException)
        {
            reference = null;
        }
        return reference is not null;
    }

    /// <summary>Whether a text can be the domain of a reference: what <c>login</c> is given.</summary>
    public static bool IsDomain(ReadOnlySpan<char> text)
    {
        var host = text;
        if (text.StartsWith("["))
        {
            var end = text.IndexOf(']');
            if (end < 2 || text[1..end].ContainsAnyExcept("0123456789abcdefABCDEF:"))
                return false;
            var after = text[(end + 1)..];
            return after.Length == 0 || IsPort(after);
        }
        var colon = text.IndexOf(':');
        if (colon >= 0)
        {
            if (!IsPort(text[colon..]))
                return false;
            host = text[..colon];
        }
        foreach (var range in host.Split('.'))
        {
            var component = host[range];
            if (component.Length == 0 || component[0] == '-' || component[^1] == '-')
                return false;
            foreach (var c in component)
            {
                if (!char.IsAsciiLetterOrDigit(c) && c != '-')
                    return false;
            }
        }
        return true;

        static bool IsPort(ReadOnlySpan<char> port) => port.Length > 1 && port[0] == ':' && !port[1..].ContainsAnyExceptInRange('0', '9');
    }

    // What is before the first slash is a domain if it cannot be part of a path: it has a dot, a port or a capital letter, or is localhost.
    private static (string Domain, string Repository) SplitDomain(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var first = slash < 0 ? "" : text[..slash];
        var (domain, rest) = first == "index.docker.io" ? (DefaultDomain, text[(slash + 1)..])
            : first == "localhost" || first.AsSpan().ContainsAny('.', ':') || first.AsSpan().ContainsAnyInRange('A', 'Z') ? (first, text[(slash + 1)..])
            : (DefaultDomain, text);
        return (domain, domain == DefaultDomain && !rest.Contains('/', StringComparison.Ordinal) && rest.Length > 0 ? Official + rest : rest);
    }

    private static bool IsTag(ReadOnlySpan<char> tag)
    {
        if (tag.Length is 0 or > LongestTag || tag[0] is '.' or '-')
            return false;
        foreach (var c in tag)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '.' or '-'))
                return false;
        }
        return true;
    }

    private static bool IsPath(ReadOnlySpan<char> path)
    {
        foreach (var component in path.Split('/'))
        {
            if (!IsComponent(path[component]))
                return false;
        }
        return true;
    }

    // Runs of small letters and digits, with one dot, one or two underscores or any number of dashes between two of them.
    private static bool IsComponent(ReadOnlySpan<char> text)
    {
        for (var i = 0; ;)
        {
            var run = i;
            while (i < text.Length && (char.IsAsciiLetterLower(text[i]) || char.IsAsciiDigit(text[i])))
                i++;
            if (i == run)
                return false;
            if (i == text.Length)
                return true;
            var separator = text[i];
            var most = separator switch { '.' => 1, '_' => 2, '-' => int.MaxValue, _ => 0 };
            for (var n = 0; i < text.Length && text[i] == separator; i++)
            {
                if (++n > most)
                    return false;
            }
        }
    }
}
