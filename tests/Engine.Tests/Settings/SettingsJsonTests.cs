// The settings as JSON: Docker's names; short in a record, whole where they are shown.

using System.Text;
using Conman.Engine.Settings;
using Conman.Oci;

namespace Conman.Engine.Tests.Settings;

public class SettingsJsonTests
{
    [Fact]
    public void A_record_holds_only_what_was_asked_for()
    {
        Assert.Equal("{}", Text(new HostConfig().WriteTo, whole: false));
        var host = new HostConfig { Memory = 1 << 20, Init = false, CapAdd = ["SYS_TIME"], RestartPolicy = new RestartPolicy { Name = "always" }, Mounts = [] };
        Assert.Equal("""{"RestartPolicy":{"Name":"always"},"CapAdd":["SYS_TIME"],"Memory":1048576,"Mounts":[],"Init":false}""", Text(host.WriteTo, whole: false));
    }

    [Fact]
    public void What_is_shown_has_every_member_as_Go_writes_it()
    {
        var shown = Text(new HostConfig().WriteTo, whole: true);
        Assert.Contains("\"Binds\":null,\"ContainerIDFile\":\"\",\"LogConfig\":null,", shown, StringComparison.Ordinal);
        Assert.Contains("\"Privileged\":false,", shown, StringComparison.Ordinal);
        Assert.Contains("\"Memory\":0,", shown, StringComparison.Ordinal);
        Assert.Contains("\"PidsLimit\":null,", shown, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_was_written_is_read_back(bool whole)
    {
        // More members than a word has bits.
        const string Document = """
            {"Binds":["/a:/b:ro"],"PortBindings":{"80/tcp":[{"HostIp":"::1","HostPort":"8080"}]},"ShmSize":5,"Devices":[{"PathOnHost":"/dev/fuse"}],
            "MaskedPaths":[],"Init":true,"HooksDir":["/h"],"CgroupConf":{"memory.high":"1"},"Later":[1]}
            """;
        var once = Text(HostConfig.Parse(Encoding.UTF8.GetBytes(Document)).WriteTo, whole);
        var twice = Text(HostConfig.Parse(Encoding.UTF8.GetBytes(once)).WriteTo, whole: false);
        Assert.Equal(Text(HostConfig.Parse(Encoding.UTF8.GetBytes(Document)).WriteTo, whole: false), twice);
        Assert.EndsWith("\"CgroupConf\":{\"memory.high\":\"1\"},\"Later\":[1]}", twice, StringComparison.Ordinal);
    }

    [Fact]
    public void A_member_that_is_given_twice_is_refused_wherever_it_stands()
    {
        foreach (var member in (string[])["Binds", "CgroupParent", "MaskedPaths", "CgroupConf"])
        {
            var e = Assert.Throws<OciFormatException>(() => HostConfig.Parse(Encoding.UTF8.GetBytes($"{{\"{member}\":null,\"Privileged\":true,\"{member}\":null}}")));
            Assert.StartsWith(member + ": is given twice", e.Message, StringComparison.Ordinal);
        }
    }

    private static string Text(Action<OciWriter> write, bool whole)
    {
        var writer = new OciWriter { Whole = whole };
        write(writer);
        return Encoding.UTF8.GetString(writer.Written);
    }
}
