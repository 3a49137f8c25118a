// What is mounted into a container, from what was asked for, with volumes and folders of the real file system.

using Conman.Engine.Settings;
using Conman.Engine.Store;
using Conman.Engine.Volumes;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Engine.Tests.Volumes;

public sealed class VolumeMountsTests : IDisposable
{
    private readonly TemporaryRoot _root = new();
    private readonly ContainerEngine _engine;

    public VolumeMountsTests() => _engine = new ContainerEngine(_root.Path + "/engine", _root.Path + "/run");

    public void Dispose()
    {
        _engine.Dispose();
        _root.Dispose();
    }

    private string Outside => _root.Path + "/outside";

    [Fact]
    public void A_folder_that_is_not_there_is_made_for_v_and_refused_for_mount()
    {
        Assert.Equal($"{Outside} -> /a: rbind rprivate", Mounts(Settle(host: new HostConfig { Binds = [Outside + ":/a"] })));
        Assert.True(Directory.Exists(Outside));
        var mount = new MountSetting { Type = "bind", Source = _root.Path + "/none", Target = "/a" };
        Assert.Equal($"invalid mount config for type \"bind\": bind source path does not exist: {_root.Path}/none", Assert.Throws<EngineException>(() => Settle(host: new HostConfig { Mounts = [mount] })).Message);
        mount.BindOptions = new BindOptions { CreateMountpoint = true };
        Settle(host: new HostConfig { Mounts = [mount] });
        Assert.True(Directory.Exists(_root.Path + "/none"));
    }

    [Theory]
    [InlineData("ro", "rbind rro rprivate")]
    [InlineData("ro,rslave", "rbind rro rslave")]
    [InlineData("bind,ro", "bind ro rprivate")]
    [InlineData("bind,rro", "bind rro rprivate")]
    [InlineData("noexec,z", "rbind noexec rprivate")]
    public void Options_are_the_runtime_s(string options, string expected) =>
        Assert.Equal($"{Outside} -> /a: {expected}", Mounts(Settle(host: new HostConfig { Binds = [$"{Outside}:/a:{options}"] })));

    [Fact]
    public void Anonymous_volumes_are_named_after_their_container_and_only_where_nothing_else_is()
    {
        var record = Settle(
            new ContainerConfig { Volumes = new() { ["/a"] = new Nothing(), ["/b/"] = new Nothing(), ["/c"] = new Nothing() } },
            new HostConfig { Binds = [Outside + ":/a"], Tmpfs = new() { ["/c"] = "" } });
        var own = Assert.Single(record.OwnVolumes!);
        Assert.StartsWith(record.Id![..48], own, StringComparison.Ordinal);
        Assert.Equal(64, own.Length);
        Assert.True(new VolumeStore(_engine.Root).TryFind(own)!.Record.Anonymous);
        Assert.Equal(["/a", "/b"], record.Mounts!.Select(m => m.Destination).Order());
    }

    [Fact]
    public void Two_things_on_one_folder_are_refused()
    {
        var e = Assert.Throws<EngineException>(() => Settle(host: new HostConfig { Binds = [Outside + ":/a", "data:/a/"] }));
        Assert.Equal("Duplicate mount point: /a", e.Message);
    }

    [Fact]
    public void A_new_volume_begins_with_what_the_image_has_there()
    {
        Directory.CreateDirectory(_root.Root + "/data/deep");
        File.WriteAllText(_root.Root + "/data/deep/file", "of the image");
        File.SetUnixFileMode(_root.Root + "/data", UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.CreateSymbolicLink(_root.Root + "/data/link", "/etc/passwd");
        var record = Settle(host: new HostConfig { Binds = ["kept:/data", "bare:/data/deep:nocopy"] });
        Mounts(record);
        var data = new VolumeStore(_engine.Root).TryFind("kept")!.Data;
        Assert.Equal("of the image", File.ReadAllText(data + "/deep/file"));
        Assert.Equal("/etc/passwd", File.ResolveLinkTarget(data + "/link", returnFinalTarget: false)!.FullName);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(data));
        Assert.Empty(Directory.GetFileSystemEntries(new VolumeStore(_engine.Root).TryFind("bare")!.Data));
        // And only once.
        File.WriteAllText(data + "/deep/file", "changed");
        Mounts(record);
        Assert.Equal("changed", File.ReadAllText(data + "/deep/file"));
    }

