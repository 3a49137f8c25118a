// The process that unpacks a layer, and can do nothing else. It runs under the hidden word of the binary.
//
// What it was started with is an archive as standard input, standard output for its report, and the layer's directory as a detached mount. Before
// it looks at the first byte, and before it has a second thread, it gives up everything else.

using System.Globalization;
using System.Security.Cryptography;
using Conman.Images.Compression;
using Conman.Linux;

namespace Conman.Images.Layers;

/// <summary>The body of the process.</summary>
public static class UnpackProcess
{
    /// <summary>The binary's first argument.</summary>
    public const string Word = "unpack-layer";

    /// <summary>The rest of the command line: the descriptor of the directory, and how large the compressed archive is. The exit status is 0 if there is a report.</summary>
    public static int Run(ReadOnlySpan<string> arguments)
    {
        if (arguments.Length != 2 || !int.TryParse(arguments[0], CultureInfo.InvariantCulture, out var number) || !long.TryParse(arguments[1], CultureInfo.InvariantCulture, out var compressedSize))
        {
            Files.TryWrite(2, "conman: unpack-layer is what conman starts for itself, for every layer\n"u8);
            return 125;
        }
        byte[] report;
        try
        {
            // The library that hashes reads its configuration when it is first used: the host's, not one that a layer has.
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            hash.AppendData([]);
            using (var tree = new FileDescriptor(number))
                Confinement.Enter(tree);
            using var top = Files.Open("/", OpenFlags.ReadOnly | Files.Directory);
            report = Unpack(top, new DescriptorStream(0, "the layer"), hash, UnpackLimits.For(compressedSize));
        }
        catch (Exception e) when (e is ImageException or LinuxException)
        {
            report = UnpackReport.Write(e.Message);
        }
        catch (OutOfMemoryException)
        {
            report = UnpackReport.Write("out of memory");
        }
        return Files.TryWrite(1, report) == 0 ? 0 : 1;
    }

    private static byte[] Unpack(FileDescriptor top, Stream archive, IncrementalHash hash, UnpackLimits limits)
    {
        using var plain = new HashedStream(new ReadAhead(Decompression.Open(archive)), hash, limits.Size);
        var layer = LayerExtractor.Extract(top, plain, limits);
        plain.ReadToEnd();
        return UnpackReport.Write(hash.GetHashAndReset(), layer);
    }
}
