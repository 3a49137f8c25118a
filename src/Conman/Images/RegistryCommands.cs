// The commands that talk to registries: pull, push, search, login, logout.

using System.Text;
using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Formatting;
using Conman.Images.Building;
using Conman.Images.Configuration;
using Conman.Images;
using Conman.Images.Layers;
using Conman.Images.References;
using Conman.Images.Registry;
using Conman.Images.Store;
using Conman.Images.Transfer;
using Conman.Linux;

namespace Conman;

internal static class RegistryCommands
{
    /// <summary>The header User-Agent.</summary>
    public const string Agent = "conman/" + Build.Version;

    private const string Unchanged = "blobs and manifests are sent as they are here, so that their digests stay", NoSigning = "conman signs nothing";

    public static readonly Option Quiet = new("quiet", "print only what it became", Short: 'q');

    private static readonly Option AuthFile = new("authfile", "file of credentials (default: ~/.docker/config.json)", "FILE");
    private static readonly Option Creds = new("creds", "who, for this command: others on this host can read it; better 'conman login'", "NAME[:PASSWORD]");
    private static readonly Option ContentTrust = new("disable-content-trust", "as without it: signatures of Docker Content Trust are not looked for");
    private static readonly Option Retry = new("retry", "how often a registry is asked again (default: 4)", "N");
    private static readonly Option RetryDelay = new("retry-delay", "how long is waited before the first time; it doubles with each (default: 500ms)", "TIME");
    private static readonly Option CertDir = new("cert-dir", "") { Refused = "put the registry's certificates into /etc/containers/certs.d/REGISTRY or /etc/docker/certs.d/REGISTRY" };
    private static readonly Option VerifyTls = new("tls-verify", "=false: take any certificate, or none");

    public static List<Command> All(ManagerContext context) => [Pull(context), Push(context), Search(), Login(), Logout(), .. ArchiveCommands.All(context)];

    public static List<Command> OfImageGroup(ManagerContext context) => [Pull(context), Push(context), Search(), .. ArchiveCommands.All(context)];

    private static Command Pull(ManagerContext context) => new("pull", "NAME[:TAG|@DIGEST]...", "Get images from registries",
        [
            new("all-tags", "every tag of the repository", Short: 'a'),
            .. PlatformOptions.All,
            Retry, RetryDelay,
            new("policy", "always, newer (the same: only what is new is fetched), missing (if it is not here) or never (default: always)", "WHEN"),
            Quiet, AuthFile, Creds, VerifyTls, CertDir, ContentTrust,
        ],
        arguments =>
        {
            RefuseContentTrust(arguments);
            var policy = arguments.Get("policy") ?? "always";
            if (policy is not ("always" or "newer" or "missing" or "never"))
                throw new UsageException($"--policy {policy}: always, newer, missing or never is expected");
            foreach (var word in arguments.Words)
                Pull(context, arguments, ImageReference.Parse(word), policy);
            return 0;
        }) { Count = (1, int.MaxValue) };

    private static void Pull(ManagerContext context, Arguments arguments, ImageReference reference, string policy)
    {
        var quiet = arguments.Has("quiet");
        if (arguments.Has("all-tags") && (reference.Tag is not null || reference.Digest is not null))
            throw new UsageException("tag can't be used with --all-tags/-a");
        if (policy is "missing" or "never" && !arguments.Has("all-tags"))
        {
            using var store = context.OpenStore();
            if (ImageLookup.Find(store, reference.OrLatest().ToString())?.Named is { } present)
            {
                PlatformOptions.MustFit(arguments, present);
                Output.Write(reference.OrLatest() + "\n");
                return;
            }
            if (policy == "never")
                throw new NotFoundException($"no such image: {reference.OrLatest().Familiar}, and --policy never");
        }
        var platform = PlatformOptions.Of(arguments);
        using var client = Client(arguments, reference.Domain);
        if (arguments.Has("all-tags"))
        {
            foreach (var tag in client.Tags(reference))
                Pull(context, client, reference.WithTag(tag), platform, quiet);
            return;
        }
        if (reference.Tag is null && reference.Digest is null && !quiet)
            Output.Write("Using default tag: latest\n");
        Pull(context, client, reference.OrLatest(), platform, quiet);
    }

