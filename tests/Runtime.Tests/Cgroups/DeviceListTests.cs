// linux.resources.devices as the list of cgroup v1.

using Conman.Runtime.Cgroups;

namespace Conman.Runtime.Tests.Cgroups;

public class DeviceListTests
{
    private const string ForAll = "allow=c *:* m; allow=b *:* m; allow=c 1:3 rwm; allow=c 1:5 rwm; allow=c 1:7 rwm; allow=c 1:8 rwm; allow=c 1:9 rwm; "
        + "allow=c 5:0 rwm; allow=c 5:2 rwm; allow=c 136:* rwm";

    private const string DenyAll = """{"allow": false, "access": "rwm"}""", AllowAll = """{"allow": true, "access": "rwm"}""";

    [Theory]
    [InlineData("", "")]
    [InlineData(AllowAll, "")]
    [InlineData(DenyAll, "deny=a; " + ForAll)]
    [InlineData(AllowAll + "," + DenyAll, "deny=a; " + ForAll)]
    [InlineData(DenyAll + """,{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}""", "deny=a; allow=c 10:229 rw; " + ForAll)]
    [InlineData(DenyAll + """,{"allow": true, "type": "b", "major": 8, "access": "r"}""", "deny=a; allow=b 8:* r; " + ForAll)]
    [InlineData("""{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "rw"}""", "deny=a; allow=c 10:229 rw; " + ForAll)]
    [InlineData(DenyAll + """,{"allow": true, "type": "c", "major": 10, "minor": 2, "access": "rw"},{"allow": false, "type": "c", "major": 10, "minor": 2, "access": "w"}""",
        "deny=a; allow=c 10:2 rw; deny=c 10:2 w; " + ForAll)]
    [InlineData(AllowAll + """,{"allow": false, "type": "b", "major": 8, "minor": 0, "access": "w"}""", "allow=a; deny=b 8:0 w")]
    public void Rules_become_a_default_and_exceptions(string rules, string writes) => Assert.Equal(writes, Writes(rules));

    [Fact]
    public void A_part_of_a_rule_cannot_be_taken_out_of_it() => Assert.Equal(
        "linux.resources.devices: cgroup v1 cannot take c 10:5 rw out of a rule for more devices",
        Assert.Throws<RuntimeException>(() => Writes(DenyAll
            + """,{"allow": true, "type": "c", "major": 10, "access": "rw"},{"allow": false, "type": "c", "major": 10, "minor": 5, "access": "rw"}""")).Message);

    private static string Writes(string rules) => string.Join("; ", DeviceRules.CompileLegacy(
        Samples.Parse("{\"linux\": {\"resources\": {\"devices\": [" + rules + "]}}}").Linux!.Resources).Select(w => $"{w.File["devices.".Length..]}={w.Value}"));
}
