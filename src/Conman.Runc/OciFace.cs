// The face of an OCI runtime: runc's command line, its log, its exit codes.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Runtime;
using Conman.Runtime.Cgroups;
using Conman.Runtime.Containers;

namespace Conman.Runc;

/// <summary>What the options before the command say, and the log.</summary>
internal sealed class OciContext
{
    public required string Program { get; init; }

    /// <summary>The folder that holds the containers' folders.</summary>
    public required string Root { get; init; }

    /// <summary>The caller named it: then it must be there to be listed.</summary>
    public bool RootIsGiven { get; init; }

    /// <summary>--rootless: whether a missing right to cgroups may be done without; null: as the caller's rights are.</summary>
    public bool? Rootless { get; init; }

    /// <summary>--cgroup-manager, --systemd-cgroup: who makes the cgroups of containers.</summary>
    public CgroupManager CgroupManager { get; init; }

    public required OciLog Log { get; init; }

    public void Warn(string message) => Log.Write(LogLevel.Warning, message);
}

internal static class OciFace
{
    private static readonly Option[] GlobalOptions =
    [
        new("root", "folder for the state of containers (default: /run/conman/oci; of an ordinary user: $XDG_RUNTIME_DIR/conman/oci)", "DIR"),
        new("rootless", "do without cgroups where there is no right to them: true, false or auto (default: auto)", "WHEN"),
        new("cgroup-manager", "who makes cgroups: cgroupfs, systemd or disabled (default: cgroupfs)", "MANAGER"),
        new("systemd-cgroup", "as --cgroup-manager systemd; linux.cgroupsPath is then SLICE:PREFIX:NAME"),
        new("log", "where messages go: [file:]PATH, journald:ID or syslog:ID (default: standard error)", "WHERE"),
        new("log-format", "text or json (default: text)", "FORMAT"),
        new("log-level", "least level of messages: error, warning, info or debug (default: info)", "LEVEL"),
        new("debug", "as --log-level debug"),
        new("criu", "of old: criu is found in $PATH", "PATH"),
        new("version", "show the version", Short: 'v'),
        HelpOption,
        UsageOption,
    ];

    private static Option UsageOption => new("usage", "show the first line of it");

    private static Option HelpOption => new("help", "show this text", Short: 'h');

    /// <summary>Runs one command.</summary>
    /// <param name="program">What the caller typed to get here.</param>
    public static int Run(string program, string[] args, int at)
    {
        // Called by runc's name, standard error is read by programs that know runc's; otherwise by a person.
        var person = program == "conman oci" ? "conman" : null;
        var log = OciLog.Default(person);
        Command? command = null;
        try
        {
            var (global, next) = Arguments.Parse(args, at, GlobalOptions, 0);
            if (global.Has("version"))
            {
                Output.Write($"{(program == "conman oci" ? "conman" : program)} version {Build.Version}\ncommit: {Build.Commit}\nspec: {Container.SpecVersion}\n");
                return 0;
            }
            log = OciLog.Open(global, person);
            var context = Context(program, global, log);
            if (global.Has("help") || global.Has("usage") || next == args.Length || args[next] is "h" || (args[next] is "help" && next + 1 == args.Length))
            {
                const string About = "Open Container Initiative runtime (runtime-spec 1.3), to be used in place of runc";
                Output.Write(HelpText.Name(program, About) + HelpText.Of(program, About, OciCommands.All(context), GlobalOptions));
                return 0;
            }
            var helped = args[next] == "help"; // "help COMMAND" is "COMMAND --help"
            if (helped)
                next++;
            command = OciCommands.Find(args[next], context)
                ?? throw new UsageException($"No help topic for '{args[next]}'" + (Nearest.To(args[next], OciCommands.Names) is { } near ? $": did you mean {near}?" : ""));
            Option[] options = [.. command.Options, HelpOption, UsageOption];
            var (arguments, _) = Arguments.Parse(args, next + 1, options, command.StopAfter, global);
            if (helped || arguments.Has("help") || arguments.Has("usage"))
            {
                Output.Write(arguments.Has("usage") ? HelpText.Usage(program, command) : HelpText.Name($"{program} {command.Name}", command.Help) + HelpText.Of(program, command));
                return 0;
            }
            if (arguments.Words.Count < command.Count.Least)
                throw new UsageException($"{command.Name} needs {command.Words}");
            if (arguments.Words.Count > command.Count.Most)
                throw new UsageException($"{command.Name} takes {(command.Count.Most == 0 ? "no arguments" : command.Words)}: {arguments.Words[command.Count.Most]} is too much");
            if (global.Get("criu") is not null)
                context.Warn("--criu ignored (criu binary from $PATH is used); do not use");
            if (log.Wants(LogLevel.Debug))
                log.Write(LogLevel.Debug, $"{command.Name} {string.Join(' ', arguments.Words)}");
            return command.Run(arguments);
        }
        catch (UsageException e)
        {
            Fail(log, person, e.Message);
            Output.Error($"Run '{program}{(command is null ? "" : " " + command.Name)} --help' for what it takes.");
            return 1;
        }
        catch (Exception e) when (e is RuntimeException or LinuxException)
        {
            Fail(log, person, e.Message);
            return command?.Name == "exec" ? 255 : 1;
        }
        catch (Exception e)
        {
            // A mistake of ours: still one line, with what is needed to find it.
            Fail(log, person, $"internal error: {e.GetType().Name}: {e.Message.ReplaceLineEndings(" ")}");
            return 1;
        }
    }

    // The last line of the log says why, and so does standard error: callers look for runc's texts in either.
    private static void Fail(OciLog log, string? person, string message)
    {
        log.Write(LogLevel.Error, message);
        if (log.Elsewhere)
            Output.Error(person is null ? message : $"{person}: {message}");
    }

    private static OciContext Context(string program, Arguments global, OciLog log) => new()
    {
        Program = program,
        Root = Path.GetFullPath(global.Get("root") ?? StateRoot.Default),
        RootIsGiven = global.Get("root") is not null,
        Rootless = global.Get("rootless") switch
        {
            null or "auto" => null,
            var text => Arguments.Truth(text) ?? throw new UsageException($"--rootless: {text} is neither true nor false nor auto"),
        },
        CgroupManager = Manager(global),
        Log = log,
    };

    private static CgroupManager Manager(Arguments global)
    {
        var manager = global.Get("cgroup-manager") switch
        {
            null or "cgroupfs" => CgroupManager.Cgroupfs,
            "systemd" => CgroupManager.Systemd,
            "disabled" => CgroupManager.Disabled,
            var other => throw new UsageException($"--cgroup-manager: {other} is not one of cgroupfs, systemd, disabled"),
        };
        return global.Has("systemd-cgroup") ? CgroupManager.Systemd : manager;
    }
}
