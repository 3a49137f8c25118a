// JSON as people read it: four spaces, and no character escaped that need not be, as `docker inspect` prints it.

using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Conman.Formatting;

internal static class Json
{
    public static string Indented(JsonNode? node) => Write(node, new JsonWriterOptions { Indented = true, IndentSize = 4, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    public static string Compact(JsonNode? node) => Write(node, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });

    /// <summary>A list of texts, or null for none.</summary>
    public static JsonNode? List(IEnumerable<string>? texts) => texts is null ? null : new JsonArray([.. texts.Select(text => (JsonNode?)text)]);

    /// <summary>A map of texts, or null for none.</summary>
    public static JsonNode? Map(IEnumerable<KeyValuePair<string, string>>? texts)
    {
        if (texts is null)
            return null;
        var map = new JsonObject();
        foreach (var (key, value) in texts)
            map[key] = value;
        return map;
    }

    private static string Write(JsonNode? node, JsonWriterOptions options)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, options))
        {
            if (node is null)
                writer.WriteNullValue();
            else
                node.WriteTo(writer);
        }
        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }
}
