// Which capabilities a container has: the default ones, those that were added, without those that were dropped.

using Conman.Linux;
using Conman.Runtime.Plans;

namespace Conman.Engine.Specs;

public static class CapabilityList
{
    // What programs in images count on, and no more: with none of these a process can reach what is not the container's. AUDIT_WRITE, MKNOD and
    // NET_RAW, which Docker gives too, are not among them: ping works without, by a sysctl.
    private static readonly ulong Default = Bits(
        "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT");

    private static ulong Every => (1ul << CapabilityNames.All.Count) - 1;

    /// <summary>The names, in the kernel's order.</summary>
    /// <param name="known">Bits of the capabilities that this kernel has.</param>
    /// <exception cref="EngineException">There is no capability of a name that was given.</exception>
    public static List<string> Of(IReadOnlyList<string>? add, IReadOnlyList<string>? drop, bool privileged, ulong known)
    {
        ulong added = 0, dropped = 0;
        foreach (var name in add ?? [])
            added |= Find("cap-add", name);
        foreach (var name in drop ?? [])
            dropped |= Find("cap-drop", name);
        // "All but": what is named outweighs "all" of the other list.
        var set = privileged ? Every
            : added == Every ? Every & ~dropped
            : dropped == Every ? added
            : (Default & ~dropped) | added;
        if (privileged || added == Every)
            set &= Processes.BoundingCapabilities; // "all" are those that there are to give: this process may run in a container itself
        var names = new List<string>();
        for (var number = 0; number < CapabilityNames.All.Count; number++)
        {
            if ((set & known & 1ul << number) != 0)
                names.Add(CapabilityNames.All[number]);
        }
        return names;
    }

    /// <summary>A name as capabilities(7) has it: CAP_ may be missing, and the case does not matter.</summary>
    public static string Full(string name)
    {
        name = name.ToUpperInvariant();
        return name.StartsWith("CAP_", StringComparison.Ordinal) ? name : "CAP_" + name;
    }

    private static ulong Find(string flag, string name)
    {
        if (name.Equals("all", StringComparison.OrdinalIgnoreCase))
            return Every;
        var bit = CapabilityNames.Bit(Full(name));
        return bit != 0 ? bit : throw new EngineException($"--{flag}: there is no capability {name}");
    }

    private static ulong Bits(params ReadOnlySpan<string> names)
    {
        ulong bits = 0;
        foreach (var name in names)
            bits |= CapabilityNames.Bit("CAP_" + name);
        return bits;
    }
}
