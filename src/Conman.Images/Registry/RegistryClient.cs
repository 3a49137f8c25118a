// Registries by the distribution specification (opencontainers/distribution-spec 1.1): what is read from them.
//
// A repository may be had in several places, mirrors first: what one of them does not give the next is asked for, and one that failed is asked last
// from then on.

using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using Conman.Images.Configuration;
using Conman.Images.References;
using Conman.Images.Store;
using Conman.Images.Transfer;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Registry;

/// <summary>Everything that a client needs to know beforehand.</summary>
public sealed record RegistrySettings
{
    /// <summary>Where repositories are to be had, and how their registries are reached.</summary>
    public required RegistryTable Table { get; init; }

    /// <summary>The credential for a registry, by its domain and the repository's path; null: none.</summary>
    public Func<string, string, Credential?> Credentials { get; init; } = (_, _) => null;

    public TransferLimits Limits { get; init; } = new();

    /// <summary>The header User-Agent.</summary>
    public string Agent { get; init; } = "conman";
}

/// <summary>Used by several threads.</summary>
public sealed partial class RegistryClient(RegistrySettings settings) : IDisposable
{
    // Some registries decide by the order what they send.
    private static readonly string Manifests = string.Join(", ", MediaTypes.Index, MediaTypes.DockerList, MediaTypes.Manifest, MediaTypes.DockerManifest);

    private readonly ConcurrentDictionary<string, Lazy<RegistryEndpoint>> _endpoints = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<(string Domain, string Path), RegistryHost> _hosts = new();
    private readonly ConcurrentDictionary<(string Domain, string Path), bool> _failed = new();
    private readonly SegmentMemory _memory = new(settings.Limits);

    public void Dispose()
    {
        foreach (var endpoint in _endpoints.Values)
            endpoint.Value.Dispose();
    }

    /// <summary>What a name stands for now: the digest of its manifest or index; null: the registry has none of that name.</summary>
    /// <exception cref="RegistryException">It cannot be asked.</exception>
    public Digest? HeadManifest(ImageReference reference) => Anywhere(reference, (host, path) =>
    {
        var call = new Call(HttpMethod.Head, host.At($"v2/{path}/manifests/{Object(reference)}")) { Scope = Pull(path), Headers = { ("Accept", Manifests) } };
        using var response = host.Send(call, $"find {reference.Familiar}", HttpStatusCode.NotFound);
        if (response.StatusCode == HttpStatusCode.NotFound)
            return (Digest?)null;
        return ContentDigest(response) ?? Digest.Parse(GetManifest(host, path, reference).Descriptor.Digest);
    });

    /// <summary>A manifest or an index by its name or digest, verified where there is a digest to verify it by.</summary>
    /// <exception cref="RegistryException">It is not to be had.</exception>
    public Document GetManifest(ImageReference reference) => Anywhere(reference, (host, path) => GetManifest(host, path, reference));

    /// <summary>A manifest or an index by its descriptor, verified.</summary>
    public byte[] GetManifest(ImageReference repository, Descriptor descriptor)
    {
        var document = GetManifest(repository.WithDigest(Digest.Parse(descriptor.Digest)));
        if (document.Content.Length != descriptor.Size)
            throw new RegistryException($"{descriptor.Digest} has {document.Content.Length} bytes, its descriptor says {descriptor.Size}");
        return document.Content;
    }

    /// <summary>Hands a blob to a sink, in order, from where that stands; the sink verifies it.</summary>
    /// <exception cref="RegistryException">It is not to be had; what the sink throws passes through.</exception>
    public void Download(ImageReference repository, Descriptor blob, IBlobSink sink)
    {
        _ = Digest.Parse(blob.Digest);
        Anywhere(repository, (host, path) =>
        {
            new BlobDownload(host, path, blob, settings.Limits, _memory).Run(sink);
            return true;
        }, byDigest: true);
    }

    /// <summary>Whether a repository has a blob.</summary>
    public bool BlobExists(ImageReference repository, Descriptor blob)
    {
        var host = Host(repository);
        using var response = host.Send(new Call(HttpMethod.Head, host.At($"v2/{repository.Path}/blobs/{Digest.Parse(blob.Digest)}")) { Scope = Pull(repository.Path) },
            $"find blob {blob.Digest}", HttpStatusCode.NotFound);
        return response.StatusCode != HttpStatusCode.NotFound;
    }