    [Fact, Proves("E1")]
    public void A_copy_that_was_killed_begins_anew()
    {
        Directory.CreateDirectory(_root.Root + "/data");
        File.WriteAllText(_root.Root + "/data/file", "whole");
        var record = Settle(host: new HostConfig { Binds = ["kept:/data"] });
        var volume = new VolumeStore(_engine.Root).TryFind("kept")!;
        File.WriteAllText(volume.Path + "/copying", "");
        File.WriteAllText(volume.Data + "/file", "ha");
        File.WriteAllText(volume.Data + "/other", "");
        Mounts(record);
        Assert.Equal("whole", File.ReadAllText(volume.Data + "/file"));
        Assert.False(File.Exists(volume.Data + "/other"));
        Assert.False(File.Exists(volume.Path + "/copying"));
    }

    [Fact, Proves("A3")]
    public void A_link_of_the_image_leads_a_copy_nowhere_but_into_the_image()
    {
        Directory.CreateDirectory(Outside);
        File.WriteAllText(Outside + "/secret", "the host's");
        File.CreateSymbolicLink(_root.Root + "/data", "../../../../../../../../.." + Outside);
        Mounts(Settle(host: new HostConfig { Binds = ["kept:/data"] }));
        Assert.Empty(Directory.GetFileSystemEntries(new VolumeStore(_engine.Root).TryFind("kept")!.Data));
    }

    [Fact]
    public void A_subpath_is_within_its_volume()
    {
        var mount = new MountSetting { Type = "volume", Source = "data", Target = "/a", VolumeOptions = new VolumeOptions { Subpath = "sub/dir" } };
        var record = Settle(host: new HostConfig { Mounts = [mount] });
        Assert.Equal("cannot mount sub/dir of volume data: no such file or directory", Assert.Throws<EngineException>(() => Mounts(record)).Message);
        var data = new VolumeStore(_engine.Root).TryFind("data")!.Data;
        Directory.CreateDirectory(data + "/sub/dir");
        Assert.StartsWith("/proc/self/fd/", Mounts(record), StringComparison.Ordinal);
        Directory.Delete(data + "/sub", recursive: true);
        File.CreateSymbolicLink(data + "/sub", "/");
        Assert.StartsWith("cannot mount sub/dir of volume data: ", Assert.Throws<EngineException>(() => Mounts(record)).Message, StringComparison.Ordinal);
        mount.VolumeOptions.Subpath = "../..";
        Assert.Throws<EngineException>(() => Mounts(Settle(host: new HostConfig { Mounts = [mount] })));
    }

    [Fact]
    public void A_volume_that_is_gone_is_not_made_again_at_the_start()
    {
        var record = Settle(host: new HostConfig { Binds = ["data:/data"] });
        new VolumeStore(_engine.Root).Remove("data");
        Assert.Equal("no such volume: data", Assert.Throws<NoSuchVolumeException>(() => Mounts(record)).Message);
    }

    [Fact]
    public void A_volume_may_be_another_file_system()
    {
        new VolumeStore(_engine.Root).Create("bound", null, new() { ["type"] = "none", ["o"] = "bind,noexec", ["device"] = "/srv" }, false, out _);
        new VolumeStore(_engine.Root).Create("remote", null, new() { ["type"] = "nfs4", ["o"] = "addr=10.0.0.1", ["device"] = ":/export" }, false, out _);
        using var root = _root.Open();
        using var mounts = VolumeMounts.Prepare(_engine, Settle(host: new HostConfig { Binds = ["bound:/a", "remote:/b:ro"] }), root);
        Assert.Equal("bind /srv bind noexec; nfs4 :/export addr=10.0.0.1 ro", string.Join("; ", mounts.Select(m => $"{m.Type} {m.Source} {string.Join(' ', m.Options!)}")));
    }

    private StoredContainer Settle(ContainerConfig? config = null, HostConfig? host = null)
    {
        var record = new StoredContainer { Id = TemporaryRoot.Id, Name = "test", Config = config ?? new ContainerConfig(), HostConfig = host ?? new HostConfig() };
        VolumeMounts.Settle(_engine, record);
        return record;
    }

    private string Mounts(StoredContainer record)
    {
        using var root = _root.Open();
        using var mounts = VolumeMounts.Prepare(_engine, record, root);
        return string.Join("; ", mounts.Select(m => $"{m.Source} -> {m.Destination}: {string.Join(' ', m.Options!)}"));
    }
}
