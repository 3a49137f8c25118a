// Commands that talk to registries, with what stands around those: helpers that keep passwords, proxies, authorities, searches.

using System.Text;
using Conman.Images.Tests.Registry;

namespace Conman.Images.Tests.EndToEnd;

public sealed class RegistryCommandTests : CommandTest
{
    private const string Tags = """{"name":"team/x","tags":["1","2"]}""";

    // As if it were another host's: nothing of this machine's configuration counts.
    private string Run(string environment, string arguments) => Shell($"{{ env {environment} HOME={Folder} {Binary} {arguments}; }} 2>&1 || echo \"exit code $?\"");

    [SkippableFact]
    public void A_credential_helper_keeps_the_password_and_the_file_does_not()
    {
        Shell("""
            mkdir bin docker; echo '{"credsStore":"test"}' > docker/config.json
            cat > bin/docker-credential-test <<'END'
            #!/bin/sh
            case $1 in
            store) cat > "$HOME/kept" ;;
            get) read -r server; echo "$server" >> "$HOME/asked"; [ -f "$HOME/kept" ] && cat "$HOME/kept" || { echo "credentials not found in native keychain"; exit 1; } ;;
            erase) rm "$HOME/kept" ;;
            esac
            END
            chmod +x bin/docker-credential-test
            """);
        var environment = $"PATH={InFolder("bin")}:$PATH DOCKER_CONFIG={InFolder("docker")}";
        var wanted = "Basic " + Convert.ToBase64String("me:se:cret"u8);
        using var server = new HttpServer { AnswersPing = false, Handler = (request, reply) =>
        {
            if (request["Authorization"] != wanted)
                reply.Send(401, "{}"u8, ("WWW-Authenticate", "Basic realm=\"x\""));
            else
                reply.Send(200, request.Path == "/v2/" ? "{}"u8 : Encoding.UTF8.GetBytes(Tags));
        } };
        Assert.Contains("denies access", Run(environment, $"search --list-tags {server.Domain}/team/x"), StringComparison.Ordinal);
        Assert.Equal("Login Succeeded\n", Run(environment, $"login -u me --password-stdin {server.Domain} <<< se:cret"));
        Assert.Equal($$"""{"ServerURL":"{{server.Domain}}","Username":"me","Secret":"se:cret"}""", File.ReadAllText(InFolder("kept")));
        Assert.DoesNotContain("c2U6", File.ReadAllText(InFolder("docker/config.json")), StringComparison.Ordinal);
        Assert.Contains("team/x   2", Run(environment, $"search --list-tags {server.Domain}/team/x"), StringComparison.Ordinal);
        Assert.StartsWith("Removing login credentials", Run(environment, $"logout {server.Domain}"), StringComparison.Ordinal);
        Assert.False(File.Exists(InFolder("kept")));
        Assert.StartsWith("Not logged in", Run(environment, $"logout {server.Domain}"), StringComparison.Ordinal);
        Assert.Contains("denies access", Run(environment, $"login -u me -p wrong {server.Domain}"), StringComparison.Ordinal);
        Shell("printf '#!/bin/sh\\necho the keychain is locked; exit 1' > bin/docker-credential-test");
        Assert.Contains("docker-credential-test failed: the keychain is locked", Run(environment, $"search --list-tags {server.Domain}/team/x"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_registry_is_reached_through_a_proxy_and_trusted_by_SSL_CERT_FILE()
    {
        using var authority = new Authority();
        using var certificate = authority.Sign("registry.test");
        using var server = new HttpServer(certificate) { Handler = (request, reply) => reply.Send(200, Encoding.UTF8.GetBytes(Tags)) };
        using var proxy = new TunnelProxy(server.Port);
        File.WriteAllText(InFolder("ca.pem"), authority.Pem);
        var trusted = $"SSL_CERT_FILE={InFolder("ca.pem")}";
        const string Search = "search --list-tags registry.test/team/x";
        foreach (var name in (string[])["https_proxy", "HTTPS_PROXY", "all_proxy"])
            Assert.Contains("team/x   2", Run($"{trusted} {name}={proxy.Url}", Search), StringComparison.Ordinal);
        Assert.Equal(Enumerable.Repeat("CONNECT registry.test:443", 3), proxy.Asked);
        Assert.Contains("unknown authority", Run($"https_proxy={proxy.Url}", Search), StringComparison.Ordinal);
        Assert.Contains("cannot find the address of registry.test", Run($"{trusted} https_proxy={proxy.Url} no_proxy=registry.test", Search), StringComparison.Ordinal);
        Assert.Contains("cannot find the address of registry.test", Run($"{trusted} HTTPS_PROXY={proxy.Url} NO_PROXY=.test", Search), StringComparison.Ordinal);
        Assert.Contains("connection refused", Run($"{trusted} https_proxy=http://127.0.0.1:1", Search), StringComparison.Ordinal);
        // Nobody sends a proxy what is for this machine.
        Assert.Contains("connection refused", Run($"https_proxy={proxy.Url} http_proxy={proxy.Url}", "search --list-tags 127.0.0.1:1/x"), StringComparison.Ordinal);
        Assert.Equal(4, proxy.Asked.Count);
    }

    [SkippableTheory]
    [InlineData("/etc/pki/tls/certs/ca-bundle.crt"), InlineData("/etc/ssl/ca-bundle.pem"), InlineData("/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"), InlineData("/etc/ssl/cert.pem")]
    public void Authorities_are_found_where_other_distributions_have_them(string bundle)
    {
        using var authority = new Authority();
        using var certificate = authority.Sign("registry.test");
        using var server = new HttpServer(certificate) { Handler = (request, reply) => reply.Send(200, Encoding.UTF8.GetBytes(Tags)) };
        using var proxy = new TunnelProxy(server.Port);
        File.WriteAllText(InFolder("ca.pem"), authority.Pem);
        var output = Shell($"""
            unshare -m sh -ec '
            mkdir upper; mount -t tmpfs none upper; mkdir upper/u upper/w
            mount -t overlay -o lowerdir=/etc,upperdir=upper/u,workdir=upper/w none /etc
            rm -rf /etc/ssl; mkdir -p {Path.GetDirectoryName(bundle)}; cp ca.pem {bundle}
            env -u SSL_CERT_FILE -u SSL_CERT_DIR https_proxy={proxy.Url} {Binary} search --list-tags registry.test/team/x 2>&1'
            """);
        Assert.Contains("team/x   2", output, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_search_is_Docker_Hubs_where_there_is_one_and_the_catalog_elsewhere()
    {
        using var hub = new HttpServer { Handler = (request, reply) =>
        {
            if (request.Path == "/v1/search")
            {
                reply.Send(200, Encoding.UTF8.GetBytes($$"""
                    {"query":"{{request.Target}}","results":[{"name":"web","description":"{{new string('d', 60)}}","star_count":120,"is_official":true},{"name":"me/web","description":"evil \u001b[31m","star_count":2,"is_official":false}]}
                    """), ("Content-Type", "application/json"));
            }
        } };
        var output = Conman($"search {hub.Domain}/web");
        Assert.Matches(@"^NAME +DESCRIPTION +STARS +OFFICIAL\nweb +d{44}… +120 +\[OK\]\nme/web +", output);
        Assert.DoesNotContain('\e', output);
        Assert.Equal("/v1/search?q=web&n=25", hub.Requests[0].Target);
        Assert.Equal("web\n", Conman($"search -f stars=100 --format '{{{{.Name}}}}' {hub.Domain}/web"));
        Assert.Equal("me/web\n", Conman($"search -f is-official=false --format '{{{{.Name}}}}' {hub.Domain}/web"));
        Assert.Contains("--filter color=red: stars=N", Conman($"search -f color=red {hub.Domain}/web", 125), StringComparison.Ordinal);

        using var catalog = new HttpServer { Handler = (request, reply) =>
        {
            if (request.Path == "/v2/_catalog")
                reply.Send(200, """{"repositories":["team/web","team/db","web"]}"""u8);
        } };
        Assert.Equal($"{catalog.Domain}/team/web\n{catalog.Domain}/web\n", Conman($"search --format '{{{{.Name}}}}' {catalog.Domain}/web"));
        Assert.Equal($"{catalog.Domain}/team/web\n", Conman($"search --limit 1 --format '{{{{.Name}}}}' {catalog.Domain}/web"));
    }
}