    private static void Pull(ManagerContext context, RegistryClient client, ImageReference reference, Oci.ImageSpec.Platform? platform, bool quiet)
    {
        using var store = context.OpenStore();
        if (!quiet)
            Output.Write($"{reference.Tag ?? reference.Digest.ToString()}: Pulling from {(reference.Domain == ImageReference.DefaultDomain ? reference.Path : reference.Name)}\n");
        var source = new RegistrySource(client, reference);
        // By its digest, where there is one: a tag beside it is only for people to read.
        var name = reference.Digest is { } digest ? $"{reference.Name}@{digest}" : reference.ToString();
        var (record, newer) = new ImagePull(store, source, new LayerUnpacker().Unpack, quiet ? new NoDisplay() : new TransferDisplay()).Run(name, platform, fromRegistry: true);
        context.Engine.TellImage("pull", reference.Familiar, reference.Familiar);
        if (quiet)
        {
            Output.Write(reference + "\n");
            return;
        }
        Output.Write($"Digest: {record.Target!.Digest}\nStatus: {(newer ? "Downloaded newer image" : "Image is up to date")} for {reference.Familiar}\n{reference}\n");
    }

    /// <summary>Gets an image that a command needs, before it goes on; what is told of it goes to standard error.</summary>
    public static void PullFor(ManagerContext context, string name, string? platform, bool quiet)
    {
        var reference = ImageReference.Parse(name).OrLatest();
        if (!quiet)
            Output.Error($"Pulling {reference.Familiar}");
        using var client = Client(new Arguments(), reference.Domain);
        using var store = context.OpenStore();
        var stored = reference.Digest is { } digest ? $"{reference.Name}@{digest}" : reference.ToString();
        new ImagePull(store, new RegistrySource(client, reference), new LayerUnpacker().Unpack, new NoDisplay()).Run(stored, platform is null ? null : Platforms.Parse(platform), fromRegistry: true);
        context.Engine.TellImage("pull", reference.Familiar, reference.Familiar);
    }

    private static Command Push(ManagerContext context) => new("push", "NAME[:TAG]", "Send an image to a registry",
        [new("all-tags", "every tag that the repository has here", Short: 'a'), PlatformOptions.Check, Quiet, AuthFile, Creds, VerifyTls, CertDir, ContentTrust, Retry, RetryDelay,
            new("digestfile", "write the manifest's digest into a file", "FILE"),
            new("remove-signatures", "as without it: none are sent"),
            new("compress", "") { Refused = Unchanged }, new("compression-format", "", "FORMAT") { Refused = Unchanged }, new("compression-level", "", "N") { Refused = Unchanged }, new("format", "", "FORMAT") { Refused = Unchanged, Short = 'f' },
            new("sign-by", "", "KEY") { Refused = NoSigning }, new("sign-by-sigstore-private-key", "", "FILE") { Refused = NoSigning }, new("sign-passphrase-file", "", "FILE") { Refused = NoSigning },
        ],
        arguments =>
        {
            RefuseContentTrust(arguments);
            var reference = ImageReference.Parse(arguments.Words[0]);
            using var store = context.OpenStore();
            var all = arguments.Has("all-tags");
            if (all && reference.Tag is not null)
                throw new UsageException("tag can't be used with --all-tags/-a");
            var names = all
                ? store.Images.All().Where(r => r.Repository == reference.Name && r.Tag is not null).Select(r => reference.WithTag(r.Tag!)).ToList()
                : [reference.OrLatest()];
            if (names.Count == 0)
                throw new NotFoundException($"An image does not exist locally with the tag: {reference.Familiar}");
            using var client = Client(arguments, reference.Domain);
            foreach (var name in names)
            {
                var record = store.Images.Find(name.ToString()) ?? throw new NotFoundException($"An image does not exist locally with the tag: {name.Familiar}");
                PlatformOptions.MustFit(arguments, record);
                if (!arguments.Has("quiet"))
                    Output.Write($"The push refers to repository [{name.Name}]\n");
                var pushed = new ImagePush(store, client, arguments.Has("quiet") ? new NoDisplay() : new TransferDisplay()).Run(record, name);
                if (arguments.Get("digestfile") is { } file)
                    Files.Publish(Files.CurrentDirectory, Path.GetFullPath(file), Encoding.UTF8.GetBytes(pushed.Digest!), 0x1a4 /* 0644 */);
                Output.Write(arguments.Has("quiet") ? name + "\n" : $"{name.Tag}: digest: {pushed.Digest} size: {pushed.Size}\n");
            }
            return 0;
        });

