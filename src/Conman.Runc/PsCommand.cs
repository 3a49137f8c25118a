// ps: a container's processes, as JSON or as a table.

using Conman.CommandLine;
using Conman.Runtime.Containers;

namespace Conman.Runc;

internal static class PsCommand
{
    public static int Run(OciContext context, Arguments arguments)
    {
        using var container = Container.Open(context.Root, arguments.Words[0]);
        var format = arguments.Get("format") ?? "table";
        var pids = container.AllProcesses();
        if (format == "json")
            Output.Write($"[{string.Join(',', pids)}]\n");
        else if (format == "table")
            ProcessTable.Write(pids, arguments.Words.Count > 1 ? arguments.Words[1..] : ["-ef"]);
        else
            throw new UsageException($"invalid format option: {format} is neither table nor json");
        return 0;
    }
}
