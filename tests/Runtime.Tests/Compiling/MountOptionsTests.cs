// Mount options: what `features` promises, and what is understood, are the same words.

using Conman.Linux;
using Conman.Runtime.Compiling;
using Conman.Runtime.Containers;

namespace Conman.Runtime.Tests.Compiling;

public class MountOptionsTests
{
    public static TheoryData<string> Promised => [.. RuntimeFeatures.Describe("1", "2").MountOptions!.Except(MountOptions.OfEveryFileSystem)];

    [Theory, MemberData(nameof(Promised))]
    public void A_word_of_the_features_document_never_reaches_a_file_system(string word) => Assert.Empty(MountOptions.Parse([word]).FileSystem);

    [Fact]
    [Proves("features: mountOptions[]")]
    public void Every_word_that_is_understood_is_in_the_features_document()
    {
        // Everything that could be a word: those that the specification, mount(8) and the sources know, each with and without no- and r-.
        var stems = "ro rw suid dev exec atime diratime relatime strictatime symfollow bind private slave shared unbindable defaults remount mand loud silent lazytime iversion sync dirsync async idmap tmpcopyup src-nofollow dest-nofollow copy-symlink".Split(' ');
        var words = stems.SelectMany(s => (string[])[s, "no" + s, "r" + s, "rno" + s, "rr" + s]).Distinct();
        var understood = words.Where(w => Understood(w)).Order(StringComparer.Ordinal);
        Assert.Equal(RuntimeFeatures.Describe("1", "2").MountOptions!.Order(StringComparer.Ordinal), understood);
    }

    [Fact]
    public void The_features_document_is_sorted_and_says_nothing_twice()
    {
        var words = RuntimeFeatures.Describe("1", "2").MountOptions!;
        Assert.Equal(words.Distinct().Order(StringComparer.Ordinal), words);
    }

    [Theory]
    [InlineData("ro", MountAttributes.ReadOnly, MountAttributes.None)]
    [InlineData("rw", MountAttributes.None, MountAttributes.ReadOnly)]
    [InlineData("ro rw", MountAttributes.None, MountAttributes.ReadOnly)]
    [InlineData("rw ro", MountAttributes.ReadOnly, MountAttributes.None)]
    [InlineData("nosuid nodev noexec", MountAttributes.NoSuid | MountAttributes.NoDev | MountAttributes.NoExec, MountAttributes.None)]
    [InlineData("noexec exec", MountAttributes.None, MountAttributes.NoExec)]
    [InlineData("noatime", MountAttributes.NoAccessTime, MountAttributes.AccessTimeMask)]
    [InlineData("noatime strictatime", MountAttributes.StrictAccessTime, MountAttributes.AccessTimeMask)]
    [InlineData("strictatime relatime", MountAttributes.None, MountAttributes.AccessTimeMask)]
    [InlineData("nodiratime", MountAttributes.NoDirectoryAccessTime, MountAttributes.None)]
    [InlineData("nosymfollow", MountAttributes.NoSymlinkFollow, MountAttributes.None)]
    public void Words_become_attributes_and_the_last_one_counts(string words, MountAttributes set, MountAttributes clear)
    {
        var options = MountOptions.Parse([.. words.Split(' ')]);
        Assert.Equal((set, clear), (options.Set, options.Clear));
        var recursive = MountOptions.Parse([.. words.Split(' ').Select(w => "r" + w)]);
        Assert.Equal((set, clear, MountAttributes.None), (recursive.SetRecursive, recursive.ClearRecursive, recursive.Set));
    }

    [Fact]
    public void An_access_time_that_is_set_clears_the_whole_field()
    {
        // mount_setattr(2) wants it so: EINVAL else.
        foreach (var word in RuntimeFeatures.Describe("1", "2").MountOptions!)
        {
            var options = MountOptions.Parse([word]);
            foreach (var (set, clear) in ((MountAttributes, MountAttributes)[])[(options.Set, options.Clear), (options.SetRecursive, options.ClearRecursive)])
            {
                if ((set & MountAttributes.AccessTimeMask) != 0)
                    Assert.Equal(MountAttributes.AccessTimeMask, clear & MountAttributes.AccessTimeMask);
            }
        }
    }

    [Fact]
    public void What_is_no_word_of_ours_goes_to_the_file_system_with_its_value()
    {
        var options = MountOptions.Parse(["size=64m", "mode=0755", "newinstance", "context=\"a=b\"", "empty="]);
        Assert.Equal(["size", "64m", "mode", "0755", "newinstance", "", "context", "\"a=b\"", "empty", ""], options.FileSystem);
    }

    [Theory]
    [InlineData("rprivate", Propagation.Private, true)]
    [InlineData("slave", Propagation.Slave, false)]
    [InlineData("rshared", Propagation.Shared, true)]
    [InlineData("runbindable", Propagation.Unbindable, true)]
    public void Propagation_is_kept_apart(string word, Propagation propagation, bool recursive)
    {
        var options = MountOptions.Parse(["private", word]);
        Assert.Equal((propagation, recursive, MountAttributes.None), (options.Propagation, options.PropagationRecursive, options.Set));
    }

    [Theory]
    [InlineData("idmap", false, null)]
    [InlineData("ridmap", true, null)]
    [InlineData("idmap=uids=0-1-1;gids=0-1-1", false, "uids=0-1-1;gids=0-1-1")]
    [InlineData("ridmap=uids=0-1-1", true, "uids=0-1-1")]
    public void An_id_map_is_kept_apart(string word, bool recursive, string? maps)
    {
        var options = MountOptions.Parse([word]);
        Assert.Equal((true, recursive, maps), (options.IdMap, options.IdMapRecursive, options.IdMaps));
        Assert.Empty(options.FileSystem);
    }

    private static bool Understood(string word) => MountOptions.Parse([word]).FileSystem.Count == 0 || MountOptions.OfEveryFileSystem.Contains(word);
}
