// Network namespaces for tests: a "host" that is not this machine, and, where it is asked for, somebody outside of it. They end with the test.
using System.Diagnostics;

namespace Conman.Integration.Tests;

/// <summary>A network namespace, held by a process that ends when this object is disposed, or its maker is killed.</summary>
public sealed class TestNetwork : IDisposable
{
    /// <summary>The host of all tests that do not care: they must not touch the machine's own network.</summary>
    public static readonly Lazy<TestNetwork> Shared = new(() => new TestNetwork());

    private readonly Process _holder;

    public TestNetwork()
    {
        // Nothing but its standard input keeps it: that ends with this process, however it ends. Addresses are of use at once: while the kernel
        // looks whether another has them, for a second or two, it asks no neighbour for his.
        _holder = Process.Start(new ProcessStartInfo("unshare", ["--net", "sh", "-ec", "ip link set lo up; echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad; echo ready; exec cat"]) { RedirectStandardInput = true, RedirectStandardOutput = true })!;
        Assert.Equal("ready", _holder.StandardOutput.ReadLine());
    }

    /// <summary>Where the kernel shows it.</summary>
    public string Path => $"/proc/{_holder.Id}/ns/net";

    /// <summary>Another namespace at the other end of a wire: 192.0.2.1 and 2001:db8::1 here, .2 and ::2 there, through which each reaches the world.</summary>
    public TestNetwork Outside()
    {
        var outside = new TestNetwork();
        Shell($"""
            ip link add up0 type veth peer name out0 netns {outside._holder.Id}
            ip addr add 192.0.2.1/24 dev up0; ip addr add 2001:db8::1/64 dev up0 nodad; ip link set up0 up
            ip route add default via 192.0.2.2; ip -6 route add default via 2001:db8::2 dev up0
            """);
        outside.Shell("ip addr add 192.0.2.2/24 dev out0; ip addr add 2001:db8::2/64 dev out0 nodad; ip link set out0 up");
        return outside;
    }

    /// <summary>Runs a script in it, which must succeed; what it printed.</summary>
    public string Shell(string script)
    {
        var (output, code, error) = Run(script);
        Assert.True(code == 0, $"{script}: {error}");
        return output;
    }

    /// <summary>What a server answers; empty if there is none.</summary>
    /// <param name="address">As socat(1) has them: TCP:192.0.2.1:80.</param>
    public string Ask(string address) =>
        Run("timeout 10 " + Question(address)).Output.TrimEnd('\n');

    /// <summary>The command that asks. Of TCP nothing is sent: a server that closes with something unread resets the connection, and its answer is lost; the first packet over IPv6 is sent again after a second. Of UDP the end is a silence, and a packet may be lost.</summary>
    public static string Question(string address) => address.StartsWith("TCP", StringComparison.Ordinal)
        ? $"/usr/bin/socat -u -T 3 {address},connect-timeout=3 -" : $"sh -c 'for try in 1 2 3; do answer=$(echo question | /usr/bin/socat -t 2 -T 2 - {address}); [ -z \"$answer\" ] || break; done; echo \"$answer\"'";

    /// <summary>Starts a server, which ends with the namespace's holder at the latest.</summary>
    public IDisposable Serve(string listen, string answer)
    {
        var server = Process.Start(new ProcessStartInfo("nsenter", ["--net=" + Path, "socat", listen, $"SYSTEM:{answer}"]))!;
        Wait.Until(() => Run("ss -Hltun").Output.Contains(':' + listen.Split(':')[1].Split(',')[0] + " ", StringComparison.Ordinal), "the server");
        return new Killer(server);
    }

    public void Dispose()
    {
        _holder.StandardInput.Close();
        _holder.WaitForExit();
        _holder.Dispose();
    }

    private (string Output, int Code, string Error) Run(string script)
    {
        using var shell = Process.Start(new ProcessStartInfo("nsenter", ["--net=" + Path, "sh", "-ec", script]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var error = shell.StandardError.ReadToEndAsync();
        string output = shell.StandardOutput.ReadToEnd();
        shell.WaitForExit();
        return (output, shell.ExitCode, error.Result);
    }

    private sealed class Killer(Process process) : IDisposable
    {
        public void Dispose()
        {
            process.Kill();
            process.WaitForExit();
            process.Dispose();
        }
    }
}
