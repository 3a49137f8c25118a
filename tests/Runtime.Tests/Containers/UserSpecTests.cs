// UID[:GID] of `exec --user`: what is said is what one gets.
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Containers;

namespace Conman.Runtime.Tests.Containers;

public class UserSpecTests
{
    [Theory]
    [InlineData("0", 0u, null)]
    [InlineData("1", 1u, null)]
    [InlineData("1:2", 1u, 2u)]
    [InlineData("0:0", 0u, 0u)]
    [InlineData("1000:0", 1000u, 0u)]
    [InlineData("4294967294:4294967294", 4294967294u, 4294967294u)]
    public void Cve_2026_30892_the_user_that_is_asked_for_is_the_one_that_one_gets(string text, uint uid, uint? gid)
    {
        Assert.Equal(new UserSpec(uid, gid), UserSpec.Parse(text));
        Assert.Equal(text, UserSpec.Parse(text).ToString());

        var process = new Process { User = new User { Uid = 7, Gid = 8, AdditionalGids = [9] } };
        UserSpec.Parse(text).ApplyTo(process);
        Assert.Equal((uid, gid ?? 8u), (process.User.Uid, process.User.Gid));
        Assert.Equal([9u], process.User.AdditionalGids);
    }

    [Theory]
    [InlineData("", "uid")]
    [InlineData(":", "uid")]
    [InlineData(":5", "uid")]
    [InlineData("5:", "gid")]
    [InlineData("1:2:3", "gid")]
    [InlineData("root", "uid")]
    [InlineData("1:root", "gid")]
    [InlineData("-1", "uid")]
    [InlineData("+1", "uid")]
    [InlineData(" 1", "uid")]
    [InlineData("1 ", "uid")]
    [InlineData("0x1", "uid")]
    [InlineData("1.0", "uid")]
    [InlineData("4294967295", "uid")] // (uid_t)-1: "leave it as it is"
    [InlineData("4294967296", "uid")] // 0 in 32 bits
    [InlineData("1:4294967296", "gid")]
    [InlineData("99999999999999999999", "uid")]
    public void What_is_no_id_is_refused(string text, string kind) =>
        Assert.StartsWith("bad " + kind, Assert.Throws<RuntimeException>(() => UserSpec.Parse(text)).Message, StringComparison.Ordinal);
}
