// A root file system that nobody writes to: the annotation org.conman.rootfs.overlay puts an overlay of the container's own over it.
namespace Conman.Integration.Tests;

public class RootOverlayTests : ContainerTest
{
    private const string Annotation = "org.conman.rootfs.overlay";

    public RootOverlayTests()
        : base(Runtime.IsRunc ? "conman's own" : null)
    {
    }

    private Bundle Overlay(string where, string? size = null)
    {
        Bundle.Set("annotations", new System.Text.Json.Nodes.JsonObject { [Annotation] = where });
        if (size is not null)
            Bundle.Spec["annotations"]![Annotation + ".size"] = size;
        return Bundle;
    }

    private void NeedsOverlayOnTmpfs() => Skip.If(Environment.OSVersion.Version < new Version(6, 15), "an overlay on a detached tmpfs needs Linux 6.15");

    [SkippableTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_written_goes_to_a_tmpfs_and_with_it(bool userNamespace)
    {
        NeedsOverlayOnTmpfs();
        if (userNamespace)
        {
            Bundle.UserNamespace();
            Libc.Check(Libc.lchown(Bundle.Rootfs, 100000, 100000), "chown");
            Libc.Check(Libc.lchown(Bundle.Rootfs + "/etc", 100000, 100000), "chown");
        }
        Overlay("tmpfs").Shell("echo new >/new && rm /etc/group && cat /new && ls /etc");
        Runtime.RunContainer(Bundle).Printed("new", "passwd");
        Assert.False(File.Exists(Bundle.Rootfs + "/new"));
        Assert.True(File.Exists(Bundle.Rootfs + "/etc/group"));
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Its_size_is_the_one_asked_for()
    {
        NeedsOverlayOnTmpfs();
        Overlay("tmpfs", "64k").Shell("head -c 32768 /dev/zero >/small && head -c 1048576 /dev/zero >/large 2>/dev/null || echo full");
        Runtime.RunContainer(Bundle).Printed("full");
    }

    [SkippableFact]
    public void A_folder_keeps_what_was_written()
    {
        string folder = Bundle.Subfolder("kept");
        Overlay(folder).Shell("echo new >/new");
        Runtime.RunContainer(Bundle).Succeeded();
        Assert.Equal("new\n", Bundle.Read("kept/upper/new"));
        Assert.False(File.Exists(Bundle.Rootfs + "/new"));
        Runtime.RunContainer(Overlay(folder).Args("cat", "/new")).Printed("new");
    }

    [SkippableFact]
    public void The_root_looks_like_the_folder_below()
    {
        string folder = Bundle.Subfolder("kept");
        File.SetUnixFileMode(Bundle.Rootfs, (UnixFileMode)0b111_101_001);
        Libc.Check(Libc.lchown(Bundle.Rootfs, 3, 4), "chown");
        Runtime.RunContainer(Overlay(folder).Args("stat", "-c", "%a %u %g", "/")).Printed("751 3 4");
    }

    [SkippableFact]
    public void Neither_the_host_nor_the_container_sees_where_the_layers_are()
    {
        string[] before = [.. Leftovers.Mounts()];
        StartIdle(Overlay(Bundle.Subfolder("kept")));
        Assert.Equal(before, Leftovers.Mounts());
        string inside = Runtime.Run("exec", Bundle.Id, "cat", "/proc/self/mountinfo").Succeeded().Output;
        Assert.Contains(" / / ", inside, StringComparison.Ordinal);
        Assert.Contains(" - overlay overlay ", inside, StringComparison.Ordinal);
        Assert.DoesNotContain(Bundle.Folder, inside, StringComparison.Ordinal);
    }

    [SkippableTheory]
    [InlineData("sideways", null, "sideways")]
    [InlineData("/no/such/folder", null, "/no/such/folder")]
    [InlineData("tmpfs", "lots", "lots")]
    [InlineData("/tmp", "1m", "size")]
    public void What_makes_no_sense_is_refused(string where, string? size, string words)
    {
        Runtime.RunContainer(Overlay(where, size).Args("true")).FailedWith(words);
        AssertNothingLeft();
    }
}
