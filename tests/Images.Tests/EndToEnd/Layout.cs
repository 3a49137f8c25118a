// OCI layouts made by hand, so that each of their documents can lie.

using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;

namespace Conman.Images.Tests.EndToEnd;

/// <summary>A folder that `conman load -i` reads.</summary>
internal sealed class Layout
{
    private readonly string _path;

    public Layout(string path)
    {
        _path = path;
        Directory.CreateDirectory(path + "/blobs/sha256");
        File.WriteAllText(path + "/oci-layout", """{"imageLayoutVersion":"1.0.0"}""");
    }

    /// <summary>A layout of one image whose layers are these archives.</summary>
    public static void Write(string path, params byte[][] layers)
    {
        var layout = new Layout(path);
        layout.Index(layout.Manifest(layout.Config([.. layers.Select(Hash)]), [.. layers.Select(l => layout.Layer(l))]));
    }

    public static string Hash(byte[] bytes) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(bytes));

    public static byte[] Gzip(byte[] bytes, CompressionLevel level = CompressionLevel.Fastest)
    {
        var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, level))
            gzip.Write(bytes);
        return compressed.ToArray();
    }

    /// <summary>Adds a blob; its descriptor.</summary>
    public JsonObject Blob(byte[] content, string mediaType)
    {
        var digest = Hash(content);
        File.WriteAllBytes($"{_path}/blobs/sha256/{digest[7..]}", content);
        return new JsonObject { ["mediaType"] = mediaType, ["digest"] = digest, ["size"] = content.Length };
    }

    public JsonObject Blob(string content, string mediaType) => Blob(Encoding.UTF8.GetBytes(content), mediaType);

    public JsonObject Layer(byte[] archive) => Blob(archive, "application/vnd.oci.image.layer.v1.tar");

    public JsonObject Config(params string[] diffIds) => Blob(
        new JsonObject
        {
            ["architecture"] = "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject(),
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray([.. diffIds.Select(d => JsonValue.Create(d))]) },
        }.ToJsonString(),
        "application/vnd.oci.image.config.v1+json");

    public JsonObject Manifest(JsonObject config, params JsonObject[] layers) => Blob(
        new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = "application/vnd.oci.image.manifest.v1+json", ["config"] = config, ["layers"] = new JsonArray([.. layers]) }.ToJsonString(),
        "application/vnd.oci.image.manifest.v1+json");

    public static string IndexOf(params JsonObject[] manifests) =>
        new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = "application/vnd.oci.image.index.v1+json", ["manifests"] = new JsonArray([.. manifests]) }.ToJsonString();

    /// <summary>Writes index.json.</summary>
    public void Index(params JsonObject[] manifests) => File.WriteAllText(_path + "/index.json", IndexOf(manifests));
}
