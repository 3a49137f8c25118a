// The files that belong to a container and not to its image: /etc/hostname, /etc/hosts and /etc/resolv.conf.

using System.Text;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

/// <summary>Writes them into the container's folder; they are mounted over the image's.</summary>
internal static class EtcFiles
{
    private const string NoHosts = "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::\tip6-localnet\nff00::\tip6-mcastprefix\nff02::1\tip6-allnodes\nff02::2\tip6-allrouters\n";

    // What the resolver of systemd writes for others: its own address, in /etc/resolv.conf, is a loopback one of the host.
    private const string Resolved = "/run/systemd/resolve/resolv.conf";

    /// <summary>Writes the files and adds their mounts, but for those that something else is mounted over.</summary>
    public static void Add(SpecInputs inputs, NamespaceMode network, string? hostname, Func<string, bool> isCovered, List<Mount> mounts)
    {
        if (network.Kind == NamespaceKind.Container && inputs.FolderOf is not null)
        {
            var folder = inputs.FolderOf(network.Argument); // whoever shares the network shares its names
            foreach (var name in (ReadOnlySpan<string>)["hosts", "resolv.conf"])
                Bind(folder, name);
        }
        using var own = Files.Open(inputs.LibFolder, OpenFlags.Path | Files.Directory);
        if (hostname is not null)
            Write("hostname", hostname + "\n");
        if (network.Kind == NamespaceKind.Container && inputs.FolderOf is not null)
            return;
        Write("hosts", Hosts(inputs, network, hostname));
        Write("resolv.conf", ResolvConf(inputs, network));

        void Write(string name, string content)
        {
            if (isCovered("/etc/" + name))
                return;
            Put(own, name, Encoding.UTF8.GetBytes(content), 0x1a4 /* 0644 */);
            Bind(inputs.LibFolder, name);
        }

        void Bind(string folder, string name)
        {
            if (!isCovered("/etc/" + name))
                mounts.Add(new Mount { Destination = "/etc/" + name, Type = "bind", Source = folder + "/" + name, Options = ["rbind", "rprivate"] });
        }
    }

    /// <summary>Writes a file whose mode does not depend on whoever runs conman. Half a file is no harm: the next start writes it anew.</summary>
    public static void Put(FileDescriptor folder, string name, ReadOnlySpan<byte> content, uint mode)
    {
        using var file = Files.Open(name, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate | Files.NoFollow, folder.Number, mode);
        Files.TryChangeMode(file, mode);
        Files.Write(file.Number, content, name);
    }

    private static string Hosts(SpecInputs inputs, NamespaceMode network, string? hostname)
    {
        var text = new StringBuilder(network.Kind == NamespaceKind.Host && HostFile("/etc/hosts") is { } hosts ? hosts : NoHosts);
        if (text.Length > 0 && text[^1] != '\n')
            text.Append('\n');
        foreach (var entry in inputs.Host.ExtraHosts ?? [])
        {
            var colon = entry.IndexOf(':');
            foreach (var address in entry.AsSpan(colon + 1) is not "host-gateway" ? [entry[(colon + 1)..].Trim('[', ']')] : network.Kind == NamespaceKind.Host ? ["127.0.0.1"] : inputs.Gateways)
                text.Append(address).Append('\t').Append(entry.AsSpan(0, colon)).Append('\n');
        }
        foreach (var (address, names) in inputs.OwnAddresses)
            text.Append(address).Append('\t').Append(names).Append('\n');
        // A name of one's own leads somewhere even without a network: programs ask for it.
        if (inputs.OwnAddresses.Count == 0 && network.Kind != NamespaceKind.Host && hostname is not null)
        {
            text.Append("127.0.0.1\t").Append(hostname);
            if (inputs.Config.Domainname.Length > 0)
                text.Append('.').Append(inputs.Config.Domainname).Append(' ').Append(hostname);
            text.Append('\n');
        }
        return text.Append(inputs.HostsEnd).ToString();
    }

    // What is asked for outweighs the host's. A name server on a loopback address is the host's own, and not there in another network namespace.
    private static string ResolvConf(SpecInputs inputs, NamespaceMode network)
    {
        var host = inputs.Host;
        var text = new StringBuilder();
        var (servers, search, options) = (host.Dns ?? inputs.NameServers, host.DnsSearch, host.DnsOptions);
        var theirs = HostResolver(network).AsSpan();
        foreach (var range in theirs.Split('\n'))
        {
            var line = theirs[range].Trim();
            var server = line.StartsWith("nameserver");
            if (line.IsEmpty || line[0] is '#' or ';'
                || (server && servers is { Count: > 0 }) || (search is { Count: > 0 } && (line.StartsWith("search") || line.StartsWith("domain"))) || (options is { Count: > 0 } && line.StartsWith("options"))
                || (server && network.Kind != NamespaceKind.Host && line["nameserver".Length..].TrimStart() is var address && (address.StartsWith("127.") || address.SequenceEqual("::1"))))
            {
                continue;
            }
            text.Append(line).Append('\n');
        }
        if (search is { Count: > 0 } && search is not ["."])
            text.Append("search ").AppendJoin(' ', search).Append('\n');
        foreach (var server in servers ?? [])
            text.Append("nameserver ").Append(server).Append('\n');
        if (options is { Count: > 0 })
            text.Append("options ").AppendJoin(' ', options).Append('\n');
        return text.ToString();
    }

    private static string HostResolver(NamespaceMode network)
    {
        var text = HostFile("/etc/resolv.conf") ?? "";
        return network.Kind != NamespaceKind.Host && text.Contains("127.0.0.53", StringComparison.Ordinal) ? HostFile(Resolved) ?? text : text;
    }

    private static string? HostFile(string path)
    {
        using var file = Files.TryOpen(path, OpenFlags.ReadOnly, out _);
        return file is null ? null : Encoding.UTF8.GetString(Files.ReadAll(file, path, 1 << 20));
    }
}
