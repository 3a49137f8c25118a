// The commands on networks: `conman network …`.

using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Networking;
using Conman.Engine.Settings;
using Conman.Formatting;
using Conman.Images.Store;
using Conman.Linux;
using Conman.Network;
using Conman.Network.Links;
using Conman.Network.Store;

namespace Conman;

internal static class NetworkCommands
{
    private static readonly Column[] Listed = [new("NETWORK ID", "ID"), new("NAME", "Name"), new("DRIVER", "Driver"), new("SCOPE", "Scope")];

    private static readonly Dictionary<string, string> Headings = new()
    {
        ["ID"] = "NETWORK ID", ["Name"] = "NAME", ["Driver"] = "DRIVER", ["Scope"] = "SCOPE", ["IPv4"] = "IPV4", ["IPv6"] = "IPV6", ["Internal"] = "INTERNAL", ["Labels"] = "LABELS",
        ["CreatedAt"] = "CREATED AT",
    };

    // What there is without a record: a container's network namespace is the host's, or has nothing but a loopback device.
    private static readonly NetworkRecord[] Predefined = [new() { Name = "host", Driver = "host", Id = new string('0', 63) + "1", EnableIPv4 = true, EnableIPv6 = true }, new() { Name = "none", Driver = "null", Id = new string('0', 63) + "2" }];

    public static List<Command> OfGroup(ManagerContext context) =>
    [
        Create(context), List(context, "ls"), List(context, "list"), Inspect(context), Remove(context, "rm"), Remove(context, "remove"), Connect(context), Disconnect(context), Prune(context),
        Reload(context), Exists(context),
    ];

    /// <summary>What inspect shows of a network, or null.</summary>
    public static JsonObject? TryInspect(ContainerEngine engine, string name) => TryFind(engine, name) is { } network ? Shown(engine, network) : null;

    private static Command Create(ManagerContext context) => new("create", "NETWORK", "Create a network",
        [
            new("attachable", "of clusters, which there are not here"),
            new("aux-address", "an address in it that is somebody else's", "NAME=ADDRESS", Repeats: true),
            new("driver", "bridge or macvlan", "DRIVER", 'd'),
            new("gateway", "the host's address in a subnet", "ADDRESS", Repeats: true),
            new("internal", "no way out of it, and none in"),
            new("ip-range", "the part of a subnet that containers get addresses from", "SUBNET", Repeats: true),
            new("ipv4", "=false: without IPv4"),
            new("ipv6", "=false: without IPv6"),
            new("label", "a label", "KEY[=VALUE]", Repeats: true),
            new("opt", "an option of the driver", "NAME=VALUE", 'o', Repeats: true),
            new("subnet", "its addresses", "SUBNET", Repeats: true),
        ],
        arguments =>
        {
            var network = Asked(arguments);
            context.Engine.Networks.Create(network);
            context.Engine.Events.Append("network", "create", network.Id, new() { ["name"] = network.Name, ["type"] = network.Driver });
            Output.Write(network.Id + "\n");
            return 0;
        }) { Count = (1, 1) };

    private static NetworkRecord Asked(Arguments arguments)
    {
        if (arguments.Has("attachable"))
            throw new UsageException("--attachable: of networks of clusters, which conman has not: every network can be joined");
        Dictionary<string, string>? labels = null, options = null;
        foreach (var label in arguments.All("label"))
            EnvironmentValues.Label("label", label, ref labels);
        foreach (var option in arguments.All("opt"))
            EnvironmentValues.Pair("opt", option, ref options);
        var network = new NetworkRecord
        {
            Name = arguments.Words[0],
            Driver = arguments.Get("driver") ?? NetworkRecord.BridgeDriver,
            Internal = arguments.Has("internal"),
            EnableIPv4 = arguments.Get("ipv4") is null || arguments.Has("ipv4"),
            EnableIPv6 = arguments.Get("ipv6") is null ? HostSettings.HasV6 : arguments.Has("ipv6"),
            Labels = labels,
        };
        NetworkOptions.Apply(network, options);
        AddPools(network, arguments);
        return network;
    }

