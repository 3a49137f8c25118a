// Which devices a container's processes may open: the spec's rules, and those that every container needs.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Cgroups;

/// <summary>
/// linux.resources.devices, as an eBPF program on the cgroup. Of the rules that name a device and an access the last one counts; what none
/// names is denied. Without any rule nothing is restricted.
/// </summary>
internal static class DeviceRules
{
    private const int Any = -1;

    /// <summary>One rule with its words made numbers.</summary>
    internal readonly record struct Rule(bool Allow, DeviceType Type, int Major, int Minor, DeviceAccess Access);

    // What every program may count on (runtime-spec config-linux.md, "Default Devices"), terminals, and making nodes: opening one is what counts.
    private static readonly Rule[] ForAll =
    [
        new(true, DeviceType.Character, Any, Any, DeviceAccess.MakeNode),
        new(true, DeviceType.Block, Any, Any, DeviceAccess.MakeNode),
        new(true, DeviceType.Character, 1, 3, DeviceAccess.All),   // null
        new(true, DeviceType.Character, 1, 5, DeviceAccess.All),   // zero
        new(true, DeviceType.Character, 1, 7, DeviceAccess.All),   // full
        new(true, DeviceType.Character, 1, 8, DeviceAccess.All),   // random
        new(true, DeviceType.Character, 1, 9, DeviceAccess.All),   // urandom
        new(true, DeviceType.Character, 5, 0, DeviceAccess.All),   // tty
        new(true, DeviceType.Character, 5, 2, DeviceAccess.All),   // ptmx
        new(true, DeviceType.Character, 136, Any, DeviceAccess.All), // pts/*
    ];

    /// <summary>The program for these resources; empty if they restrict nothing.</summary>
    /// <exception cref="RuntimeException">A rule makes no sense.</exception>
    public static byte[] Compile(Resources? resources)
    {
        var rules = Rules(resources);
        return rules.Count == 0 ? [] : DeviceProgram.Assemble(rules);
    }

    /// <summary>
    /// The same for the devices controller of cgroup v1, which has a default and a list of exceptions to it
    /// (Documentation/admin-guide/cgroup-v1/devices.rst).
    /// </summary>
    /// <exception cref="RuntimeException">A rule makes no sense, or takes a part out of another, which the list cannot express.</exception>
    public static List<CgroupWrite> CompileLegacy(Resources? resources)
    {
        var rules = Rules(resources);
        var writes = new List<CgroupWrite>(rules.Count + 1);
        if (rules.Count == 0)
            return writes;
        var allowed = rules[0] is { Type: DeviceType.All, Allow: true };
        writes.Add(new(allowed ? "devices.allow" : "devices.deny", "a"));
        for (var i = 0; i < rules.Count; i++)
        {
            var rule = rules[i];
            if (rule.Type == DeviceType.All || (rule.Allow && allowed && i >= rules.Count - ForAll.Length))
                continue;
            // What goes back to the default must be an exception as it stands.
            if (rule.Allow == allowed && rules.FindIndex(0, i, other => other.Allow != allowed && PartOf(rule, other)) >= 0)
            {
                throw new RuntimeException(
                    $"linux.resources.devices: cgroup v1 cannot take {Legacy(rule)} out of a rule for more devices");
            }
            writes.Add(new(rule.Allow ? "devices.allow" : "devices.deny", Legacy(rule)));
        }
        return writes;
    }

    // Empty: nothing is restricted.
    private static List<Rule> Rules(Resources? resources)
    {
        if (resources?.Devices is not { Count: > 0 } devices)
            return [];
        var rules = new List<Rule>(devices.Count + ForAll.Length);
        for (var i = 0; i < devices.Count; i++)
            rules.Add(Parse(devices[i], i));
        // A rule for everything makes the ones before it void.
        rules.RemoveRange(0, Math.Max(rules.FindLastIndex(r => r is { Type: DeviceType.All, Major: Any, Minor: Any, Access: DeviceAccess.All }), 0));
        if (rules is [{ Type: DeviceType.All, Allow: true, Access: DeviceAccess.All }])
            return [];
        rules.AddRange(ForAll);
        return rules;
    }

    private static string Legacy(Rule rule)
    {
        Span<char> access = stackalloc char[3];
        var n = 0;
        if ((rule.Access & DeviceAccess.Read) != 0)
            access[n++] = 'r';
        if ((rule.Access & DeviceAccess.Write) != 0)
            access[n++] = 'w';
        if ((rule.Access & DeviceAccess.MakeNode) != 0)
            access[n++] = 'm';
        return (rule.Type == DeviceType.Block ? "b " : "c ") + Number(rule.Major) + ":" + Number(rule.Minor) + " " + access[..n].ToString();

        static string Number(int number) => number == Any ? "*" : number.ToString();
    }

    // Both speak of some device and access, yet not of the same devices.
    private static bool PartOf(Rule rule, Rule other) =>
        rule.Type == other.Type && (rule.Access & other.Access) != 0 && (rule.Major, rule.Minor) != (other.Major, other.Minor)
        && (rule.Major == other.Major || rule.Major == Any || other.Major == Any) && (rule.Minor == other.Minor || rule.Minor == Any || other.Minor == Any);

    /// <summary>Attaches a program from <see cref="Compile"/> to the cgroup.</summary>
    public static void Attach(ReadOnlySpan<byte> program, FileDescriptor cgroup)
    {
        if (program.IsEmpty)
            return;
        using var loaded = Bpf.LoadDeviceProgram(program);
        Bpf.AttachDeviceProgram(loaded, cgroup);
    }

    private static Rule Parse(DeviceCgroup device, int index)
    {
        var type = device.Type switch
        {
            null or "" or "a" => DeviceType.All,
            "c" or "u" => DeviceType.Character,
            "b" => DeviceType.Block,
            _ => RuntimeException.Throw<DeviceType>($"linux.resources.devices[{index}].type: unknown type {Words.Quote(device.Type)}"),
        };
        var access = DeviceAccess.None;
        foreach (var letter in device.Access ?? "")
        {
            access |= letter switch
            {
                'r' => DeviceAccess.Read,
                'w' => DeviceAccess.Write,
                'm' => DeviceAccess.MakeNode,
                _ => RuntimeException.Throw<DeviceAccess>($"linux.resources.devices[{index}].access: {Words.Quote(device.Access!)} is not made of r, w and m"),
            };
        }
        // The kernel's own list knows a rule for all types only as one for all devices and all access.
        return type == DeviceType.All
            ? new Rule(device.Allow, type, Any, Any, DeviceAccess.All)
            : new Rule(device.Allow, type, Number(device.Major, index), Number(device.Minor, index), access);
    }

    private static int Number(long? number, int index) => number switch
    {
        null or < 0 => Any,
        <= int.MaxValue => (int)number.Value,
        _ => RuntimeException.Throw<int>($"linux.resources.devices[{index}]: {number} is no device number"),
    };
}
