// Who holds a lock: looked up only when it must be waited for, since a command that a hook runs would wait for ever for the command that waits for the hook.

using System.Globalization;
using Conman.Linux;

namespace Conman.Runtime.Containers;

/// <summary>The holders of flock(2) locks, by /proc/locks (proc_locks(5)).</summary>
internal static class LockHolders
{
    /// <summary>Whether a process that this one descends from holds the lock of a file.</summary>
    /// <param name="inode">The file's number in its file system.</param>
    public static bool AreAbove(ulong inode)
    {
        var holders = Of(inode);
        // The hook may have gone and left its children to another parent: then nobody waits for them.
        for (var pid = Processes.Parent(Environment.ProcessId); pid > 1; pid = Processes.Parent(pid))
        {
            if (holders.Contains(pid))
                return true;
        }
        return false;
    }

    // "1: FLOCK  ADVISORY  WRITE 1234 00:1a:5678 0 EOF"; one that waits has "->" in place of the second word.
    private static List<int> Of(ulong inode)
    {
        var holders = new List<int>();
        var end = ":" + inode.ToString(CultureInfo.InvariantCulture);
        using var file = Files.TryOpen("/proc/locks", OpenFlags.ReadOnly, out _);
        foreach (var line in file is null ? [] : System.Text.Encoding.ASCII.GetString(Files.ReadAll(file, "/proc/locks")).Split('\n'))
        {
            if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, "FLOCK", _, _, var pid, var where, ..]
                && where.EndsWith(end, StringComparison.Ordinal) && int.TryParse(pid, CultureInfo.InvariantCulture, out var holder))
            {
                holders.Add(holder);
            }
        }
        return holders;
    }
}
