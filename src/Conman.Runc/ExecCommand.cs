// exec: another process in a container that runs.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;

namespace Conman.Runc;

internal static class ExecCommand
{
    public static int Run(OciContext context, Arguments arguments)
    {
        CreateCommand.RefuseClosed(arguments); // before any descriptor of our own has their numbers
        using var container = Container.Open(context.Root, arguments.Words[0]);
        var process = arguments.Get("process") is { } file ? Read(file) : Own(container, arguments);
        Change(process, arguments);
        var detach = arguments.Has("detach");
        var socket = arguments.Get("console-socket");
        if (process.Terminal && detach && socket is null)
            throw new RuntimeException("cannot allocate tty if runc will detach without setting console socket");
        if (!process.Terminal && socket is not null)
            throw new RuntimeException("cannot use console socket if runc will not detach or allocate tty");

        using var foreground = detach ? null : new Foreground(process.Terminal && socket is null);
        var listening = CreateCommand.ListeningDescriptors();
        using var started = Execution.Start(container, new ExecRequest
        {
            Process = process,
            ConsoleSocket = socket,
            ConsoleReceiver = foreground?.ConsoleSocket,
            PidfdSocket = arguments.Get("pidfd-socket"),
            PidFile = arguments.Get("pid-file"),
            PreservedDescriptors = listening + arguments.Number("preserve-fds", 0),
            ListeningDescriptors = listening,
            ListeningNames = CreateCommand.ListeningNames,
            Cgroups = arguments.All("cgroup"),
            IgnorePaused = arguments.Has("ignore-paused"),
            Warn = context.Warn,
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

    // The container's own process, with another program.
    private static Process Own(Container container, Arguments arguments)
    {
        if (arguments.Words.Count < 2)
            throw new RuntimeException("exec args cannot be empty: it needs a command, or --process FILE");
        var process = container.TryReadSpec()?.Process ?? throw new RuntimeException("cannot exec in a stopped container");
        process.Args = arguments.Words[1..];
        process.Terminal = false;
        return process;
    }

    // What the command line says goes over what is written.
    private static void Change(Process process, Arguments arguments)
    {
        process.Terminal |= arguments.Has("tty");
        if (arguments.Get("cwd") is { Length: > 0 } cwd)
            process.Cwd = cwd;
        if (arguments.All("env") is { Count: > 0 } variables)
            process.Env = [.. process.Env ?? [], .. variables];
        if (arguments.Get("no-new-privs") is not null)
            process.NoNewPrivileges = arguments.Has("no-new-privs");
        if (arguments.Get("apparmor") is { Length: > 0 } profile)
            process.ApparmorProfile = profile;
        if (arguments.Get("process-label") is { Length: > 0 } label)
            process.SelinuxLabel = label;
        foreach (var capability in arguments.All("cap"))
            AddCapability(process, capability);
        if (arguments.Get("user") is { Length: > 0 } user)
            UserSpec.Parse(user).ApplyTo(process);
        foreach (var gid in arguments.All("additional-gids"))
            ((process.User ??= new User()).AdditionalGids ??= []).Add(UserSpec.Id("additional gid", gid));
    }

    // One that the kernel does not know is warned of where the sets are compiled. One that the bundle makes inheritable is kept across execve, as with
    // runc: without that a user other than root would not have it at all.
    private static void AddCapability(Process process, string name)
    {
        var sets = process.Capabilities ??= new Capabilities();
        foreach (var set in (List<string>[])[sets.Bounding ??= [], sets.Effective ??= [], sets.Permitted ??= []])
        {
            if (!set.Contains(name))
                set.Add(name);
        }
        if (sets.Inheritable?.Contains(name) is true && sets.Ambient?.Contains(name) is not true)
            (sets.Ambient ??= []).Add(name);
    }
}
