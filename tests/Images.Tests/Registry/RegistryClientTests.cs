// The client against a registry that does everything right, with skopeo at the other end; and the ways to show it who one is.

using System.Diagnostics;
using System.Text;
using Conman.Images.Configuration;
using Conman.Images.References;
using Conman.Images.Registry;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Tests.Registry;

public sealed class RegistryClientTests : IDisposable
{
    // user:secret, by bcrypt.
    private const string Passwords = "user:$2y$05$lyJj8mNSV2g7ibWkgSat6uLbAoLEu1Oge6fQoaMmxov4n.aPXFoBa\n";

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("conman-test-");
    private readonly List<IDisposable> _mine = [];

    public void Dispose()
    {
        _mine.ForEach(d => d.Dispose());
        _folder.Delete(recursive: true);
    }

    private RegistryClient Client(Credential? credential = null, RegistryTable? table = null)
    {
        var client = new RegistryClient(new RegistrySettings
        {
            Table = table ?? new RegistryTable(), Credentials = (_, _) => credential, Limits = new TransferLimits { Segment = 1 << 20, Wait = _ => { } },
        });
        _mine.Add(client);
        return client;
    }

    private DockerRegistry Registry(string more = "", string http = "")
    {
        var registry = new DockerRegistry(more, http);
        _mine.Add(registry);
        return registry;
    }

    private static Manifest Push(RegistryClient client, ImageReference reference, params Blob[] layers)
    {
        var config = Encoding.UTF8.GetBytes("""{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}""");
        var configuration = new Descriptor { MediaType = MediaTypes.Config, Digest = Digest.Of(config).ToString(), Size = config.Length };
        client.Upload(reference, configuration, from => new MemoryStream(config[(int)from..]), [], _ => { });
        foreach (var layer in layers)
            client.Upload(reference, layer.Descriptor, from => new MemoryStream(layer.Bytes[(int)from..]), [], _ => { });
        var manifest = new Manifest { SchemaVersion = 2, MediaType = MediaTypes.Manifest, Config = configuration, Layers = [.. layers.Select(l => l.Descriptor)] };
        client.PutManifest(reference, MediaTypes.Manifest, manifest.ToUtf8(indented: false));
        return manifest;
    }

