// `checkpoint`: CRIU writes a running container into a folder.

using Conman.Linux;
using Conman.Runtime.Containers;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Checkpoints;

/// <summary>Saving a container.</summary>
public static class Checkpoint
{
    private const string Log = "dump.log";

    /// <summary>Saves it; unless it is left running, its processes have ended when this returns.</summary>
    public static void Dump(Container container, CheckpointOptions options)
    {
        if (container.Status is ContainerStatus.Created or ContainerStatus.Stopped or ContainerStatus.Creating)
            throw new RuntimeException($"Container cannot be checkpointed in {Container.Name(container.Status)} state");
        var spec = container.TryReadSpec() ?? throw new RuntimeException($"cannot checkpoint container {container.Id}: its config.json is gone");
        var record = container.Record!;
        using var images = Folder(options.ImagePath);
        using var work = Folder(options.WorkPath);
        ImageFacts.WriteDescriptors(images, record.Pid);

        var criuOptions = new CriuOptions(options, images, work, Log);
        var fields = criuOptions.Fields;
        fields.Add(2, record.Pid);
        fields.Add(3, options.LeaveRunning);
        fields.Add(13, record.Rootfs);
        fields.Add(15, options.PreDump); // track_mem
        if (container.Cgroup is { } cgroup)
            fields.Add(44, cgroup.Folder.Path); // freeze_cgroup: nothing is born or dies meanwhile
        foreach (var (_, file, key) in ImageFacts.ExternalNamespaces(spec))
        {
            if (Files.TryReadLink($"/proc/{record.Pid}/ns/{file}") is { } link) // net:[4026531840] → net[4026531840]:extRootNetNS
                fields.Add(37, link.Replace(":[", "[") + ":" + key);
        }
        using (var root = Files.Open($"/proc/{record.Pid}/root", OpenFlags.Path | Files.Directory))
        {
            foreach (var (inside, _) in ImageFacts.ExternalMounts(spec, record.Bundle ?? "/", root))
                criuOptions.AddExternalMount(inside, inside);
        }

        using var host = new HostPreparer();
        using var criu = Criu.Start(new Plan(), host, [], null);
        criu.Perform(options.PreDump ? CriuRequest.PreDump : CriuRequest.Dump, criuOptions, notice => Announce(notice, options), options.WorkPath + "/" + Log);
    }

    // Whoever waits on --status-fd may begin to ask for pages.
    private static void Announce(CriuNotice notice, CheckpointOptions options)
    {
        notice.Passed?.Dispose();
        if (notice.Name == "status-ready" && options.StatusDescriptor is { } status)
            Files.TryWrite(status, "\0"u8);
    }

    internal static FileDescriptor Folder(string path)
    {
        Files.MakeDirectories(path, 0x1c0 /* 0700 */);
        return Files.Open(path, OpenFlags.ReadOnly | Files.Directory);
    }
}
