// Users' credentials for registries, where Docker and Podman keep them (docs.docker.com/reference/cli/docker/login, containers-auth.json(5)).
//
// Looked for in $REGISTRY_AUTH_FILE, $DOCKER_CONFIG or ~/.docker/config.json, then ${XDG_RUNTIME_DIR}/containers/auth.json; written to the first of them.
// What else is in the file stays as it is.

using System.Text;
using Conman.Images.References;
using Conman.Images.Registry;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Images.Configuration;

/// <summary>The file <c>config.json</c> or <c>auth.json</c>.</summary>
[OciObject]
internal sealed partial class AuthFile
{
    public Dictionary<string, AuthEntry>? Auths { get; set; }

    /// <summary>The helper for registries without one of their own.</summary>
    public string? CredsStore { get; set; }

    public Dictionary<string, string>? CredHelpers { get; set; }
}

[OciObject]
internal sealed partial class AuthEntry
{
    /// <summary>Base64 of <c>user:password</c>.</summary>
    public string? Auth { get; set; }

    public string? Username { get; set; }

    public string? Password { get; set; }

    /// <summary>An OAuth2 refresh token.</summary>
    public string? Identitytoken { get; set; }
}

/// <summary>Reads and writes credentials.</summary>
public sealed class CredentialStore
{
    /// <summary>Docker's key for Docker Hub.</summary>
    private const string DockerHub = "https://index.docker.io/v1/";

    private readonly IReadOnlyList<string> _files;

    /// <param name="files">The first is written to.</param>
    public CredentialStore(IReadOnlyList<string> files) => _files = files;

