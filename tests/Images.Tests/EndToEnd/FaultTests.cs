// Commands on images that are killed, cut off from power, or run out of room: what they leave is whole, and the next command goes on (the rows D and E).

using Conman.Images.Tests.Registry;
using Conman.Images.Tests.Tar;

namespace Conman.Images.Tests.EndToEnd;

public sealed class FaultTests : CommandTest
{
    private static readonly bool Soak = Environment.GetEnvironmentVariable("CONMAN_SOAK") is not null;

    // Calls that change the disk, or start a process that does.
    private static readonly string[] Changing = ["openat", "mkdirat", "write", "pwrite64", "renameat", "syncfs", "fsync", "unlinkat", "linkat", "flock", "clone3"];

    public FaultTests()
    {
        var random = new byte[150_000];
        new Random(1).NextBytes(random);
        var top = new Archive();
        for (var i = 0; i < 20; i++)
            top.File($"usr/file{i}", Convert.ToBase64String(random.AsSpan(i * 700, 700)));
        Layout.Write(InFolder("layout"), new Archive().Directory("usr").File("usr/large", Convert.ToBase64String(random)).ToArray(), top.ToArray());
    }

    public override void Dispose()
    {
        Shell("for m in disk copy; do while mountpoint -q $m; do umount -l $m; done; done");
        base.Dispose();
    }

    private static IEnumerable<int> Times() => Soak ? Enumerable.Range(1, 400) : [1, 2, 3, 5, 8, 13, 21, 34, 55];

    /// <summary>Runs a command again and again, killed at its first, second, … call of each kind, in whichever thread or process comes to it first.</summary>
    private void Sweep(string command, Action before, Action<string> after)
    {
        Skip.IfNot(Host.Has("strace"), "needs strace");
        foreach (var call in Changing)
        {
            foreach (var n in Times())
            {
                before();
                var ended = Shell($"strace -f -qq -o trace -e trace={call} -e inject={call}:signal=KILL:when={n} {Binary} --root store --runroot run {command} > output 2>&1 && echo whole || true");
                after($"{command}: killed at {call} {n}");
                if (ended.Length > 0)
                    break;
            }
        }
    }

    private void AssertSound(string at)
    {
        if (Directory.Exists(InFolder("store/images")))
            Assert.True(Conman("image check").Contains("no errors", StringComparison.Ordinal), at);
    }

    private void AssertNothingLeft(string at)
    {
        if (Conman("images -q").Length > 0)
            Conman("rmi -a");
        Conman("image prune -f");
        var left = LeftInStore();
        Assert.True(left.Length == 0, $"{at}, this is left: {left}");
    }

    [SkippableTheory]
    [InlineData("load -q -i layout"), InlineData("import tree.tar it:1")]
    public void E1_what_brings_an_image_can_be_killed_at_any_call(string command)
    {
        File.WriteAllBytes(InFolder("tree.tar"), new Archive().Directory("a").File("a/b", "c").ToArray());
        Sweep(command, () => Shell("rm -rf store"), at =>
        {
            AssertSound(at);
            Conman(command);
            AssertSound(at);
            AssertNothingLeft(at);
        });
    }

    [SkippableTheory]
    [InlineData("rmi it:1"), InlineData("rmi -a"), InlineData("image prune -a -f"), InlineData("tag it:1 other:2"), InlineData("untag it:1"), InlineData("image check --repair")]
    public void E1_what_changes_or_removes_an_image_can_be_killed_at_any_call(string command)
    {
        Conman("load -q -i layout");
        Conman($"tag {Conman("images -q").Trim()} it:1");
        Shell("cp -a store whole");
        Sweep(command, () => Shell("rm -rf store; cp -a whole store"), at =>
        {
            AssertSound(at);
            AssertNothingLeft(at);
        });
    }

    [SkippableTheory]
    [InlineData("save -o out it:1"), InlineData("save --format oci-dir -o out it:1"), InlineData("save --format docker-dir -o out it:1")]
    public void E1_a_save_that_is_killed_leaves_all_or_nothing(string command)
    {
        Conman("load -q -i layout");
        Conman($"tag {Conman("images -q").Trim()} it:1");
        Sweep(command, () => Shell("rm -rf out"), at =>
        {
            if (Directory.Exists(InFolder("out")) || File.Exists(InFolder("out")))
                Conman("load -q -i out");
            else
                Conman(command);
            Assert.Equal("layout\nout\noutput\nrun\nstore\ntrace\n", Shell("ls"));
        });
        AssertSound("at the end");
    }

