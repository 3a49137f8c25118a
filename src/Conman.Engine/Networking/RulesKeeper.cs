// Whoever removes all packet rules of a host (`nft flush ruleset`) removes conman's too. While a container with published ports runs somebody waits
// for that and makes them again: a few kilobytes that sleep on a socket of the kernel's (conman-init's role "later"), and become conman when something happens.
//
// There is one for a host, which has a lock on a file. A folder says who needs it: who leaves it last, which rmdir(2) tells, ends it. Where that was
// not said, it looks by itself, from time to time.

using System.Globalization;
using System.Text;
using Conman.Engine.Life;
using Conman.Engine.Monitoring;
using Conman.Linux;

namespace Conman.Engine.Networking;

public static class RulesKeeper
{
    /// <summary>The word by which it calls conman: <c>network-keeper ROOT RUNROOT SOCKET:LOCK</c>.</summary>
    public const string Word = "network-keeper";

    private const string LockFile = "/network-keeper", UsersFolder = "/network-ports";
    private const int Interval = 300_000; // milliseconds

    /// <summary>A container needs it: starts it, unless it is there.</summary>
    public static void Need(ContainerEngine engine, string id)
    {
        var users = engine.RunRoot + UsersFolder;
        if (Files.TrySymlink("1", users + "/" + id) == Errno.ENOENT)
        {
            Files.MakeDirectories(users, 0x1c0 /* 0700 */);
            Files.TrySymlink("1", users + "/" + id);
        }
        Start(engine);
    }

    /// <summary>A container needs it no more: ends it, if it was the last.</summary>
    public static void Spare(ContainerEngine engine, string id)
    {
        var users = engine.RunRoot + UsersFolder;
        Files.TryUnlink(users + "/" + id);
        if (Files.TryRemoveDirectory(users) != 0)
            return;
        using (var file = Files.TryOpen(engine.RunRoot + LockFile, OpenFlags.ReadOnly, out _))
        {
            if (file is not null && Encoding.ASCII.GetString(Files.ReadAll(file, LockFile)).Split(' ') is [var pid, var time]
                && int.TryParse(pid, out var number) && ulong.TryParse(time, out var started) && Processes.TryOpen(number, started) is { } process)
            {
                using (process)
                {
                    Processes.TrySignal(process, Signals.SIGKILL);
                    Waiting.Readable(process, 1000);
                }
            }
        }
        if (Files.Exists(users))
            Start(engine); // somebody has come meanwhile, and saw the one that is gone
    }

    private static void Start(ContainerEngine engine)
    {
        using var held = Files.Open(engine.RunRoot + LockFile, OpenFlags.ReadWrite | OpenFlags.Create, mode: 0x180 /* 0600 */);
        if (!Files.Lock(held, wait: false, LockFile))
            return;
        using var removals = NetlinkSocket.WatchRemovals();
        var pid = DelayedStart.Launch(Interval, Words(engine, removals, held), MonitorSettings.Environment, removals, held);
        Storage.SetLength(held, 0, LockFile);
        Storage.WriteAt(held, Encoding.ASCII.GetBytes(pid + " " + Processes.StartTime(pid)), 0, LockFile);
    }

    /// <summary>Makes the rules again, if they are gone, and goes back to sleep as long as somebody has ports.</summary>
    /// <param name="descriptors">Those that it has inherited: the socket and the lock.</param>
    public static void Run(ContainerEngine engine, string descriptors)
    {
        var colon = descriptors.IndexOf(':');
        using var removals = new FileDescriptor(int.Parse(descriptors.AsSpan(0, colon), NumberStyles.None, CultureInfo.InvariantCulture));
        using var held = new FileDescriptor(int.Parse(descriptors.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture));
        var message = new byte[1]; // the rest of it is of no interest
        while (Waiting.Readable(removals, 0))
            Sockets.Receive(removals, message);
        if (HasPorts(engine))
            engine.Networks.RestoreIfGone();
        // Who starts a container meanwhile either sees the lock free, or is seen.
        if (!HasPorts(engine))
        {
            Files.Unlock(held);
            if (!HasPorts(engine) || !Files.Lock(held, wait: false, LockFile))
                return;
        }
        Processes.KeepAcrossExecution(removals);
        Processes.KeepAcrossExecution(held);
        DelayedStart.Become(Interval, Words(engine, removals, held), MonitorSettings.Environment, removals);
    }

    private static bool HasPorts(ContainerEngine engine) => Members.Running(engine).Any(static c => c.Endpoints.Ports is { Count: > 0 });

    private static string[] Words(ContainerEngine engine, FileDescriptor removals, FileDescriptor held) => MonitorSettings.Command(engine, Word, removals.Number + ":" + held.Number);
}
