// Where repositories are to be had, and how their registries are reached: conman's own configuration, then that of containers/image where it is there
// (containers-registries.conf(5), version 2), and Docker's folders of certificates.

using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Conman.Images.References;
using Conman.Images.Registry;
using Conman.Linux;

namespace Conman.Images.Configuration;

/// <summary>One place where a repository may be had.</summary>
public sealed record RegistryLocation(string Domain, string Path);

/// <summary>The table of registries.</summary>
public sealed class RegistryTable
{
    private static readonly string[] CertificateFolders = ["/etc/docker/certs.d/", "/etc/containers/certs.d/"];

    private readonly List<Entry> _entries = [];
    private readonly Dictionary<string, Access> _access = new(StringComparer.Ordinal);

    private sealed record Place(string Location, bool ByDigest, bool ByTag);

    private sealed record Entry(string Prefix, Place Itself, List<Place> Mirrors, bool Blocked);

    private sealed class Access
    {
        public bool Insecure { get; set; }

        public List<string> Authorities { get; } = [];

        public (string Certificate, string Key)? Client { get; set; }
    }

    /// <summary>What this machine is configured with.</summary>
    public static RegistryTable Load()
    {
        var table = new RegistryTable();
        table.AddFolder("/etc/conman/registries.d");
        var containers = Environment.GetEnvironmentVariable("CONTAINERS_REGISTRIES_CONF") ?? "/etc/containers/registries.conf";
        if (Files.Exists(containers))
            table.AddFile(containers);
        if (Environment.GetEnvironmentVariable("CONTAINERS_REGISTRIES_CONF") is null)
            table.AddFolder("/etc/containers/registries.conf.d");
        return table;
    }

    /// <summary>Adds every file <c>*.conf</c> of a folder, by name; what an earlier one says of a prefix holds.</summary>
    public void AddFolder(string folder)
    {
        using var directory = Files.TryOpen(folder, OpenFlags.ReadOnly | Files.Directory, out _);
        if (directory is null)
            return;
        foreach (var name in Files.List(directory, folder).Where(n => n.EndsWith(".conf", StringComparison.Ordinal)).Order(StringComparer.Ordinal))
            AddFile(folder + "/" + name);
    }

    /// <exception cref="ImageException">It cannot be read; the message names the file and the line.</exception>
    public void AddFile(string file)
    {
        try
        {
            Add(Encoding.UTF8.GetString(Files.ReadAll(file)));
        }
        catch (FormatException e)
        {
            throw new ImageException($"{file}: {e.Message}", e);
        }
    }

    /// <summary>Adds the tables <c>[[registry]]</c> of a document.</summary>
    /// <exception cref="FormatException">It is damaged.</exception>
    public void Add(string document)
    {
        foreach (var registry in Toml.Parse(document).Tables("registry"))
        {
            var location = registry.Text("location");
            var prefix = registry.Text("prefix") ?? location ?? throw new FormatException("a registry needs a prefix or a location");
            // *.example.com has no place of its own: what is asked for is where it is.
            if (location is null && !prefix.StartsWith("*.", StringComparison.Ordinal))
                location = prefix;
            if (location is not null)
                Reached(registry, location);
            var digestsOnly = registry.Flag("mirror-by-digest-only");
            var mirrors = new List<Place>();
            foreach (var mirror in registry.Tables("mirror"))
            {
                var at = mirror.Text("location") ?? throw new FormatException("a mirror needs a location");
                var pull = mirror.Text("pull-from-mirror") ?? (digestsOnly ? "digest-only" : "all");
                if (pull is not ("all" or "digest-only" or "tag-only"))
                    throw new FormatException($"pull-from-mirror must be all, digest-only or tag-only, not {pull}");
                Reached(mirror, at);
                mirrors.Add(new Place(at, pull != "tag-only", pull != "digest-only"));
            }
            if (!_entries.Exists(e => e.Prefix == prefix))
                _entries.Add(new Entry(prefix, new Place(location ?? "", true, true), mirrors, registry.Flag("blocked")));
        }
    }

