// Registries that break, stall, lie or attack (THREATS B1-B9). Times are shortened; none is measured.

using System.Globalization;
using System.Security.Authentication;
using System.Text;
using Conman.Images.Configuration;
using Conman.Images.References;
using Conman.Images.Registry;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Tests.Registry;

public sealed class HostileRegistryTests : IDisposable
{
    private readonly HttpServer _server = new();
    private readonly List<TimeSpan> _waits = [];
    private readonly RegistryTable _table = new();
    private Credential? _credential;
    private TransferLimits _limits;
    private RegistryClient? _client;

    public HostileRegistryTests() => _limits = new TransferLimits { Idle = TimeSpan.FromSeconds(20), Connect = TimeSpan.FromSeconds(5), Segment = 64 << 10, Plenty = long.MaxValue, LeastBytes = 1000, Wait = _waits.Add };

    private RegistryClient Client => _client ??= new RegistryClient(new RegistrySettings { Table = _table, Limits = _limits, Credentials = (_, _) => _credential });

    private ImageReference Repository => ImageReference.Parse(_server.Domain + "/repository:tag");

    public void Dispose()
    {
        _client?.Dispose();
        _server.Dispose();
    }

    private RegistryException Fails(Action action) => Assert.Throws<RegistryException>(action);

    private void Serves(Blob blob)
    {
        var sink = new Sink();
        Client.Download(Repository, blob.Descriptor, sink);
        Assert.Equal(blob.Bytes, sink.Bytes);
    }

