// Which certificates are trusted, and what is said of one that is not.

using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Conman.Linux;
using OpenFlags = Conman.Linux.OpenFlags;

namespace Conman.Images.Registry;

/// <summary>How a registry shows who it is. Its certificate must be the system's to trust, or of one of its own authorities.</summary>
public sealed class TlsSettings
{
    // Where distributions have the certificates of authorities; OpenSSL here looks where Debian has them.
    private static readonly string[] Bundles =
    [
        "/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", "/etc/ssl/cert.pem",
    ];

    private static int s_found;

    private readonly X509Certificate2Collection _authorities = [];

    public TlsSettings() => FindBundle();

    /// <summary>Any certificate will do; for the registry's own host alone.</summary>
    public bool SkipVerify { get; set; }

    /// <summary>What the registry is shown, if it asks.</summary>
    public X509Certificate2Collection ClientCertificates { get; } = [];

    /// <summary>Trusts the authorities in a file (PEM), beside the system's.</summary>
    public void AddAuthorities(string file) => Load(file, () => _authorities.ImportFromPemFile(file));

    /// <summary>Shows a certificate (PEM) with its key.</summary>
    public void AddClientCertificate(string file, string key) => Load(file, () => ClientCertificates.Add(X509Certificate2.CreateFromPemFile(file, key)));

    /// <summary>Trusts what Docker's folder for a registry holds: <c>*.crt</c> authorities, <c>*.cert</c> and <c>*.key</c> of the client
    /// (docs.docker.com/engine/security/certificates).</summary>
    public void AddFolder(string folder)
    {
        using var directory = Files.TryOpen(folder, OpenFlags.ReadOnly | Files.Directory, out _);
        if (directory is null)
            return;
        foreach (var name in Files.List(directory, folder))
        {
            var file = folder + "/" + name;
            if (name.EndsWith(".crt", StringComparison.Ordinal))
                AddAuthorities(file);
            else if (name.EndsWith(".cert", StringComparison.Ordinal))
                AddClientCertificate(file, file[..^5] + ".key");
        }
    }

    internal bool Trusts(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None)
            return true;
        if (errors != SslPolicyErrors.RemoteCertificateChainErrors || _authorities.Count == 0 || certificate is not X509Certificate2 leaf)
            return false;
        using var own = new X509Chain();
        own.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
        own.ChainPolicy.CustomTrustStore.AddRange(_authorities);
        own.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
        foreach (var element in chain?.ChainElements ?? Enumerable.Empty<X509ChainElement>())
            own.ChainPolicy.ExtraStore.Add(element.Certificate);
        return own.Build(leaf);
    }

    internal static string Describe(X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors, string host)
    {
        if (certificate is not X509Certificate2 leaf)
            return "it shows no certificate";
        var status = X509ChainStatusFlags.NoError;
        foreach (var problem in chain?.ChainStatus ?? [])
            status |= problem.Status;
        const string Hint = "put the authority's certificate into the registry's folder of /etc/docker/certs.d, or name it in /etc/conman/registries.d";
        if (DateTime.UtcNow > leaf.NotAfter.ToUniversalTime())
            return $"its certificate expired on {leaf.NotAfter.ToUniversalTime():yyyy-MM-dd}: the registry must renew it";
        if (DateTime.UtcNow < leaf.NotBefore.ToUniversalTime())
            return $"its certificate is not valid before {leaf.NotBefore.ToUniversalTime():yyyy-MM-dd}: is this machine's clock right?";
        if ((errors & SslPolicyErrors.RemoteCertificateNameMismatch) != 0)
            return $"its certificate is not for {host} but for {leaf.GetNameInfo(X509NameType.DnsName, false)}: call the registry by that name";
        if ((status & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != 0)
            return $"its certificate is signed by {(leaf.Issuer == leaf.Subject ? "itself" : $"an unknown authority ({leaf.GetNameInfo(X509NameType.SimpleName, true)})")}: {Hint}";
        return $"its certificate cannot be verified ({status}): {Hint}";
    }

    private static void Load(string file, Action load)
    {
        try
        {
            load();
        }
        catch (Exception e) when (e is CryptographicException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            throw new ImageException($"cannot read the certificate {file}: it must be readable, in PEM form, and a client's must have its key beside it", e);
        }
    }

    // OpenSSL reads the environment: it is told once, before it looks.
    private static void FindBundle()
    {
        if (Interlocked.Exchange(ref s_found, 1) != 0 || Environment.GetEnvironmentVariable("SSL_CERT_FILE") is not null || Environment.GetEnvironmentVariable("SSL_CERT_DIR") is not null
            || Files.Exists(Bundles[0]))
            return;
        if (Array.Find(Bundles, b => Files.Exists(b)) is { } bundle)
            OwnEnvironment.Set("SSL_CERT_FILE", bundle);
    }
}
