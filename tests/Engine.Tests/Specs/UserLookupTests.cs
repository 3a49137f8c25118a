// Who "user[:group]" is: by Docker's rules, from files that anybody may have made.

using System.Diagnostics;
using Conman.Engine.Specs;

namespace Conman.Engine.Tests.Specs;

public class UserLookupTests
{
    [Theory]
    [InlineData("", "0:0 [0 1] /root")]
    [InlineData("root", "0:0 [0 1] /root")]
    [InlineData("0", "0:0 [0 1] /root")]
    [InlineData("daemon", "1:2 [2 1 29] /usr/sbin")]
    [InlineData("web", "1000:1001 [1001 44 29] /srv/web")]
    [InlineData("1000", "1000:1001 [1001 44 29] /srv/web")]
    [InlineData("web:video", "1000:44 [44] /srv/web")]
    [InlineData("web:7", "1000:7 [7] /srv/web")]
    [InlineData("1234", "1234:0 [0] /")]
    [InlineData("1234:1234", "1234:1234 [1234] /")]
    [InlineData(":29", "0:29 [29] /root")]
    [InlineData("2000", "3000:3000 [3000] /home/odd")] // Docker asks for the name first, whatever it looks like
    [InlineData("homeless", "1002:1002 [1002] /")]
    public void Names_and_numbers_are_found(string user, string expected) => Assert.Equal(expected, Find(user));

    [Theory]
    [InlineData("nobody", "unable to find user nobody: no matching entries in passwd file")]
    [InlineData("web:wheel", "unable to find group wheel: no matching entries in group file")]
    [InlineData("4294967296", "user 4294967296 is out of range: ids are 0 to 2147483647")]
    [InlineData("2147483648", "user 2147483648 is out of range: ids are 0 to 2147483647")]
    [InlineData("1:18446744073709551616", "group 18446744073709551616 is out of range: ids are 0 to 2147483647")]
    [InlineData("-1", "unable to find user -1: no matching entries in passwd file")]
    [Proves("A21")]
    public void What_is_not_there_or_no_id_is_refused(string user, string message) => Assert.Equal(message, Assert.Throws<EngineException>(() => Find(user)).Message);

    [Fact]
    public void Further_groups_come_after_the_user_s_own()
    {
        using var root = new TemporaryRoot();
        using var folder = root.Open();
        Assert.Equal([1001u, 44, 29, 2, 5000], UserLookup.Find(folder, "web", ["daemon", "5000", "video"]).Groups);
        Assert.Equal("unable to find group none: no matching entries in group file", Assert.Throws<EngineException>(() => UserLookup.Find(folder, "web", ["none"])).Message);
    }

    [Fact, Proves("A21")]
    public void Files_that_are_no_files_or_lead_out_of_the_root_are_as_good_as_none()
    {
        using var root = new TemporaryRoot();
        using var folder = root.Open();
        File.Delete(root.Root + "/etc/passwd");
        File.CreateSymbolicLink(root.Root + "/etc/passwd", "/../../../../../../etc/passwd");
        Assert.Equal("/", UserLookup.Find(folder, "0").Home);
        File.Delete(root.Root + "/etc/passwd");
        Process.Start("mkfifo", root.Root + "/etc/passwd").WaitForExit();
        Assert.Equal("/", UserLookup.Find(folder, "0").Home);
        File.Delete(root.Root + "/etc/passwd");
        using (var huge = File.Create(root.Root + "/etc/passwd"))
            huge.SetLength(1L << 40);
        Assert.Equal("/", UserLookup.Find(folder, "0").Home);
    }

    private static string Find(string user)
    {
        using var root = new TemporaryRoot();
        using var folder = root.Open();
        var found = UserLookup.Find(folder, user);
        return $"{found.Uid}:{found.Gid} [{string.Join(' ', found.Groups)}] {found.Home}";
    }
}
