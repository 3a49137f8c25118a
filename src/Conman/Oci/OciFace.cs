// The face of an OCI runtime: runc's command line, its log, its exit codes.

using System.Globalization;
using System.Text;
using Conman.CommandLine;
using Conman.Linux;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Oci;

/// <summary>What the options before the command say, and the log.</summary>
internal sealed class OciContext
{
    public required string Program { get; init; }

    /// <summary>The folder that holds the containers' folders.</summary>
    public required string Root { get; init; }

    /// <summary>--rootless: whether a missing right to cgroups may be done without; null: as the caller's rights are.</summary>
    public bool? Rootless { get; init; }

    public string? LogFile { get; init; }
    public bool LogJson { get; init; }
    public bool Debug { get; init; }

    /// <summary>--cgroup-manager, --systemd-cgroup: who makes the cgroups of containers.</summary>
    public Runtime.Cgroups.CgroupManager CgroupManager { get; init; }

    public void Warn(string message) => Log("warning", message);

    /// <summary>Logs as logrus does: callers of runc read the last line of the file.</summary>
    public void Log(string level, string message)
    {
        var time = DateTime.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);
        var line = LogJson
            ? $"{{\"level\":\"{level}\",\"msg\":{OciWriter.Quote(message)},\"time\":\"{time}\"}}\n"
            : $"time=\"{time}\" level={level} msg={OciWriter.Quote(message)}\n";
        if (LogFile is null)
        {
            Files.TryWrite(2, Encoding.UTF8.GetBytes(line));
            return;
        }
        using var file = Files.TryOpen(LogFile, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Append, out _, mode: 0x1a4 /* 0644 */);
        if (file is not null)
            Files.TryWrite(file.Number, Encoding.UTF8.GetBytes(line));
    }

}

internal static class OciFace
{
    private static readonly Option[] GlobalOptions =
    [
        new("root", "folder for the state of containers (default: /run/conman/oci; of an ordinary user: $XDG_RUNTIME_DIR/conman/oci)", "DIR"),
        new("rootless", "do without cgroups where there is no right to them: true, false or auto (default: auto)", "WHEN"),
        new("log", "file for messages (default: standard error)", "FILE"),
        new("log-format", "text or json (default: text)", "FORMAT"),
        new("debug", "log what is done"),
        new("cgroup-manager", "who makes cgroups: cgroupfs, systemd or disabled (default: cgroupfs)", "MANAGER"),
        new("systemd-cgroup", "as --cgroup-manager systemd; linux.cgroupsPath is then SLICE:PREFIX:NAME"),
        new("version", "show the version", Short: 'v'),
        new("help", "show this text", Short: 'h'),
    ];

    /// <summary>Runs one command.</summary>
    /// <param name="program">What the caller typed to get here.</param>
    public static int Run(string program, string[] args, int at)
    {
        OciContext? context = null;
        Command? command = null;
        try
        {
            var (global, next) = Arguments.Parse(args, at, GlobalOptions, 0);
            if (global.Has("version"))
            {
                Output.Write($"{(program == "conman oci" ? "conman" : program)} version {Program.Version}\nspec: {Runtime.Containers.Container.SpecVersion}\n");
                return 0;
            }
            context = Context(program, global);
            if (global.Has("help") || next == args.Length || args[next] is "help" or "h")
            {
                Output.Write(HelpText.Of(program, "An OCI runtime (runtime-spec 1.3), to be used in place of runc.", OciCommands.All(context), GlobalOptions));
                return 0;
            }
            command = OciCommands.Find(args[next], context)
                ?? throw new UsageException($"unknown command {args[next]}" + (Nearest.To(args[next], OciCommands.Names) is { } near ? $": did you mean {near}?" : ""));
            Option[] options = [.. command.Options, new("help", "", Short: 'h')];
            var (arguments, _) = Arguments.Parse(args, next + 1, options, command.StopAfter, global);
            if (arguments.Has("help"))
            {
                Output.Write(HelpText.Of(program, command));
                return 0;
            }
            if (arguments.Words.Count < command.Count.Least)
                throw new UsageException($"{command.Name} needs {command.Words}");
            if (arguments.Words.Count > command.Count.Most)
                throw new UsageException($"{command.Name} takes {(command.Count.Most == 0 ? "no arguments" : command.Words)}: {arguments.Words[command.Count.Most]} is too much");
            if (context.Debug)
                context.Log("debug", $"{command.Name} {string.Join(' ', arguments.Words)}");
            return command.Run(arguments);
        }
        catch (UsageException e)
        {
            Fail(context, e.Message);
            Output.Error($"Run '{program}{(command is null ? "" : " " + command.Name)} --help' for what it takes.");
            return 1;
        }
        catch (Exception e) when (e is RuntimeException or LinuxException)
        {
            Fail(context, e.Message);
            return command?.Name == "exec" ? 255 : 1;
        }
        catch (Exception e)
        {
            // A mistake of ours: still one line, with what is needed to find it.
            Fail(context, $"internal error: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            return 1;
        }
    }

    private static void Fail(OciContext? context, string message)
    {
        if (context?.LogFile is not null)
            context.Log("error", message);
        // runc's callers look for its texts on standard error, whatever surrounds them.
        if (context is { LogFile: null, LogJson: true })
            context.Log("error", message);
        else
            Output.Error($"{context?.Program.Split(' ')[0] ?? "conman"}: {message}");
    }

    private static OciContext Context(string program, Arguments global)
    {
        var format = global.Get("log-format") ?? "text";
        if (format is not ("text" or "json"))
            throw new UsageException($"invalid log-format: {format} is neither text nor json");
        return new OciContext
        {
            Program = program,
            Root = Path.GetFullPath(global.Get("root") ?? StateRoot.Default),
            Rootless = global.Get("rootless") switch
            {
                null or "auto" => null,
                "true" => true,
                "false" => false,
                var other => throw new UsageException($"--rootless: {other} is neither true nor false nor auto"),
            },
            LogFile = global.Get("log") is { Length: > 0 } file ? file : null,
            LogJson = format == "json",
            Debug = global.Has("debug"),
            CgroupManager = global.Has("systemd-cgroup") || global.Get("cgroup-manager") == "systemd" ? Runtime.Cgroups.CgroupManager.Systemd : default,
        };
    }
}
