// What a container uses: its cgroup's numbers, and the traffic of its network namespace.

using System.Diagnostics;
using System.Text;
using Conman.Engine.Specs;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Runtime.Cgroups;
using OciContainer = Conman.Runtime.Containers.Container;

namespace Conman.Engine.Statistics;

/// <summary>One look at a container that runs.</summary>
/// <param name="At">When, in ticks of <see cref="Stopwatch"/>.</param>
/// <param name="Received">Bytes, by all devices but loopback; 0 where the network is the host's.</param>
/// <param name="Sent">As <paramref name="Received"/>.</param>
public sealed record ContainerUsage(long At, CgroupUsage Cgroup, ulong Received, ulong Sent)
{
    /// <summary>Null: it does not run.</summary>
    public static ContainerUsage? TryRead(ContainerEngine engine, Container container)
    {
        if (container.Init is not { } init)
            return null;
        using var runtime = OciContainer.TryOpen(engine.RuntimeRoot, container.Id);
        if (runtime?.Cgroup is not { } cgroup)
            return null;
        var usage = CgroupUsage.Of(cgroup);
        var at = Stopwatch.GetTimestamp();
        var ofHost = NamespaceMode.ParseNetwork(container.Record?.HostConfig?.NetworkMode ?? "").Kind == NamespaceKind.Host;
        var (received, sent) = ofHost ? (0, 0) : Traffic(init.Pid);
        return new ContainerUsage(at, usage, received, sent);
    }

    /// <summary>CPU time since an earlier look, in hundredths of one CPU; 0 without one.</summary>
    public double CpuPercent(ContainerUsage? before)
    {
        if (before is null || Cgroup.Cpu is not { } now || before.Cgroup.Cpu is not { } then || At <= before.At || now < then)
            return 0;
        return (now - then) * 100.0 / (Stopwatch.GetElapsedTime(before.At, At).TotalMilliseconds * 1_000_000);
    }

    // proc_pid_net(5), dev: two lines of headings, then "eth0: RECEIVED packets … SENT packets …", of the process's network namespace.
    private static (ulong Received, ulong Sent) Traffic(int pid)
    {
        var (received, sent) = (0ul, 0ul);
        using var file = Files.TryOpen("/proc/" + pid + "/net/dev", OpenFlags.ReadOnly, out _);
        if (file is null)
            return (0, 0);
        foreach (var line in Encoding.UTF8.GetString(Files.ReadAll(file, "net/dev")).Split('\n'))
        {
            var colon = line.IndexOf(':');
            if (colon < 0 || line.AsSpan(0, colon).Trim() is "lo")
                continue;
            var words = line[(colon + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length > 8 && ulong.TryParse(words[0], out var into) && ulong.TryParse(words[8], out var from))
                (received, sent) = (received + into, sent + from);
        }
        return (received, sent);
    }
}
