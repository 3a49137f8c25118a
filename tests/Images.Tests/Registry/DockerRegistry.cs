// Debian's docker-registry on a port of its own, with its own storage: the registry that does everything right.

using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Conman.Images.Tests.Registry;

public sealed class DockerRegistry : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("conman-test-");
    private readonly Process _process;

    /// <param name="more">Lines of its configuration, at the top level.</param>
    /// <param name="http">Lines below <c>http</c>.</param>
    public DockerRegistry(string more = "", string http = "")
    {
        Skip.IfNot(Available, "docker-registry is not installed");
        Port = FreePort();
        File.WriteAllText(_folder.FullName + "/config.yml",
            $"version: 0.1\nlog:\n  level: error\nstorage:\n  filesystem:\n    rootdirectory: {_folder.FullName}/data\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{Port}\n{http}{more}");
        _process = Process.Start(new ProcessStartInfo("docker-registry", ["serve", _folder.FullName + "/config.yml"]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        _process.ErrorDataReceived += (_, _) => { };
        _process.OutputDataReceived += (_, _) => { };
        _process.BeginErrorReadLine();
        _process.BeginOutputReadLine();
        for (var tries = 0; !Listens(); tries++)
        {
            Assert.True(tries < 600 && !_process.HasExited, "docker-registry does not start");
            Thread.Sleep(50);
        }
    }

    public static bool Available => File.Exists("/usr/bin/docker-registry");

    public int Port { get; }

    public string Domain => $"127.0.0.1:{Port}";

    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    public void Dispose()
    {
        _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _folder.Delete(recursive: true);
    }

    private bool Listens()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            socket.Connect(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