    // Gateways, ranges and other people's addresses go to the subnet that they lie in.
    private static void AddPools(NetworkRecord network, Arguments arguments)
    {
        foreach (var text in arguments.All("subnet"))
        {
            var subnet = Checked("subnet", text, Network.Addresses.Subnet.Parse);
            if (network.Pool(subnet.IsV6) is not null)
                throw new UsageException($"--subnet {text}: a network has one subnet of each family");
            if (subnet.IsV6 ? !network.EnableIPv6 && arguments.Get("ipv6") is not null : !network.EnableIPv4)
                throw new UsageException($"--subnet {text}: contradicts --ipv{(subnet.IsV6 ? 6 : 4)}=false");
            (network.Pools ??= []).Add(new NetworkPool { Subnet = subnet.ToString() });
            network.EnableIPv6 |= subnet.IsV6;
        }
        foreach (var gateway in arguments.All("gateway"))
            Pool("gateway", gateway, gateway).Gateway = gateway;
        foreach (var range in arguments.All("ip-range"))
            Pool("ip-range", range, range.Split('/')[0]).IPRange = range;
        foreach (var text in arguments.All("aux-address"))
        {
            var equals = text.IndexOf('=');
            if (equals <= 0)
                throw new UsageException($"--aux-address {text}: NAME=ADDRESS is expected");
            (Pool("aux-address", text, text[(equals + 1)..]).AuxiliaryAddresses ??= [])[text[..equals]] = text[(equals + 1)..];
        }
        if (network.Driver == NetworkRecord.MacvlanDriver && network.Pools is null)
            throw new UsageException("--driver macvlan: --subnet is needed: it is that of the wire");

        NetworkPool Pool(string flag, string text, string address)
        {
            if (Network.Addresses.Subnet.TryNumber(address, out var number, out var v6))
            {
                foreach (var pool in network.Pools ?? [])
                {
                    var subnet = Network.Addresses.Subnet.Parse(pool.Subnet);
                    if (subnet.IsV6 == v6 && subnet.Contains(number))
                        return pool;
                }
            }
            throw new UsageException($"--{flag} {text}: it is in no --subnet");
        }
    }

    private static T Checked<T>(string flag, string text, Func<string, T> parse)
    {
        try
        {
            return parse(text);
        }
        catch (NetworkException e)
        {
            throw new UsageException($"--{flag} {text}: {e.Message}");
        }
    }

    private static Command List(ManagerContext context, string name) => new(name, "", "List networks",
        [
            new("filter", "only those with driver=DRIVER, id=ID, label=KEY[=VALUE], name=PART, type=custom|builtin or dangling=BOOL", "FILTER", 'f', Repeats: true),
            new("format", "table, json or a Go template", "FORMAT"),
            new("no-trunc", "show whole ids"),
            new("quiet", "show ids only", Short: 'q'),
        ],
        arguments =>
        {
            var networks = Filter(context.Engine, All(context.Engine), arguments.All("filter"));
            Table.Write(networks.ConvertAll(n => Row(n, arguments.Has("no-trunc"))), arguments.Get("format"), arguments.Has("quiet") ? "ID" : null, Listed, Headings);
            return 0;
        }) { Count = (0, 0) };

    private static Command Inspect(ManagerContext context) => new("inspect", "NETWORK...", "Show everything that is known of networks",
        [new("format", "json or a Go template", "FORMAT", 'f'), new("verbose", "as without it: it is for clusters", Short: 'v')],
        arguments => Inspected.Show(arguments.Words, word => TryInspect(context.Engine, word), arguments.Get("format"), words => $"network {words} not found")) { Count = (1, int.MaxValue) };

    private static Command Remove(ManagerContext context, string name) => new(name, "NETWORK...", "Remove networks that no running container is in",
        [new("force", "one that is not there is no error", Short: 'f')],
        arguments => Targets.Each(arguments.Words, word =>
        {
            var engine = context.Engine;
            if (Array.Exists(Predefined, p => p.Name == word))
                throw new EngineException($"{word} is a pre-defined network and cannot be removed");
            if (engine.Networks.Store.TryFind(word) is not { } network)
            {
                if (!arguments.Has("force"))
                    throw new EngineException($"network {word} not found");
                return;
            }
            if (Members.Of(engine, network.Id) is [var member, ..])
                throw new EngineException($"error while removing network: network {network.Name} has active endpoints (name:\"{member.Name}\" id:\"{member.Id[..12]}\")");
            engine.Networks.Remove(network);
            engine.Events.Append("network", "destroy", network.Id, new() { ["name"] = network.Name, ["type"] = network.Driver });
        })) { Count = (1, int.MaxValue) };

