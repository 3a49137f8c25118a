// Networks that other people's programs make: the plugins of CNI (github.com/containernetworking/cni, SPEC.md 1.1), run one after the other.

using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Conman.Linux;

namespace Conman.Network.Cni;

/// <summary>The container's side of an attachment.</summary>
/// <param name="ContainerId">64 hexadecimal digits.</param>
/// <param name="Namespace">The path of its network namespace; empty: it is gone.</param>
/// <param name="Device">What its device is called.</param>
public sealed record CniAttachment(string ContainerId, string Namespace, string Device);

/// <summary>A network configuration list.</summary>
/// <param name="list">The document of the file.</param>
/// <param name="path">Where plugins are, separated by colons.</param>
public sealed class CniNetwork(JsonObject list, string path)
{
    private const string DefaultFolder = "/etc/cni/net.d", DefaultPath = "/opt/cni/bin:/usr/lib/cni";
    private const int MostOutput = 4 << 20;

    public string Name => Text(list["name"]);

    /// <summary>The document itself, and where its plugins are: what <see cref="Restore"/> takes.</summary>
    public JsonObject Document => new() { ["path"] = path, ["list"] = list.DeepClone() };

    /// <summary>The configuration of that name in /etc/cni/net.d (or where NETCONFPATH says); its plugins are in /opt/cni/bin and /usr/lib/cni (or where CNI_PATH says).</summary>
    /// <exception cref="NetworkException">There is none, or it makes no sense.</exception>
    public static CniNetwork Find(string name)
    {
        var folder = Environment.GetEnvironmentVariable("NETCONFPATH") is { Length: > 0 } asked ? asked : DefaultFolder;
        using var reading = Files.TryOpen(folder, OpenFlags.ReadOnly | Files.Directory, out _);
        var names = reading is null ? [] : Files.List(reading, folder);
        names.Sort(StringComparer.Ordinal); // the first in this order counts
        foreach (var file in names)
        {
            if (Path.GetExtension(file) is not (".conflist" or ".conf" or ".json"))
                continue;
            var document = Parse(Files.ReadAll(folder + "/" + file), folder + "/" + file);
            if (Text(document["name"]) != name)
                continue;
            var list = document["plugins"] is JsonArray ? document : new JsonObject { ["cniVersion"] = document["cniVersion"]?.DeepClone(), ["name"] = name, ["plugins"] = new JsonArray(document.DeepClone()) };
            return new CniNetwork(list, Environment.GetEnvironmentVariable("CNI_PATH") is { Length: > 0 } path ? path : DefaultPath);
        }
        throw new NetworkException($"network cni:{name} not found: no file in {folder} has that name");
    }

    /// <summary>As it was when a container was attached.</summary>
    public static CniNetwork Restore(JsonObject document) => new((JsonObject)document["list"]!.DeepClone(), Text(document["path"]));

    /// <summary>Asks every plugin whether it is ready (STATUS, since version 1.1).</summary>
    public void Status()
    {
        if (!Version.TryParse(Text(list["cniVersion"]), out var version) || version < new Version(1, 1))
            return;
        foreach (var plugin in Plugins())
            Run(plugin, "STATUS", null, null, null);
    }

    /// <summary>Attaches a container; the last plugin's result.</summary>
    /// <param name="ports">For plugins that map ports (capability portMappings); null: none.</param>
    public JsonObject Add(CniAttachment attachment, JsonArray? ports)
    {
        JsonObject? result = null;
        foreach (var plugin in Plugins())
            result = Run(plugin, "ADD", attachment, result, ports) ?? result;
        return result ?? [];
    }

    /// <summary>Asks every plugin whether a container is still attached as it should be.</summary>
    public void Check(CniAttachment attachment, JsonObject result, JsonArray? ports)
    {
        if (list["disableCheck"]?.GetValueKind() == JsonValueKind.True)
            return;
        foreach (var plugin in Plugins())
            Run(plugin, "CHECK", attachment, result, ports);
    }

    /// <summary>Detaches a container, the last plugin first. One that fails does not keep the others from it.</summary>
    /// <param name="result">What ADD came to; null: nobody knows.</param>
    public void Delete(CniAttachment attachment, JsonObject? result, JsonArray? ports)
    {
        NetworkException? failed = null;
        foreach (var plugin in Plugins().AsEnumerable().Reverse())
        {
            try
            {
                Run(plugin, "DEL", attachment, result, ports);
            }
            catch (NetworkException e)
            {
                failed ??= e;
            }
        }
        if (failed is not null)
            throw failed;
    }

