// health.json: what the health checks of a container that runs have said, in the shape of Docker's inspect.

using System.Text.Json.Nodes;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Engine.Life;

/// <summary>One check.</summary>
[OciObject(Docker = true)]
public sealed partial class HealthResult
{
    public string Start { get; set; } = "";

    public string End { get; set; } = "";

    /// <summary>0: healthy, 1: not; -1: it took too long.</summary>
    public int ExitCode { get; set; }

    /// <summary>The first 4 kB.</summary>
    public string Output { get; set; } = "";
}

/// <summary>The health of a container. It lies in the folder of this boot, and is new with each start.</summary>
[OciObject(Docker = true)]
public sealed partial class HealthState
{
    private const string FileName = "health.json";

    /// <summary>starting, healthy or unhealthy.</summary>
    public string Status { get; set; } = "starting";

    /// <summary>How many checks in a row have failed.</summary>
    public int FailingStreak { get; set; }

    /// <summary>The last five.</summary>
    public List<HealthResult>? Log { get; set; }

    /// <summary>Null: the container has no health check, or does not run.</summary>
    public static HealthState? Read(Container container)
    {
        if (!HasCheck(container.Record) || container.RunFolder is not { } run)
            return null;
        using var file = Files.TryOpen(FileName, OpenFlags.ReadOnly | Files.NoFollow, out _, run.Number);
        try
        {
            return file is null ? new HealthState() : Parse(Files.ReadAll(file, FileName));
        }
        catch (OciFormatException)
        {
            return new HealthState();
        }
    }

    /// <summary>Whether there is a check to make.</summary>
    public static bool HasCheck(StoredContainer? record) => record?.Config?.Healthcheck?.Test is { Count: > 0 } and not ["NONE", ..];

    public void Write(Container container) => Files.Replace(container.MakeRunFolder().Number, FileName, ToUtf8(indented: false));

    public JsonNode? ToNode() => JsonNode.Parse(ToUtf8(indented: false));
}