    private static string Skopeo(params string[] arguments)
    {
        Skip.IfNot(File.Exists("/usr/bin/skopeo"), "skopeo is not installed");
        using var process = Process.Start(new ProcessStartInfo("skopeo", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, error.Result);
        return output;
    }

    [SkippableFact]
    public void What_is_pushed_is_read_by_skopeo_and_pulled_again()
    {
        var (registry, client) = (Registry(), Client());
        var reference = ImageReference.Parse(registry.Domain + "/some/image:1");
        Assert.Null(client.HeadManifest(reference));
        Blob[] layers = [new(3_000_001, 1), new(10, 2), new(100_000, 3)];
        Push(client, reference, layers);

        Skopeo("copy", "--src-tls-verify=false", $"docker://{reference}", $"dir:{_folder.FullName}/image");
        foreach (var layer in layers)
        {
            Assert.Equal(layer.Bytes, File.ReadAllBytes($"{_folder.FullName}/image/{Digest.Parse(layer.Descriptor.Digest).Hex}"));
            var sink = new Sink();
            client.Download(reference, layer.Descriptor, sink);
            Assert.Equal(layer.Bytes, sink.Bytes);
        }
        var document = client.GetManifest(reference);
        Assert.Equal(File.ReadAllBytes(_folder.FullName + "/image/manifest.json"), document.Content);
        Assert.Equal((MediaTypes.Manifest, client.HeadManifest(reference).ToString()), (document.Descriptor.MediaType, document.Descriptor.Digest));
        Assert.Equal(document.Content, client.GetManifest(reference, document.Descriptor));

        Skopeo("copy", "--dest-tls-verify=false", $"dir:{_folder.FullName}/image", $"docker://{registry.Domain}/other:2");
        Assert.Equal(document.Content, client.GetManifest(ImageReference.Parse(registry.Domain + "/other:2")).Content);
        Assert.Equal(["other", "some/image"], client.Catalog(registry.Domain));
        Assert.Equal([registry.Domain + "/some/image"], client.Search(registry.Domain, "IMAGE", 10).Select(r => r.Name));
    }

    [SkippableFact]
    public void A_blob_is_not_sent_twice_and_mounted_from_where_it_is()
    {
        var (registry, client) = (Registry(), Client());
        var (one, two) = (ImageReference.Parse(registry.Domain + "/one"), ImageReference.Parse(registry.Domain + "/two"));
        var blob = new Blob(50_000);
        var opened = 0;
        Stream Open(long from)
        {
            opened++;
            return new MemoryStream(blob.Bytes[(int)from..]);
        }
        Assert.True(client.Upload(one, blob.Descriptor, Open, [], _ => { }));
        Assert.False(client.Upload(one, blob.Descriptor, Open, [], _ => { }));
        Assert.False(client.BlobExists(two, blob.Descriptor));
        Assert.False(client.Upload(two, blob.Descriptor, Open, [ImageReference.Parse("registry.example/x"), one], _ => { }));
        Assert.True(client.BlobExists(two, blob.Descriptor));
        Assert.Equal(1, opened);
        client.DeleteBlob(two, Digest.Parse(blob.Descriptor.Digest));
        Assert.False(client.BlobExists(two, blob.Descriptor));
    }

    [SkippableFact]
    public void Tags_come_in_pages_and_go_with_their_manifest()
    {
        var (registry, client) = (Registry(), Client());
        var repository = ImageReference.Parse(registry.Domain + "/tags");
        Push(client, repository.WithTag("a"), new Blob(10));
        var manifest = client.GetManifest(repository.WithTag("a"));
        foreach (var tag in (string[])["b", "c"])
            client.PutManifest(repository.WithTag(tag), manifest.Descriptor.MediaType!, manifest.Content);
        Assert.Equal(["a", "b", "c"], client.Tags(repository).Order());
        client.DeleteManifest(repository.WithDigest(Digest.Parse(manifest.Descriptor.Digest)));
        Assert.Equal(404, Assert.Throws<RegistryException>(() => client.GetManifest(repository.WithTag("a"))).Status);
    }

    [Fact]
    public void The_repositories_of_a_registry_share_its_connections()
    {
        using var server = new HttpServer { Handler = (_, reply) => reply.Send(200, """{"tags":["1"]}"""u8) };
        var client = Client();
        client.Tags(ImageReference.Parse(server.Domain + "/a"));
        var connections = server.Connections;
        for (var i = 0; i < 10; i++)
            client.Tags(ImageReference.Parse($"{server.Domain}/b{i}"));
        Assert.Equal(connections, server.Connections);
    }

    [SkippableFact]
    public void What_refers_to_a_manifest_is_listed_where_the_registry_keeps_no_list_too()
    {
        var (registry, client) = (Registry(), Client());
        var reference = ImageReference.Parse(registry.Domain + "/signed:1");
        Push(client, reference, new Blob(10));
        var subject = client.GetManifest(reference).Descriptor;
        Assert.Empty(client.Referrers(reference, Digest.Parse(subject.Digest)));
        foreach (var type in (string[])["application/x-signature", "application/x-list"])
        {
            var empty = new Descriptor { MediaType = MediaTypes.Empty, Digest = Digest.Of("{}"u8).ToString(), Size = 2 };
            client.Upload(reference, empty, _ => new MemoryStream("{}"u8.ToArray()), [], _ => { });
            var content = new Manifest { SchemaVersion = 2, MediaType = MediaTypes.Manifest, ArtifactType = type, Config = empty, Layers = [empty], Subject = subject }.ToUtf8(indented: false);
            client.PutManifest(reference.WithDigest(Digest.Of(content)), MediaTypes.Manifest, content);
        }
        Assert.Equal(["application/x-signature", "application/x-list"], client.Referrers(reference, Digest.Parse(subject.Digest)).Select(d => d.ArtifactType));
        Assert.Single(client.Referrers(reference, Digest.Parse(subject.Digest), "application/x-list"));
    }

    [SkippableFact]
    public void A_password_is_asked_for_and_taken()
    {
        File.WriteAllText(_folder.FullName + "/passwords", Passwords);
        var registry = Registry($"auth:\n  htpasswd:\n    realm: tests\n    path: {_folder.FullName}/passwords\n");
        var reference = ImageReference.Parse(registry.Domain + "/private:1");
        Assert.Contains("'conman login", Assert.Throws<RegistryException>(() => Client().HeadManifest(reference)).Message, StringComparison.Ordinal);
        Assert.Equal(401, Assert.Throws<RegistryException>(() => Client().CheckLogin(registry.Domain, new Credential("user", "wrong"))).Status);
        Client().CheckLogin(registry.Domain, new Credential("user", "secret"));
        Push(Client(new Credential("user", "secret")), reference, new Blob(300_000));
        Assert.NotNull(Client(new Credential("user", "secret")).HeadManifest(reference));
    }

    [SkippableFact]
    public void A_registry_with_an_authority_of_its_own_is_reached_by_its_configuration()
    {
        using var authority = new Authority();
        using var certificate = authority.Sign("127.0.0.1");
        File.WriteAllText(_folder.FullName + "/ca.crt", authority.Pem);
        File.WriteAllText(_folder.FullName + "/server.crt", certificate.ExportCertificatePem());
        File.WriteAllText(_folder.FullName + "/server.key", System.Security.Cryptography.X509Certificates.ECDsaCertificateExtensions.GetECDsaPrivateKey(certificate)!.ExportPkcs8PrivateKeyPem());
        var registry = Registry(http: $"  tls:\n    certificate: {_folder.FullName}/server.crt\n    key: {_folder.FullName}/server.key\n");
        var table = new RegistryTable();
        table.Add($"[[registry]]\nlocation = \"{registry.Domain}\"\nca = \"{_folder.FullName}/ca.crt\"\n");
        var reference = ImageReference.Parse(registry.Domain + "/tls:1");
        var blob = new Blob(5_000_000);
        Push(Client(table: table), reference, blob);
        var sink = new Sink();
        Client(table: table).Download(reference, blob.Descriptor, sink);
        Assert.Equal(blob.Bytes, sink.Bytes);
    }

    [SkippableFact]
    public void Mirrors_are_asked_first_and_what_they_do_not_have_is_had_from_the_registry()
    {
        var (registry, empty) = (Registry(), Registry());
        var reference = ImageReference.Parse("registry.example/team/image:1");
        var table = new RegistryTable();
        table.Add($"""
            [[registry]]
            prefix = "registry.example/team"
            location = "{registry.Domain}/copy"
            [[registry.mirror]]
            location = "{empty.Domain}/mirror"
            """);
        var blob = new Blob(1000);
        var stored = ImageReference.Parse(registry.Domain + "/copy/image:1");
        Push(Client(), stored, blob);
        var client = Client(table: table);
        Assert.Equal(client.GetManifest(reference).Content, Client().GetManifest(stored).Content);
        Assert.NotNull(client.HeadManifest(reference));
        var sink = new Sink();
        client.Download(reference, blob.Descriptor, sink);
        Assert.Equal(blob.Bytes, sink.Bytes);
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void A_token_is_asked_for_once_a_scope_and_again_when_it_no_longer_counts(bool identity)
    {
        var blob = new Blob(1000);
        var (tokens, valid) = (0, 0);
        using var server = new HttpServer();
        server.Handler = (r, reply) =>
        {
            if (r.Path == "/token")
            {
                if (identity)
                    Assert.Contains("refresh_token=identity", Encoding.UTF8.GetString(r.Body), StringComparison.Ordinal);
                else
                    Assert.Equal(("Basic dXNlcjpzZWNyZXQ=", "/token?service=the%20service&scope=repository%3Aa%3Apull&account=user"), (r["Authorization"], r.Target.Replace("account=user&", "")));
                reply.Send(200, Encoding.UTF8.GetBytes($$"""{"{{(identity ? "access_token" : "token")}}":"t{{++tokens}}","expires_in":300}"""));
            }
            else if (r["Authorization"] == $"Bearer t{tokens}" && tokens > valid)
            {
                blob.Serve(r, reply);
            }
            else
            {
                reply.Send(401, [], ("WWW-Authenticate", $"Bearer realm=\"{server.Url}/token\",service=\"the service\",scope=\"repository:a:pull\""));
            }
        };
        var client = Client(identity ? new Credential("", "identity", IsToken: true) : new Credential("user", "secret"));
        var reference = ImageReference.Parse(server.Domain + "/a");
        for (var i = 0; i < 3; i++)
            client.Download(reference, blob.Descriptor, new Sink());
        Assert.Equal(1, tokens);
        valid = 1;
        client.Download(reference, blob.Descriptor, new Sink());
        Assert.Equal(2, tokens);
    }

    [Fact]
    public void An_upload_that_is_cut_goes_on_where_the_registry_has_it()
    {
        var blob = new Blob(300_000);
        using var stored = new MemoryStream();
        using var server = new HttpServer();
        var patches = 0;
        server.Handler = (r, reply) =>
        {
            switch (r.Method)
            {
                case "POST":
                    reply.Send(202, [], ("Location", "/v2/a/blobs/uploads/1"));
                    break;
                case "PATCH" when patches++ == 0:
                    stored.Write(r.Body.AsSpan(0, 100_000));
                    reply.Close = true;
                    reply.Raw("");
                    break;
                case "PATCH":
                    Assert.Equal("100000-299999", r["Content-Range"]);
                    stored.Write(r.Body);
                    reply.Send(202, [], ("Location", "/v2/a/blobs/uploads/2?state=x"));
                    break;
                case "GET":
                    reply.Send(204, [], ("Location", "/v2/a/blobs/uploads/1"), ("Range", $"0-{stored.Length - 1}"));
                    break;
                case "PUT":
                    Assert.Equal($"/v2/a/blobs/uploads/2?state=x&digest={Uri.EscapeDataString(blob.Descriptor.Digest!)}", r.Target);
                    reply.Send(201, []);
                    break;
            }
        };
        Assert.True(Client().Upload(ImageReference.Parse(server.Domain + "/a"), blob.Descriptor, from => new MemoryStream(blob.Bytes[(int)from..]), [], _ => { }));
        Assert.Equal(blob.Bytes, stored.ToArray());
    }

    [Fact]
    public void An_upload_that_is_forgotten_begins_anew_and_one_that_is_refused_ends()
    {
        var blob = new Blob(1000);
        using var server = new HttpServer();
        var patches = 0;
        server.Handler = (r, reply) =>
        {
            switch (r.Method)
            {
                case "POST": reply.Send(202, [], ("Location", $"/v2/a/blobs/uploads/{patches}")); break;
                case "PATCH" when patches++ == 0: reply.Send(503, []); break;
                case "PATCH": reply.Send(202, [], ("Location", r.Target)); break;
                case "PUT": reply.Send(400, """{"errors":[{"code":"DIGEST_INVALID","message":"another digest"}]}"""u8); break;
            }
        };
        Assert.Contains("answers 400: another digest", Assert.Throws<RegistryException>(() =>
            Client().Upload(ImageReference.Parse(server.Domain + "/a"), blob.Descriptor, from => new MemoryStream(blob.Bytes[(int)from..]), [], _ => { })).Message, StringComparison.Ordinal);
        Assert.Equal(2, patches);
    }

    [Fact]
    public void B2_An_upload_is_not_sent_without_TLS()
    {
        using var authority = new Authority();
        using var certificate = authority.Sign("127.0.0.1");
        using var server = new HttpServer(certificate);
        server.Handler = (r, reply) =>
        {
            if (r.Method == "POST")
                reply.Send(202, [], ("Location", "http://registry.example/upload"));
        };
        Assert.Contains("without TLS", Assert.Throws<RegistryException>(() =>
            Client().Upload(ImageReference.Parse(server.Domain + "/a"), new Blob(10).Descriptor, _ => new MemoryStream(new byte[10]), [], _ => { })).Message, StringComparison.Ordinal);
    }
}
