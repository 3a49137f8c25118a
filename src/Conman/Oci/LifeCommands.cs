// start, kill, pause, resume and delete.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Oci;

internal static class LifeCommands
{
    public static int Start(OciContext context, Arguments arguments)
    {
        using var container = Container.OpenLocked(context.Root, arguments.Words[0]);
        container.Start();
        container.RunPoststartHooks(container.Record!.Hooks);
        return 0;
    }

    public static int Kill(OciContext context, Arguments arguments)
    {
        var name = arguments.Words.Count > 1 ? arguments.Words[1] : "SIGTERM";
        var signal = Signals.Parse(name);
        if (signal < 0)
            throw new RuntimeException($"unknown signal {name}");
        using var container = Container.Open(context.Root, arguments.Words[0]);
        container.Signal(signal);
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
        var force = arguments.Has("force");
        // Whoever is creating it finishes first, or has been killed.
        using var container = Container.TryOpenLocked(context.Root, arguments.Words[0]);
        if (container is null)
            return force ? 0 : throw new RuntimeException("container does not exist");
        if (!force && container.Status is not (ContainerStatus.Stopped or ContainerStatus.Created))
            throw new RuntimeException($"cannot delete container {container.Id} that is not stopped: {Container.Name(container.Status)}");
        foreach (var warning in container.Destroy())
            context.Warn(warning);
        return 0;
    }
}
