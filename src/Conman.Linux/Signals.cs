// Signals: their names, and catching them by a descriptor.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>Signals by number and name (signal(7); x86_64 and aarch64 agree).</summary>
public static unsafe class Signals
{
    public const int SIGHUP = 1, SIGINT = 2, SIGQUIT = 3, SIGKILL = 9, SIGTERM = 15, SIGCHLD = 17, SIGCONT = 18, SIGWINCH = 28, SIGURG = 23;

    // The C library keeps the first two real-time signals to itself.
    private const int FirstRealTime = 34, Last = 64;

    private const int Block = 0; // SIG_BLOCK
    private const int InfoSize = 128; // struct signalfd_siginfo, of which the first four bytes are the number

    private static ReadOnlySpan<byte> Names =>
        "HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS "u8;

    /// <summary>A signal from what a person types: <c>9</c>, <c>KILL</c>, <c>SIGKILL</c>, <c>sigrtmin+3</c>; -1 if there is no such signal.</summary>
    public static int Parse(string text)
    {
        if (Digits(text, out var number))
            return number <= Last ? number : -1;
        var name = text.ToUpperInvariant();
        if (name.StartsWith("SIG", StringComparison.Ordinal))
            name = name[3..];
        if (name.StartsWith("RTMIN", StringComparison.Ordinal))
            return name.Length == 5 ? FirstRealTime : name[5] == '+' && Digits(name.AsSpan(6), out var up) && up <= Last - FirstRealTime ? FirstRealTime + up : -1;
        if (name.StartsWith("RTMAX", StringComparison.Ordinal))
            return name.Length == 5 ? Last : name[5] == '-' && Digits(name.AsSpan(6), out var down) && down <= Last - FirstRealTime ? Last - down : -1;
        name = name switch { "IOT" => "ABRT", "CLD" => "CHLD", "POLL" => "IO", _ => name };
        var rest = Names;
        for (number = 1; rest.Length > 0; number++)
        {
            var end = rest.IndexOf((byte)' ');
            if (end == name.Length && System.Text.Ascii.Equals(rest[..end], name))
                return number;
            rest = rest[(end + 1)..];
        }
        return -1;
    }

    /// <summary>strsignal(3), in the middle of a sentence: "bad system call", as Go and so runc has it.</summary>
    public static string Describe(int number) => Marshal.PtrToStringUTF8(Native.strsignal(number))?.ToLowerInvariant() ?? number.ToString();

    private static bool Digits(ReadOnlySpan<char> text, out int number) =>
        int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out number);

    /// <summary>
    /// Catches signals from now on (signalfd(2)): they are read from the descriptor that is returned. To be called before there is a second thread,
    /// which would be born deaf to them as well.
    /// </summary>
    public static FileDescriptor Catch(params ReadOnlySpan<int> numbers)
    {
        ulong set = 0;
        foreach (var number in numbers)
            set |= 1ul << (number - 1);
        if (Native.syscall(SyscallNumbers.rt_sigprocmask, Block, (nint)(&set), 0, sizeof(ulong), 0, 0) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "catch signals");
        return FileDescriptor.Check(Native.syscall(SyscallNumbers.signalfd4, -1, (nint)(&set), sizeof(ulong), 0x80000 | 0x800 /* SFD_CLOEXEC | SFD_NONBLOCK */, 0, 0), "catch signals");
    }

    /// <summary>The number of the next signal that was caught; 0: there is none.</summary>
    public static int TryRead(FileDescriptor caught)
    {
        var info = stackalloc byte[InfoSize];
        return Tmds.Linux.LibC.read(caught.Number, info, InfoSize) == InfoSize ? *(int*)info : 0;
    }
}
