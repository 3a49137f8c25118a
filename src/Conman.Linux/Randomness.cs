// The kernel's random bytes, without a library of cryptography to set up.

using System.Runtime.InteropServices;

namespace Conman.Linux;

public static unsafe class Randomness
{
    /// <summary>getrandom(2): at most 256 bytes, which come whole.</summary>
    public static void Fill(Span<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes.Length, 256, nameof(bytes));
        fixed (byte* p = bytes)
        {
            nint n;
            do n = Native.syscall(SyscallNumbers.getrandom, (nint)p, bytes.Length, 0, 0, 0, 0);
            while (n < 0 && Marshal.GetLastPInvokeError() == Errno.EINTR);
            if (n != bytes.Length)
                LinuxException.Throw(n < 0 ? Marshal.GetLastPInvokeError() : Errno.EIO, "get random bytes");
        }
    }
}
