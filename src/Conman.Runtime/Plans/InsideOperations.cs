// What the new process opens of the host itself, where the runtime has no right to: an ordinary user may copy mounts and make file systems
// only in a mount namespace that his own user namespace owns, and the first process in that is conman-init.

using System.Buffers.Binary;
using System.Text;
using Conman.Linux;

namespace Conman.Runtime.Plans;

/// <summary>Opens a handle from inside the new mount namespace, which still shows the host's mounts, under the number that the runtime kept free.</summary>
public sealed record OpenInside(HostHandle Handle) : Operation
{
    public override string Describe() => $"open {Handle.Describe()}";

    internal override void Encode(PlanEncoder encoder)
    {
        switch (Handle)
        {
            case HostTree tree:
                CopyTree(encoder, tree.Path, tree.Recursive, tree.Follow);
                foreach (var (recursive, set, clear, propagation) in tree.AttributeCalls())
                    SetAttributes(encoder, recursive, set, clear, propagation);
                break;
            case EmptyDirectory:
                MakeEmptyDirectory(encoder);
                break;
            case NullDevice:
                CopyTree(encoder, "/dev/null", recursive: false, follow: false);
                break;
        }
    }

    private int Number => Handle.Descriptor;

    private void CopyTree(PlanEncoder encoder, string path, bool recursive, bool follow)
    {
        var flags = 1 /* OPEN_TREE_CLONE */ | (ulong)OpenFlags.CloseOnExec | (recursive ? 0x8000u : 0) /* AT_RECURSIVE */ | (follow ? 0 : 0x100u) /* AT_SYMLINK_NOFOLLOW */;
        encoder.CallWith(Encoding.UTF8.GetBytes(path + "\0"), SyscallNumbers.open_tree, 0b10, unchecked((ulong)Files.CurrentDirectory), 0, flags, into: Number);
    }

    // mount_setattr(2) on the copy: struct mount_attr, then an empty path.
    private void SetAttributes(PlanEncoder encoder, bool recursive, MountAttributes set, MountAttributes clear, Propagation propagation)
    {
        Span<byte> bytes = stackalloc byte[33];
        bytes.Clear();
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)set);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[8..], (ulong)clear);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[16..], (ulong)propagation);
        encoder.CallWith(bytes, SyscallNumbers.mount_setattr, 0b1010, (ulong)Number, 32, 0x1000 /* AT_EMPTY_PATH */ | (recursive ? 0x8000ul : 0), 0, 32);
    }

    // As Mounts.CreateEmptyDirectory. The number is that of the context first, of the mount in the end.
    private void MakeEmptyDirectory(PlanEncoder encoder)
    {
        const MountAttributes Attributes = MountAttributes.ReadOnly | MountAttributes.NoSuid | MountAttributes.NoDev | MountAttributes.NoExec;
        encoder.CallWith("tmpfs\0"u8, SyscallNumbers.fsopen, 0b1, 0, 1 /* FSOPEN_CLOEXEC */, into: Number);
        encoder.CallWith("nr_blocks\01\0"u8, SyscallNumbers.fsconfig, 0b1100, (ulong)Number, 1 /* FSCONFIG_SET_STRING */, 0, 10);
        encoder.CallWith("nr_inodes\01\0"u8, SyscallNumbers.fsconfig, 0b1100, (ulong)Number, 1 /* FSCONFIG_SET_STRING */, 0, 10);
        encoder.Call(SyscallNumbers.fsconfig, (ulong)Number, 6 /* FSCONFIG_CMD_CREATE */);
        encoder.Call(SyscallNumbers.fsmount, (ulong)Number, 1 /* FSMOUNT_CLOEXEC */, (ulong)Attributes, into: Number);
    }
}