    /// <summary>This user's.</summary>
    public static CredentialStore OfUser()
    {
        if (Environment.GetEnvironmentVariable("REGISTRY_AUTH_FILE") is { Length: > 0 } named)
            return new CredentialStore([named]);
        var home = Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } h ? h : "/root";
        var docker = (Environment.GetEnvironmentVariable("DOCKER_CONFIG") is { Length: > 0 } d ? d : home + "/.docker") + "/config.json";
        var runtime = Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR") is { Length: > 0 } r ? r : $"/run/containers/{Processes.EffectiveUser}";
        return new CredentialStore([docker, runtime == $"/run/containers/{Processes.EffectiveUser}" ? runtime + "/auth.json" : runtime + "/containers/auth.json"]);
    }

    /// <summary>Where <see cref="Save"/> writes.</summary>
    public string File => _files[0];

    /// <summary>The credential for a repository: the most special one; null if there is none.</summary>
    /// <exception cref="ImageException">A file is damaged, or a helper fails.</exception>
    public Credential? Find(string domain, string path)
    {
        foreach (var file in _files)
        {
            if (Read(file) is { } auths && Find(auths, domain, path) is { } credential)
                return credential;
        }
        return null;
    }

    /// <summary>Keeps a credential for a registry, in the helper if one is configured.</summary>
    /// <returns>Whether it is kept in the file, where anybody who can read that can read it.</returns>
    public bool Save(string domain, Credential credential)
    {
        var file = Read(File) ?? new AuthFile();
        if (HelperFor(file, domain) is { } helper)
        {
            CredentialHelper.Store(helper, Key(domain), credential);
            // Docker keeps an empty entry, by which it knows that there is one.
            (file.Auths ??= [])[Key(domain)] = new AuthEntry();
            Write(file);
            return false;
        }
        (file.Auths ??= [])[Key(domain)] = credential.IsToken
            ? new AuthEntry { Identitytoken = credential.Secret }
            : new AuthEntry { Auth = Convert.ToBase64String(Encoding.UTF8.GetBytes(credential.User + ":" + credential.Secret)) };
        Write(file);
        return true;
    }

    /// <summary>Forgets the credential for a registry; false if there is none.</summary>
    public bool Remove(string domain)
    {
        var file = Read(File);
        if (file is null)
            return false;
        var removed = false;
        foreach (var key in Keys(domain))
            removed |= file.Auths?.Remove(key) ?? false;
        if (HelperFor(file, domain) is { } helper && CredentialHelper.Get(helper, Key(domain)) is not null)
        {
            CredentialHelper.Erase(helper, Key(domain));
            removed = true;
        }
        if (removed)
            Write(file);
        return removed;
    }

    /// <summary>Forgets every credential that is written down, and those in helpers that the file has an entry for; for which registries.</summary>
    public List<string> RemoveAll()
    {
        if (Read(File) is not { Auths.Count: > 0 } file)
            return [];
        var removed = new List<string>(file.Auths.Keys);
        foreach (var key in removed)
        {
            if (HelperFor(file, key) is { } helper && CredentialHelper.Get(helper, key) is not null)
                CredentialHelper.Erase(helper, key);
        }
        file.Auths.Clear();
        Write(file);
        return removed;
    }

    private static Credential? Find(AuthFile file, string domain, string path)
    {
        if (HelperFor(file, domain) is { } helper)
        {
            foreach (var key in Keys(domain))
            {
                if (CredentialHelper.Get(helper, key) is { } kept)
                    return kept;
            }
        }
        if (file.Auths is null)
            return null;
        // Podman's files may have entries for a part of a registry: the longest counts.
        for (var part = domain + "/" + path; part.Length > domain.Length + 1; part = part[..Math.Max(part.LastIndexOf('/'), 0)])
        {
            if (file.Auths.TryGetValue(part, out var special) && Decode(special, part) is { } credential)
                return credential;
        }
        foreach (var key in Keys(domain))
        {
            if (file.Auths.TryGetValue(key, out var entry) && Decode(entry, key) is { } credential)
                return credential;
        }
        return null;
    }

    private static Credential? Decode(AuthEntry entry, string key)
    {
        if (entry.Identitytoken is { Length: > 0 } token)
            return new Credential("", token, IsToken: true);
        if (entry.Auth is { Length: > 0 } auth)
        {
            var bytes = new byte[auth.Length];
            var text = Convert.TryFromBase64String(auth, bytes, out var n) ? Encoding.UTF8.GetString(bytes, 0, n).TrimEnd('\0') : "";
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            return colon < 0 ? throw new ImageException($"the credential for {key} is damaged: run 'conman login {key}'") : new Credential(text[..colon], text[(colon + 1)..]);
        }
        return entry is { Username.Length: > 0, Password: { } password } ? new Credential(entry.Username, password) : null;
    }

    private static string? HelperFor(AuthFile file, string domain)
    {
        foreach (var key in Keys(domain))
        {
            if (file.CredHelpers?.TryGetValue(key, out var own) == true && own.Length > 0)
                return own;
        }
        return file.CredsStore is { Length: > 0 } all ? all : null;
    }

    private static string Key(string domain) => domain == ImageReference.DefaultDomain ? DockerHub : domain;

    // What files of different ages and makers call the same registry.
    private static IEnumerable<string> Keys(string domain) => domain is ImageReference.DefaultDomain or "index.docker.io" or "registry-1.docker.io"
        ? [DockerHub, "docker.io", "index.docker.io", "registry-1.docker.io", "https://index.docker.io/v1"]
        : [domain, "https://" + domain, "https://" + domain + "/", "http://" + domain, "https://" + domain + "/v1/", "https://" + domain + "/v2/"];

    private static AuthFile? Read(string file)
    {
        using var open = Files.TryOpen(file, OpenFlags.ReadOnly, out var errno);
        if (open is null)
            return errno is Errno.ENOENT or Errno.ENOTDIR ? null : throw new ImageException($"cannot open {file}: {LinuxException.Describe(errno)}");
        try
        {
            return AuthFile.Parse(Files.ReadAll(open, file));
        }
        catch (OciFormatException e)
        {
            throw new ImageException($"{file} is damaged: {e.Message}", e);
        }
    }

    private void Write(AuthFile auths)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(File))!;
        Files.MakeDirectories(folder, 0x1c0 /* 0700 */);
        using var directory = Files.Open(folder, OpenFlags.ReadOnly | Files.Directory);
        Storage.Replace(directory, Path.GetFileName(File), auths.ToUtf8(indented: true));
    }
}
