// SHA-256 of what is in memory: documents, and names for what lies on disk.

using System.Runtime.InteropServices;

namespace Conman.Images;

/// <summary>libcrypto's SHA-256 by itself (openssl/sha.h): .NET's first hash initialises all of OpenSSL, with its configuration and random numbers,
/// which takes as long as the rest of a container's start. What is downloaded is hashed by .NET.</summary>
internal static unsafe partial class DocumentHash
{
    // In the binary it is linked; tests, which are not compiled ahead of time, find the shared library.
    private const string Library = "libcrypto.so.3";

    /// <summary>SHA256_CTX is 112 bytes long.</summary>
    [StructLayout(LayoutKind.Sequential, Size = 112)]
    private struct Context;

    /// <summary>Bytes of a hash.</summary>
    public const int Size = 32;

    /// <summary>The hash of bytes.</summary>
    public static void Of(ReadOnlySpan<byte> content, Span<byte> hash)
    {
        hash = hash[..Size];
        Context context;
        fixed (byte* bytes = content, result = hash)
        {
            if (SHA256_Init(&context) != 1 || SHA256_Update(&context, bytes, (nuint)content.Length) != 1 || SHA256_Final(result, &context) != 1)
                throw new ImageException("libcrypto cannot hash");
        }
    }

    [LibraryImport(Library)]
    private static partial int SHA256_Init(Context* context);

    [LibraryImport(Library)]
    private static partial int SHA256_Update(Context* context, byte* data, nuint length);

    [LibraryImport(Library)]
    private static partial int SHA256_Final(byte* hash, Context* context);
}
