// Hooks: programs of the bundle's author, run at the points that runtime-spec names ("POSIX-platform Hooks").

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Containers;

/// <summary>Runs hooks one after the other, the container's state on their standard input.</summary>
internal static class HookRunner
{
    /// <summary>Runs all; the first failure ends it.</summary>
    /// <param name="kind">The member of "hooks", for the error's text.</param>
    /// <param name="state">The state as JSON.</param>
    /// <param name="inside">A process whose namespaces they run in; null: the runtime's.</param>
    /// <param name="folder">Their working directory there; null: the root.</param>
    public static void Run(string kind, List<Hook>? hooks, ReadOnlySpan<byte> state, int? inside = null, string? folder = null)
    {
        for (var i = 0; i < (hooks?.Count ?? 0); i++)
        {
            if (TryRun(kind, hooks!, i, state, inside, folder) is { } failure)
                throw new RuntimeException(failure);
        }
    }

    /// <summary>Runs the startContainer hooks: programs of the container, so with no more rights than the one that they come before.</summary>
    public static void RunStartContainer(List<Hook>? hooks, Container container)
    {
        for (var i = 0; i < (hooks?.Count ?? 0); i++)
        {
            var hook = hooks![i];
            if (TryRun(hook, container.State(ContainerStatus.Created).ToUtf8(false), (streams, timeout) => RunAsProcess(hook, container, streams, timeout)) is { } failure)
                throw new RuntimeException(Failed("startContainer", i, failure));
        }
    }

    /// <summary>Runs the hook of that number; null, or what became of it, as runc says it.</summary>
    public static string? TryRun(string kind, List<Hook> hooks, int number, ReadOnlySpan<byte> state, int? inside = null, string? folder = null) =>
        TryRun(hooks[number], state, (streams, timeout) => RunIn(inside, hooks[number], folder, streams, timeout)) is { } failure ? Failed(kind, number, failure) : null;

    private static string Failed(string kind, int number, string failure) => $"error running {kind} hook #{number}: {failure}";

    private static string? TryRun(Hook hook, ReadOnlySpan<byte> state, Func<(int, int, int), int, Exit?> run)
    {
        if (string.IsNullOrEmpty(hook.Path) || hook.Path[0] != '/')
            return $"path {Words.Quote(hook.Path ?? "")} is not absolute";
        using var input = Files.SealedMemory("state", state);
        using var output = Files.Memory("hook-output");
        using var errors = Files.Memory("hook-errors");
        try
        {
            var timeout = hook.Timeout is > 0 ? (int)Math.Min(hook.Timeout.Value * 1000L, int.MaxValue) : -1;
            if (run((input.Number, output.Number, errors.Number), timeout) is not { } exit)
                return $"hook ran past specified timeout of {hook.Timeout}.0s";
            if (exit is { Status: 0, Signal: 0 })
                return null;
            return (exit.Signal != 0 ? "signal: " + Signals.Describe(exit.Signal) : $"exit status {exit.Status}") + $", stdout: {HelperProgram.Text(output)}, stderr: {HelperProgram.Text(errors)}";
        }
        catch (RuntimeException e)
        {
            return e.Message;
        }
    }

    // As exec would run it: the container's user, capabilities and limits, its filter, its cgroup.
    private static Exit? RunAsProcess(Hook hook, Container container, (int, int, int) streams, int timeout)
    {
        var program = container.TryReadSpec()!.Process!;
        using var process = Execution.Start(container, new ExecRequest
        {
            Process = new Process
            {
                Args = [hook.Path!],
                Env = hook.Env,
                Cwd = program.Cwd,
                User = program.User,
                Capabilities = program.Capabilities,
                Rlimits = program.Rlimits,
                NoNewPrivileges = program.NoNewPrivileges,
                ApparmorProfile = program.ApparmorProfile,
                SelinuxLabel = program.SelinuxLabel,
                Scheduler = program.Scheduler,
                IoPriority = program.IoPriority,
            },
            Arguments = hook.Args is { Count: > 0 } ? hook.Args : null,
            Streams = streams,
            EndsWithRuntime = true,
        });
        return HelperProgram.Wait(process, timeout);
    }

    private static Exit? RunIn(int? inside, Hook hook, string? folder, (int, int, int) streams, int timeout)
    {
        using var host = new HostPreparer();
        // A pid namespace is entered by being born in it, all others by joining. An ordinary user has the right to either only once he has joined
        // the user namespace.
        var ordinary = HostRights.Current.OrdinaryUser;
        using var pidNamespace = inside is { } pid && !ordinary ? Files.Open($"/proc/{pid}/ns/pid", OpenFlags.ReadOnly) : null;
        var plan = new Plan();
        plan.Add(new NewSession());
        if (inside is not null)
        {
            foreach (var ns in NamespacesOf(inside.Value))
                plan.Add(new JoinNamespace(plan.Prepare(ns)));
            if (ordinary && Files.TryReadLink($"/proc/{inside}/ns/pid") != Files.TryReadLink("/proc/self/ns/pid"))
            {
                plan.Add(new JoinNamespace(plan.Prepare(new HostNamespace($"/proc/{inside}/ns/pid", Namespaces.Pid))));
                plan.Add(new ContinueIn(Namespaces.None));
            }
        }
        // A hook is part of the command that runs it: after a kill -9 of that it must not work on what `delete` has removed.
        plan.Add(new DieWithRuntime());
        plan.Add(new Sync(SyncPoint.Reborn));
        if (folder is not null)
            plan.Add(new ChangeDirectory(folder));
        plan.Add(new FindProgram(hook.Path!, [hook.Path!], false));
        plan.Add(new CloseDescriptors(3));
        plan.Add(new Execute(hook.Args is { Count: > 0 } args ? args : [hook.Path!], hook.Env ?? OwnEnvironment()));
        host.Open(plan);
        return HelperProgram.Run(plan, host.Numbers, pidNamespace, streams, timeout);
    }

    // Programs of the host look for others on the runtime's PATH if they are told of none, as with runc and crun.
    private static List<string> OwnEnvironment()
    {
        var variables = new List<string>();
        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
            variables.Add(variable.Key + "=" + variable.Value);
        return variables;
    }

    // The kinds that a process may be in; its user namespace first, since the others belong to it.
    private static List<HostNamespace> NamespacesOf(int pid)
    {
        var found = new List<HostNamespace>();
        foreach (var (file, type) in NamespaceFiles.All)
        {
            // Joining one's own user namespace is an error (setns(2)); any other is harmless, but not an ordinary user's right.
            if ((type != Namespaces.User && !HostRights.Current.OrdinaryUser) || Files.TryReadLink($"/proc/{pid}/ns/{file}") != Files.TryReadLink($"/proc/self/ns/{file}"))
                found.Add(new HostNamespace($"/proc/{pid}/ns/{file}", type));
        }
        return found;
    }
}

/// <summary>Files of /proc/PID/ns.</summary>
internal static class NamespaceFiles
{
    public static readonly (string File, Namespaces Type)[] All =
    [
        ("user", Namespaces.User), ("mnt", Namespaces.Mount), ("net", Namespaces.Network),
        ("ipc", Namespaces.Ipc), ("uts", Namespaces.Uts), ("cgroup", Namespaces.Cgroup),
    ];
}
