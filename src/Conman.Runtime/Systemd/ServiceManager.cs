// systemd as it is asked to make, change and end a unit (org.freedesktop.systemd1(5)).

using Conman.Linux;

namespace Conman.Runtime.Systemd;

/// <summary>A connection to the host's systemd, or to that of a user.</summary>
internal sealed class ServiceManager : IDisposable
{
    private const string Service = "org.freedesktop.systemd1", Object = "/org/freedesktop/systemd1", Manager = "org.freedesktop.systemd1.Manager.";
    private const string UnitExists = "org.freedesktop.systemd1.UnitExists", NoSuchUnit = "org.freedesktop.systemd1.NoSuchUnit";

    private readonly Bus _bus;

    private ServiceManager(Bus bus) => _bus = bus;

    /// <summary>Connects by the message bus, or, where there is none, to systemd itself.</summary>
    /// <param name="user">That of the user whose XDG_RUNTIME_DIR the environment names.</param>
    public static ServiceManager Connect(bool user)
    {
        var runtime = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR");
        if (user && string.IsNullOrEmpty(runtime))
            throw new RuntimeException("cannot use the systemd of the user: XDG_RUNTIME_DIR is not set");
        var address = user ? UserBus(runtime!) : "/run/dbus/system_bus_socket";
        var bus = Bus.TryConnect(address, daemon: true, out var errno);
        if (bus is not null)
        {
            bus.Call("org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus.AddMatch", "s", w =>
                w.Text("type='signal',sender='org.freedesktop.systemd1',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'"));
        }
        bus ??= Bus.TryConnect(user ? runtime + "/systemd/private" : "/run/systemd/private", daemon: false, out _);
        return bus is not null
            ? new ServiceManager(bus)
            : throw new RuntimeException($"cannot use systemd cgroups: cannot connect to {address}: {LinuxException.Describe(errno)}");
    }

    public void Dispose() => _bus.Dispose();

    // "unix:path=/run/user/1000/bus,guid=…;…", with %XX for what is special (D-Bus specification, "Server Addresses").
    private static string UserBus(string runtime)
    {
        foreach (var address in (Environment.GetEnvironmentVariable("DBUS_SESSION_BUS_ADDRESS") ?? "").Split(';'))
        {
            if (address.StartsWith("unix:path=", StringComparison.Ordinal))
                return Uri.UnescapeDataString(address[10..].Split(',')[0]);
        }
        return runtime + "/bus";
    }

    /// <summary>The cgroup below which this systemd has its units: empty for the hierarchy's root.</summary>
    public string ControlGroup()
    {
        try
        {
            var answer = _bus.Call(Service, Object, "org.freedesktop.DBus.Properties.Get", "ss", w =>
            {
                w.Text("org.freedesktop.systemd1.Manager");
                w.Text("ControlGroup");
            });
            var reader = new BusReader(answer.Body);
            reader.Signature();
            return reader.Text().TrimEnd('/');
        }
        catch (BusException e)
        {
            throw new RuntimeException($"cannot use systemd cgroups: {e.Message}", e); // a bus, and no systemd on it
        }
    }

    /// <summary>Makes and starts a unit that lives until it is stopped or empty, and waits until it is there.</summary>
    public void Start(string unit, IReadOnlyList<(string Name, BusValue Value)> properties)
    {
        try
        {
            TryStart(unit, properties);
        }
        catch (BusException e) when (e.Name == UnitExists)
        {
            // One that has failed is kept for its owner to look at: ours, from before. One that runs stays.
            Forget(unit);
            try
            {
                TryStart(unit, properties);
            }
            catch (BusException again)
            {
                throw Failure("start", unit, again);
            }
        }
        catch (BusException e)
        {
            throw Failure("start", unit, e);
        }
    }

    private void TryStart(string unit, IReadOnlyList<(string Name, BusValue Value)> properties) =>
        AwaitJob("start", unit, _bus.Call(Service, Object, Manager + "StartTransientUnit", "ssa(sv)a(sa(sv))", w =>
        {
            w.Text(unit);
            w.Text("replace");
            Write(w, properties);
            w.Array(8, () => { });
        }));

    /// <summary>Changes properties until the next boot.</summary>
    public void Change(string unit, IReadOnlyList<(string Name, BusValue Value)> properties)
    {
        try
        {
            _bus.Call(Service, Object, Manager + "SetUnitProperties", "sba(sv)", w =>
            {
                w.Text(unit);
                BusValue.Of(true).Write(w);
                Write(w, properties);
            });
        }
        catch (BusException e)
        {
            throw Failure("change", unit, e);
        }
    }

    /// <summary>Stops a unit and forgets it. One that is gone already is success.</summary>
    public void Stop(string unit)
    {
        try
        {
            AwaitJob("stop", unit, _bus.Call(Service, Object, Manager + "StopUnit", "ss", w =>
            {
                w.Text(unit);
                w.Text("replace");
            }));
            Forget(unit);
        }
        catch (BusException e) when (e.Name == NoSuchUnit)
        {
        }
        catch (BusException e)
        {
            throw Failure("stop", unit, e);
        }
    }

    private void Forget(string unit)
    {
        try
        {
            _bus.Call(Service, Object, Manager + "ResetFailedUnit", "s", w => w.Text(unit));
        }
        catch (BusException)
        {
            // It had not failed, or is gone.
        }
    }

    private static void Write(BusWriter writer, IReadOnlyList<(string Name, BusValue Value)> properties) => writer.Array(8, () =>
    {
        foreach (var (name, value) in properties)
        {
            writer.Align(8);
            writer.Text(name);
            writer.Variant(value);
        }
    });

    // The answer names a job; JobRemoved (number, job, unit, result) tells its end, perhaps before the answer.
    private void AwaitJob(string verb, string unit, BusMessage answer)
    {
        var job = new BusReader(answer.Body).Text();
        for (; ; )
        {
            foreach (var signal in _bus.Signals)
            {
                if (signal.Member != "JobRemoved" || signal.Signature != "uoss")
                    continue;
                var reader = new BusReader(signal.Body);
                reader.Number();
                if (reader.Text() != job)
                    continue;
                reader.Text();
                var result = reader.Text();
                if (result != "done")
                    throw new RuntimeException($"cannot {verb} systemd unit {unit}: the job's result is {result}");
                return;
            }
            _bus.Signals.Clear();
            var message = _bus.Receive();
            if (message.Type == BusMessage.Signal)
                _bus.Signals.Add(message);
        }
    }

    private static RuntimeException Failure(string verb, string unit, BusException e) => new($"cannot {verb} systemd unit {unit}: {e.Message}", e);
}
