// mounts: what is mounted in a container that runs.

using System.Text;
using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Runc;

internal static class MountsCommand
{
    public static Command Declare(OciContext context) => new(
        "mounts", "add ID SOURCE DESTINATION | add ID FILE | remove ID DESTINATION... | remove ID FILE | list ID",
        "Add mounts to a running container, remove or list what was added; FILE is a JSON array of mounts as in config.json",
        [
            new("type", "bind, or a file system (default: bind)", "TYPE", 't'),
            new("options", "mount options, with commas between them", "OPTIONS", 'o', Repeats: true),
            new("format", "of list: table or json (default: table)", "FORMAT", 'f'),
        ],
        arguments => Run(context, arguments)) { Count = (2, int.MaxValue) };

    private static int Run(OciContext context, Arguments arguments)
    {
        var (verb, id) = (arguments.Words[0], arguments.Words[1]);
        var words = arguments.Words[2..];
        switch (verb)
        {
            case "list" when words.Count == 0:
                using (var container = Container.Open(context.Root, id))
                    List(container, arguments.Get("format") ?? "table");
                return 0;
            case "add" when words.Count is 1 or 2:
                var mounts = words.Count == 1 ? FromFile(words[0]) : [FromWords(words[0], words[1], arguments)];
                using (var container = Container.OpenLocked(context.Root, id))
                    LiveMounts.Add(container, mounts, Environment.CurrentDirectory);
                return 0;
            case "remove" when words.Count > 0:
                using (var container = Container.OpenLocked(context.Root, id))
                    Remove(container, words);
                return 0;
            default:
                throw new UsageException("mounts needs add ID SOURCE DESTINATION, add ID FILE, remove ID DESTINATION..., remove ID FILE, or list ID");
        }
    }

    // A word that is no destination of a mount is the name of a file, as crun has it.
    private static void Remove(Container container, List<string> words)
    {
        var there = LiveMounts.List(container);
        foreach (var word in words)
        {
            var isFile = !there.Exists(m => m.Destination == word) && Files.TryStatus(word, out _)?.Type == FileType.Regular;
            foreach (var destination in isFile ? FromFile(word).ConvertAll(m => m.Destination ?? "") : [word])
                LiveMounts.Remove(container, destination);
        }
    }

    private static Mount FromWords(string source, string destination, Arguments arguments)
    {
        var options = new List<string>();
        foreach (var text in arguments.All("options"))
            options.AddRange(text.Split(','));
        return new Mount { Destination = destination, Type = arguments.Get("type") ?? "bind", Source = source, Options = options };
    }

    private static List<Mount> FromFile(string path)
    {
        try
        {
            return Spec.Parse([.. "{\"mounts\":"u8, .. Files.ReadAll(path), (byte)'}']).Mounts ?? [];
        }
        catch (FormatException e)
        {
            throw new RuntimeException($"{path}: {e.Message}", e);
        }
    }

    private static void List(Container container, string format)
    {
        if (format is not ("table" or "json"))
            throw new UsageException($"invalid format option: {format} is neither table nor json");
        var mounts = LiveMounts.List(container);
        if (format == "json")
        {
            var json = new OciWriter("  ");
            json.WriteStartArray();
            foreach (var mount in mounts)
                mount.WriteTo(json);
            json.WriteEndArray();
            Output.Write(json.Written);
            Output.Write("\n");
            return;
        }
        var text = new StringBuilder();
        var width = mounts.Count == 0 ? 11 : Math.Max(11, mounts.Max(m => m.Destination!.Length));
        text.Append("DESTINATION".PadRight(width) + "   TYPE      SOURCE   OPTIONS\n");
        foreach (var mount in mounts)
            text.Append($"{mount.Destination!.PadRight(width)}   {mount.Type ?? "bind",-7}   {mount.Source}   {string.Join(',', mount.Options ?? [])}\n");
        Output.Write(text.ToString());
    }
}
