// One exchange over HTTP with a registry, or with where it sends to: connections, TLS, redirects, and errors in words.
//
// Redirects are followed by hand: never from https to http, never with the credentials to another host. Addresses of the local link (those of
// cloud metadata among them) are reached only where they are the registry's own. The framework's messages are stripped: every error is worded here.

using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Conman.Images.Registry;

/// <summary>A request that can be sent again.</summary>
internal sealed record Call(HttpMethod Method, Uri Address)
{
    public List<(string Name, string Value)> Headers { get; init; } = [];

    /// <summary>Makes the body; null: there is none.</summary>
    public Func<HttpContent>? Content { get; init; }

    /// <summary>What a token is asked for: <c>repository:NAME:pull</c>, several separated by spaces.</summary>
    public string Scope { get; init; } = "";
}

internal sealed class HttpTransport : IDisposable
{
    private readonly string _host;
    private readonly TlsSettings _tls;
    private readonly TransferLimits _limits;
    private readonly string _agent;
    private readonly HttpClient _client;

    // Why the last certificate of a host was refused: the handshake runs on another thread than the request.
    private readonly ConcurrentDictionary<string, string> _refused = new(StringComparer.OrdinalIgnoreCase);

    /// <param name="host">The registry's own name or address, without its port.</param>
    public HttpTransport(string host, TlsSettings tls, TransferLimits limits, string agent)
    {
        (_host, _tls, _limits, _agent) = (host, tls, limits, agent);
        _client = new HttpClient(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            AutomaticDecompression = DecompressionMethods.None,
            MaxResponseHeadersLength = TransferLimits.LongestHeaders,
            ConnectTimeout = limits.Connect,
            ConnectCallback = Connect,
            Proxy = new Proxies(),
            SslOptions = new SslClientAuthenticationOptions
            {
                EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                RemoteCertificateValidationCallback = Validate,
                ClientCertificates = tls.ClientCertificates,
            },
        })
        { Timeout = Timeout.InfiniteTimeSpan };
    }

    public void Dispose() => _client.Dispose();

    /// <summary>Sends a request and follows redirects; the answer's body is still to be read.</summary>
    /// <param name="authorization">Goes to the call's own host only.</param>
    /// <exception cref="RegistryException">There is no answer.</exception>
    public HttpResponseMessage Send(Call call, string? authorization)
    {
        var (address, method) = (call.Address, call.Method);
        for (var redirects = 0; ; redirects++)
        {
            using var request = new HttpRequestMessage(method, address);
            request.Headers.TryAddWithoutValidation("User-Agent", _agent);
            foreach (var (name, value) in call.Headers)
                request.Headers.TryAddWithoutValidation(name, value);
            if (authorization is not null && SameHost(address, call.Address))
                request.Headers.TryAddWithoutValidation("Authorization", authorization);
            if (method == call.Method)
                request.Content = call.Content?.Invoke();
            var response = Exchange(request);
            if (response.StatusCode is not (HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect)
                || response.Headers.Location is not { } location)
                return response;
            response.Dispose();
            if (redirects == TransferLimits.MostRedirects)
                throw new RegistryException($"{call.Address.Authority} redirects more than {TransferLimits.MostRedirects} times");
            var target = new Uri(address, location);
            if (target.Scheme is not ("https" or "http"))
                throw new RegistryException($"{address.Authority} redirects to {target.Scheme}:, which is no address of a registry");
            if (address.Scheme == Uri.UriSchemeHttps && target.Scheme != Uri.UriSchemeHttps)
                throw new RegistryException($"{address.Authority} redirects from https to http ({target.Authority}): refused, since nothing would protect what comes");
            if (response.StatusCode == HttpStatusCode.SeeOther && method != HttpMethod.Head)
                method = HttpMethod.Get;
            address = target;
        }
    }

    /// <summary>Reads a body to its end.</summary>
    /// <param name="limit">Bytes; a longer one is refused.</param>
    public byte[] ReadAll(HttpResponseMessage response, int limit)
    {
        var bytes = new MemoryStream();
        Read(response, bytes.Write, limit);
        return bytes.ToArray();
    }

    public delegate void Taker(ReadOnlySpan<byte> bytes);

    /// <summary>Hands a body on, piece by piece.</summary>
    /// <param name="take">Its errors are its own.</param>
    /// <param name="limit">Bytes; what would follow is refused.</param>
    /// <returns>How many came until its end.</returns>
    public long Read(HttpResponseMessage response, Taker take, long limit)
    {
        var authority = Authority(response);
        if (response.Content.Headers.ContentLength > limit)
            throw new RegistryException($"{authority} sends {response.Content.Headers.ContentLength} bytes where at most {limit} are expected");
        var buffer = GC.AllocateUninitializedArray<byte>((int)Math.Min(256 << 10, limit + 1));
        long total = 0, since = Environment.TickCount64, recent = 0;
        Stream body;
        try
        {
            body = response.Content.ReadAsStream();
        }
        catch (Exception e) when (IsOfConnection(e))
        {
            throw Explain(e, authority);
        }
        while (true)
        {
            int n;
            try
            {
                n = body.Read(buffer);
            }
            catch (Exception e) when (IsOfConnection(e))
            {
                throw Explain(e, authority);
            }
            if (n == 0)
                return total;
            if (total + n > limit)
                throw new RegistryException($"{authority} sends more than the {limit} bytes that are expected");
            take(buffer.AsSpan(0, n));
            total += n;
            recent += n;
            // One byte now and then is as good as none.
            var now = Environment.TickCount64;
            if (now - since < _limits.Idle.TotalMilliseconds)
                continue;
            if (recent < _limits.LeastBytes)
                throw new RegistryException($"{authority} sent no more than {recent} bytes in {(now - since) / 1000.0:0.#} seconds", transient: true);
            (since, recent) = (now, 0);
        }
    }

    public static string Authority(HttpResponseMessage response) => response.RequestMessage?.RequestUri?.Authority ?? "the registry";

    public static bool SameHost(Uri a, Uri b) => a.Scheme == b.Scheme && a.Host == b.Host && a.Port == b.Port;

    private HttpResponseMessage Exchange(HttpRequestMessage request)
    {
        using var patience = new CancellationTokenSource(_limits.Connect + _limits.Idle);
        if (request.Content is UploadContent upload)
            upload.Progressed = () => patience.CancelAfter(_limits.Idle);
        try
        {
            return _client.Send(request, HttpCompletionOption.ResponseHeadersRead, patience.Token);
        }
        catch (Exception e) when (IsOfConnection(e))
        {
            throw Explain(e, request.RequestUri!.Authority, request.RequestUri.Host);
        }
    }

    private ValueTask<Stream> Connect(SocketsHttpConnectionContext context, CancellationToken cancel)
    {
        var host = context.DnsEndPoint.Host.Trim('[', ']');
        var wanted = context.InitialRequestMessage.RequestUri!.Host.Trim('[', ']');
        // The registry's own address is the user's choice, as a proxy's is; any other is the registry's.
        var anywhere = wanted.Equals(_host, StringComparison.OrdinalIgnoreCase) || !host.Equals(wanted, StringComparison.OrdinalIgnoreCase);
        IPAddress[] addresses;
        try
        {
            addresses = IPAddress.TryParse(host, out var address) ? [address] : Dns.GetHostAddresses(host);
        }
        catch (SocketException e)
        {
            var again = e.SocketErrorCode == SocketError.TryAgain;
            throw new RegistryException($"cannot find the address of {host}: {(again ? "the name servers do not answer" : "there is no such host")}", transient: again, cause: e);
        }
        SocketException? failure = null;
        foreach (var address in addresses)
        {
            if (!anywhere && (address.IsIPv6LinkLocal || (address.AddressFamily == AddressFamily.InterNetwork && address.GetAddressBytes() is [169, 254, ..])
                || (address.IsIPv4MappedToIPv6 && address.MapToIPv4().GetAddressBytes() is [169, 254, ..])))
                throw new RegistryException($"{_host} sends to {host}, an address of the local link: refused");
            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                // SO_SNDTIMEO bounds connect(2) too.
                socket.SendTimeout = (int)_limits.Connect.TotalMilliseconds;
                socket.Connect(new IPEndPoint(address, context.DnsEndPoint.Port));
                socket.SendTimeout = socket.ReceiveTimeout = (int)_limits.Idle.TotalMilliseconds;
                return new(new NetworkStream(socket, ownsSocket: true));
            }
            catch (SocketException e)
            {
                socket.Dispose();
                failure ??= e;
            }
            cancel.ThrowIfCancellationRequested();
        }
        var refused = failure?.SocketErrorCode is SocketError.ConnectionRefused or SocketError.HostUnreachable or SocketError.NetworkUnreachable;
        throw new RegistryException($"cannot connect to {host}:{context.DnsEndPoint.Port}: {Describe(failure)}", transient: !refused, cause: failure);
    }

    private bool Validate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        var host = ((SslStream)sender).TargetHostName;
        if (_tls.Trusts(certificate, chain, errors) || (_tls.SkipVerify && host.Equals(_host, StringComparison.OrdinalIgnoreCase)))
            return true;
        _refused[host] = TlsSettings.Describe(certificate, chain, errors, host);
        return false;
    }

    private static bool IsOfConnection(Exception e) => e is HttpRequestException or IOException or OperationCanceledException or SocketException or ObjectDisposedException or InvalidOperationException;

    private RegistryException Explain(Exception e, string authority, string? host = null)
    {
        SocketException? socket = null;
        for (var inner = e; inner is not null; inner = inner.InnerException)
        {
            switch (inner)
            {
                case RegistryException own:
                    return own;
                case SocketException found:
                    socket = found;
                    break;
                case AuthenticationException when host is not null && _refused.TryRemove(host, out var why):
                    return new RegistryException($"{authority}: {why}", cause: e);
            }
        }
        if (e is OperationCanceledException || socket?.SocketErrorCode is SocketError.TimedOut or SocketError.WouldBlock)
            return new RegistryException($"{authority} sent nothing for {_limits.Idle.TotalSeconds:0.#} seconds", transient: true, cause: e);
        return (e as HttpRequestException)?.HttpRequestError switch
        {
            HttpRequestError.SecureConnectionError => new RegistryException(
                $"{authority}: the TLS handshake failed: TLS 1.2 or later is needed; a registry that speaks plain HTTP must be configured as insecure (see docs/registries.md)", cause: e),
            HttpRequestError.ConfigurationLimitExceeded => new RegistryException($"{authority} sends headers of more than {TransferLimits.LongestHeaders} KiB", cause: e),
            HttpRequestError.InvalidResponse => new RegistryException($"{authority} does not answer as HTTP says", cause: e),
            HttpRequestError.ProxyTunnelError => new RegistryException($"the proxy does not connect to {authority}", cause: e),
            _ when socket is not null => new RegistryException($"the connection to {authority} broke: {Describe(socket)}", transient: true, cause: e),
            _ => new RegistryException($"the connection to {authority} broke", transient: true, cause: e),
        };
    }

    private static string Describe(SocketException? e) => e?.SocketErrorCode switch
    {
        SocketError.ConnectionRefused => "connection refused",
        SocketError.ConnectionReset => "connection reset by peer",
        SocketError.HostUnreachable => "no route to host",
        SocketError.NetworkUnreachable => "network is unreachable",
        SocketError.TimedOut or SocketError.WouldBlock or SocketError.InProgress => "connection timed out",
        null => "it has no address",
        _ => $"error {e.NativeErrorCode}",
    };

    /// <summary>Proxies by the environment (http_proxy, https_proxy, no_proxy), but never for this machine.</summary>
    private sealed class Proxies : IWebProxy
    {
        public ICredentials? Credentials { get => HttpClient.DefaultProxy.Credentials; set => HttpClient.DefaultProxy.Credentials = value; }

        public Uri? GetProxy(Uri destination) => destination.IsLoopback ? null : HttpClient.DefaultProxy.GetProxy(destination);

        public bool IsBypassed(Uri host) => host.IsLoopback || HttpClient.DefaultProxy.IsBypassed(host);
    }
}
