// Waiting for descriptors: the one way this program waits.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>What poll(2) waits for and reports.</summary>
[Flags]
public enum PollEvents : short
{
    None = 0,
    In = 1,
    Priority = 2,
    Out = 4,
    Error = 8,
    HangUp = 16,
    Invalid = 32,
}

/// <summary>struct pollfd.</summary>
[StructLayout(LayoutKind.Sequential)]
public record struct PollEntry(int Fd, PollEvents Events, PollEvents Returned = PollEvents.None);

/// <summary>poll(2).</summary>
public static unsafe class Waiting
{
    /// <summary>Waits until one is ready.</summary>
    /// <param name="entries">A negative descriptor is passed over.</param>
    /// <param name="milliseconds">-1: for ever.</param>
    /// <returns>Whether one is ready; false when the time is over.</returns>
    public static bool Poll(Span<PollEntry> entries, int milliseconds = -1)
    {
        var deadline = milliseconds < 0 ? long.MaxValue : Environment.TickCount64 + milliseconds;
        for (; ; )
        {
            int n;
            fixed (PollEntry* p = entries)
                n = Native.poll(p, (nuint)entries.Length, milliseconds);
            if (n >= 0)
                return n > 0;
            if (Marshal.GetLastPInvokeError() != Errno.EINTR)
                LinuxException.Throw(Marshal.GetLastPInvokeError(), "poll");
            if (milliseconds >= 0)
                milliseconds = (int)Math.Max(0, deadline - Environment.TickCount64);
        }
    }

    /// <summary>eventfd(2): readable once somebody has counted it up.</summary>
    public static FileDescriptor Counter() => FileDescriptor.Check(Native.eventfd(0, 0x80000 /* EFD_CLOEXEC */), "make an event counter");

    /// <summary>Waits until this descriptor is readable or its other side is gone.</summary>
    public static bool Readable(FileDescriptor fd, int milliseconds = -1)
    {
        var entry = new PollEntry(fd.Number, PollEvents.In);
        return Poll(new Span<PollEntry>(ref entry), milliseconds);
    }
}
