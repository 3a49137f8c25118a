// Instructions of Dockerfiles as changes of a configuration: what Docker makes of the same words.

using Conman.Images.Building;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Tests.Building;

public sealed class ConfigChangesTests
{
    private static string Changed(params string[] instructions)
    {
        var config = new ImageConfig();
        var changes = new ConfigChanges(config);
        foreach (var instruction in instructions)
            changes.Apply(instruction);
        return System.Text.Encoding.UTF8.GetString(config.ToUtf8(indented: false));
    }

    [Theory]
    [InlineData("CMD [\"/bin/sh\", \"-c\", \"a b\"]", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"a b\"]}"), InlineData("CMD echo $A", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"echo $A\"]}")]
    [InlineData("cmd [not json", "{\"Cmd\":[\"/bin/sh\",\"-c\",\"[not json\"]}"), InlineData("ENTRYPOINT [\"x\"]", "{\"Entrypoint\":[\"x\"]}")]
    [InlineData("ENV A=b", "{\"Env\":[\"A=b\"]}"), InlineData("ENV A=\"b c\" D=e\\ f G='$A'", "{\"Env\":[\"A=b c\",\"D=e f\",\"G=$A\"]}"), InlineData("ENV A b  c", "{\"Env\":[\"A=b  c\"]}")]
    [InlineData("LABEL com.example.x=1 y=\"two words\"", "{\"Labels\":{\"com.example.x\":\"1\",\"y\":\"two words\"}}")]
    [InlineData("EXPOSE 80 53/udp 8000-8001", "{\"ExposedPorts\":{\"80/tcp\":{},\"53/udp\":{},\"8000/tcp\":{},\"8001/tcp\":{}}}")]
    [InlineData("VOLUME /a /b", "{\"Volumes\":{\"/a\":{},\"/b\":{}}}"), InlineData("VOLUME [\"/a b\"]", "{\"Volumes\":{\"/a b\":{}}}"), InlineData("USER 1000:1000", "{\"User\":\"1000:1000\"}")]
    [InlineData("WORKDIR a/../b", "{\"WorkingDir\":\"/b\"}"), InlineData("STOPSIGNAL SIGINT", "{\"StopSignal\":\"SIGINT\"}"), InlineData("ONBUILD RUN make", "{\"OnBuild\":[\"RUN make\"]}")]
    [InlineData("HEALTHCHECK NONE", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}")]
    [InlineData("HEALTHCHECK --interval=1m30s --retries=3 CMD curl -f localhost", "{\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl -f localhost\"],\"Interval\":90000000000,\"Retries\":3}}")]
    public void An_instruction_changes_what_it_says(string instruction, string config) => Assert.Equal(config, Changed(instruction));

    [Fact]
    public void Later_ones_see_what_earlier_ones_did()
    {
        Assert.Equal("{\"Env\":[\"A=2\",\"B=1:x:alt\"]}", Changed("ENV A=1", "ENV B=$A:${C:-x}:${A:+alt}", "ENV A=2"));
        Assert.Equal("{\"WorkingDir\":\"/srv/app\"}", Changed("WORKDIR /srv", "WORKDIR app"));
        Assert.Equal("{\"Entrypoint\":[\"e\"]}", Changed("ENTRYPOINT [\"e\"]"));
        Assert.Equal("{\"Entrypoint\":[\"e\"],\"Cmd\":[\"c\"]}", Changed("CMD [\"c\"]", "ENTRYPOINT [\"e\"]"));
    }

    [Theory]
    [InlineData("RUN make", "RUN is no change to an image"), InlineData("CMD", "an instruction and what it is to say"), InlineData("ENV A", "NAME=VALUE is expected"), InlineData("ENV =b", "NAME=VALUE is expected")]
    [InlineData("EXPOSE 0", "EXPOSE 0: PORT"), InlineData("EXPOSE 80/icmp", "EXPOSE 80/icmp: PORT"), InlineData("EXPOSE 9-8", "EXPOSE 9-8: PORT"), InlineData("EXPOSE 65536", "PORT")]
    [InlineData("ENV A='b", "the closing ' is missing"), InlineData("ENV A=${B", "is expected"), InlineData("ENV A=${B?x}", "is expected"), InlineData("HEALTHCHECK curl", "CMD and a command"), InlineData("HEALTHCHECK --interval=1 CMD x", "invalid duration \"1\"")]
    [InlineData("HEALTHCHECK --often CMD x", "HEALTHCHECK --often"), InlineData("VOLUME [\"\"]", "a path is expected")]
    public void What_is_no_change_is_refused_by_name(string instruction, string says) => Assert.Contains(says, Assert.Throws<ImageException>(() => Changed(instruction)).Message, StringComparison.Ordinal);
}
