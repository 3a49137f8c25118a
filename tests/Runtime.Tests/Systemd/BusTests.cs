// Our D-Bus client against the real message bus: calls, answers and errors of every size.

using System.Diagnostics;
using Conman.Runtime.Systemd;

namespace Conman.Runtime.Tests.Systemd;

public sealed class BusTests : IDisposable
{
    private const string Daemon = "org.freedesktop.DBus", Object = "/org/freedesktop/DBus";

    private readonly string _folder = Directory.CreateTempSubdirectory("conman-bus-").FullName;
    private readonly Process? _daemon;
    private readonly Bus? _bus;

    public BusTests()
    {
        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(f => f + "/dbus-daemon").FirstOrDefault(File.Exists);
        Skip.If(path is null, "needs dbus-daemon");
        _daemon = Process.Start(new ProcessStartInfo(path, ["--session", "--nofork", "--print-address", "--address=unix:path=" + _folder + "/bus"]) { RedirectStandardOutput = true })!;
        _daemon.StandardOutput.ReadLine(); // its address: from here on it listens
        _bus = Bus.TryConnect(_folder + "/bus", daemon: true, out _);
    }

    public void Dispose()
    {
        _bus?.Dispose();
        _daemon?.Kill();
        _daemon?.WaitForExit();
        _daemon?.Dispose();
        Directory.Delete(_folder, recursive: true);
    }

    [SkippableFact]
    public void A_call_is_answered()
    {
        var answer = _bus!.Call(Daemon, Object, "org.freedesktop.DBus.NameHasOwner", "s", w => w.Text(Daemon));
        Assert.Equal(("b", 1u), (answer.Signature, new BusReader(answer.Body).Number()));
    }

    [SkippableFact]
    public void An_error_has_a_name_and_words()
    {
        var error = Assert.Throws<BusException>(() => _bus!.Call(Daemon, Object, "org.freedesktop.DBus.GetNameOwner", "s", w => w.Text("nobody.here")));
        Assert.Equal("org.freedesktop.DBus.Error.NameHasNoOwner", error.Name);
        Assert.Contains("nobody.here", error.Message);
    }

    [SkippableTheory]
    [InlineData(1)]
    [InlineData(5000)]
    [InlineData(100_000)]
    public void Messages_may_be_long(int length)
    {
        var error = Assert.Throws<BusException>(() => _bus!.Call(Daemon, Object, "org.freedesktop.DBus." + new string('a', 200), "s", w => w.Text(new string('x', length))));
        Assert.Equal("org.freedesktop.DBus.Error.UnknownMethod", error.Name);
    }

    [SkippableFact]
    public void Signals_in_between_are_kept()
    {
        _bus!.Call(Daemon, Object, "org.freedesktop.DBus.AddMatch", "s", w => w.Text("type='signal',member='NameOwnerChanged'"));
        _bus.Call(Daemon, Object, "org.freedesktop.DBus.RequestName", "su", w =>
        {
            w.Text("conman.test");
            w.Number(0u);
        });
        Assert.Contains(_bus.Signals, s => s.Member == "NameOwnerChanged" && s.Signature == "sss");
    }

    [SkippableFact]
    public void Where_nobody_listens_there_is_no_bus() => Assert.Null(Bus.TryConnect(_folder + "/other", daemon: true, out _));
}
