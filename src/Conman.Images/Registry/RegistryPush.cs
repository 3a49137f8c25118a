// What is written to a registry: blobs that it does not have yet, manifests, and what it is to forget.

using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Conman.Images.References;
using Conman.Images.Transfer;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Registry;

public sealed partial class RegistryClient
{
    /// <summary>Sees to it that a repository has a blob: it is there, it is in another repository of the same registry, or it is sent.</summary>
    /// <param name="open">The blob from an offset on.</param>
    /// <param name="mountFrom">Repositories that may have it; those of other registries are passed over.</param>
    /// <param name="progress">Is told how many bytes are there.</param>
    /// <returns>Whether it had to be sent.</returns>
    /// <exception cref="RegistryException">The registry does not take it.</exception>
    public bool Upload(ImageReference repository, Descriptor blob, Func<long, Stream> open, IEnumerable<ImageReference> mountFrom, Action<long> progress)
    {
        if (BlobExists(repository, blob))
            return false;
        var (host, path) = (Host(repository), repository.Path);
        var what = $"push blob {blob.Digest}";
        var session = default(Uri);
        foreach (var from in mountFrom.Where(r => r.Domain == repository.Domain && r.Path != path).Select(r => r.Path).Distinct(StringComparer.Ordinal))
        {
            session = Begin(host, path, $"?mount={blob.Digest}&from={Uri.EscapeDataString(from)}", $"{Push(path)} {Pull(from)}", what);
            if (session is null)
                return false;
        }
        session ??= Begin(host, path, "", Push(path), what)!;

        var retry = new Retry(settings.Limits);
        long sent = 0;
        while (true)
        {
            var before = sent;
            try
            {
                if (sent < blob.Size)
                    session = Send(host, session, path, open, sent, blob.Size, n => progress(sent + n), what);
                sent = blob.Size;
                Complete(host, session, path, blob, what);
                return true;
            }
            catch (RegistryException e)
            {
                // What the registry has of it, it tells; an upload that it has forgotten begins anew.
                retry.Wait(e);
                (session, sent) = Resume(host, session, path, what) ?? (Begin(host, path, "", Push(path), what)!, 0);
                if (sent > before)
                    retry.Progress();
                progress(sent);
            }
        }
    }

