// bpf(2): just enough to let a cgroup decide which devices may be opened.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>Programs of type BPF_PROG_TYPE_CGROUP_DEVICE.</summary>
public static unsafe class Bpf
{
    private const int LoadProgram = 5, Attach = 8;
    private const int MostTries = 100; // far more than there are signals in a moment, and an end
    private const uint CgroupDeviceProgram = 15, CgroupDevice = 6, AllowMulti = 2;

    /// <summary>Loads a program (struct bpf_insn, 8 bytes each).</summary>
    public static FileDescriptor LoadDeviceProgram(ReadOnlySpan<byte> instructions)
    {
        Attributes attr = default;
        fixed (byte* code = instructions, license = "GPL\0"u8)
        {
            attr.prog_type = CgroupDeviceProgram;
            attr.insn_cnt = (uint)(instructions.Length / 8);
            attr.insns = (ulong)code;
            attr.license = (ulong)license;
            // The verifier gives up with EAGAIN when a signal comes, be it one that nobody waits for (SIGCHLD).
            nint fd;
            var tries = 0;
            do fd = Native.syscall(SyscallNumber.bpf, LoadProgram, (nint)(&attr), sizeof(Attributes), 0, 0, 0);
            while (fd < 0 && Marshal.GetLastPInvokeError() == Errno.EAGAIN && ++tries < MostTries);
            return FileDescriptor.Check(fd, "load the device program");
        }
    }

    /// <summary>Attaches a program to a cgroup, beside those of the cgroups above it: all must allow.</summary>
    public static void AttachDeviceProgram(FileDescriptor program, FileDescriptor cgroup)
    {
        var attr = stackalloc uint[8];
        new Span<uint>(attr, 8).Clear();
        attr[0] = (uint)cgroup.Number;
        attr[1] = (uint)program.Number;
        attr[2] = CgroupDevice;
        attr[3] = AllowMulti;
        if (Native.syscall(SyscallNumber.bpf, Attach, (nint)attr, 32, 0, 0, 0) < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), "attach the device program to the cgroup");
    }

    /// <summary>The part of union bpf_attr that BPF_PROG_LOAD reads here.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct Attributes
    {
        public uint prog_type;
        public uint insn_cnt;
        public ulong insns;
        public ulong license;
        public uint log_level;
        public uint log_size;
        public ulong log_buf;
        public uint kern_version;
        public uint prog_flags;
    }
}
