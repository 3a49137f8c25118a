// start, kill, pause, resume and delete.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Runc;

internal static class LifeCommands
{
    public static int Start(OciContext context, Arguments arguments)
    {
        using var notify = Start(context, arguments.Words[0], out var init, out var pid);
        using (init)
        {
            if (init is not null)
                notify?.ForwardUntilReady(init, pid);
        }
        return 0;
    }

    // Whoever then waits for the program to be ready no longer holds the container's lock.
    private static NotifySocket? Start(OciContext context, string id, out FileDescriptor? init, out int pid)
    {
        using var container = Container.OpenLocked(context.Root, id);
        (init, pid) = (null, container.Record?.Pid ?? 0);
        var notify = CreateCommand.ServiceManager is { } manager ? container.TryHear(manager) : null;
        if (notify is not null)
            init = container.TryOpenInit();
        container.Start();
        container.RunPoststartHooks(container.Record!.Hooks);
        return notify;
    }

    public static int Kill(OciContext context, Arguments arguments)
    {
        foreach (var id in Chosen(context, arguments))
        {
            using var container = Container.Open(context.Root, id);
            var name = arguments.Words.Count > 1 ? arguments.Words[1] : "SIGTERM";
            var signal = Signals.Parse(name);
            if (signal < 0)
                throw new RuntimeException("unknown signal " + GoText.Quoted(name));
            if (arguments.Has("all"))
                container.SignalAll(signal);
            else
                container.Signal(signal);
        }
        return 0;
    }

    public static int Freeze(OciContext context, Arguments arguments, bool freeze)
    {
        using var container = Container.Open(context.Root, arguments.Words[0]);
        container.Freeze(freeze);
        return 0;
    }

    public static int Delete(OciContext context, Arguments arguments)
    {
        foreach (var id in Chosen(context, arguments))
            Delete(context, id, arguments.Has("force"));
        return 0;
    }

    private static void Delete(OciContext context, string id, bool force)
    {
        // Whoever is creating it finishes first, or has been killed.
        using var container = Container.TryOpenLocked(context.Root, id);
        if (container is null && force)
            return;
        if (container is null)
            throw new RuntimeException("container does not exist");
        if (!force && container.Status is not (ContainerStatus.Stopped or ContainerStatus.Created))
            throw new RuntimeException($"cannot delete container {container.Id} that is not stopped: {Container.Name(container.Status)}");
        foreach (var warning in container.Destroy())
            context.Warn(warning);
    }

    // The one container that is named; with --regex, every one whose id matches.
    private static List<string> Chosen(OciContext context, Arguments arguments)
    {
        if (!arguments.Has("regex"))
            return [arguments.Words[0]];
        try
        {
            using var pattern = new PosixPattern(arguments.Words[0]);
            return Container.Ids(context.Root).FindAll(pattern.Matches);
        }
        catch (FormatException e)
        {
            throw new RuntimeException($"--regex: {arguments.Words[0]}: {e.Message}", e);
        }
    }
}