    /// <summary>Writes a manifest or an index under a tag, or under its digest. What refers to a subject is entered into its list where the registry
    /// does not keep one (distribution-spec, "Referrers Tag Schema").</summary>
    public Digest PutManifest(ImageReference reference, string mediaType, byte[] content)
    {
        var digest = Digest.Of(content);
        if (reference.Digest is { } named && named != digest)
            throw new ImageException($"the manifest {digest} cannot be pushed as {named}");
        var (host, path) = (Host(reference), reference.Path);
        var call = new Call(HttpMethod.Put, host.At($"v2/{path}/manifests/{(reference.Digest is null ? Object(reference) : digest.ToString())}"))
        {
            Scope = Push(path), Content = () => new ByteArrayContent(content) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } },
        };
        bool listed;
        using (var response = host.Send(call, $"push {reference.Familiar}"))
        {
            if (ContentDigest(response) is { } stored && stored.Algorithm == digest.Algorithm && stored != digest)
                throw new RegistryException($"{host.Domain} stored another manifest than was pushed: {stored}, not {digest}");
            listed = response.Headers.Contains("OCI-Subject");
        }
        if (!listed && Parse(content, Manifest.Parse, reference.Familiar) is { Subject.Digest: { } subject } manifest)
            EnterReferrer(reference, Digest.Parse(subject), manifest, new Descriptor { MediaType = mediaType, Digest = digest.ToString(), Size = content.Length });
        return digest;
    }

    /// <summary>Removes a tag, or a manifest by its digest.</summary>
    public void DeleteManifest(ImageReference reference)
    {
        var host = Host(reference);
        host.Send(new Call(HttpMethod.Delete, host.At($"v2/{reference.Path}/manifests/{Object(reference)}")) { Scope = $"repository:{reference.Path}:delete,pull" },
            $"delete {reference.Familiar}").Dispose();
    }

    /// <summary>Removes a blob.</summary>
    public void DeleteBlob(ImageReference repository, Digest blob)
    {
        var host = Host(repository);
        host.Send(new Call(HttpMethod.Delete, host.At($"v2/{repository.Path}/blobs/{blob}")) { Scope = $"repository:{repository.Path}:delete,pull" }, $"delete blob {blob}").Dispose();
    }

    private static string Push(string path) => $"repository:{path}:pull,push";

    // Where an upload goes; null if the blob is there now.
    private static Uri? Begin(RegistryHost host, string path, string query, string scope, string what)
    {
        using var response = host.Send(new Call(HttpMethod.Post, host.At($"v2/{path}/blobs/uploads/{query}")) { Scope = scope, Content = Nothing }, what);
        return response.StatusCode == HttpStatusCode.Created ? null : Session(response, host.At("v2/"), host);
    }

    // All that is missing in one request, whose place in the blob is named so that it can be gone on with.
    private static Uri Send(RegistryHost host, Uri session, string path, Func<long, Stream> open, long from, long size, Action<long> progress, string what)
    {
        HttpContent Body()
        {
            var content = new UploadContent(() => open(from), size - from, progress);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
            content.Headers.TryAddWithoutValidation("Content-Range", $"{from}-{size - 1}");
            return content;
        }
        using var response = host.SendOnce(new Call(HttpMethod.Patch, session) { Scope = Push(path), Content = Body }, what);
        return Session(response, session, host);
    }

    private static void Complete(RegistryHost host, Uri session, string path, Descriptor blob, string what)
    {
        var address = new UriBuilder(session);
        address.Query = (address.Query.Length > 1 ? address.Query[1..] + "&" : "") + "digest=" + Uri.EscapeDataString(blob.Digest!);
        host.SendOnce(new Call(HttpMethod.Put, address.Uri) { Scope = Push(path), Content = Nothing }, what).Dispose();
    }

    private static (Uri Session, long Sent)? Resume(RegistryHost host, Uri session, string path, string what)
    {
        try
        {
            using var response = host.SendOnce(new Call(HttpMethod.Get, session) { Scope = Push(path) }, what);
            var range = response.Headers.TryGetValues("Range", out var values) ? values.FirstOrDefault() : null;
            return range is not null && range.LastIndexOf('-') is >= 0 and var dash && long.TryParse(range.AsSpan(dash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var last)
                ? (Session(response, session, host), last == 0 ? 0 : last + 1) : null;
        }
        catch (RegistryException)
        {
            return null;
        }
    }

    // Where the registry wants it next: without the credentials if that is another host (HttpTransport sees to it), and never from https to http.
    private static Uri Session(HttpResponseMessage response, Uri before, RegistryHost host)
    {
        if (response.Headers.Location is not { } location)
            throw new RegistryException($"{host.Domain} does not say where the upload goes");
        var next = new Uri(before, location);
        if (before.Scheme == Uri.UriSchemeHttps && next.Scheme != Uri.UriSchemeHttps)
            throw new RegistryException($"{host.Domain} wants the upload without TLS ({next.Authority}): refused");
        return next;
    }

    private static ByteArrayContent Nothing() => new([]);

    private static string ReferrersTag(Digest subject) => subject.ToString().Replace(':', '-');

    private Document? ReferrersByTag(ImageReference repository, Digest subject)
    {
        try
        {
            return GetManifest(Host(repository), repository.Path, repository.WithTag(ReferrersTag(subject)));
        }
        catch (RegistryException e) when (e.Status == 404)
        {
            return null;
        }
    }

    private void EnterReferrer(ImageReference repository, Digest subject, Manifest manifest, Descriptor descriptor)
    {
        descriptor.ArtifactType = manifest.ArtifactType ?? manifest.Config?.MediaType;
        descriptor.Annotations = manifest.Annotations;
        var list = ReferrersByTag(repository, subject) is { } known ? Parse(known.Content, ImageIndex.Parse, "the list of referrers") : new ImageIndex();
        (list.SchemaVersion, list.MediaType) = (2, MediaTypes.Index);
        var entries = list.Manifests ??= [];
        if (entries.Exists(d => d.Digest == descriptor.Digest))
            return;
        entries.Add(descriptor);
        PutManifest(repository.WithTag(ReferrersTag(subject)), MediaTypes.Index, list.ToUtf8(indented: false));
    }
}
