// Names, properties and values as systemd wants them.

using Conman.Runtime.Cgroups;
using Conman.Runtime.Systemd;

namespace Conman.Runtime.Tests.Systemd;

public class UnitTests
{
    [Theory]
    [InlineData("machine.slice:libpod:abc", "machine.slice", "libpod-abc.scope", "/machine.slice/libpod-abc.scope")]
    [InlineData("a-b-c.slice:p:n", "a-b-c.slice", "p-n.scope", "/a.slice/a-b.slice/a-b-c.slice/p-n.scope")]
    [InlineData("-.slice:p:n", "-.slice", "p-n.scope", "/p-n.scope")]
    [InlineData(":p:n", "system.slice", "p-n.scope", "/system.slice/p-n.scope")]
    [InlineData("x.slice::n", "x.slice", "n.scope", "/x.slice/n.scope")]
    [InlineData("", "system.slice", "conman-id.scope", "/system.slice/conman-id.scope")]
    [InlineData(null, "system.slice", "conman-id.scope", "/system.slice/conman-id.scope")]
    public void A_path_names_a_slice_and_a_scope(string? path, string slice, string scope, string folder)
    {
        var name = UnitName.Parse(path, "id", user: false);
        Assert.Equal((slice, scope, folder), (name.Slice, name.Scope, name.Path));
    }

    [Fact]
    public void A_user_has_a_slice_of_its_own() => Assert.Equal("/user.slice/p-n.scope", UnitName.Parse(":p:n", "id", user: true).Path);

    [Theory]
    [InlineData("/a/b", "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"/a/b\" instead")]
    [InlineData("a.slice:b", "expected cgroupsPath to be of format \"slice:prefix:name\" for systemd cgroups, got \"a.slice:b\" instead")]
    [InlineData("a:b:c", "invalid slice name: a")]
    [InlineData(".slice:b:c", "invalid slice name: .slice")]
    [InlineData("a--b.slice:b:c", "invalid slice name: a--b.slice")]
    [InlineData("../a.slice:b:c", "invalid slice name: ../a.slice")]
    [InlineData("a.slice:b:c.slice", "linux.cgroupsPath: c.slice is a slice, which holds no processes of its own")]
    [InlineData("a.slice:b:../c", "linux.cgroupsPath: b-../c.scope is no name of a systemd unit")]
    public void A_path_that_is_none_is_refused(string path, string message) =>
        Assert.Equal(message, Assert.Throws<RuntimeException>(() => UnitName.Parse(path, "id", user: false)).Message);

    [Theory]
    [InlineData("memory.max", "4096", "MemoryMax=t:0010000000000000")]
    [InlineData("memory.max", "max", "MemoryMax=t:ffffffffffffffff")]
    [InlineData("pids.max", "7", "TasksMax=t:0700000000000000")]
    [InlineData("cpu.weight", "100", "CPUWeight=t:6400000000000000")]
    [InlineData("cpu.max", "50000 100000", "CPUQuotaPeriodUSec=t:a086010000000000 CPUQuotaPerSecUSec=t:20a1070000000000")]
    [InlineData("cpu.max", "33333", "CPUQuotaPeriodUSec=t:a086010000000000 CPUQuotaPerSecUSec=t:2030050000000000")]
    [InlineData("cpu.max", "max 200000", "CPUQuotaPeriodUSec=t:400d030000000000 CPUQuotaPerSecUSec=t:ffffffffffffffff")]
    [InlineData("cpu.cfs_quota_us", "50000", "CPUQuotaPeriodUSec=t:a086010000000000 CPUQuotaPerSecUSec=t:20a1070000000000")]
    [InlineData("cpu.shares", "512", "CPUShares=t:0002000000000000")]
    [InlineData("cpuset.cpus", "0-2,9", "AllowedCPUs=ay:020000000702")]
    [InlineData("hugetlb.2MB.max", "0", "")]
    public void A_limit_becomes_properties(string file, string value, string properties) =>
        Assert.Equal(properties, string.Join(' ', UnitProperties.Of([new CgroupWrite(file, value)]).Select(p => $"{p.Name}={Text(p.Value)}")));

    [Theory]
    [InlineData("true", "b:01000000")]
    [InlineData("-5", "i:fbffffff")]
    [InlineData("uint64 5", "t:0500000000000000")]
    [InlineData("@t 5", "t:0500000000000000")]
    [InlineData("byte 0x1f", "y:1f")]
    [InlineData("1.5", "d:000000000000f83f")]
    [InlineData("'it\\'s'", "s:040000006974277300")]
    [InlineData("\"a\"", "s:010000006100")]
    [InlineData("['a', 'b']", "as:0e00000001000000610000000100000062" + "00")]
    [InlineData("[uint64 1]", "at:0800000000000000" + "0100000000000000")]
    [InlineData("@as []", "as:00000000")]
    [InlineData("('a', uint32 2)", "(su):01000000610000000200" + "0000")]
    public void A_text_becomes_a_value(string text, string value) => Assert.Equal(value, Text(VariantText.TryParse(text)!.Value));

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("'open")]
    [InlineData("uint32 -1")]
    [InlineData("byte 256")]
    [InlineData("[1, 'a']")]
    [InlineData("(1")]
    [InlineData("5 5")]
    [InlineData("maybe")]
    public void A_text_that_is_no_value_is_none(string text) => Assert.Null(VariantText.TryParse(text));

    [Theory]
    [InlineData("org.systemd.property.TimeoutStopUSec", "uint64 5", "TimeoutStopUSec=t:0500000000000000")]
    [InlineData("org.systemd.property.TimeoutStopSec", "1.5", "TimeoutStopUSec=t:60e3160000000000")]
    [InlineData("org.systemd.property.CollectMode", "'inactive'", "CollectMode=s:08000000696e61637469766500")]
    [InlineData("io.example", "'x'", "")]
    public void An_annotation_is_a_property(string key, string value, string property) =>
        Assert.Equal(property, string.Join(' ', UnitProperties.Of(new Dictionary<string, string> { [key] = value }).Select(p => $"{p.Name}={Text(p.Value)}")));

    [Theory]
    [InlineData("org.systemd.property.Slice2", "'x'")]
    [InlineData("org.systemd.property.X", "'x'")]
    [InlineData("org.systemd.property.Kind", "x")]
    [InlineData("org.systemd.property.TimeoutStopSec", "'soon'")]
    public void An_annotation_that_makes_no_sense_is_refused(string key, string value) =>
        Assert.Contains(key, Assert.Throws<RuntimeException>(() => UnitProperties.Of(new Dictionary<string, string> { [key] = value }).ToList()).Message);

    private static string Text(BusValue value)
    {
        var writer = new BusWriter();
        value.Write(writer);
        return value.Signature + ":" + Convert.ToHexStringLower(writer.Written);
    }
}
