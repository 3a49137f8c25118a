// exec: another process in a container that runs.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;
using Conman.Runtime.Plans;

namespace Conman.Oci;

internal static class ExecCommand
{
    public static int Run(OciContext context, Arguments arguments)
    {
        using var container = Container.Open(context.Root, arguments.Words[0]);
        var process = arguments.Get("process") is { } file ? Read(file) : FromCommandLine(container, arguments);
        var detach = arguments.Has("detach");
        var socket = arguments.Get("console-socket");
        if (process.Terminal && detach && socket is null)
            throw new RuntimeException("cannot allocate tty if runc will detach without setting console socket");
        if (!process.Terminal && socket is not null)
            throw new RuntimeException("cannot use console socket if runc will not detach or allocate tty");

        using var foreground = detach ? null : new Foreground(process.Terminal && socket is null);
        using var started = Execution.Start(container, new ExecRequest
        {
            Process = process,
            ConsoleSocket = socket,
            ConsoleReceiver = foreground?.ConsoleSocket,
            PidFile = arguments.Get("pid-file"),
            PreservedDescriptors = arguments.Number("preserve-fds", 0),
            Warn = context.Warn,
            Cgroups = arguments.All("cgroup"),
        });
        return foreground?.Wait(started).Code ?? 0;
    }

    private static Process Read(string file)
    {
        try
        {
            return Process.Parse(Files.ReadAll(file));
        }
        catch (FormatException e)
        {
            throw new RuntimeException($"{file}: {e.Message}", e);
        }
    }

    // The container's own process, but for what the command line says otherwise.
    private static Process FromCommandLine(Container container, Arguments arguments)
    {
        if (arguments.Words.Count < 2)
            throw new UsageException("exec needs a command, or --process FILE");
        var process = container.TryReadSpec()?.Process ?? throw new RuntimeException("cannot exec in a stopped container");
        process.Args = arguments.Words[1..];
        process.Terminal = arguments.Has("tty");
        if (arguments.Get("cwd") is { Length: > 0 } cwd)
            process.Cwd = cwd;
        if (arguments.All("env") is { Count: > 0 } variables)
            process.Env = [.. process.Env ?? [], .. variables];
        if (arguments.Has("no-new-privs"))
            process.NoNewPrivileges = true;
        foreach (var capability in arguments.All("cap"))
            AddCapability(process, capability);
        if (arguments.Get("user") is { } user)
            SetUser(process, user);
        foreach (var gid in arguments.All("additional-gids"))
            ((process.User ??= new User()).AdditionalGids ??= []).Add(Id(gid, "--additional-gids"));
        return process;
    }

    private static void AddCapability(Process process, string name)
    {
        if (CapabilityNames.Bit(name) == 0)
            throw new RuntimeException($"--cap: unknown capability {name}");
        var sets = process.Capabilities ??= new Capabilities();
        foreach (var set in (List<string>[])[sets.Bounding ??= [], sets.Effective ??= [], sets.Permitted ??= []])
        {
            if (!set.Contains(name))
                set.Add(name);
        }
    }

    private static void SetUser(Process process, string text)
    {
        var colon = text.IndexOf(':');
        var user = process.User ??= new User();
        user.Uid = Id(colon < 0 ? text : text[..colon], "--user");
        if (colon >= 0)
            user.Gid = Id(text[(colon + 1)..], "--user");
    }

    private static uint Id(string text, string option) =>
        uint.TryParse(text, out var id) && id != uint.MaxValue ? id : throw new RuntimeException($"{option}: {text} is no numeric id");
}
