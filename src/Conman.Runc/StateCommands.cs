// state and list: what is known of one container, and of all.

using System.Text;
using Conman.CommandLine;
using Conman.Oci;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Runc;

internal static class StateCommands
{
    public static int State(OciContext context, Arguments arguments)
    {
        using var container = Container.Open(context.Root, arguments.Words[0]);
        var json = new OciWriter("  ");
        Write(json, container, withOwner: false);
        Output.Write(json.Written);
        Output.Write("\n");
        return 0;
    }

    public static int List(OciContext context, Arguments arguments)
    {
        var format = arguments.Get("format") ?? "table";
        if (format is not ("table" or "json"))
            throw new UsageException($"invalid format option: {format} is neither table nor json");
        if (context.RootIsGiven && !Directory.Exists(context.Root))
            throw new RuntimeException($"open {context.Root}: no such file or directory");
        if (arguments.Has("quiet"))
        {
            foreach (var container in Container.All(context.Root))
            {
                using (container)
                    Output.Write(container.Id + "\n");
            }
            return 0;
        }
        if (format == "json")
            ListJson(context);
        else
            ListTable(context);
        return 0;
    }

    private static void ListJson(OciContext context)
    {
        var json = new OciWriter();
        var any = false;
        foreach (var container in Container.All(context.Root))
        {
            using (container)
            {
                if (!any)
                    json.WriteStartArray();
                any = true;
                Write(json, container, withOwner: true);
            }
        }
        // What Go makes of an empty list, and runc prints.
        if (any)
            json.WriteEndArray();
        else
            json.WriteNullValue();
        Output.Write(json.Written);
        Output.Write("\n");
    }

    private static void ListTable(OciContext context)
    {
        var rows = new List<string[]> { new[] { "ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER" } };
        foreach (var container in Container.All(context.Root))
        {
            using (container)
            {
                var status = container.Status;
                rows.Add([
                    container.Id, (status == ContainerStatus.Stopped ? 0 : container.Record?.Pid ?? 0).ToString(), Container.Name(status),
                    container.Record?.Bundle ?? "", container.Record?.Created ?? "", Owner(container),
                ]);
            }
        }
        // As Go's tabwriter lays it out for runc: columns of at least 12, three spaces apart.
        var text = new StringBuilder();
        var widths = new int[6];
        foreach (var row in rows)
        {
            for (var i = 0; i < row.Length; i++)
                widths[i] = Math.Max(widths[i], Math.Max(12, row[i].Length + 3));
        }
        foreach (var row in rows)
        {
            for (var i = 0; i < row.Length - 1; i++)
                text.Append(row[i].PadRight(widths[i]));
            text.Append(row[^1]).Append('\n');
        }
        Output.Write(text.ToString());
    }

    // The members and their order are runc's: its callers' types have them all.
    private static void Write(OciWriter json, Container container, bool withOwner)
    {
        var status = container.Status;
        json.WriteStartObject();
        json.WriteString("ociVersion"u8, container.Record?.OciVersion ?? Container.SpecVersion);
        json.WriteString("id"u8, container.Id);
        json.WriteNumber("pid"u8, status == ContainerStatus.Stopped ? 0 : container.Record?.Pid ?? 0);
        json.WriteString("status"u8, Container.Name(status));
        json.WriteString("bundle"u8, container.Record?.Bundle ?? "");
        json.WriteString("rootfs"u8, container.Record?.Rootfs ?? "");
        json.WriteString("created"u8, container.Record?.Created ?? "");
        if (container.Record?.Annotations is { Count: > 0 } annotations)
        {
            json.WritePropertyName("annotations"u8);
            json.WriteStartObject();
            foreach (var (name, value) in annotations)
            {
                json.WritePropertyName(name);
                json.WriteStringValue(value);
            }
            json.WriteEndObject();
        }
        json.WriteString("owner"u8, withOwner ? Owner(container) : "");
        json.WriteEndObject();
    }

    private static string Owner(Container container)
    {
        var uid = container.Record?.Owner ?? 0;
        return uid == 0 ? "root" : UserNames.Of(uid) ?? "#" + uid;
    }
}

/// <summary>Names of the host's users.</summary>
internal static class UserNames
{
    public static string? Of(uint uid)
    {
        foreach (var line in Encoding.UTF8.GetString(Linux.Files.ReadAll("/etc/passwd")).Split('\n'))
        {
            var fields = line.Split(':');
            if (fields.Length > 2 && fields[2] == uid.ToString())
                return fields[0];
        }
        return null;
    }
}
