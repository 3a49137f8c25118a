// A proxy that connects to one server whatever it is asked for, and remembers what that was.

using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Conman.Images.Tests.Registry;

public sealed class TunnelProxy : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _server;
    private readonly List<string> _asked = [];

    public TunnelProxy(int server)
    {
        _server = server;
        _listener.Start();
        new Thread(Accept) { IsBackground = true }.Start();
    }

    public string Url => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>The hosts that connections were asked for to.</summary>
    public IReadOnlyList<string> Asked
    {
        get
        {
            lock (_asked)
                return [.. _asked];
        }
    }

    public void Dispose() => _listener.Dispose();

    private void Accept()
    {
        try
        {
            while (true)
            {
                var client = _listener.AcceptTcpClient();
                new Thread(() => Serve(client)) { IsBackground = true }.Start();
            }
        }
        catch (SocketException)
        {
            // disposed
        }
    }

    private void Serve(TcpClient client)
    {
        try
        {
            var stream = client.GetStream();
            var head = new StringBuilder();
            for (int b; !head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal) && (b = stream.ReadByte()) >= 0;)
                head.Append((char)b);
            var words = head.ToString().Split(' ');
            lock (_asked)
                _asked.Add(words[0] + " " + words[1]);
            if (words[0] != "CONNECT")
                return;
            using var server = new TcpClient("127.0.0.1", _server);
            stream.Write("HTTP/1.1 200 Connected\r\n\r\n"u8);
            var back = server.GetStream().CopyToAsync(stream);
            stream.CopyTo(server.GetStream());
            server.Client.Shutdown(SocketShutdown.Send);
            back.Wait(TimeSpan.FromSeconds(5));
        }
        catch (Exception e) when (e is IOException or SocketException or AggregateException)
        {
            // One of the two went away.
        }
        finally
        {
            client.Dispose();
        }
    }
}
