// Our tokens against the framework's reader: the same documents are accepted, and the same tokens found in them.

using System.Text;
using System.Text.Json;
using CsCheck;

namespace Conman.Oci.Tests;

public class JsonTokensTests
{
    private static readonly string[] Pieces =
    [
        "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"a\":", "\"\\n\\u00e9\"", "\"\\ud83d\\ude00\"", "\"\\ud83d\"", "\"\\x\"", "\"\\u12\"", "\"é\"", "\"\t\"",
        "0", "-", "-0", "01", "1", "12.50", "1.", ".5", "1e9", "1E+", "2e-3", "9223372036854775807", "18446744073709551615", "18446744073709551616",
        "true", "false", "null", "nul", "True", " ", "\n", "\r\n", "\t", "/", "//", "\u00a0", "\0", "\ufeff", "[[", "]]", "{\"x\":[", "]}",
    ];

    [Fact]
    public void Any_row_of_pieces_is_read_as_the_framework_reads_it() =>
        Gen.Int[0, Pieces.Length - 1].Select(i => Pieces[i]).Array[0, 12].Select(string.Concat).Sample(text => Check(Encoding.UTF8.GetBytes(text)), iter: 200_000);

    [Fact]
    public void A_real_document_with_a_byte_changed_is_read_as_the_framework_reads_it()
    {
        var document = RuntimeSpec.Spec.Default().ToUtf8(true);
        Gen.Select(Gen.Int[0, document.Length - 1], Gen.Byte).Sample((at, value) =>
        {
            var changed = document.ToArray();
            changed[at] = value;
            Check(changed);
        }, iter: 5_000);
    }

    [Theory]
    [InlineData(64)]
    [InlineData(65)]
    public void The_deepest_level_is_the_same(int depth) => Check(Encoding.UTF8.GetBytes(new string('[', depth) + new string(']', depth)));

    private static void Check(byte[] document)
    {
        var (expected, found) = (Framework(document), Ours(document));
        Assert.True(expected == found, $"{Encoding.UTF8.GetString(document)}\nthe framework: {expected}\nours:          {found}");
    }

    private static string Framework(byte[] document)
    {
        var text = new StringBuilder();
        var reader = new Utf8JsonReader(document, new JsonReaderOptions { MaxDepth = 64 });
        try
        {
            while (reader.Read())
            {
                text.Append(reader.TokenType switch { JsonTokenType.PropertyName => "Name", var t => t.ToString() });
                if (reader.TokenType is JsonTokenType.PropertyName or JsonTokenType.String)
                    text.Append('=').Append(TextOf(ref reader));
                if (reader.TokenType == JsonTokenType.Number)
                    text.Append('=').Append(reader.TryGetInt64(out var i) ? i : "-").Append('/').Append(reader.TryGetUInt64(out var u) ? u : "-");
                text.Append(' ');
            }
            return text.ToString();
        }
        catch (JsonException)
        {
            return "no JSON";
        }

        static string TextOf(ref Utf8JsonReader reader)
        {
            try
            {
                return reader.GetString()!;
            }
            catch (InvalidOperationException)
            {
                return "no text";
            }
        }
    }

    private static string Ours(byte[] document)
    {
        var text = new StringBuilder();
        var tokens = new JsonTokens(document);
        try
        {
            for (tokens.Read(); tokens.Token != JsonToken.None; tokens.Read())
            {
                text.Append(tokens.Token);
                if (tokens.Token is JsonToken.Name or JsonToken.String)
                    text.Append('=').Append(tokens.TryText(out var own) ? own : "no text");
                if (tokens.Token == JsonToken.Number)
                    text.Append('=').Append(tokens.TrySigned(out var i) ? i : "-").Append('/').Append(tokens.TryUnsigned(out var u) ? u : "-");
                text.Append(' ');
            }
            return text.ToString();
        }
        catch (JsonSyntaxException)
        {
            return "no JSON";
        }
    }
}
