// The face of a container manager: Docker's and Podman's words.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Store;
using Conman.Images;
using Conman.Images.Store;
using Conman.Linux;
using Conman.Runtime;

namespace Conman;

/// <summary>What the options that every command has say.</summary>
internal sealed class ManagerContext
{
    private ContainerEngine? _engine;

    /// <summary>Those before the command, and, once they are known, those after it: the later counts.</summary>
    public List<Arguments> Options { get; } = [];

    /// <summary>The containers, and all that they need; until the end of the command.</summary>
    public ContainerEngine Engine => _engine ??= new(Get("root") ?? ImageStore.DefaultRoot, Get("runroot") ?? ContainerEngine.DefaultRunRoot) { Warn = static warning => Output.Error("conman: warning: " + warning) };

    /// <summary>Opens the store of images.</summary>
    public ImageStore OpenStore() => Engine.OpenImages();

    private string? Get(string name)
    {
        for (var i = Options.Count - 1; i >= 0; i--)
        {
            if (Options[i].Get(name) is { } value)
                return value;
        }
        return null;
    }
}

/// <summary>A thing that was asked for is not there: exit code 1, as Docker's.</summary>
internal sealed class NotFoundException(string message) : Exception(message);

internal static class ManagerFace
{
    private static readonly Option[] GlobalOptions =
    [
        new("root", $"folder of images, containers and volumes (default: {ImageStore.DefaultRoot})", "DIR"),
        new("runroot", $"folder of what ends with the boot (default: {ContainerEngine.DefaultRunRoot})", "DIR"),
        new("help", "show this text", Short: 'h'),
        new("version", "show the version", Short: 'v'),
    ];

    /// <summary>Runs one command; its exit code.</summary>
    public static int Run(string[] args)
    {
        string? program = null;
        try
        {
            var (global, at) = Arguments.Parse(args, 0, GlobalOptions, 0);
            var context = new ManagerContext { Options = { global } };
            var groups = Groups(context);
            if (global.Has("version"))
                return Version();
            if (global.Has("help") || at == args.Length)
                return Help(groups);
            var word = args[at++];
            if (word == "help")
            {
                if (at == args.Length)
                    return Help(groups);
                word = args[at++];
                args = [.. args[..at], .. args[at..], "--help"];
            }
            program = "conman";
            var commands = groups[0].Commands;
            if (groups.Find(g => g.Name == word) is { } group)
            {
                program += " " + word;
                commands = group.Commands;
                if (at == args.Length || args[at] is "--help" or "-h")
                {
                    Output.Write(HelpText.Of(program, group.About, commands, []));
                    return 0;
                }
                word = args[at++];
            }
            var command = Named(commands, word)
                ?? throw new UsageException($"unknown command {word}" + (Nearest.To(word, commands.Select(c => c.Name)) is { } near ? $": did you mean {near}?" : ""));
            var helped = program;
            program += " " + command.Name;
            var (arguments, _) = Arguments.Parse(args, at, [.. command.Options, .. GlobalOptions[..^1]], command.StopAfter, global);
            context.Options.Add(arguments);
            if (arguments.Has("help"))
            {
                Output.Write(HelpText.Of(helped, command));
                return 0;
            }
            if (arguments.Words.Count < command.Count.Least)
                throw new UsageException($"{command.Name} needs {command.Words}");
            if (arguments.Words.Count > command.Count.Most)
                throw new UsageException($"{command.Name} takes {(command.Count.Most == 0 ? "no arguments" : command.Words)}: {arguments.Words[command.Count.Most]} is too much");
            return command.Run(arguments);
        }
        catch (UsageException e)
        {
            Output.Error($"conman: {e.Message}\nRun '{program ?? "conman"} --help' for what it takes.");
            return 125;
        }
        catch (StartException e)
        {
            Output.Error($"conman: {e.Message}");
            return e.ExitCode;
        }
        catch (Exception e) when (e is NotFoundException or EngineException or Network.NetworkException)
        {
            Output.Error($"conman: {e.Message}");
            return 1;
        }
        catch (Exception e) when (e is ImageException or LinuxException or RuntimeException)
        {
            Output.Error($"conman: {e.Message}");
            return 125;
        }
        catch (Exception e)
        {
            Output.Error($"conman: this should not have happened ({e.GetType().Name}: {e.Message}): please report it");
            return 125;
        }
    }

    public static int Version()
    {
        Output.Write($"conman version {Build.Version}\n");
        return 0;
    }

    private static Command? Named(IEnumerable<Command> commands, string word)
    {
        foreach (var command in commands)
        {
            if (command.Name == word)
                return command;
        }
        return null;
    }

    // The first group is what needs no group's name. A command is made, with all its options, when somebody looks at it: the search ends at the
    // one that was asked for.
    private static List<CommandGroup> Groups(ManagerContext context)
    {
        return
        [
            new("", "", Later.Each(
                () => ContainerCommands.All(context),
                () => ImageCommands.All(context),
                () => RegistryCommands.All(context),
                () => [Completion.Of(() => Groups(context), GlobalOptions), EventCommand.Of(context), HostCommands.Info(context), HostCommands.Version])),
            new("container", "Manage containers", Later.Each(() => ContainerCommands.OfGroup(context))),
            new("image", "Manage images", Later.Each(() => ImageCommands.OfGroup(context))),
            new("pod", "Manage pods: containers that share namespaces", Later.Each(() => PodCommands.Of(context))),
            new("network", "Manage networks", Later.Each(() => NetworkCommands.OfGroup(context))),
            new("volume", "Manage volumes", Later.Each(() => VolumeCommands.OfGroup(context))),
            new("secret", "Manage secrets", Later.Each(() => SecretCommands.OfGroup(context))),
            new("system", "Look after the host", Later.Each(() => SystemCommands.All(context))),
        ];
    }

    private static int Help(List<CommandGroup> groups)
    {
        var commands = new List<Command>(groups[0].Commands);
        commands.AddRange(groups.Skip(1).Select(g => new Command(g.Name, "", g.About, [], _ => 0)));
        commands.Add(new Command("oci", "", "Act as an OCI runtime, in place of runc (also when called by a name that ends in \"runc\")", [], _ => 0));
        Output.Write(HelpText.Of("conman", "Images and containers, with no daemon.", commands.OrderBy(c => c.Name, StringComparer.Ordinal), GlobalOptions));
        return 0;
    }
}
