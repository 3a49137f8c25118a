// libzstd's streaming interface (zstd.h): linked into the binary; tests, which are not compiled ahead of time, find the shared library.

using System.Runtime.InteropServices;

namespace Conman.Images.Compression;

internal static unsafe partial class Zstd
{
    private const string Library = "libzstd.so.1";

    /// <summary>ZSTD_d_windowLogMax, ZSTD_c_compressionLevel, ZSTD_c_checksumFlag.</summary>
    public const int WindowLogMax = 100, CompressionLevel = 100, ChecksumFlag = 201;

    /// <summary>ZSTD_EndDirective: ZSTD_e_continue, ZSTD_e_end.</summary>
    public const int Continue = 0, End = 2;

    [LibraryImport(Library)]
    public static partial nint ZSTD_createDCtx();

    [LibraryImport(Library)]
    public static partial nuint ZSTD_freeDCtx(nint context);

    [LibraryImport(Library)]
    public static partial nuint ZSTD_DCtx_setParameter(nint context, int parameter, int value);

    /// <summary>0 when a frame has been decoded and given out whole; else a hint of what is still to come, or an error.</summary>
    [LibraryImport(Library)]
    public static partial nuint ZSTD_decompressStream(nint context, Piece* output, Piece* input);

    [LibraryImport(Library)]
    public static partial nint ZSTD_createCCtx();

    [LibraryImport(Library)]
    public static partial nuint ZSTD_freeCCtx(nint context);

    [LibraryImport(Library)]
    public static partial nuint ZSTD_CCtx_setParameter(nint context, int parameter, int value);

    /// <summary>What is still to be given out, or an error.</summary>
    [LibraryImport(Library)]
    public static partial nuint ZSTD_compressStream2(nint context, Piece* output, Piece* input, int end);

    [LibraryImport(Library)]
    public static partial uint ZSTD_isError(nuint code);

    [LibraryImport(Library)]
    private static partial byte* ZSTD_getErrorName(nuint code);

    /// <summary>What an error is, in the library's words.</summary>
    public static string Describe(nuint code) => Marshal.PtrToStringUTF8((nint)ZSTD_getErrorName(code)) ?? "unknown";

    /// <summary>ZSTD_inBuffer, ZSTD_outBuffer.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct Piece
    {
        public byte* Bytes;
        public nuint Size;
        public nuint Position;
    }
}