    private static Command Search() => new("search", "TERM", "Look for images in a registry; TERM may begin with the registry's name",
        [
            new("filter", "only those with stars=N or is-official=BOOL", "FILTER", 'f', Repeats: true),
            new("format", "table, json or a Go template", "FORMAT"),
            new("limit", "how many at most (default: 25)", "N"),
            new("no-trunc", "show whole descriptions"),
            new("compatible", "as without it: stars and whether it is official are shown"),
            new("list-tags", "TERM is a repository: list its tags"),
            AuthFile,
            Creds,
            VerifyTls,
        ],
        arguments =>
        {
            var word = arguments.Words[0];
            var slash = word.IndexOf('/');
            var hasDomain = slash > 0 && (word.AsSpan(0, slash).ContainsAny('.', ':') || word.StartsWith("localhost/", StringComparison.Ordinal));
            var (domain, term) = hasDomain ? (word[..slash], word[(slash + 1)..]) : (ImageReference.DefaultDomain, word);
            using var client = Client(arguments, domain);
            if (arguments.Has("list-tags"))
            {
                var repository = ImageReference.Parse(word);
                List<JsonObject> tags = [.. client.Tags(repository).Take(arguments.Number("limit", int.MaxValue)).Select(tag => new JsonObject { ["Name"] = repository.FamiliarName, ["Tag"] = tag })];
                Table.Write(tags, arguments.Get("format"), null, [new("NAME", "Name"), new("TAG", "Tag")], new Dictionary<string, string> { ["Name"] = "NAME", ["Tag"] = "TAG" });
                return 0;
            }
            var found = client.Search(domain, term, arguments.Number("limit", 25));
            foreach (var filter in arguments.All("filter"))
            {
                found = filter.Split('=', 2) switch
                {
                    ["stars", var least] when long.TryParse(least, System.Globalization.CultureInfo.InvariantCulture, out var stars) => found.FindAll(r => r.Stars >= stars),
                    ["is-official", var official] when Arguments.Truth(official) is { } truth => found.FindAll(r => r.Official == truth),
                    _ => throw new UsageException($"--filter {filter}: stars=N or is-official=BOOL is expected"),
                };
            }
            var rows = found.ConvertAll(r => new JsonObject
            {
                ["Name"] = r.Name,
                ["Description"] = arguments.Has("no-trunc") || (r.Description ?? "").Length <= 45 ? r.Description ?? "" : r.Description![..44] + "…",
                ["StarCount"] = r.Stars,
                ["IsOfficial"] = r.Official ? "[OK]" : "",
            });
            Column[] columns = [new("NAME", "Name"), new("DESCRIPTION", "Description"), new("STARS", "StarCount"), new("OFFICIAL", "IsOfficial")];
            Table.Write(rows, arguments.Get("format"), null, columns, columns.ToDictionary(c => c.Field, c => c.Heading));
            return 0;
        });

