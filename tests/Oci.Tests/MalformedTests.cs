// Documents that are no documents (C11): whatever comes in, an OciFormatException of one line comes out, and nothing else.

using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using CsCheck;
using Spec = Conman.Oci.RuntimeSpec.Spec;

namespace Conman.Oci.Tests;

public class MalformedTests
{
    private static readonly JsonObject Everything = MemberList.Everything(MemberList.Config);
    private static readonly byte[] Valid = Encoding.UTF8.GetBytes(Everything.ToJsonString());

    [Theory]
    [InlineData("", "invalid JSON: the document is empty")]
    [InlineData(" ", "invalid JSON (line 1): ")]
    [InlineData("\ufeff{}", "invalid JSON: the document begins with a byte order mark")]
    [InlineData("null", "document: expected an object, found null (line 1)")]
    [InlineData("[]", "document: expected an object, found an array (line 1)")]
    [InlineData("{} {}", "invalid JSON (line 1): ")]
    [InlineData("{,}", "invalid JSON (line 1): ")]
    [InlineData("{\"process\": {},}", "invalid JSON (line 1): ")]
    [InlineData("{/* no */}", "invalid JSON (line 1): unexpected '/' in column 2")]
    [InlineData("{\n\n\"process\"", "invalid JSON (line 3): the document ends too early")]
    [InlineData("{\"process\": {\"oomScoreAdj\": NaN}}", "process.oomScoreAdj: invalid JSON (line 1): unexpected 'N' in column 29")]
    [InlineData("{\"process\": {\"oomScoreAdj\": Infinity}}", "process.oomScoreAdj: invalid JSON (line 1): ")]
    [InlineData("{\"process\": {\"oomScoreAdj\": 01}}", "process.oomScoreAdj: invalid JSON (line 1): ")]
    [InlineData("{\"process\": {\"args\": [\"a\", tru\u001b\n]}}", "process.args: invalid JSON (line 1): unexpected U+001B in column 31")]
    [InlineData("{\"hostname\": \"a\nb\"}", "hostname: invalid JSON (line 1): ")]
    [InlineData("{\"hostname\":\n  \"\\x\"}", "hostname: invalid JSON (line 2): unexpected 'x' in column 5")]
    [InlineData("{\"hostname\": \"\\ud800\"}", "hostname: is not valid UTF-8 text (line 1)")]
    [InlineData("{\"hostname\": \"\\udc00\\ud800\"}", "hostname: is not valid UTF-8 text (line 1)")]
    [InlineData("{\"\\ud800\": 1}", "document: is not valid UTF-8 text (line 1)")]
    [InlineData("{\"hostname\\ud800\": 1}", "document: is not valid UTF-8 text (line 1)")]
    [InlineData("{\"annotations\": {\"\\udfff\": \"\"}}", "annotations: is not valid UTF-8 text (line 1)")]
    [InlineData("{\"hostname\": \"a\", \"hostname\": \"b\"}", "hostname: is given twice (line 1)")]
    [InlineData("{\"hostname\": \"a\",\n\"host\\u006eame\": \"b\"}", "hostname: is given twice (line 2)")]
    [InlineData("{\"hostname\": null, \"hostname\": \"b\"}", "hostname: is given twice (line 1)")]
    [InlineData("{\"x\": 1, \"x\": 1}", "x: is given twice (line 1)")]
    [InlineData("{\"annotations\": {\"a\": \"\", \"a\": \"\"}}", "annotations.a: is given twice (line 1)")]
    [InlineData("{\"linux\": {\"namespaces\": [{}, {\"type\": 1}]}}", "linux.namespaces[1].type: expected a string, found a number (line 1)")]
    [InlineData("{\"process\": {\"user\": {\"uid\": 4294967296}}}", "process.user.uid: 4294967296 is not a whole number from 0 to 4294967295 (line 1)")]
    [InlineData("{\"annotations\": {\"a\\n\\u2028\\u202eb\": 1}}", "annotations.a???b: expected a string, found a number (line 1)")]
    public void Says_what_is_wrong_in_one_line(string json, string expected)
    {
        var error = Assert.Throws<OciFormatException>(() => Spec.Parse(Encoding.UTF8.GetBytes(json)));
        OneLine.Check(error);
        if (expected.EndsWith(' '))
            Assert.StartsWith(expected, error.Message);
        else
            Assert.Equal(expected, error.Message);
    }