    /// <summary>The tags of a repository.</summary>
    public List<string> Tags(ImageReference repository) =>
        Pages(Host(repository), $"v2/{repository.Path}/tags/list", Pull(repository.Path), $"list the tags of {repository.FamiliarName}", body => TagsAnswer.Parse(body).Tags);

    /// <summary>The repositories of a registry, where it tells.</summary>
    public List<string> Catalog(string domain) =>
        Pages(Host(domain, ""), "v2/_catalog", "registry:catalog:*", $"list the repositories of {domain}", body => CatalogAnswer.Parse(body).Repositories);

    /// <summary>What says something about a manifest: signatures, bills of materials.</summary>
    /// <param name="artifactType">Only of this type; null: any.</param>
    public List<Descriptor> Referrers(ImageReference repository, Digest subject, string? artifactType = null)
    {
        var host = Host(repository);
        var call = new Call(HttpMethod.Get, host.At($"v2/{repository.Path}/referrers/{subject}" + (artifactType is null ? "" : $"?artifactType={Uri.EscapeDataString(artifactType)}")))
        {
            Scope = Pull(repository.Path), Headers = { ("Accept", MediaTypes.Index) },
        };
        byte[] content;
        using (var response = host.Send(call, $"list what refers to {subject}", HttpStatusCode.NotFound))
            content = response.StatusCode == HttpStatusCode.NotFound ? ReferrersByTag(repository, subject)?.Content ?? [] : host.Transport.ReadAll(response, BlobStore.LongestDocument);
        if (content.Length == 0)
            return [];
        var all = Parse(content, ImageIndex.Parse, $"the list of what refers to {subject}").Manifests ?? [];
        return artifactType is null ? all : all.FindAll(d => d.ArtifactType == artifactType);
    }

    /// <summary>Repositories by words: Docker Hub's search where the registry has it, else those whose name has the words in it.</summary>
    public List<SearchResult> Search(string domain, string words, int limit)
    {
        var host = Host(domain == ImageReference.DefaultDomain ? "index.docker.io" : domain, "");
        using (var response = host.Send(new Call(HttpMethod.Get, host.At($"v1/search?q={Uri.EscapeDataString(words)}&n={limit}")), $"search {domain}",
            HttpStatusCode.NotFound, HttpStatusCode.MethodNotAllowed, HttpStatusCode.BadRequest, HttpStatusCode.Unauthorized, HttpStatusCode.Forbidden, HttpStatusCode.MovedPermanently))
        {
            if (response.IsSuccessStatusCode && response.Content.Headers.ContentType?.MediaType is "application/json")
            {
                var found = Parse(host.Transport.ReadAll(response, TransferLimits.LongestAnswer), SearchAnswer.Parse, $"the answer of {domain}").Results ?? [];
                found.ForEach(result => (result.Name, result.Description) = (Line(result.Name), Line(result.Description)));
                return found.Take(limit).ToList();
            }
        }
        return Catalog(domain).Where(name => name.Contains(words, StringComparison.OrdinalIgnoreCase)).Take(limit).Select(name => new SearchResult { Name = domain + "/" + name }).ToList();
    }

    /// <summary>Whether a registry takes a credential.</summary>
    /// <exception cref="RegistryException">It does not.</exception>
    public void CheckLogin(string domain, Credential credential)
    {
        var host = new RegistryHost(Endpoint(domain), settings.Limits, () => credential);
        using var response = host.Send(new Call(HttpMethod.Get, host.At("v2/")), $"log in to {domain}");
    }

    internal static string Pull(string path) => $"repository:{path}:pull";

    private static string Object(ImageReference reference) => reference.Digest?.ToString() ?? reference.Tag ?? ImageReference.DefaultTag;

    private static Digest? ContentDigest(HttpResponseMessage response) =>
        response.Headers.TryGetValues("Docker-Content-Digest", out var values) && Digest.TryParse(values.FirstOrDefault(), out var digest) ? digest : null;