    private static Command Login() => new("login", "[REGISTRY]", "Show a registry who you are, and keep that for later commands",
        [
            new("username", "who", "NAME", 'u'),
            new("password", "in the open: others on this host can read it; better --password-stdin", "PASSWORD", 'p'),
            new("password-stdin", "read the password from standard input"),
            new("get-login", "show who one is to the registry, and do nothing else"),
            AuthFile,
            VerifyTls,
            CertDir,
        ],
        arguments =>
        {
            var domain = Domain(arguments);
            var store = Credentials(arguments);
            if (arguments.Has("get-login"))
            {
                Output.Write((store.Find(domain, "")?.User ?? throw new NotFoundException($"not logged in to {domain}")) + "\n");
                return 0;
            }
            if (arguments.Has("password-stdin") && arguments.Get("password") is not null)
                throw new UsageException("--password and --password-stdin are mutually exclusive");
            if (arguments.Has("password-stdin") && arguments.Get("username") is null)
                throw new UsageException("must provide --username with --password-stdin");
            var user = arguments.Get("username") ?? Prompt.Line("Username: ");
            var password = arguments.Has("password-stdin") ? Prompt.Rest().TrimEnd('\r', '\n') : arguments.Get("password") ?? Prompt.Secret("Password: ");
            if (user.Length == 0 || password.Length == 0)
                throw new ImageException("cannot log in without a user name and a password");
            var credential = new Credential(user, password);
            using var client = Client(arguments, domain);
            client.CheckLogin(domain, credential);
            if (store.Save(domain, credential))
                Output.Error($"WARNING! Your credentials are stored unencrypted in '{store.File}'.\nConfigure a credential helper to remove this warning.");
            Output.Write("Login Succeeded\n");
            return 0;
        }) { Count = (0, 1) };

    private static Command Logout() => new("logout", "[REGISTRY]", "Forget who you are to a registry", [new("all", "to all of them", Short: 'a'), AuthFile],
        arguments =>
        {
            if (arguments.Has("all"))
            {
                if (arguments.Words.Count > 0)
                    throw new UsageException("--all and a registry exclude each other");
                var removed = Credentials(arguments).RemoveAll();
                Output.Write(string.Concat(removed.Select(r => $"Removing login credentials for {r}\n")));
                return 0;
            }
            var domain = Domain(arguments);
            Output.Write(Credentials(arguments).Remove(domain) ? $"Removing login credentials for {domain}\n" : $"Not logged in to {domain}\n");
            return 0;
        }) { Count = (0, 1) };

    private static string Domain(Arguments arguments)
    {
        var text = arguments.Words is [var word] ? word : ImageReference.DefaultDomain;
        text = text.StartsWith("https://", StringComparison.Ordinal) ? text[8..] : text.StartsWith("http://", StringComparison.Ordinal) ? text[7..] : text;
        text = text.Split('/')[0];
        if (text is "index.docker.io" or "registry-1.docker.io")
            return ImageReference.DefaultDomain;
        return ImageReference.IsDomain(text) ? text : throw new ImageException($"{text} is no registry's name");
    }

    private static CredentialStore Credentials(Arguments arguments) =>
        arguments.Get("authfile") is { } file ? new CredentialStore([file]) : CredentialStore.OfUser();

    private static RegistryClient Client(Arguments arguments, string domain)
    {
        var table = RegistryTable.Load();
        if (arguments.Get("tls-verify") is { } verify && Arguments.Truth(verify) == false)
            table.Add($"[[registry]]\nlocation = \"{domain}\"\ninsecure = true\n");
        var credentials = Credentials(arguments);
        Func<string, string, Credential?> find = arguments.Get("creds") is { } given ? (_, _) => Given(given) : credentials.Find;
        return new RegistryClient(new RegistrySettings { Table = table, Credentials = find, Agent = Agent, Limits = Limits(arguments) });
    }

    private static TransferLimits Limits(Arguments arguments)
    {
        var limits = new TransferLimits();
        if (arguments.Get("retry") is not null)
            limits = limits with { Tries = 1 + arguments.Number("retry", 0) };
        if (arguments.Get("retry-delay") is { } delay)
        {
            var first = TimeSpan.FromTicks(ConfigChanges.Nanoseconds(delay) / 100);
            limits = limits with { FirstWait = first, Waits = limits.Waits + first * limits.Tries };
        }
        return limits;
    }

    private static Credential Given(string text)
    {
        var colon = text.IndexOf(':');
        return colon < 0 ? new Credential(text, Prompt.Secret("Password: ")) : new Credential(text[..colon], text[(colon + 1)..]);
    }

    private static void RefuseContentTrust(Arguments arguments)
    {
        if (arguments.Get("disable-content-trust") is not null && !arguments.Has("disable-content-trust"))
            throw new UsageException("--disable-content-trust=false: signatures of Docker Content Trust cannot be verified");
    }
}
