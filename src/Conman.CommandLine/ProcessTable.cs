// The table of some processes, by the host's ps(1).

using System.Text;
using Conman.Linux;
using Conman.Runtime;

namespace Conman.CommandLine;

internal static class ProcessTable
{
    /// <summary>The options decide the columns: of what ps(1) prints, the header stays, and the lines of these processes.</summary>
    public static void Write(List<int> pids, List<string> options)
    {
        var lines = AskPs(options).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        var column = lines.Length == 0 ? -1 : Array.IndexOf(lines[0].Split(' ', StringSplitOptions.RemoveEmptyEntries), "PID");
        if (column < 0)
            throw new RuntimeException("couldn't find PID field in ps output");
        var text = new StringBuilder(lines[0]).Append('\n');
        foreach (var line in lines.AsSpan(1))
        {
            var fields = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (fields.Length > column && int.TryParse(fields[column], out var pid) && pids.Contains(pid))
                text.Append(line).Append('\n');
        }
        Output.Write(text.ToString());
    }

    private static string AskPs(List<string> options)
    {
        var ps = Files.TryOpen("/bin/ps", OpenFlags.Path, out _) ?? Files.TryOpen("/usr/bin/ps", OpenFlags.Path, out var errno)
            ?? throw new RuntimeException($"cannot list processes: /usr/bin/ps: {LinuxException.Describe(errno)}");
        using var output = Files.Memory("ps");
        using (ps)
        {
            using var process = Processes.Spawn(ps, ["ps", .. options], ["PATH=/usr/bin:/bin", "COLUMNS=4096"], new SpawnOptions { StandardStreams = (-1, output.Number, -1) });
            if (process.Wait() is not { Status: 0, Signal: 0 })
                throw new RuntimeException($"cannot list processes: ps {string.Join(' ', options)} failed");
        }
        Files.Rewind(output);
        return Encoding.UTF8.GetString(Files.ReadAll(output, "the output of ps"));
    }
}
