// A server of HTTP that does as badly as a test wants: answers are written to the connection by the byte.

using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Conman.Images.Tests.Registry;

/// <summary>A request as it came.</summary>
public sealed record Request(string Method, string Target, IReadOnlyDictionary<string, string> Headers, byte[] Body)
{
    public string Path => Target.Split('?')[0];

    public string? this[string header] => Headers.GetValueOrDefault(header);

    /// <summary>The first byte that is asked for by Range; null: all.</summary>
    public long? From => this["Range"] is { } range ? long.Parse(range["bytes=".Length..range.IndexOf('-', StringComparison.Ordinal)]) : null;

    /// <summary>The last byte that is asked for by Range.</summary>
    public long? To => this["Range"] is { } range && range[^1] != '-' ? long.Parse(range[(range.IndexOf('-', StringComparison.Ordinal) + 1)..]) : null;
}

/// <summary>The server's end of a connection, for one request.</summary>
public sealed class Reply(Stream stream, bool headOnly)
{
    /// <summary>The connection is closed after this answer.</summary>
    public bool Close { get; set; }

    public bool Answered { get; private set; }

    /// <summary>Writes bytes as they are.</summary>
    public void Raw(ReadOnlySpan<byte> bytes)
    {
        Answered = true;
        stream.Write(bytes);
        stream.Flush();
    }

    public void Raw(string text) => Raw(Encoding.UTF8.GetBytes(text));

    /// <summary>A whole answer.</summary>
    public void Send(int status, ReadOnlySpan<byte> body, params (string Name, string Value)[] headers) => Send(status, body, body.Length, headers);

    /// <summary>An answer whose length is not what it says.</summary>
    public void Send(int status, ReadOnlySpan<byte> body, long length, params (string Name, string Value)[] headers)
    {
        var head = new StringBuilder($"HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n");
        foreach (var (name, value) in headers)
            head.Append($"{name}: {value}\r\n");
        Raw(head.Append("\r\n").ToString());
        if (headOnly)
            return;
        Raw(body);
        Close |= body.Length != length;
    }
}

public sealed class HttpServer : IDisposable
{
    private readonly Socket _listener;
    private readonly X509Certificate2? _certificate;
    private readonly SslProtocols _protocols;
    private readonly List<Request> _requests = [];
    private readonly List<Socket> _connections = [];

    public HttpServer(X509Certificate2? certificate = null, SslProtocols protocols = SslProtocols.None, string address = "127.0.0.1")
    {
        (_certificate, _protocols) = (certificate, protocols);
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Parse(address), 0));
        _listener.Listen(50);
        new Thread(Accept) { IsBackground = true }.Start();
    }

    /// <summary>What becomes of a request; without an answer it is 404.</summary>
    public Action<Request, Reply> Handler { get; set; } = (_, _) => { };

    /// <summary>The root of the interface is answered without the handler.</summary>
    public bool AnswersPing { get; init; } = true;

    public int Port => ((IPEndPoint)_listener.LocalEndPoint!).Port;

    /// <summary>As references name it.</summary>
    public string Domain => $"127.0.0.1:{Port}";

    public string Url => (_certificate is null ? "http://" : "https://") + Domain;

    /// <summary>What was asked so far, <c>/v2/</c> aside.</summary>
    public IReadOnlyList<Request> Requests
    {
        get
        {
            lock (_requests)
                return [.. _requests.Where(r => r.Path != "/v2/")];
        }
    }

    /// <summary>How many connections there were.</summary>
    public int Connections
    {
        get
        {
            lock (_connections)
                return _connections.Count;
        }
    }

    public void Dispose()
    {
        _listener.Dispose();
        lock (_connections)
            _connections.ForEach(c => c.Dispose());
    }

    private void Accept()
    {
        while (true)
        {
            Socket connection;
            try
            {
                connection = _listener.Accept();
            }
            catch (SocketException)
            {
                return;
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            lock (_connections)
                _connections.Add(connection);
            new Thread(() => Serve(connection)) { IsBackground = true }.Start();
        }
    }

    private void Serve(Socket connection)
    {
        try
        {
            using var network = new NetworkStream(connection, ownsSocket: true);
            Stream stream = network;
            if (_certificate is not null)
            {
                var tls = new SslStream(network);
                tls.AuthenticateAsServer(_certificate, false, _protocols, false);
                stream = tls;
            }
            while (Read(stream) is { } request)
            {
                lock (_requests)
                    _requests.Add(request);
                var reply = new Reply(stream, request.Method == "HEAD");
                if (request.Path == "/v2/" && AnswersPing)
                    reply.Send(200, "{}"u8);
                else
                    Handler(request, reply);
                if (!reply.Answered)
                    reply.Send(404, """{"errors":[{"code":"NAME_UNKNOWN","message":"there is nothing"}]}"""u8);
                if (reply.Close)
                    return;
            }
        }
        catch (Exception e) when (e is IOException or AuthenticationException or ObjectDisposedException or SocketException)
        {
            // The client went away: often what the test is about.
        }
    }

    private static Request? Read(Stream stream)
    {
        var head = new List<byte>();
        while (head.Count < 4 || head[^1] != '\n' || head[^2] != '\r' || head[^3] != '\n')
        {
            var b = stream.ReadByte();
            if (b < 0 || b == 0x16) // a TLS handshake, where this speaks plain HTTP
                return null;
            head.Add((byte)b);
        }
        var lines = Encoding.UTF8.GetString([.. head]).Split("\r\n", StringSplitOptions.RemoveEmptyEntries);
        var headers = lines.Skip(1).Select(l => l.Split(": ", 2)).ToDictionary(l => l[0], l => l[1], StringComparer.OrdinalIgnoreCase);
        var words = lines[0].Split(' ');
        var body = new byte[headers.TryGetValue("Content-Length", out var length) ? int.Parse(length) : 0];
        stream.ReadExactly(body);
        return new Request(words[0], words[1], headers, body);
    }
}