    /// <summary>Where to ask for a repository, in this order: its mirrors, then itself.</summary>
    /// <param name="byDigest">What is asked for is named by its digest.</param>
    /// <exception cref="ImageException">The configuration forbids it.</exception>
    public IReadOnlyList<RegistryLocation> Locations(ImageReference reference, bool byDigest)
    {
        Entry? best = null;
        foreach (var entry in _entries)
        {
            if (Matches(entry.Prefix, reference) && (best is null || entry.Prefix.Length > best.Prefix.Length))
                best = entry;
        }
        if (best is null)
            return [new RegistryLocation(reference.Domain, reference.Path)];
        if (best.Blocked)
            throw new ImageException($"{reference.FamiliarName}: the registry {best.Prefix} is blocked by the configuration");
        var locations = new List<RegistryLocation>();
        foreach (var mirror in best.Mirrors)
        {
            if (byDigest ? mirror.ByDigest : mirror.ByTag)
                locations.Add(Move(reference, best.Prefix, mirror.Location));
        }
        locations.Add(best.Itself.Location.Length == 0 ? new RegistryLocation(reference.Domain, reference.Path) : Move(reference, best.Prefix, best.Itself.Location));
        return locations;
    }

    /// <summary>How a registry is reached.</summary>
    public HostSettings Host(string domain)
    {
        var tls = new TlsSettings();
        foreach (var folder in CertificateFolders)
            tls.AddFolder(folder + domain);
        var insecure = false;
        foreach (var (place, access) in _access)
        {
            if (place != domain)
                continue;
            insecure |= access.Insecure;
            access.Authorities.ForEach(tls.AddAuthorities);
            if (access.Client is var (certificate, key))
                tls.AddClientCertificate(certificate, key);
        }
        // Registries on this machine may be plain, as with Docker; nobody listens on the way to them.
        insecure |= IsLoopback(domain);
        tls.SkipVerify = insecure;
        return new HostSettings(domain, MayBePlain: insecure, tls);
    }

    private static bool IsLoopback(string domain)
    {
        var host = new Uri("https://" + domain).Host.Trim('[', ']');
        return host == "localhost" || (IPAddress.TryParse(host, out var address) && IPAddress.IsLoopback(address));
    }

    private void Reached(TomlTable table, string location)
    {
        var slash = location.IndexOf('/', StringComparison.Ordinal);
        var domain = slash < 0 ? location : location[..slash];
        if (!ImageReference.IsDomain(domain))
            throw new FormatException($"{location} is no location");
        if (!_access.TryGetValue(domain, out var access))
            _access[domain] = access = new Access();
        access.Insecure |= table.Flag("insecure");
        if (table.Text("ca") is { } authorities)
            access.Authorities.Add(authorities);
        if (table.Text("client-cert") is { } certificate)
            access.Client = (certificate, table.Text("client-key") ?? throw new FormatException("client-cert needs client-key"));
    }

    // host, host/path (whole components), *.domain; and a whole reference's name.
    private static bool Matches(string prefix, ImageReference reference)
    {
        if (prefix.StartsWith("*.", StringComparison.Ordinal))
            return reference.Domain.EndsWith(prefix[1..], StringComparison.Ordinal);
        return reference.Name.StartsWith(prefix, StringComparison.Ordinal) && (reference.Name.Length == prefix.Length || reference.Name[prefix.Length] == '/');
    }

    private static RegistryLocation Move(ImageReference reference, string prefix, string location)
    {
        var rest = prefix.StartsWith("*.", StringComparison.Ordinal) ? "/" + reference.Path : reference.Name[prefix.Length..];
        var moved = location + rest;
        var slash = moved.IndexOf('/', StringComparison.Ordinal);
        return new RegistryLocation(moved[..slash], moved[(slash + 1)..]);
    }
}
