// run, create and start: a container begins, and this command stays with it or goes.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Life;
using Conman.Engine.Monitoring;
using Conman.Engine.Pods;
using Conman.Engine.Settings;
using Conman.Engine.Store;
using Conman.Linux;
using Conman.Runtime;

namespace Conman;

internal static class RunCommand
{
    public static IEnumerable<Command> Of(ManagerContext context)
    {
        yield return new("run", "IMAGE [COMMAND] [ARG...]", "Run a command in a new container", RunOptions.Table(create: false), arguments => Failing(() => Run(context, arguments)))
        {
            Count = (1, int.MaxValue), StopAfter = 1,
        };
        yield return new("create", "IMAGE [COMMAND] [ARG...]", "Make a container, and do not start it", RunOptions.Table(create: true), arguments => Failing(() => Create(context, arguments)))
        {
            Count = (1, int.MaxValue), StopAfter = 1,
        };
        yield return new("start", "CONTAINER...", "Start containers that do not run",
            [
                new("all", "all that do not run"),
                new("attach", "stay with it, and exit as it does", Short: 'a'),
                new("detach-keys", "what is typed to leave it (default: ctrl-p,ctrl-q)", "KEYS"),
                new("interactive", "pass on what is typed", Short: 'i'),
                new("sig-proxy", "=false: do not pass on signals"),
            ],
            arguments => Start(context, arguments)) { Count = (0, int.MaxValue) };
    }

    private static int Run(ManagerContext context, Arguments arguments)
    {
        var options = RunOptions.Parse(arguments, create: false);
        var (config, client) = (options.Config, options.Client);
        if (config is { Tty: true, AttachStdin: true } && !Terminals.IsTerminal(0))
            throw new EngineException("the input device is not a TTY: without -t it can be anything");
        using var container = Make(context, options);
        var engine = context.Engine;
        try
        {
            if (client.Detach)
            {
                Starting.Start(engine, container);
                Output.Write(container.Id + "\n");
                return 0;
            }
            return Attached(engine, container, new AttachOptions
            {
                Stdin = config.AttachStdin,
                Stdout = config.AttachStdout,
                Stderr = config.AttachStderr,
                Terminal = config.Tty,
                SignalProxy = client.SigProxy,
                DetachKeys = client.DetachKeys ?? DetachKeys.Default,
                Owner = options.Host.RestartPolicy is null or { Name: "" or "no" },
            });
        }
        catch (StartException) when (options.Host.AutoRemove)
        {
            Removing.Erase(engine, container);
            throw;
        }
    }

    private static int Create(ManagerContext context, Arguments arguments)
    {
        using var container = Make(context, RunOptions.Parse(arguments, create: true));
        Output.Write(container.Id + "\n");
        return 0;
    }

    private static int Start(ManagerContext context, Arguments arguments)
    {
        var engine = context.Engine;
        var words = Targets.Of(engine, arguments.Words, arguments.Has("all"), c => c.Init is null);
        if (!arguments.Has("attach") && !arguments.Has("interactive"))
        {
            return Targets.Each(words, word =>
            {
                using var container = engine.Containers.OpenLocked(word);
                Starting.Start(engine, container);
            });
        }
        if (words.Count != 1)
            throw new UsageException("you cannot start and attach multiple containers at once");
        using var one = engine.Containers.OpenLocked(words[0]);
        var config = one.NeedRecord().Config!;
        return Attached(engine, one, new AttachOptions
        {
            Stdin = arguments.Has("interactive") && config.OpenStdin,
            Terminal = config.Tty,
            SignalProxy = arguments.Get("sig-proxy") is null || arguments.Has("sig-proxy"),
            DetachKeys = arguments.Get("detach-keys") ?? DetachKeys.Default,
            Owner = one.Record!.HostConfig!.RestartPolicy is null or { Name: "" or "no" },
        });
    }

