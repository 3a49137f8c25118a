// --format, as Docker's users write it.

using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Formatting;

namespace Conman.Cli.Tests;

public class GoTemplateTests
{
    private const string Row = """
        {"ID":"0123456789abcdef","Names":["a","b"],"Size":1234,"On":true,"Off":false,"Nothing":null,"Empty":[],"Config":{"Env":["A=1","B=2"],"Labels":{"x":"1","com.example":"y"}},"Mounts":[{"Source":"/a","RW":true},{"Source":"/b","RW":false}]}
        """;

    [Theory]
    [InlineData("plain", "plain")]
    [InlineData("{{.ID}}", "0123456789abcdef")]
    [InlineData("{{ .Size }}/{{.On}}", "1234/true")]
    [InlineData("{{.Nothing}}", "<no value>")]
    [InlineData("{{.Names}}", "[a b]")]
    [InlineData("{{.Config.Labels}}", "map[com.example:y x:1]")]
    [InlineData("{{json .Names}}", "[\"a\",\"b\"]")]
    [InlineData("{{json .}}|{{.Config.Labels.x}}", null)]
    [InlineData("{{join .Names \", \"}}", "a, b")]
    [InlineData("{{.Names | json | upper}}", "[\"A\",\"B\"]")]
    [InlineData("{{index .Config.Labels \"com.example\"}}", "y")]
    [InlineData("{{index .Config.Labels \"missing\"}}.", ".")]
    [InlineData("{{index .Names 1}}", "b")]
    [InlineData("{{(index .Mounts 1).Source}}", "/b")]
    [InlineData("{{len .Names}} {{len .ID}}", "2 16")]
    [InlineData("{{if .On}}yes{{else}}no{{end}} {{if .Empty}}yes{{else if .Off}}off{{else}}no{{end}}", "yes no")]
    [InlineData("{{range .Names}}<{{.}}>{{end}}", "<a><b>")]
    [InlineData("{{range $i, $n := .Names}}{{$i}}={{$n}} {{end}}", "0=a 1=b ")]
    [InlineData("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "com.example=y;x=1;")]
    [InlineData("{{range .Empty}}x{{else}}none{{end}}", "none")]
    [InlineData("{{range .Mounts}}{{if .RW}}{{.Source}} of {{$.ID}}{{end}}{{end}}", "/a of 0123456789abcdef")]
    [InlineData("{{with .Config}}{{index .Env 0}}{{end}}", "A=1")]
    [InlineData("{{$x := .Size}}{{$x}}", "1234")]
    [InlineData("{{printf \"%-6s|%4d|%q|%.3s|%%\" \"ab\" 7 \"c\" .ID}}", "ab    |   7|\"c\"|012|%")]
    [InlineData("{{if and .On (eq .Size 1234)}}both{{end}}{{if or .Off .Nothing}}x{{end}}{{if not .Off}}!{{end}}", "both!")]
    [InlineData("{{if gt .Size 1000}}big{{end}}{{if ne .ID \"x\"}}?{{end}}", "big?")]
    [InlineData("a {{- .Size -}} b", "a1234b")]
    [InlineData("{{/* nothing */}}x", "x")]
    [InlineData("{{truncate .ID 4}}{{slice .ID 4 6}}", "012345")]
    [InlineData("{{\"}}\"}}{{`raw\\n`}}", "}}raw\\n")]
    [InlineData("{{range split \"a/b\" \"/\"}}{{.}} {{end}}{{println .On}}", "a b true\n")]
    public void A_template_gives_what_Go_gives(string template, string? expected)
    {
        var text = GoTemplate.Parse(template).Execute(JsonNode.Parse(Row));
        if (expected is not null)
            Assert.Equal(expected, text);
        else
            Assert.Contains("\"Size\":1234", text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{{.Missing}}", "there is no field Missing")]
    [InlineData("{{.ID.Deep}}", "can't evaluate field Deep")]
    [InlineData("{{.ID", "unclosed action")]
    [InlineData("{{if .ID}}x", "unexpected end")]
    [InlineData("{{end}}", "unexpected {{end}}")]
    [InlineData("{{frobnicate .ID}}", "function \"frobnicate\" not defined")]
    [InlineData("{{index .Names 7}}", "out of range")]
    [InlineData("{{.ID .Size}}", "non-function")]
    [InlineData("{{}}", "missing value")]
    [InlineData("{{range .ID}}{{end}}", "can't iterate")]
    [InlineData("{{$nope}}", "undefined variable")]
    public void What_is_no_template_is_refused(string template, string reason) =>
        Assert.Contains(reason, Assert.Throws<UsageException>(() => GoTemplate.Parse(template).Execute(JsonNode.Parse(Row))).Message, StringComparison.Ordinal);
}
