// Media types of images: those of the OCI and those of Docker's registry, which mean the same.

namespace Conman.Oci.ImageSpec;

public static class MediaTypes
{
    public const string Manifest = "application/vnd.oci.image.manifest.v1+json";
    public const string Index = "application/vnd.oci.image.index.v1+json";
    public const string Config = "application/vnd.oci.image.config.v1+json";
    public const string Layer = "application/vnd.oci.image.layer.v1.tar";
    public const string LayerGzip = Layer + "+gzip";
    public const string LayerZstd = Layer + "+zstd";
    public const string Empty = "application/vnd.oci.empty.v1+json";

    public const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
    public const string DockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
    public const string DockerConfig = "application/vnd.docker.container.image.v1+json";
    public const string DockerLayer = "application/vnd.docker.image.rootfs.diff.tar";
    public const string DockerLayerGzip = DockerLayer + ".gzip";
    public const string DockerLayerZstd = DockerLayer + ".zstd";

    /// <summary>One image for one platform.</summary>
    public static bool IsManifest(string? type) => type is Manifest or DockerManifest;

    /// <summary>A choice of manifests.</summary>
    public static bool IsIndex(string? type) => type is Index or DockerList;

    /// <summary>An archive of files that is unpacked; the compression is read from its first bytes, not from its name. Layers that may not be
    /// distributed (<c>nondistributable</c>, <c>foreign</c>) are layers too.</summary>
    public static bool IsLayer(string? type) => type is Layer or LayerGzip or LayerZstd or DockerLayer or DockerLayerGzip or DockerLayerZstd
        or "application/vnd.oci.image.layer.nondistributable.v1.tar" or "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip"
        or "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd" or "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
}
