// Id maps in a mount option, in crun's words.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Tests.Compiling;

public class IdMapOptionTests
{
    private static readonly Oci.RuntimeSpec.Linux Own = new()
    {
        UidMappings = [new IdMapping { ContainerID = 0, HostID = 0, Size = 1 }, new IdMapping { ContainerID = 1, HostID = 2, Size = 1000 }],
        GidMappings = [new IdMapping { ContainerID = 0, HostID = 100000, Size = 65536 }],
    };

    [Theory]
    [InlineData("uids=0-1-10", "0 1 10", "")]
    [InlineData("uids=0-1-10#10-11-10;gids=0-100-10", "0 1 10, 10 11 10", "0 100 10")]
    [InlineData("gids=0-100-10;uids=4294967295-0-1", "4294967295 0 1", "0 100 10")]
    [InlineData("uids=@1-3-10", "1 4 10", "")]
    [InlineData("gids=@0-0-65536#7-@8-1", null, null)]
    [InlineData("gids=@0-65535-1", "", "0 165535 1")]
    public void Maps_are_read(string text, string? uids, string? gids)
    {
        if (uids is null)
            Assert.Throws<RuntimeException>(() => IdMapOption.Parse(text, Own));
        else
            Assert.Equal((uids, gids), (Text(IdMapOption.Parse(text, Own).Uids), Text(IdMapOption.Parse(text, Own).Gids)));
    }

    [Theory]
    [InlineData("", "mount option idmap=: \"\" is neither uids= nor gids=")]
    [InlineData("users=0-1-1", "mount option idmap=users=0-1-1: users=0-1-1 is neither uids= nor gids=")]
    [InlineData("uids=0-1", "mount option idmap=uids=0-1: 0-1 is not FIRST-HOST-SIZE")]
    [InlineData("uids=0-1-0", "mount option idmap=uids=0-1-0: 0-1-0 is not FIRST-HOST-SIZE")]
    [InlineData("uids=0-4294967296-1", "mount option idmap=uids=0-4294967296-1: 0-4294967296-1 is not FIRST-HOST-SIZE")]
    [InlineData("uids=@0-0-2", "mount option idmap=uids=@0-0-2: no single range of the container's user namespace has the ids 0 to 1")]
    [InlineData("gids=@0-65536-1", "mount option idmap=gids=@0-65536-1: no single range of the container's user namespace has the ids 65536 to 65536")]
    public void What_is_no_map_is_told(string text, string sentence) =>
        Assert.Equal(sentence, Assert.Throws<RuntimeException>(() => IdMapOption.Parse(text, Own)).Message);

    private static string Text(List<IdMapping> maps) => string.Join(", ", maps.Select(m => $"{m.ContainerID} {m.HostID} {m.Size}"));
}
