// System calls by name: their numbers on every architecture, as data of the binary that costs nothing until it is asked.
//
// A call is held as an index, so that all the calls of an architecture fit one small array: its number less the architecture's first
// (MIPS begins at 4000, 5000 or 6000, x32 has a bit of its own), or, for the private calls of 32-bit ARM, PrivateCalls and up.

using System.Text;

namespace Conman.Runtime.Seccomp;

/// <summary>Names and numbers of system calls (the kernel's unistd.h).</summary>
public static partial class SyscallTable
{
    internal const ushort None = ushort.MaxValue;

    /// <summary>The index of the first private call of 32-bit ARM, and how many there may be.</summary>
    internal const int PrivateCalls = 576, PrivateCount = 16;

    /// <summary>What an array needs to hold something for every call of an architecture.</summary>
    internal const int Indices = PrivateCalls + PrivateCount;

    /// <summary>The multiplexers have the same place on every architecture that has them.</summary>
    internal const int SocketCall = 102, Ipc = 117;

    /// <summary>The architectures that a profile may name.</summary>
    public static IReadOnlyList<string> Architectures => SeccompArchitecture.Names;

    /// <summary>The row of a name, or -1 if no kernel has such a call.</summary>
    internal static int Row(string name)
    {
        uint slot = 0;
        foreach (var character in name)
            slot = (slot * 31 + character) % Slots;
        for (; Rows[(int)slot] != 0; slot = (slot + 1) % Slots)
        {
            var row = Rows[(int)slot] - 1;
            if (Matches(Names[Starts[row]..], name))
                return row;
        }
        return -1;
    }

    /// <summary>The index of a call on an architecture, or <see cref="None"/>.</summary>
    internal static ushort Index(int row, Column column) => Numbers[row * Columns + (int)column];

    /// <summary>The multiplexer that also makes this call on some architectures, and the number that it knows it by (linux/net.h, linux/ipc.h).</summary>
    internal static (int Multiplexer, uint Call) Multiplexed(string name) => name switch
    {
        "socket" => (SocketCall, 1),
        "bind" => (SocketCall, 2),
        "connect" => (SocketCall, 3),
        "listen" => (SocketCall, 4),
        "accept" => (SocketCall, 5),
        "getsockname" => (SocketCall, 6),
        "getpeername" => (SocketCall, 7),
        "socketpair" => (SocketCall, 8),
        "send" => (SocketCall, 9),
        "recv" => (SocketCall, 10),
        "sendto" => (SocketCall, 11),
        "recvfrom" => (SocketCall, 12),
        "shutdown" => (SocketCall, 13),
        "setsockopt" => (SocketCall, 14),
        "getsockopt" => (SocketCall, 15),
        "sendmsg" => (SocketCall, 16),
        "recvmsg" => (SocketCall, 17),
        "accept4" => (SocketCall, 18),
        "recvmmsg" => (SocketCall, 19),
        "sendmmsg" => (SocketCall, 20),
        "semop" => (Ipc, 1),
        "semget" => (Ipc, 2),
        "semctl" => (Ipc, 3),
        "semtimedop" => (Ipc, 4),
        "msgsnd" => (Ipc, 11),
        "msgrcv" => (Ipc, 12),
        "msgget" => (Ipc, 13),
        "msgctl" => (Ipc, 14),
        "shmat" => (Ipc, 21),
        "shmdt" => (Ipc, 22),
        "shmget" => (Ipc, 23),
        "shmctl" => (Ipc, 24),
        _ => default,
    };

    /// <summary>Every name.</summary>
    internal static List<string> All()
    {
        var names = new List<string>();
        foreach (var line in Names.Split((byte)'\n'))
        {
            if (!Names[line].IsEmpty)
                names.Add(Encoding.ASCII.GetString(Names[line]));
        }
        return names;
    }

    private static bool Matches(ReadOnlySpan<byte> line, string name)
    {
        if (line.Length <= name.Length || line[name.Length] != '\n')
            return false;
        for (var i = 0; i < name.Length; i++)
        {
            if (line[i] != name[i])
                return false;
        }
        return true;
    }
}