    /// <summary>Starts a locked container, stays with it until it ends or is left, and does what is to be done then; its exit code.</summary>
    private static int Attached(ContainerEngine engine, Container container, AttachOptions options)
    {
        AttachClient? connected = null;
        try
        {
            Starting.Start(engine, container, () => connected = AttachClient.Connect(container.RunFolder!, options));
            using var client = connected ?? AttachClient.Connect(container.RunFolder!, options); // it ran already
            connected = null;
            // A program may be over before this looks at it: then there is nobody to signal.
            using var process = container.Init is { } init ? Processes.TryOpen(init.Pid, init.StartTime) : null;
            using var nobody = process is null ? Files.Open("/dev/null", OpenFlags.ReadOnly) : null;
            Files.Unlock(container.Folder);
            var end = client.Run(process ?? nobody!);
            if (end.Detached)
                return 0;
            if (end.Exit is not { } exit)
                return Waits.ForExit(engine, container.Id); // its monitor was killed
            if (options.Owner)
            {
                using (var ended = engine.Containers.TryOpenLocked(container.Id))
                {
                    // Its policy may have been changed meanwhile; what wants it started again is its monitor's to do.
                    if (ended?.Record?.HostConfig?.RestartPolicy is { Name: not ("" or "no") })
                        return exit.Code;
                    if (ended is not null)
                        Ending.Settle(engine, ended);
                }
                client.Done();
            }
            return exit.Code;
        }
        finally
        {
            connected?.Dispose();
        }
    }

    private static Container Make(ManagerContext context, RunOptions options)
    {
        var (config, client) = (options.Config, options.Client);
        if (client.CidFile is { } path && Files.Exists(path))
            throw new EngineException($"container ID file found, make sure the other container isn't running or delete {path}");
        var request = new Engine.Life.CreateRequest
        {
            Name = client.Name,
            Rootfs = client.Rootfs ? RootOf(config.Image) : null,
            Config = config,
            HostConfig = options.Host,
            Pod = client.Pod is { } pod ? PodOf(context, pod, options.Host) : null,
            Networking = options.Networking,
        };
        if (client.Pull == "always" && !client.Rootfs)
            RegistryCommands.PullFor(context, config.Image, client.Platform, client.Quiet);
        Container container;
        try
        {
            container = Creating.Create(context.Engine, request);
        }
        catch (NoSuchImageException) when (client.Pull == "missing")
        {
            _ = Images.References.ImageReference.Parse(config.Image); // what is no name can be nowhere
            Output.Error($"Unable to find image '{config.Image}' locally");
            RegistryCommands.PullFor(context, config.Image, client.Platform, client.Quiet);
            container = Creating.Create(context.Engine, request);
        }
        if (client.CidFile is { } file)
            Files.Publish(Files.CurrentDirectory, Path.GetFullPath(file), System.Text.Encoding.UTF8.GetBytes(container.Id), 0x1a4 /* 0644 */);
        return container;
    }

    // `new:NAME` makes it.
    private static string PodOf(ManagerContext context, string text, HostConfig host)
    {
        var pod = text.StartsWith("new:", StringComparison.Ordinal)
            ? PodStore.Create(context.Engine, new PodRequest(text[4..], new ContainerConfig(), new HostConfig(), [.. PodStore.DefaultShares], null))
            : PodStore.Resolve(context.Engine, text);
        PodStore.Join(context.Engine, pod, host);
        return pod;
    }

    private static string RootOf(string folder)
    {
        var path = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        return Directory.Exists(path) ? path : throw new EngineException($"cannot use {folder} as a root file system: it is not a directory");
    }

    // What keeps a container from being is told by 125, as Docker does.
    private static int Failing(Func<int> act)
    {
        try
        {
            return act();
        }
        catch (EngineException e) when (e is not StartException)
        {
            throw new StartException(e.Message, 125, e);
        }
        catch (Exception e) when (e is RuntimeException or LinuxException or Images.ImageException or Network.NetworkException)
        {
            throw new StartException(e.Message, 125, e);
        }
    }
}
