// info and version: what is known of this host and of this program, in Docker's shape.

using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine.Store;
using Conman.Formatting;
using Conman.Linux;

namespace Conman;

internal static class HostCommands
{
    private static readonly Option Format = new("format", "json or a Go template", "FORMAT", 'f');

    private static string Architecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "aarch64" : "x86_64";

    private static string GoArchitecture => RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    private static string Kernel => Line("/proc/sys/kernel/osrelease");

    /// <summary><c>version</c>. There is no server: what asks for one is answered by this program too.</summary>
    public static Command Version { get; } = new("version", "", "Show the version", [Format],
        arguments =>
        {
            var own = new JsonObject { ["Version"] = Build.Version, ["GitCommit"] = Build.Commit, ["Os"] = "linux", ["Arch"] = GoArchitecture, ["KernelVersion"] = Kernel };
            Print(arguments, new JsonObject { ["Client"] = own, ["Server"] = own.DeepClone() }, _ =>
                $"Version:      {Build.Version}\n{(Build.Commit.Length > 0 ? $"Git commit:   {Build.Commit}\n" : "")}OS/Arch:      linux/{GoArchitecture}\nKernel:       {Kernel}\n");
            return 0;
        }) { Count = (0, 0) };

    /// <summary><c>info</c>.</summary>
    public static Command Info(ManagerContext context) => new("info", "", "Show what is known of this host", [Format],
        arguments =>
        {
            Print(arguments, Facts(context), Text);
            return 0;
        }) { Count = (0, 0) };

    private static void Print(Arguments arguments, JsonObject shown, Func<JsonObject, string> text) => Output.Write(arguments.Get("format") switch
    {
        null or "" => text(shown),
        "json" => Json.Compact(shown) + "\n",
        var format => GoTemplate.Parse(format).Execute(shown) + "\n",
    });

    private static JsonObject Facts(ManagerContext context)
    {
        var engine = context.Engine;
        var counts = new int[Enum.GetValues<ContainerStatus>().Length];
        foreach (var id in engine.Containers.Ids())
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is not null)
                counts[(int)ContainerView.Status(engine, container)]++;
        }
        var (running, paused) = (counts[(int)ContainerStatus.Running], counts[(int)ContainerStatus.Paused]);
        using var store = context.OpenStore();
        return new JsonObject
        {
            ["Containers"] = counts.Sum(),
            ["ContainersRunning"] = running,
            ["ContainersPaused"] = paused,
            ["ContainersStopped"] = counts.Sum() - running - paused,
            ["Images"] = store.Images.All([]).Select(r => r.Id).Distinct().Count(),
            ["Driver"] = "overlay2",
            ["LoggingDriver"] = "json-file",
            ["CgroupDriver"] = "cgroupfs",
            ["CgroupVersion"] = CgroupHierarchy.UnifiedOnly ? "2" : "1",
            ["MemoryLimit"] = CgroupHierarchy.Has("memory"),
            ["IPv4Forwarding"] = Conman.Network.Links.HostSettings.Forwarding.V4 ?? false,
            ["IPv6Forwarding"] = Conman.Network.Links.HostSettings.Forwarding.V6 ?? false,
            ["PidsLimit"] = CgroupHierarchy.Has("pids"),
            ["KernelVersion"] = Kernel,
            ["OperatingSystem"] = OperatingSystem(),
            ["OSType"] = "linux",
            ["Architecture"] = Architecture,
            ["NCPU"] = Environment.ProcessorCount,
            ["MemTotal"] = GC.GetGCMemoryInfo().TotalAvailableMemoryBytes,
            ["Name"] = Line("/proc/sys/kernel/hostname"),
            ["DockerRootDir"] = engine.Root,
            ["RunRoot"] = engine.RunRoot,
            ["DefaultRuntime"] = "conman",
            ["Runtimes"] = new JsonObject { ["conman"] = new JsonObject { ["path"] = Environment.ProcessPath } },
            ["SecurityOptions"] = Json.List(["name=seccomp,profile=builtin", "name=cgroupns"]),
            ["ServerVersion"] = Build.Version,
            ["Warnings"] = Json.List(((string[])["memory", "cpu", "pids", "cpuset"]).Where(c => !CgroupHierarchy.Has(c)).Select(c => $"WARNING: No {c} limit support")),
        };
    }

    private static string Text(JsonObject facts)
    {
        var text = new StringBuilder();
        foreach (var (heading, field) in ((string, string)[])
        [
            ("Containers", "Containers"), (" Running", "ContainersRunning"), (" Paused", "ContainersPaused"), (" Stopped", "ContainersStopped"), ("Images", "Images"),
            ("Server Version", "ServerVersion"), ("Storage Driver", "Driver"), ("Logging Driver", "LoggingDriver"), ("Cgroup Driver", "CgroupDriver"), ("Cgroup Version", "CgroupVersion"),
            ("Kernel Version", "KernelVersion"), ("Operating System", "OperatingSystem"), ("OSType", "OSType"), ("Architecture", "Architecture"), ("CPUs", "NCPU"),
        ])
            text.Append(CultureInfo.InvariantCulture, $"{heading}: {facts[field]}\n");
        text.Append(CultureInfo.InvariantCulture, $"Total Memory: {Humane.BinarySize((long)facts["MemTotal"]!)}\nName: {facts["Name"]}\nDocker Root Dir: {facts["DockerRootDir"]}\nRun Root: {facts["RunRoot"]}\n");
        foreach (var warning in (JsonArray)facts["Warnings"]!)
            text.Append(CultureInfo.InvariantCulture, $"{warning}\n");
        return text.ToString();
    }

    // os-release(5)
    private static string OperatingSystem()
    {
        using var file = Files.TryOpen("/etc/os-release", OpenFlags.ReadOnly, out _);
        foreach (var line in file is null ? [] : Encoding.UTF8.GetString(Files.ReadAll(file, "/etc/os-release")).Split('\n'))
        {
            if (line.StartsWith("PRETTY_NAME=", StringComparison.Ordinal))
                return line["PRETTY_NAME=".Length..].Trim('"');
        }
        return "Linux";
    }

    private static string Line(string path) => Encoding.UTF8.GetString(Files.ReadAll(path)).Trim();
}
