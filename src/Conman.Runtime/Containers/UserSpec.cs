// Whom a process is to run as, as the command line says it.

using System.Globalization;
using Conman.Oci.RuntimeSpec;

namespace Conman.Runtime.Containers;

/// <summary><c>UID[:GID]</c>. Names are not looked up: whose would they be, the host's or the container's?</summary>
/// <param name="Uid">The user.</param>
/// <param name="Gid">The group; null: as it was.</param>
public readonly record struct UserSpec(uint Uid, uint? Gid)
{
    /// <summary>Parses.</summary>
    /// <exception cref="RuntimeException">A part is no id: digits, less than 2^32 - 1, which stands for "no id" in system calls.</exception>
    public static UserSpec Parse(string text)
    {
        var colon = text.IndexOf(':');
        return colon < 0
            ? new UserSpec(Id("uid", text), null)
            : new UserSpec(Id("uid", text[..colon]), Id("gid", text[(colon + 1)..]));
    }

    /// <summary>Parses one id.</summary>
    public static uint Id(string kind, string text) =>
        uint.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var id) && id != uint.MaxValue
            ? id
            : throw new RuntimeException($"bad {kind}: \"{text}\" is no numeric id");

    /// <summary>Makes it the user of a process, whose additional groups stay.</summary>
    public void ApplyTo(Process process)
    {
        var user = process.User ??= new User();
        user.Uid = Uid;
        user.Gid = Gid ?? user.Gid;
    }

    /// <summary>As it was parsed.</summary>
    public override string ToString() => Gid is { } gid
        ? Uid.ToString(CultureInfo.InvariantCulture) + ":" + gid.ToString(CultureInfo.InvariantCulture)
        : Uid.ToString(CultureInfo.InvariantCulture);
}