    [Fact]
    public void Bytes_that_are_no_UTF8_are_refused_where_text_is_needed()
    {
        byte[][] bad = [[0xff], [0xc3], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0x80]];
        foreach (var bytes in bad)
        {
            foreach (var (before, after) in ((string, string)[])[("{\"hostname\":\"", "\"}"), ("{\"", "\":1}"), ("{\"annotations\":{\"", "\":\"\"}}")])
                OneLine.Check(Assert.Throws<OciFormatException>(() => Spec.Parse([.. Encoding.UTF8.GetBytes(before), .. bytes, .. Encoding.UTF8.GetBytes(after)])));
        }
    }

    [Theory]
    [InlineData("[", "]")]
    [InlineData("{\"a\":", "}")]
    [InlineData("[{\"process\":", "}]")]
    public void Ten_thousand_levels_are_too_many(string open, string close)
    {
        foreach (var complete in (bool[])[true, false])
        {
            var deep = string.Concat(Enumerable.Repeat(open, 10_000)) + "1" + (complete ? string.Concat(Enumerable.Repeat(close, 10_000)) : "");
            foreach (var json in (string[])[deep, $"{{\"process\": {deep}}}", $"{{\"linux\": {{\"x\": {deep}}}}}", $"{{\"x\": {deep}"])
                OneLine.Check(Assert.Throws<OciFormatException>(() => Spec.Parse(Encoding.UTF8.GetBytes(json))));
        }
    }

    [Fact]
    public void Sixty_four_levels_are_kept_and_one_more_is_refused()
    {
        static byte[] Deep(int levels) => Encoding.UTF8.GetBytes("{\"x\":" + new string('[', levels - 1) + new string(']', levels - 1) + "}");
        Assert.Equal(Deep(64), Spec.Parse(Deep(64)).ToUtf8(false));
        var error = Assert.Throws<OciFormatException>(() => Spec.Parse(Deep(65)));
        Assert.Contains("more than 64 levels deep", error.Message);
    }

    [Theory]
    [InlineData("{\"hostname\": 1", "}")]
    [InlineData("{\"process\": {\"user\": {\"uid\": 1", "}}}")]
    [InlineData("{\"process\": {\"oomScoreAdj\": -1", "}}}")]
    [InlineData("{\"hostname\": x", "}")]
    [InlineData("{\"hostname\": \"a\", \"hostname\": \"", "\"}")]
    [InlineData("{\"annotations\": {\"", "\": 1}}")]
    [InlineData("{\"", "\": }")]
    public void A_message_does_not_grow_with_what_it_is_about(string before, string after)
    {
        foreach (var filler in (string[])[new string('1', 1 << 20), new string('a', 1 << 20), string.Concat(Enumerable.Repeat("\u202e", 1 << 18))])
            OneLine.Check(Assert.Throws<OciFormatException>(() => Spec.Parse(Encoding.UTF8.GetBytes(before + filler + after))));
    }

    [Theory]
    [InlineData("text", 1)]
    [InlineData("name", 1)]
    [InlineData("unknown text", 1)]
    [InlineData("strings", 1 << 17)]
    [InlineData("unknown members", 1 << 17)]
    [InlineData("map", 1 << 17)]
    [InlineData("objects", 1 << 17)]
    public void A_large_document_costs_memory_and_time_in_proportion(string kind, int count)
    {
        var json = Encoding.UTF8.GetBytes(kind switch
        {
            "text" => $"{{\"hostname\": \"{new string('a', 8 << 20)}\"}}",
            "name" => $"{{\"{new string('a', 8 << 20)}\": 1}}",
            "unknown text" => $"{{\"x\": \"{new string('a', 8 << 20)}\"}}",
            "strings" => $"{{\"process\": {{\"args\": [{string.Join(',', Enumerable.Repeat("\"a\"", count))}]}}}}",
            "unknown members" => $"{{{string.Join(',', Enumerable.Range(0, count).Select(i => $"\"x{i}\":1"))}}}",
            "map" => $"{{\"annotations\": {{{string.Join(',', Enumerable.Range(0, count).Select(i => $"\"x{i}\":\"\""))}}}}}",
            _ => $"{{\"mounts\": [{string.Join(',', Enumerable.Repeat("{}", count))}]}}",
        });
        var (before, clock) = (GC.GetAllocatedBytesForCurrentThread(), Stopwatch.StartNew());
        Spec.Parse(json);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
        Assert.InRange(clock.ElapsedMilliseconds, 0, 5000);
    }

    [Fact]
    public void Flipped_bytes() =>
        Gen.Select(Gen.Int[0, Valid.Length - 1], Gen.Byte).Array[1, 8].Sample(flips =>
        {
            var bytes = Valid.ToArray();
            foreach (var (index, value) in flips)
                bytes[index] = value;
            ParsesOrIsRefused(bytes);
        }, iter: 20_000);

    [Fact]
    public void Characters_that_mean_something_in_the_wrong_place() =>
        Gen.Select(Gen.Int[0, Valid.Length - 1], Gen.Char["{}[]:,\"\\tfn-.0e \n\u0000"]).Array[1, 4].Sample(flips =>
        {
            var bytes = Valid.ToArray();
            foreach (var (index, value) in flips)
                bytes[index] = (byte)value;
            ParsesOrIsRefused(bytes);
        }, iter: 20_000);

    [Fact]
    public void Every_truncation()
    {
        for (var length = 0; length < Valid.Length; length++)
            OneLine.Check(Assert.Throws<OciFormatException>(() => Spec.Parse(Valid.AsSpan(0, length))));
    }

    [Fact]
    public void Swapped_tokens()
    {
        var tokens = Tokens(Valid);
        Gen.Select(Gen.Int[0, tokens.Count - 1], Gen.Int[0, tokens.Count - 1]).Array[1, 3].Sample(swaps =>
        {
            var shuffled = tokens.ToArray();
            foreach (var (i, j) in swaps)
                (shuffled[i], shuffled[j]) = (shuffled[j], shuffled[i]);
            ParsesOrIsRefused([.. shuffled.SelectMany(t => t)]);
        }, iter: 5_000);
    }

    [Fact]
    public void Any_JSON_at_any_place()
    {
        var text = Choose("\"\"", "\"\\ud800\"", "\"\\u0000\\n\"", "\"a\\/\\\"\"", "\"😀\"", "\"\\u202e\"", "\"__proto__\"", "\"ociVersion\"");
        var leaf = Gen.OneOf(
            Choose("null", "true", "false", "-0", "0.0", "1e308", "1e999", "9223372036854775808", "18446744073709551616", "-9223372036854775809", "NaN", "Infinity", "0x10", "''"),
            Gen.Long.Select(n => n.ToString()), text);
        var array = leaf.Array[0, 4].Select(items => $"[{string.Join(',', items)}]");
        var value = Gen.OneOf(leaf, array, Gen.Select(text, Gen.OneOf(leaf, array)).Array[0, 4].Select(o => $"{{{string.Join(',', o.Select(m => m.Item1 + ":" + m.Item2))}}}"));
        Gen.Select(Gen.Int[0, MemberList.Config.Count - 1], Gen.Int[0, 9], value).Sample((index, depth, json) =>
        {
            var member = MemberList.Config[index];
            var steps = new Member(string.Join('.', member.Steps[..(1 + (depth % member.Steps.Length))]), "string");
            ParsesOrIsRefused(Encoding.UTF8.GetBytes(steps.Document(json)));
        }, iter: 20_000);
    }

    private static Gen<string> Choose(params string[] words) => Gen.Int[0, words.Length - 1].Select(i => words[i]);

    // Either it is refused in one line, or what is read is written so that reading it again gives the same.
    private static void ParsesOrIsRefused(byte[] bytes)
    {
        Spec spec;
        try
        {
            spec = Spec.Parse(bytes);
        }
        catch (OciFormatException e)
        {
            OneLine.Check(e);
            return;
        }
        var written = spec.ToUtf8(false);
        Assert.Equal(written, Spec.Parse(written).ToUtf8(false));
    }

    private static List<byte[]> Tokens(byte[] json)
    {
        var tokens = new List<byte[]>();
        for (var i = 0; i < json.Length;)
        {
            var start = i++;
            if (json[start] == '"')
            {
                while (json[i++] != '"')
                    i += json[i - 1] == '\\' ? 1 : 0;
            }
            else if (!"{}[]:,"u8.Contains(json[start]))
            {
                while (!"{}[]:,\""u8.Contains(json[i]))
                    i++;
            }
            tokens.Add(json[start..i]);
        }
        return tokens;
    }
}