    private static Command Connect(ManagerContext context) => new("connect", "NETWORK CONTAINER", "Connect a container, running or not, to a network",
        [
            new("alias", "a name of it in that network", "NAME", Repeats: true),
            new("gw-priority", "its way out is by the network with the highest", "N"),
            new("ip", "its address there", "ADDRESS"),
            new("ip6", "its IPv6 address there", "ADDRESS"),
            new("mac-address", "of its device", "ADDRESS"),
        ],
        arguments =>
        {
            var settings = new EndpointSettings();
            foreach (var (flag, value) in arguments.Given)
            {
                if (flag != "help")
                    NetworkValues.Set(settings, flag, value, "");
            }
            using var container = context.Engine.Containers.OpenLocked(arguments.Words[1]);
            Changes.Connect(context.Engine, container, arguments.Words[0], settings);
            return 0;
        }) { Count = (2, 2) };

    private static Command Disconnect(ManagerContext context) => new("disconnect", "NETWORK CONTAINER", "Take a container, running or not, out of a network",
        [new("force", "one that is not in it is no error", Short: 'f')],
        arguments =>
        {
            try
            {
                using var container = context.Engine.Containers.OpenLocked(arguments.Words[1]);
                Changes.Disconnect(context.Engine, container, arguments.Words[0]);
            }
            catch (EngineException) when (arguments.Has("force"))
            {
                // It is not in it.
            }
            return 0;
        }) { Count = (2, 2) };

    private static Command Prune(ManagerContext context) => new("prune", "", "Remove networks that no container has, and from the kernel what no running container uses",
        [new("filter", "only those with label=KEY[=VALUE], label!=KEY[=VALUE] or until=TIME", "FILTER", Repeats: true), new("force", "do not ask", Short: 'f')],
        arguments =>
        {
            if (!arguments.Has("force") && !Prompt.Confirms("WARNING! This will remove all custom networks not used by at least one container."))
                return 0;
            RemoveUnused(context.Engine, arguments.All("filter"));
            return 0;
        }) { Count = (0, 0) };

    /// <summary>Removes networks that no container has, and tells of each.</summary>
    public static void RemoveUnused(ContainerEngine engine, List<string> filters)
    {
        var used = Used(engine);
        var removed = new List<string>();
        foreach (var network in Filter(engine, engine.Networks.Store.All(), filters))
        {
            if (used.Contains(network.Name) || network.IsDefault)
                continue;
            engine.Networks.Remove(network);
            removed.Add(network.Name);
        }
        engine.Networks.RemoveUnused();
        Changes.CollectPluginGarbage(engine);
        if (removed.Count > 0)
            Output.Write("Deleted Networks:\n" + string.Join('\n', removed) + "\n\n");
    }

    private static Command Reload(ManagerContext context) => new("reload", "[CONTAINER...]", "Make packet rules again, as the containers that run need them: somebody has removed them",
        [new("all", "as without it: all are made at once", Short: 'a')],
        arguments =>
        {
            foreach (var word in arguments.Words)
                context.Engine.Containers.Resolve(word);
            context.Engine.Networks.Restore();
            Changes.CheckPlugins(context.Engine);
            return 0;
        }) { Count = (0, int.MaxValue) };

    private static Command Exists(ManagerContext context) => new("exists", "NETWORK", "Exit with 0 if a network exists, else with 1", [],
        arguments => TryFind(context.Engine, arguments.Words[0]) is null ? 1 : 0);

    private static NetworkRecord? TryFind(ContainerEngine engine, string text) =>
        Array.Find(Predefined, p => p.Name == text) ?? (text == NetworkRecord.DefaultName ? engine.Networks.Find(text) : engine.Networks.Store.TryFind(text));

    private static List<NetworkRecord> All(ContainerEngine engine)
    {
        engine.Networks.Find(NetworkRecord.DefaultName); // there always
        List<NetworkRecord> all = [.. engine.Networks.Store.All(), .. Predefined];
        all.Sort(static (a, b) => string.CompareOrdinal(a.Name, b.Name));
        return all;
    }

