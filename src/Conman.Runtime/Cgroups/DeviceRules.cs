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
        return DeviceProgram.Assemble(rules);
    }

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
