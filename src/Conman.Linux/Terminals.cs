// Terminals: raw mode and window size.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>The terminal that a descriptor stands for.</summary>
public static unsafe class Terminals
{
    private const nuint TCGETS = 0x5401, TCSETS = 0x5402, TIOCGWINSZ = 0x5413, TIOCSWINSZ = 0x5414;

    /// <summary>Whether the descriptor is a terminal.</summary>
    public static bool IsTerminal(int fd)
    {
        KernelTermios settings;
        return Native.ioctl(fd, TCGETS, &settings) == 0;
    }

    /// <summary>
    /// Puts a terminal into raw mode (termios(3), cfmakeraw) until the result is disposed; but output is still processed, since the
    /// container's own terminal leaves "\n" as it is.
    /// </summary>
    public static IDisposable? TryMakeRaw(int fd)
    {
        KernelTermios before;
        if (Native.ioctl(fd, TCGETS, &before) < 0)
            return null;
        var raw = before;
        raw.c_iflag &= ~0x5ebu /* IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON */;
        raw.c_lflag &= ~0x804bu /* ECHO | ECHONL | ICANON | ISIG | IEXTEN */;
        raw.c_cflag = (raw.c_cflag & ~0x130u /* CSIZE | PARENB */) | 0x30 /* CS8 */;
        raw.c_cc[5 /* VTIME */] = 0;
        raw.c_cc[6 /* VMIN */] = 1;
        return Native.ioctl(fd, TCSETS, &raw) < 0 ? null : new Restore(fd, before);
    }

    /// <summary>What is typed is not shown until the result is disposed; nothing happens if it is no terminal.</summary>
    public static IDisposable? Silence(int fd)
    {
        KernelTermios before;
        if (Native.ioctl(fd, TCGETS, &before) < 0)
            return null;
        var silent = before;
        silent.c_lflag &= ~8u /* ECHO */;
        return Native.ioctl(fd, TCSETS, &silent) < 0 ? null : new Restore(fd, before);
    }

    /// <summary>Makes one terminal as large as another. Nothing happens if either is none.</summary>
    public static void CopySize(int from, int to)
    {
        ulong size;
        if (Native.ioctl(from, TIOCGWINSZ, &size) == 0)
            _ = Native.ioctl(to, TIOCSWINSZ, &size);
    }

    /// <summary>Rows and columns; (0, 0) if it is no terminal.</summary>
    public static (ushort Rows, ushort Columns) Size(int fd)
    {
        var size = stackalloc ushort[4];
        return Native.ioctl(fd, TIOCGWINSZ, size) == 0 ? (size[0], size[1]) : default;
    }

    private sealed class Restore(int fd, KernelTermios before) : IDisposable
    {
        public void Dispose()
        {
            var settings = before;
            _ = Native.ioctl(fd, TCSETS, &settings);
        }
    }

    /// <summary>struct termios of asm-generic/termbits.h, 36 bytes: not glibc's.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct KernelTermios
    {
        public uint c_iflag;
        public uint c_oflag;
        public uint c_cflag;
        public uint c_lflag;
        public byte c_line;
        public fixed byte c_cc[19];
    }
}
