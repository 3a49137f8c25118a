// Extended regular expressions of POSIX, by the C library: regex(7).

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>A compiled pattern; it matches anywhere in a text unless it is anchored.</summary>
public sealed unsafe class PosixPattern : IDisposable
{
    private const int REG_EXTENDED = 1, REG_NOSUB = 8;
    private const int Size = 64; // sizeof(regex_t)

    private readonly void* _compiled = NativeMemory.AllocZeroed(Size);

    /// <summary>Compiles.</summary>
    /// <exception cref="FormatException">It is no pattern; the message is regerror(3)'s.</exception>
    public PosixPattern(string pattern)
    {
        var error = Native.regcomp(_compiled, pattern, REG_EXTENDED | REG_NOSUB);
        if (error == 0)
            return;
        var text = stackalloc byte[128];
        Native.regerror(error, _compiled, text, 128);
        NativeMemory.Free(_compiled);
        throw new FormatException(Marshal.PtrToStringUTF8((nint)text));
    }

    /// <summary>Whether the text has a match in it.</summary>
    public bool Matches(string text) => Native.regexec(_compiled, text, 0, null, 0) == 0;

    public void Dispose()
    {
        Native.regfree(_compiled);
        NativeMemory.Free(_compiled);
    }
}