    [SkippableFact]
    public void E1_a_push_that_is_killed_is_gone_on_with()
    {
        Skip.IfNot(Host.Has("skopeo"), "needs skopeo");
        using var registry = new DockerRegistry();
        Conman("load -q -i layout");
        var name = $"{registry.Domain}/it";
        Conman($"tag {Conman("images -q").Trim()} {name}:1");
        var times = 0;
        Skip.IfNot(Host.Has("strace"), "needs strace");
        foreach (var call in (string[])["sendto", "sendmsg", "recvfrom", "recvmsg", "write", "openat", "read"])
        {
            foreach (var n in Times())
            {
                Conman($"tag {name}:1 {name}:{++times}");
                var ended = Shell($"strace -f -qq -o trace -e trace={call} -e inject={call}:signal=KILL:when={n} {Binary} --root store --runroot run push -q {name}:{times} > output 2>&1 && echo whole || true");
                Conman($"push -q {name}:{times}");
                Assert.Equal(Shell($"skopeo inspect --raw --tls-verify=false docker://{name}:{times} | sha256sum"), Shell("sha256sum < layout/blobs/sha256/$(grep -o '[0-9a-f]\\{64\\}' layout/index.json)"));
                if (ended.Length > 0)
                    break;
            }
        }
        AssertSound("at the end");
    }

    [SkippableFact]
    public void E3_whenever_the_power_fails_what_is_marked_complete_is_whole()
    {
        Skip.IfNot(Host.Has("strace") && Host.Has("mkfs.ext4"), "needs strace and mkfs.ext4");
        Skip.IfNot(Shell("mkdir disk copy; truncate -s 48M image; mkfs.ext4 -q image; mount -o loop image disk 2>/dev/null && echo mounted || true").Length > 0, "there are no loop devices");
        Shell("umount disk");
        foreach (var call in (string[])["syncfs", "fsync", "renameat", "linkat", "mkdirat", "openat"])
        {
            foreach (var n in Times())
            {
                // What has not been written to the disk when the command is killed is not in the copy of the disk that is made then.
                var ended = Shell($"""
                    mkfs.ext4 -q -F image; mount -o loop image disk
                    strace -f -qq -o trace -e trace={call} -e inject={call}:signal=KILL:when={n} {Binary} --root disk/store --runroot run load -q -i layout > output 2>&1 && echo whole || true
                    cp image image2; umount disk; mount -o loop image2 copy
                    """);
                string OnCopy(string command) => Shell($"{Binary} --root copy/store --runroot run {command} 2>&1");
                var at = $"power cut at {call} {n}";
                if (Directory.Exists(InFolder("copy/store/images")))
                    Assert.True(OnCopy("image check").Contains("no errors", StringComparison.Ordinal), at);
                if (ended.Length > 0)
                    Assert.True(OnCopy("images -q").Length > 0, at + ": the image is gone that was there");
                OnCopy("load -q -i layout");
                Assert.True(OnCopy("image check").Contains("no errors", StringComparison.Ordinal), at);
                Shell("umount copy");
                if (ended.Length > 0)
                    break;
            }
        }
    }

    [SkippableTheory]
    [InlineData("size", 4), InlineData("nr_inodes", 1)]
    public void D3_D4_a_full_disk_is_told_and_leaves_a_sound_store(string limit, int step)
    {
        Shell("mkdir disk");
        var unit = limit == "size" ? "k" : "";
        for (var amount = limit == "size" ? step : 2; ; amount += Soak ? step : step * 3)
        {
            Shell($"mount -t tmpfs -o {limit}={amount}{unit} none disk");
            var output = Shell($"{Binary} --root disk/store --runroot run load -q -i layout 2>&1 && echo loaded || true");
            Shell($"mount -o remount,{limit}={(limit == "size" ? "64m" : "10000")} disk");
            string OnDisk(string command) => Shell($"{Binary} --root disk/store --runroot run {command} 2>&1");
            Assert.Contains("no errors", OnDisk("image check"), StringComparison.Ordinal);
            var loaded = output.EndsWith("loaded\n", StringComparison.Ordinal);
            if (!loaded)
            {
                Assert.Contains("no space left on device", output, StringComparison.OrdinalIgnoreCase);
                Assert.Equal(1, output.Trim().Count(c => c == '\n') + 1);
                OnDisk("load -q -i layout");
                Assert.Contains("no errors", OnDisk("image check"), StringComparison.Ordinal);
            }
            OnDisk("rmi -a");
            OnDisk("image prune -f");
            Assert.Equal("", Shell("find disk/store -type f ! -name lock; find disk/store/layers -mindepth 1"));
            Shell("umount disk");
            if (loaded)
                return;
        }
    }

    [SkippableFact]
    public void D3_a_save_to_a_full_disk_leaves_nothing_there()
    {
        Conman("load -q -i layout");
        Shell("mkdir disk; mount -t tmpfs -o size=64k none disk; echo old > disk/out");
        var id = Conman("images -q").Trim();
        Assert.Contains("no space left on device", Conman($"save -o disk/out {id}", 125), StringComparison.OrdinalIgnoreCase);
        Assert.Contains("no space left on device", Conman($"save --format oci-dir -o disk/folder {id}", 125), StringComparison.OrdinalIgnoreCase);
        Assert.Equal("out old\n", Shell("echo $(ls -A disk) $(cat disk/out)"));
    }
}
