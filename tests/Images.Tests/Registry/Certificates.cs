// Certificates of a test's own.

using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Conman.Images.Tests.Registry;

/// <summary>An authority that nobody knows, and what it signs.</summary>
public sealed class Authority : IDisposable
{
    private readonly X509Certificate2 _own;

    public Authority()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=an authority of the tests", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        _own = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-10), DateTimeOffset.UtcNow.AddDays(10));
    }

    public string Pem => _own.ExportCertificatePem();

    public void Dispose() => _own.Dispose();

    /// <summary>A server's certificate, with its key.</summary>
    public X509Certificate2 Sign(string address, int validFrom = -1, int validUntil = 5)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=server", key, HashAlgorithmName.SHA256);
        var names = new SubjectAlternativeNameBuilder();
        if (IPAddress.TryParse(address, out var ip))
            names.AddIpAddress(ip);
        else
            names.AddDnsName(address);
        request.CertificateExtensions.Add(names.Build());
        using var certificate = request.Create(_own, DateTimeOffset.UtcNow.AddDays(validFrom), DateTimeOffset.UtcNow.AddDays(validUntil), RandomNumberGenerator.GetBytes(8));
        using var whole = certificate.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(whole.Export(X509ContentType.Pkcs12), null);
    }
}