    // Names of networks that some container has, running or not.
    private static HashSet<string> Used(ContainerEngine engine)
    {
        var used = new HashSet<string>();
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is not null)
                used.UnionWith(NetworkView.Names(container));
        }
        return used;
    }

    // Several values of one kind are alternatives, except of labels.
    private static List<NetworkRecord> Filter(ContainerEngine engine, List<NetworkRecord> networks, List<string> filters)
    {
        foreach (var group in filters.ConvertAll(Split).GroupBy(static f => f.Key))
        {
            var values = group.Select(static f => f.Value).ToList();
            networks = group.Key switch
            {
                "driver" => networks.FindAll(n => values.Contains(n.Driver)),
                "id" => networks.FindAll(n => values.Exists(v => n.Id.StartsWith(v, StringComparison.Ordinal))),
                "name" => networks.FindAll(n => values.Exists(v => n.Name.Contains(v, StringComparison.Ordinal))),
                "label" => networks.FindAll(n => values.TrueForAll(v => HasLabel(n, v))),
                "label!" => networks.FindAll(n => !values.Exists(v => HasLabel(n, v))),
                "scope" => networks.FindAll(_ => values.Contains("local")),
                "type" => networks.FindAll(n => values.Contains(IsBuiltIn(n) ? "builtin" : "custom")),
                "dangling" => Dangling(values[^1]),
                "until" => networks.FindAll(n => values.TrueForAll(v => Time.Parse(n.Created) < ImageFilters.Until(v, DateTimeOffset.UtcNow))),
                _ => throw new UsageException($"--filter {group.Key}: there is no such filter"),
            };
        }
        return networks;

        List<NetworkRecord> Dangling(string value)
        {
            var wanted = Arguments.Truth(value) ?? throw new UsageException($"--filter dangling={value}: true or false is expected");
            var used = Used(engine);
            return networks.FindAll(n => (!used.Contains(n.Name) && !IsBuiltIn(n)) == wanted);
        }

        static (string Key, string Value) Split(string filter)
        {
            var equals = filter.IndexOf('=');
            return equals > 0 ? (filter[..equals], filter[(equals + 1)..]) : throw new UsageException($"--filter {filter}: KEY=VALUE is expected");
        }
    }

    private static bool IsBuiltIn(NetworkRecord network) => network.IsDefault || Array.Exists(Predefined, p => p.Name == network.Name);

    private static bool HasLabel(NetworkRecord network, string label)
    {
        var equals = label.IndexOf('=');
        return network.Labels is { } labels && labels.TryGetValue(equals < 0 ? label : label[..equals], out var value) && (equals < 0 || value == label[(equals + 1)..]);
    }

    private static JsonObject Row(NetworkRecord network, bool whole) => new()
    {
        ["ID"] = whole ? network.Id : network.Id[..12], ["Name"] = network.Name, ["Driver"] = network.Driver, ["Scope"] = "local", ["IPv4"] = network.EnableIPv4 ? "true" : "false",
        ["IPv6"] = network.EnableIPv6 ? "true" : "false", ["Internal"] = network.Internal ? "true" : "false", ["CreatedAt"] = network.Created,
        ["Labels"] = string.Join(',', (network.Labels ?? []).Select(l => l.Key + "=" + l.Value)),
    };

    private static JsonObject Shown(ContainerEngine engine, NetworkRecord network)
    {
        var containers = new JsonObject();
        foreach (var member in Members.Of(engine, network.Id))
        {
            containers[member.Id] = new JsonObject
            {
                ["Name"] = member.Name,
                ["EndpointID"] = member.Endpoint.Id,
                ["MacAddress"] = member.Endpoint.MacAddress,
                ["IPv4Address"] = member.Endpoint.IPv4.Length > 0 ? $"{member.Endpoint.IPv4}/{member.Endpoint.PrefixLength4}" : "",
                ["IPv6Address"] = member.Endpoint.IPv6.Length > 0 ? $"{member.Endpoint.IPv6}/{member.Endpoint.PrefixLength6}" : "",
            };
        }
        return new JsonObject
        {
            ["Name"] = network.Name,
            ["Id"] = network.Id,
            ["Created"] = network.Created.Length > 0 ? network.Created : Time.Never,
            ["Scope"] = "local",
            ["Driver"] = network.Driver,
            ["EnableIPv4"] = network.EnableIPv4,
            ["EnableIPv6"] = network.EnableIPv6,
            ["IPAM"] = new JsonObject
            {
                ["Driver"] = "default",
                ["Options"] = null,
                ["Config"] = new JsonArray([.. (network.Pools ?? []).Select(Pool)]),
            },
            ["Internal"] = network.Internal,
            ["Attachable"] = false,
            ["Ingress"] = false,
            ["ConfigFrom"] = new JsonObject { ["Network"] = "" },
            ["ConfigOnly"] = false,
            ["Containers"] = containers,
            ["Options"] = Json.Map(network.Options ?? []),
            ["Labels"] = Json.Map(network.Labels ?? []),
            ["Interface"] = network.Device,
        };

        static JsonNode Pool(NetworkPool pool)
        {
            var shown = new JsonObject { ["Subnet"] = pool.Subnet };
            if (pool.IPRange.Length > 0)
                shown["IPRange"] = pool.IPRange;
            if (pool.Gateway.Length > 0)
                shown["Gateway"] = pool.Gateway;
            if (pool.AuxiliaryAddresses is { } others)
                shown["AuxiliaryAddresses"] = Json.Map(others);
            return shown;
        }
    }
}