    /// <summary>Lets plugins give back what belongs to no attachment any more (GC, since version 1.1).</summary>
    /// <param name="valid">The attachments that there are.</param>
    public void CollectGarbage(IEnumerable<CniAttachment> valid)
    {
        if (!Version.TryParse(Text(list["cniVersion"]), out var version) || version < new Version(1, 1) || list["disableGC"]?.GetValueKind() == JsonValueKind.True)
            return;
        var attachments = new JsonArray([.. valid.Select(a => (JsonNode)new JsonObject { ["containerID"] = a.ContainerId, ["ifname"] = a.Device })]);
        foreach (var plugin in Plugins())
        {
            var with = (JsonObject)plugin.DeepClone();
            with["cni.dev/valid-attachments"] = attachments.DeepClone();
            Run(with, "GC", null, null, null);
        }
    }

    private List<JsonObject> Plugins() => [.. (list["plugins"] as JsonArray ?? throw new NetworkException($"network cni:{Name}: its file has no plugins")).OfType<JsonObject>()];

    private JsonObject? Run(JsonObject plugin, string command, CniAttachment? attachment, JsonObject? previous, JsonArray? ports)
    {
        var input = (JsonObject)plugin.DeepClone();
        input["cniVersion"] = Text(list["cniVersion"]) is { Length: > 0 } version ? version : "0.1.0";
        input["name"] = Name;
        if (previous is not null)
            input["prevResult"] = previous.DeepClone();
        // What a plugin says it can do with what the runtime knows.
        if (input["capabilities"] is JsonObject capabilities && capabilities["portMappings"]?.GetValueKind() == JsonValueKind.True && ports is not null)
            input["runtimeConfig"] = new JsonObject { ["portMappings"] = ports.DeepClone() };
        input.Remove("capabilities");

        var type = Text(input["type"]);
        using var program = Open(type);
        using var question = Files.SealedMemory("cni", Encoding.UTF8.GetBytes(input.ToJsonString()));
        using var answer = Files.Memory("cni");
        using var complaint = Files.Memory("cni");
        List<string> environment =
        [
            "CNI_COMMAND=" + command, "CNI_PATH=" + path, "PATH=" + (Environment.GetEnvironmentVariable("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin"),
            .. attachment is null ? [] : (string[])["CNI_CONTAINERID=" + attachment.ContainerId, "CNI_NETNS=" + attachment.Namespace, "CNI_IFNAME=" + attachment.Device],
        ];
        using var process = Processes.Spawn(program, [type], environment.ToArray(), new SpawnOptions { StandardStreams = (question.Number, answer.Number, complaint.Number) });
        var exit = process.Wait();
        var text = Output(answer);
        if (exit.Code == 0)
            return text.Length > 0 && command == "ADD" ? Parse(Encoding.UTF8.GetBytes(text), $"the result of CNI plugin {type}") : null;
        throw new NetworkException($"CNI plugin {type} failed ({command}): {Reason(text, Output(complaint), exit)}");
    }

    private FileDescriptor Open(string type)
    {
        if (type.Length == 0 || type.Contains('/'))
            throw new NetworkException($"network cni:{Name}: {type} is no plugin's name");
        foreach (var folder in path.Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            if (Files.TryOpen(folder + "/" + type, OpenFlags.ReadOnly, out _) is { } found)
                return found;
        }
        throw new NetworkException($"network cni:{Name}: there is no CNI plugin {type} in {path}");
    }

    private static string Output(FileDescriptor file)
    {
        Files.Rewind(file);
        return Encoding.UTF8.GetString(Files.ReadAll(file, "a CNI plugin's output", MostOutput)).Trim();
    }

    // An error is a document too: code, msg, details.
    private static string Reason(string text, string complaint, Exit exit)
    {
        try
        {
            if (JsonNode.Parse(text) is JsonObject error && Text(error["msg"]) is { Length: > 0 } message)
                return Text(error["details"]) is { Length: > 0 } details ? message + ": " + details : message;
        }
        catch (JsonException)
        {
            // then what it has written beside it
        }
        return complaint.Length > 0 ? complaint.ReplaceLineEndings(" ") : text.Length > 0 ? text.ReplaceLineEndings(" ") : "exit code " + exit.Code.ToString(CultureInfo.InvariantCulture);
    }

    private static JsonObject Parse(byte[] json, string what)
    {
        try
        {
            return JsonNode.Parse(json) as JsonObject ?? throw new NetworkException($"{what} is no JSON object");
        }
        catch (JsonException e)
        {
            throw new NetworkException($"{what} is no JSON: {e.Message}", e);
        }
    }

    private static string Text(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : "";
}
