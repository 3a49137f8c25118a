// Hears when a container's processes are killed for want of memory, as it happens: memory.events of cgroup v2 wakes a poll, and a v1
// hierarchy counts into an eventfd (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control").

using System.Text;
using Conman.Linux;

namespace Conman.Runtime.Cgroups;

/// <summary>One watch on one cgroup.</summary>
public sealed class OomWatch : IDisposable
{
    private readonly ContainerCgroup _cgroup;
    private readonly FileDescriptor? _events, _control;
    private ulong _count;

    private OomWatch(ContainerCgroup cgroup, FileDescriptor? events, FileDescriptor? control)
    {
        (_cgroup, _events, _control) = (cgroup, events, control);
        _count = Count;
    }

    /// <summary>Begins to watch. A cgroup without a memory controller is watched in vain: nobody kills there.</summary>
    public static OomWatch Begin(ContainerCgroup cgroup)
    {
        if (cgroup.FolderOf("memory") is not { } folder)
            return new OomWatch(cgroup, null, null);
        if (cgroup.IsUnified)
            return new OomWatch(cgroup, Files.TryOpen(folder.Path + "/memory.events", OpenFlags.ReadOnly, out _), null);
        var control = Files.TryOpen(folder.Path + "/memory.oom_control", OpenFlags.ReadOnly, out _);
        if (control is null)
            return new OomWatch(cgroup, null, null);
        var events = Waiting.Counter();
        folder.TryWrite("cgroup.event_control", events.Number + " " + control.Number);
        return new OomWatch(cgroup, events, control);
    }

    /// <summary>What to poll for.</summary>
    public PollEntry Entry => new(_events?.Number ?? -1, _cgroup.IsUnified ? PollEvents.Priority : PollEvents.In);

    /// <summary>How many processes have been killed since the last call.</summary>
    public ulong Killed()
    {
        // A v1 hierarchy speaks before it kills: this kill is counted here, and not again when the file has counted it as well.
        var announced = 0ul;
        if (_events is not null && !_cgroup.IsUnified && Waiting.Readable(_events, 0))
        {
            Span<byte> counter = stackalloc byte[8];
            Files.Read(_events.Number, counter, "the count of events");
            announced = 1;
        }
        var now = Count;
        var killed = Math.Max(now > _count ? now - _count : 0, announced);
        _count += killed;
        return killed;
    }

    private ulong Count
    {
        get
        {
            // The open files: their reading also tells the kernel that this change has been seen.
            var file = _cgroup.IsUnified ? _events : _control;
            if (file is null)
                return 0;
            Span<byte> buffer = stackalloc byte[512];
            try
            {
                Files.Rewind(file);
                var text = Encoding.UTF8.GetString(buffer[..Files.Read(file.Number, buffer, "the count of kills")]);
                foreach (var line in text.Split('\n'))
                {
                    if (line.StartsWith("oom_kill ", StringComparison.Ordinal) && ulong.TryParse(line.AsSpan(9), out var count))
                        return count;
                }
            }
            catch (LinuxException)
            {
                return _count; // the cgroup is gone
            }
            return 0;
        }
    }

    public void Dispose()
    {
        _events?.Dispose();
        _control?.Dispose();
    }
}
