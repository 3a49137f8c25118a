// Who was killed for want of memory: the kernel's log names the process and its cgroup (mm/oom_kill.c, mm/memcontrol.c).

using System.Text;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Runtime.Cgroups;

/// <summary>A process that the kernel has killed.</summary>
/// <param name="Pid">As the host's first pid namespace numbers it.</param>
/// <param name="Name">Its command's name (proc(5), comm).</param>
public readonly record struct OomKill(int Pid, string Name)
{
    /// <summary>Writes the member <c>killed</c>.</summary>
    public static void Write(OciWriter json, IReadOnlyList<OomKill> killed)
    {
        json.WritePropertyName("killed"u8);
        json.WriteStartArray();
        foreach (var (pid, name) in killed)
        {
            json.WriteStartObject();
            json.WriteNumber("pid"u8, pid);
            json.WriteString("name"u8, name);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    /// <summary>
    /// Reads a record: <c>oom-kill:constraint=CONSTRAINT_MEMCG,…,oom_memcg=/a,task_memcg=/a/b,task=NAME,pid=17,uid=0</c>. Null: it is another
    /// one, or of a process elsewhere.
    /// </summary>
    /// <param name="cgroup">The cgroup's path from the hierarchy's root.</param>
    internal static OomKill? TryParse(string record, string cgroup)
    {
        const string CgroupField = ",task_memcg=", TaskField = ",task=", PidField = ",pid=";
        var text = record.IndexOf(';') + 1; // what stands before it: level, number, time
        if (!record.AsSpan(text).StartsWith("oom-kill:", StringComparison.Ordinal))
            return null;
        // A name may hold anything, commas too: what follows it is found from the end.
        var pid = record.LastIndexOf(PidField, StringComparison.Ordinal);
        var path = record.IndexOf(CgroupField, StringComparison.Ordinal);
        var task = record.IndexOf(TaskField, Math.Max(path, 0), StringComparison.Ordinal);
        if (path < 0 || task < path || pid < task)
            return null;
        var of = record[(path + CgroupField.Length)..task];
        var digits = record.AsSpan(pid + PidField.Length);
        digits = digits[..(digits.IndexOfAnyExceptInRange('0', '9') is var end and >= 0 ? end : digits.Length)];
        return (of == cgroup || of.StartsWith(cgroup + "/", StringComparison.Ordinal)) && int.TryParse(digits, out var number)
            ? new OomKill(number, record[(task + TaskField.Length)..pid])
            : null;
    }
}

/// <summary>/dev/kmsg (Documentation/ABI/testing/dev-kmsg): one record a read.</summary>
public sealed class KernelLog : IDisposable
{
    private readonly FileDescriptor _log;

    private KernelLog(FileDescriptor log) => _log = log;

    /// <summary>Opens it; null where it cannot be read: then nobody can say who was killed.</summary>
    /// <param name="fromNow">Only what is yet to come.</param>
    public static KernelLog? TryOpen(bool fromNow)
    {
        var log = Files.TryOpen("/dev/kmsg", OpenFlags.ReadOnly | OpenFlags.NonBlock, out _);
        if (log is null)
            return null;
        if (fromNow)
            Files.SeekToEnd(log);
        return new KernelLog(log);
    }

    public void Dispose() => _log.Dispose();

    /// <summary>Those of a cgroup that have been killed since the last call; waits for one, but not for long.</summary>
    /// <param name="patience">Milliseconds.</param>
    public List<OomKill> Await(ContainerCgroup cgroup, int patience)
    {
        var deadline = Environment.TickCount64 + patience;
        for (; ; )
        {
            var killed = Read(cgroup);
            var left = (int)(deadline - Environment.TickCount64);
            if (killed.Count > 0 || left <= 0 || !Waiting.Readable(_log, left))
                return killed;
        }
    }

    /// <summary>Those of a cgroup that have been killed since the last call.</summary>
    public List<OomKill> Read(ContainerCgroup cgroup)
    {
        var killed = new List<OomKill>();
        var path = cgroup.PathOf("memory");
        Span<byte> record = stackalloc byte[8192];
        for (; ; )
        {
            int n;
            try
            {
                n = Files.Read(_log.Number, record, "/dev/kmsg");
            }
            catch (LinuxException e) when (e.Errno == Errno.EPIPE)
            {
                continue; // records were overwritten before they could be read: it goes on with the oldest there is
            }
            catch (LinuxException e) when (e.Errno is Errno.EAGAIN or Errno.EINVAL)
            {
                return killed;
            }
            if (n == 0)
                return killed;
            if (path is not null && OomKill.TryParse(Encoding.UTF8.GetString(record[..n]), path) is { } kill)
                killed.Add(kill);
        }
    }
}