    [Fact]
    public void B1_A_loop_of_redirects_ends()
    {
        _server.Handler = (r, reply) => reply.Send(307, [], ("Location", r.Path));
        Assert.Contains("redirects more than 10 times", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
        Assert.Equal(11, _server.Requests.Count);
    }

    [Theory]
    [InlineData("file:///etc/passwd"), InlineData("ftp://127.0.0.1/x"), InlineData("gopher://127.0.0.1/")]
    public void B1_Redirects_to_what_is_no_registry_are_refused(string target)
    {
        _server.Handler = (_, reply) => reply.Send(302, [], ("Location", target));
        Assert.Contains("which is no address of a registry", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void B2_No_redirect_leaves_TLS()
    {
        using var authority = new Authority();
        using var certificate = authority.Sign("127.0.0.1");
        using var secure = new HttpServer(certificate) { Handler = (r, reply) => reply.Send(307, [], ("Location", _server.Url + r.Path)) };
        Assert.Contains("redirects from https to http", Fails(() => Client.GetManifest(ImageReference.Parse(secure.Domain + "/a"))).Message, StringComparison.Ordinal);
        Assert.Empty(_server.Requests);
    }

    [Fact]
    public void B2_The_credentials_go_to_no_other_host()
    {
        _credential = new Credential("user", "secret");
        var blob = new Blob(1000);
        using var other = new HttpServer { Handler = (r, reply) => blob.Serve(r, reply) };
        _server.Handler = (r, reply) =>
        {
            if (r["Authorization"] is null)
                reply.Send(401, [], ("WWW-Authenticate", "Basic realm=\"x\""));
            else
                reply.Send(307, [], ("Location", other.Url + r.Path));
        };
        Serves(blob);
        Assert.Equal(_credential.Basic, _server.Requests[^1]["Authorization"]);
        Assert.Null(Assert.Single(other.Requests)["Authorization"]);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data"), InlineData("file:///etc/shadow"), InlineData("http://registry.example/token"), InlineData("//x")]
    [InlineData("https://user:password@registry.example/token")]
    public void B3_A_token_server_that_is_none_gets_no_password(string realm)
    {
        _credential = new Credential("user", "secret");
        _server.Handler = (_, reply) => reply.Send(401, [], ("WWW-Authenticate", $"Bearer realm=\"{realm}\",service=\"x\""));
        Assert.Contains("sends to the token server", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("https://169.254.169.254/token"), InlineData("https://[fe80::1]/token"), InlineData("https://[::ffff:169.254.169.254]/token")]
    public void B3_An_address_of_the_local_link_is_not_reached_for_a_registry(string realm)
    {
        _server.Handler = (r, reply) => reply.Send(401, [], ("WWW-Authenticate", $"Bearer realm=\"{realm}\""));
        Assert.Contains("an address of the local link: refused", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
        using var second = new RegistryClient(new RegistrySettings { Table = _table, Limits = _limits });
        _server.Handler = (r, reply) => reply.Send(307, [], ("Location", realm));
        Assert.Contains("an address of the local link: refused", Fails(() => second.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void B4_Headers_that_never_end_are_not_waited_for()
    {
        _limits = _limits with { Connect = TimeSpan.FromSeconds(0.5), Idle = TimeSpan.FromSeconds(0.5), Tries = 2 };
        _server.Handler = (_, reply) =>
        {
            reply.Raw("HTTP/1.1 200 OK\r\n");
            Drip(reply, "X: y\r\n");
        };
        Assert.Contains("sent nothing for 0.5 seconds (tried 2 times)", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void B4_A_body_that_drips_is_given_up()
    {
        _limits = _limits with { Idle = TimeSpan.FromSeconds(0.5), Tries = 2 };
        _server.Handler = (_, reply) =>
        {
            reply.Raw("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            Drip(reply, "x");
        };
        Assert.Contains("sent no more than", Fails(() => Client.Download(Repository, new Blob(100_000).Descriptor, new Sink())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void B4_A_body_that_stops_is_gone_on_with()
    {
        var blob = new Blob(100_000);
        using var held = new ManualResetEventSlim();
        _server.Handler = (r, reply) =>
        {
            if (r.From is null)
            {
                reply.Raw($"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
                reply.Raw(blob.Bytes.AsSpan(0, 70_000));
                held.Wait(TimeSpan.FromSeconds(20));
            }
            else
            {
                blob.Serve(r, reply);
            }
        };
        _limits = _limits with { Segment = 1 << 20, Idle = TimeSpan.FromSeconds(1) };
        Serves(blob);
        held.Set();
        Assert.Equal(70_000, _server.Requests[^1].From);
    }

    // Until the client hangs up.
    private static void Drip(Reply reply, string what)
    {
        for (var i = 0; i < 200; i++)
        {
            reply.Raw(what);
            Thread.Sleep(50);
        }
    }

    [Theory]
    [InlineData(-1), InlineData(1), InlineData(1 << 20)]
    public void B5_A_length_that_is_not_the_descriptors_is_not_believed(int more)
    {
        var blob = new Blob(50_000);
        _server.Handler = (r, reply) =>
        {
            if (r.From is not null)
                blob.Serve(r, reply);
            else if (more < 0)
                reply.Send(200, blob.Bytes.AsSpan(0, blob.Bytes.Length + more), blob.Bytes.Length + more);
            else
                reply.Send(200, [.. blob.Bytes, .. new byte[more]]);
        };
        if (more < 0)
            Serves(blob);
        else
            Assert.Contains($"sends {50_000 + more} bytes where at most 50000 are expected", Fails(() => Serves(blob)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void B5_A_body_in_chunks_that_does_not_end_is_cut_at_the_size()
    {
        var blob = new Blob(50_000);
        _server.Handler = (_, reply) =>
        {
            reply.Raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            for (var i = 0; i < 1000; i++)
                reply.Raw("2710\r\n" + new string('x', 10_000) + "\r\n");
        };
        Assert.Contains("sends more than the 50000 bytes that are expected", Fails(() => Serves(blob)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void B5_A_manifest_of_more_than_4_MiB_is_refused()
    {
        _server.Handler = (_, reply) => reply.Send(200, new byte[(4 << 20) + 1]);
        Assert.Contains("where at most 4194304 are expected", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(60_000), InlineData(1_000_000)]
    public void B6_A_download_that_is_cut_again_and_again_goes_on_where_it_was(int size)
    {
        var blob = new Blob(size);
        var cuts = 0;
        _server.Handler = (r, reply) => blob.Serve(r, reply, Interlocked.Increment(ref cuts) <= 5 ? (int)((r.To ?? size - 1) + 1 - (r.From ?? 0)) / 2 : null);
        _limits = _limits with { Tries = 8 };
        Serves(blob);
        Assert.Contains(_server.Requests, r => r.From > 0);
    }

    [Fact]
    public void B6_A_server_without_ranges_sends_all_anew()
    {
        var blob = new Blob(200_000);
        var first = true;
        _server.Handler = (r, reply) =>
        {
            reply.Send(200, blob.Bytes.AsSpan(0, first ? 100_000 : blob.Bytes.Length), blob.Bytes.Length);
            first = false;
        };
        var sink = new Sink();
        Client.Download(Repository, blob.Descriptor, sink);
        Assert.Equal((1, 2), (sink.Restarts, _server.Requests.Count));
        Assert.Equal(blob.Bytes, sink.Bytes);
    }

    [Theory]
    [InlineData("416"), InlineData("other part"), InlineData("no part"), InlineData("other size")]
    public void B6_What_cannot_be_gone_on_with_begins_anew(string how)
    {
        var blob = new Blob(60_000);
        _server.Handler = (r, reply) =>
        {
            if (r.From is null)
                reply.Send(200, blob.Bytes.AsSpan(0, _server.Requests.Count == 1 ? 30_000 : 60_000), 60_000);
            else if (how == "416")
                reply.Send(416, []);
            else if (how == "other part")
                reply.Send(206, blob.Bytes.AsSpan(0, 30_000), ("Content-Range", "bytes 0-29999/60000"));
            else if (how == "other size")
                reply.Send(206, blob.Bytes.AsSpan(30_000), ("Content-Range", "bytes 30000-59999/70000"));
            else
                reply.Send(206, blob.Bytes.AsSpan(30_000));
        };
        var sink = new Sink();
        Client.Download(Repository, blob.Descriptor, sink);
        Assert.Equal(blob.Bytes, sink.Bytes);
        Assert.Equal(1, sink.Restarts);
    }

    [Fact]
    public void B6_Content_that_has_changed_begins_anew()
    {
        var (old, blob) = (new Blob(60_000, seed: 2), new Blob(60_000));
        _server.Handler = (r, reply) =>
        {
            if (_server.Requests.Count == 1)
                old.Serve(r, reply, 30_000, "\"old\"");
            else
                blob.Serve(r, reply, null, "\"new\"");
        };
        Serves(blob);
    }

    [Fact]
    public void B6_Large_blobs_come_in_pieces_at_a_time_and_in_order()
    {
        var blob = new Blob(1_000_001);
        _server.Handler = (r, reply) => blob.Serve(r, reply);
        Serves(blob);
        Assert.Equal(16, _server.Requests.Count);
        Assert.All(_server.Requests, r => Assert.NotNull(r["Range"]));
    }

    [Fact]
    public void A_connection_that_is_fast_enough_stays_the_only_one()
    {
        var blob = new Blob(1_000_001);
        _server.Handler = (r, reply) => blob.Serve(r, reply);
        _limits = _limits with { Plenty = 0 };
        Serves(blob);
        Assert.Equal(["bytes=0-65535", "bytes=65536-1000000"], _server.Requests.Select(r => r["Range"]));
    }

    [Fact]
    public void B6_Pieces_that_fail_or_are_of_other_content_do_no_harm()
    {
        var blob = new Blob(2_000_000);
        var n = 0;
        _server.Handler = (r, reply) =>
        {
            switch (Interlocked.Increment(ref n) % 5)
            {
                case 1: blob.Serve(r, reply); break;
                case 2: blob.Serve(r, reply, 10_000); break;
                case 3: reply.Send(503, []); break;
                case 4: reply.Close = true; reply.Raw(""); break;
                default: blob.Serve(r, reply, 66_000); break;
            }
        };
        _limits = _limits with { Tries = 50, FirstWait = TimeSpan.Zero };
        Serves(blob);
    }

    [Fact]
    public void B6_A_part_that_was_there_before_is_not_asked_for_again()
    {
        var blob = new Blob(60_000);
        _server.Handler = (r, reply) => blob.Serve(r, reply);
        var sink = new Sink();
        sink.Write(blob.Bytes.AsSpan(0, 40_000));
        Client.Download(Repository, blob.Descriptor, sink);
        Assert.Equal(blob.Bytes, sink.Bytes);
        Assert.Equal("bytes=40000-59999", Assert.Single(_server.Requests)["Range"]);
        sink = new Sink();
        sink.Write(blob.Bytes);
        Client.Download(Repository, blob.Descriptor, sink);
        Assert.Single(_server.Requests);
    }

    [Theory]
    [InlineData(429), InlineData(500), InlineData(502), InlineData(503), InlineData(504), InlineData(408)]
    public void B7_A_busy_registry_is_asked_again_with_growing_waits(int status)
    {
        var blob = new Blob(1000);
        _server.Handler = (r, reply) =>
        {
            if (_server.Requests.Count < 5)
                reply.Send(status, []);
            else
                blob.Serve(r, reply);
        };
        Serves(blob);
        Assert.Equal(4, _waits.Count);
        Assert.All(_waits.Zip(_limits.FirstWait.TotalMilliseconds.Doubling()), w => Assert.InRange(w.First.TotalMilliseconds, w.Second / 2, w.Second));
    }

    [Fact]
    public void B7_Five_tries_are_enough()
    {
        _server.Handler = (_, reply) => reply.Send(503, """{"errors":[{"code":"UNAVAILABLE","message":"come \u001b[31mback"}]}"""u8);
        Assert.EndsWith("answers 503: come ?[31mback (tried 5 times)", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
        Assert.Equal(5, _server.Requests.Count);
    }

    [Fact]
    public void B7_Retry_After_is_honoured_in_seconds_and_as_a_date()
    {
        var blob = new Blob(1000);
        var dates = 0;
        _server.Handler = (r, reply) =>
        {
            var n = _server.Requests.Count;
            if (n <= 2)
                reply.Send(429, [], ("Retry-After", n == 1 ? "7" : DateTimeOffset.UtcNow.AddSeconds(20 + dates).ToString("r", CultureInfo.InvariantCulture)));
            else
                blob.Serve(r, reply);
        };
        Serves(blob);
        Assert.Equal(7, _waits[0].TotalSeconds);
        Assert.InRange(_waits[1].TotalSeconds, 10, 20);
    }

    [Theory]
    [InlineData("1000000000"), InlineData("99999999999999999999"), InlineData("Fri, 31 Dec 2999 23:59:59 GMT"), InlineData("61")]
    public void B7_Whoever_asks_for_more_than_a_minute_is_not_asked_again(string after)
    {
        _server.Handler = (_, reply) => reply.Send(429, [], ("Retry-After", after));
        var message = Fails(() => Client.GetManifest(Repository)).Message;
        Assert.Contains("limits the number of requests", message, StringComparison.Ordinal);
        Assert.True(_waits.Sum(w => w.TotalSeconds) <= 60, message);
        Assert.InRange(_server.Requests.Count, 1, 5);
    }

    [Fact]
    public void B7_Who_never_takes_a_token_is_not_asked_for_ever()
    {
        var tokens = 0;
        _server.Handler = (r, reply) =>
        {
            if (r.Path == "/token")
                reply.Send(200, Encoding.UTF8.GetBytes($$"""{"token":"t{{++tokens}}"}"""));
            else
                reply.Send(401, [], ("WWW-Authenticate", $"Bearer realm=\"{_server.Url}/token\",service=\"s\""));
        };
        Assert.Contains("denies access", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
        Assert.InRange(_server.Requests.Count, 2, 6);
    }

    [Theory]
    [InlineData("expired", "expired on"), InlineData("not yet", "not valid before"), InlineData("other host", "is not for 127.0.0.1 but for registry.example"), InlineData("unknown", "unknown authority (an authority of the tests)")]
    public void B8_A_certificate_that_is_not_right_is_refused_and_the_reason_is_told(string what, string expected)
    {
        using var authority = new Authority();
        using var certificate = what switch
        {
            "expired" => authority.Sign("127.0.0.1", -5, -1),
            "not yet" => authority.Sign("127.0.0.1", 1, 5),
            "other host" => authority.Sign("registry.example"),
            _ => authority.Sign("127.0.0.1"),
        };
        var ca = Path.GetTempFileName();
        try
        {
            File.WriteAllText(ca, authority.Pem);
            var tls = new TlsSettings();
            if (what != "unknown")
                tls.AddAuthorities(ca);
            using var server = new HttpServer(certificate);
            using var endpoint = new RegistryEndpoint(new HostSettings(server.Domain, MayBePlain: false, tls), _limits, "conman");
            var host = new RegistryHost(endpoint, _limits, () => null);
            var message = Fails(() => host.Send(new Call(HttpMethod.Get, host.At("v2/")), "test")).Message;
            Assert.Contains(expected, message, StringComparison.Ordinal);
            Assert.Empty(_waits);
        }
        finally
        {
            File.Delete(ca);
        }
    }

    [Fact]
    public void B8_An_authority_of_the_registrys_own_is_trusted()
    {
        using var authority = new Authority();
        using var certificate = authority.Sign("127.0.0.1");
        var ca = Path.GetTempFileName();
        try
        {
            File.WriteAllText(ca, authority.Pem);
            var tls = new TlsSettings();
            tls.AddAuthorities(ca);
            using var server = new HttpServer(certificate);
            using var endpoint = new RegistryEndpoint(new HostSettings(server.Domain, MayBePlain: false, tls), _limits, "conman");
            var host = new RegistryHost(endpoint, _limits, () => null);
            using var response = host.Send(new Call(HttpMethod.Get, host.At("v2/")), "test");
            Assert.True(response.IsSuccessStatusCode);
        }
        finally
        {
            File.Delete(ca);
        }
    }

    [Theory]
    [InlineData(false), InlineData(true)]
    public void B8_Without_TLS_of_today_there_is_no_exchange(bool plain)
    {
        using var authority = new Authority();
        using var certificate = authority.Sign("127.0.0.1");
#pragma warning disable SYSLIB0039, CA5397 // an old protocol is what is refused
        using var server = plain ? new HttpServer() : new HttpServer(certificate, SslProtocols.Tls11);
#pragma warning restore SYSLIB0039, CA5397
        using var endpoint = new RegistryEndpoint(new HostSettings(server.Domain, MayBePlain: false, new TlsSettings()), _limits, "conman");
        var host = new RegistryHost(endpoint, _limits, () => null);
        Assert.Contains("TLS 1.2 or later is needed", Fails(() => host.Send(new Call(HttpMethod.Get, host.At("v2/")), "test")).Message, StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public void B9_A_token_of_10_MiB_is_refused()
    {
        _server.Handler = (r, reply) =>
        {
            if (r.Path == "/token")
                reply.Send(200, Encoding.UTF8.GetBytes($$"""{"token":"{{new string('t', 10 << 20)}}"}"""));
            else
                reply.Send(401, [], ("WWW-Authenticate", $"Bearer realm=\"{_server.Url}/token\""));
        };
        Assert.Contains("where at most 1048576 are expected", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void B9_Headers_of_1_MiB_are_refused()
    {
        _server.Handler = (_, reply) => reply.Send(200, [], ("X", new string('x', 1 << 20)));
        Assert.Contains("headers of more than 64 KiB", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void B9_An_error_of_1_GiB_is_not_read()
    {
        _server.Handler = (_, reply) =>
        {
            reply.Raw($"HTTP/1.1 400 Bad\r\nContent-Length: {1 << 30}\r\n\r\n");
            try
            {
                for (var i = 0; i < 1 << 14; i++)
                    reply.Raw(new byte[1 << 16]);
            }
            finally
            {
                reply.Close = true;
            }
        };
        Assert.EndsWith("answers 400", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A14_A_manifest_that_is_not_what_its_digest_says_is_refused()
    {
        var content = """{"schemaVersion":2}"""u8.ToArray();
        _server.Handler = (_, reply) => reply.Send(200, content, ("Content-Type", MediaTypes.Manifest));
        Assert.Contains("sends another manifest", Fails(() => Client.GetManifest(Repository.WithDigest(Digest.Of("other"u8)))).Message, StringComparison.Ordinal);
        Assert.Equal(content, Client.GetManifest(Repository.WithDigest(Digest.Of(content))).Content);
        _server.Handler = (_, reply) => reply.Send(200, content, ("Content-Type", MediaTypes.Manifest), ("Docker-Content-Digest", Digest.Of("other"u8).ToString()));
        Assert.Contains("sends another manifest", Fails(() => Client.GetManifest(Repository)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_sink_throws_passes_through()
    {
        var blob = new Blob(300_000);
        _server.Handler = (r, reply) => blob.Serve(r, reply);
        Assert.Equal("full", Assert.Throws<ImageException>(() => Client.Download(Repository, blob.Descriptor, new Full())).Message);
        Assert.Empty(_waits);
    }

    private sealed class Full : IBlobSink
    {
        public long Written { get; private set; }

        public void Write(ReadOnlySpan<byte> bytes) => Written = Written < 150_000 ? Written + bytes.Length : throw new ImageException("full");

        public void Restart() => Written = 0;
    }
}

internal static class Extensions
{
    public static IEnumerable<double> Doubling(this double first)
    {
        for (; ; first *= 2)
            yield return first;
    }
}
