// The framework's zlib, by the functions that its own streams use (pal_zlib.h of dotnet/runtime): they tell where a member ends, the streams do not.

using System.Runtime.InteropServices;

namespace Conman.Images.Compression;

internal static unsafe partial class Zlib
{
    private const string Library = "libSystem.IO.Compression.Native";

    /// <summary>Return codes of zlib.h: Z_OK, Z_STREAM_END, Z_BUF_ERROR.</summary>
    public const int Ok = 0, StreamEnd = 1, BufferError = -5;

    /// <summary>Z_NO_FLUSH.</summary>
    public const int NoFlush = 0;

    /// <summary>windowBits of inflateInit2: the largest window, and gzip's header and trailer.</summary>
    public const int GzipOnly = 15 + 16;

    [LibraryImport(Library)]
    public static partial int CompressionNative_InflateInit2_(ZStream* stream, int windowBits);

    [LibraryImport(Library)]
    public static partial int CompressionNative_Inflate(ZStream* stream, int flush);

    [LibraryImport(Library)]
    public static partial int CompressionNative_InflateEnd(ZStream* stream);

    /// <summary>PAL_ZStream.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public struct ZStream
    {
        public byte* NextIn;
        public byte* NextOut;
        public byte* Message;
        public void* State;
        public uint AvailableIn;
        public uint AvailableOut;
    }
}