    private static Document GetManifest(RegistryHost host, string path, ImageReference reference)
    {
        var call = new Call(HttpMethod.Get, host.At($"v2/{path}/manifests/{Object(reference)}")) { Scope = Pull(path), Headers = { ("Accept", Manifests) } };
        using var response = host.Send(call, $"pull {reference.Familiar}");
        var content = host.Transport.ReadAll(response, BlobStore.LongestDocument);
        var type = response.Content.Headers.TryGetValues("Content-Type", out var types) && MediaTypeHeaderValue.TryParse(types.FirstOrDefault(), out var parsed) ? parsed.MediaType : null;
        // A server of mere files does not know what it sends.
        if (type is null or "application/json" or "text/plain" or "application/octet-stream")
            type = Parse(content, Manifest.Parse, reference.Familiar).MediaType ?? type;
        var digest = Digest.Of(content);
        var expected = reference.Digest ?? ContentDigest(response);
        if (expected is { Algorithm: "sha512" } other && other.IsOf(content))
            digest = other;
        if (expected is not null && digest != expected)
            throw new RegistryException($"{host.Domain} sends another manifest for {reference.Familiar} than its digest says: {digest}, not {expected}");
        return new Document(new Descriptor { MediaType = type, Digest = digest.ToString(), Size = content.Length }, content);
    }

    // A registry's words, which do nothing to a terminal.
    private static string Line(string? text) => RegistryHost.OneLine(text ?? "", 1000);

    private List<string> Pages(RegistryHost host, string path, string scope, string what, Func<byte[], List<string>?> read)
    {
        const int Most = 1000, MostPages = 1000;
        var all = new List<string>();
        var next = host.At(path + $"?n={Most}");
        for (var page = 0; next is not null && page < MostPages; page++)
        {
            using var response = host.Send(new Call(HttpMethod.Get, next) { Scope = scope }, what);
            var content = host.Transport.ReadAll(response, TransferLimits.LongestAnswer);
            try
            {
                all.AddRange((read(content) ?? []).Select(Line));
            }
            catch (OciFormatException e)
            {
                throw new RegistryException($"cannot {what}: the answer is damaged: {e.Message}", cause: e);
            }
            next = response.Headers.TryGetValues("Link", out var links) && Next(links.FirstOrDefault()) is { } link ? new Uri(next, link) : null;
            if (next is not null && !HttpTransport.SameHost(next, host.At(path)))
                next = null;
        }
        return all;

        // RFC 8288: <ADDRESS>; rel="next"
        static string? Next(string? link)
        {
            if (link is null || !link.StartsWith('<') || !link.Contains("rel=\"next\"", StringComparison.Ordinal))
                return null;
            return link[1..link.IndexOf('>', StringComparison.Ordinal)];
        }
    }

    private delegate T Parser<T>(ReadOnlySpan<byte> json);

    private static T Parse<T>(byte[] content, Parser<T> parse, string what)
    {
        try
        {
            return parse(content);
        }
        catch (OciFormatException e)
        {
            throw new RegistryException($"{what} is damaged: {e.Message}", cause: e);
        }
    }

    // The registry itself, to which things are written and which is asked for lists.
    private RegistryHost Host(ImageReference repository) => Host(repository.Domain, repository.Path);

    // A repository may have a credential of its own.
    private RegistryHost Host(string domain, string path) => _hosts.GetOrAdd((domain, path),
        _ => new RegistryHost(Endpoint(domain), settings.Limits, () => settings.Credentials(domain, path)));

    private RegistryEndpoint Endpoint(string domain) =>
        _endpoints.GetOrAdd(domain, _ => new(() => new RegistryEndpoint(settings.Table.Host(domain), settings.Limits, settings.Agent))).Value;

    private T Anywhere<T>(ImageReference reference, Func<RegistryHost, string, T> ask, bool byDigest = false)
    {
        var locations = settings.Table.Locations(reference, byDigest || reference.Digest is not null);
        var failures = new List<RegistryException>();
        foreach (var location in locations.OrderBy(l => _failed.ContainsKey((l.Domain, l.Path))))
        {
            try
            {
                var answer = ask(Host(location.Domain, location.Path), location.Path);
                if (answer is not null || location == locations[^1])
                    return answer;
            }
            catch (RegistryException e)
            {
                _failed[(location.Domain, location.Path)] = true;
                failures.Add(e);
            }
        }
        if (failures is [var only])
            throw only;
        if (failures.Count == 0)
            return default!;
        throw new RegistryException(string.Join("; ", failures.Select(f => f.Message).Distinct()), failures[^1].Status, cause: failures[^1]);
    }
}
