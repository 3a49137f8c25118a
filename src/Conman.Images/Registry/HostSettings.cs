// How one registry is reached.

namespace Conman.Images.Registry;

/// <param name="Domain">Its name or address, and its port, as references have it.</param>
/// <param name="MayBePlain">It may speak HTTP without TLS.</param>
/// <param name="Tls">Whose certificates are trusted.</param>
public sealed record HostSettings(string Domain, bool MayBePlain, TlsSettings Tls);
