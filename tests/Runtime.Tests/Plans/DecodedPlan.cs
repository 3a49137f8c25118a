// A second reader of the plan's format, written from native/plan.h and knowing nothing of the encoder: what each operation must have become.

using System.Buffers.Binary;
using System.Text;
using Conman.Linux;
using Conman.Runtime.Plans;

namespace Conman.Runtime.Tests.Plans;

/// <summary>One struct plan_op, as conman-init sees it.</summary>
internal sealed record DecodedOp(uint Code, int A, int B, int C, int D, ulong[] X, byte[] Bytes)
{
    /// <summary>The first <paramref name="count"/> NUL-terminated texts.</summary>
    public string[] Texts(int count)
    {
        var (texts, at) = (new string[count], 0);
        for (var i = 0; i < count; i++)
        {
            var end = Array.IndexOf(Bytes, (byte)0, at);
            texts[i] = Encoding.UTF8.GetString(Bytes, at, end - at);
            at = end + 1;
        }
        Assert.All(Bytes[at..], b => Assert.Equal(0, b)); // only padding may follow
        return texts;
    }

    /// <summary>The text that argument <paramref name="i"/> of a system call points to.</summary>
    public string Pointed(int i)
    {
        Assert.NotEqual(0, B >> i & 1);
        var at = (int)X[i];
        return Encoding.UTF8.GetString(Bytes, at, Array.IndexOf(Bytes, (byte)0, at) - at);
    }

    public ulong Number(int at) => BinaryPrimitives.ReadUInt64LittleEndian(Bytes.AsSpan(at));
}

internal static class DecodedPlan
{
    private const int HeaderSize = 24, OpSize = 72, CurrentDirectory = -100;

    public static List<DecodedOp> Decode(ReadOnlySpan<byte> plan)
    {
        Assert.Equal(0x4e4c5043u, U32(plan, 0));
        Assert.Equal(1u, U32(plan, 4));
        Assert.Equal((uint)plan.Length, U32(plan, 8));
        var (ops, at) = (new List<DecodedOp>(), HeaderSize);
        while (at < plan.Length)
        {
            var op = plan[at..];
            var size = (int)U32(op, 4);
            Assert.True(size >= OpSize && size % 8 == 0 && size <= op.Length, $"an operation of {size} bytes");
            var x = new ulong[6];
            for (var i = 0; i < 6; i++)
                x[i] = BinaryPrimitives.ReadUInt64LittleEndian(op[(24 + (i * 8))..]);
            ops.Add(new DecodedOp(U32(op, 0), (int)U32(op, 8), (int)U32(op, 12), (int)U32(op, 16), (int)U32(op, 20), x, op[OpSize..size].ToArray()));
            at += size;
        }
        Assert.Equal((uint)ops.Count, U32(plan, 12));
        return ops;

        static uint U32(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);
    }

    /// <summary>Encodes an open plan, decodes it, and compares each operation.</summary>
    public static void Check(Plan plan)
    {
        var encoded = PlanEncoder.Encode(plan, 77);
        var header = encoded.Bytes[..HeaderSize];
        Assert.Equal(77, BinaryPrimitives.ReadInt32LittleEndian(header[16..]));
        Assert.Equal(plan.Root?.Descriptor ?? CurrentDirectory, BinaryPrimitives.ReadInt32LittleEndian(header[20..]));
        var decoded = Decode(encoded.Bytes);
        var next = 0;
        foreach (var operation in plan.Operations)
        {
            var first = next;
            while (next < decoded.Count && ReferenceEquals(encoded.Origin(next), operation))
                next++;
            Assert.True(next > first, $"\"{operation.Describe()}\" became nothing");
            Compare(operation, decoded[first..next]);
        }
        Assert.Equal(decoded.Count, next);
    }

    private static void Compare(Operation operation, List<DecodedOp> ops)
    {
        var op = ops[0];
        switch (operation)
        {
            case Sync: Code(op, 1); break;
            case Gate: Code(op, 2); break;
            case AwaitStart await: Code(op, 3, await.Listener.Descriptor); break;
            case ContinueIn fork: Code(op, 4); Assert.Equal((ulong)fork.New, op.X[0]); break;
            case JoinNamespace join: Call(op, SyscallNumbers.setns, (ulong)join.Namespace.Descriptor, (ulong)join.Namespace.Type); break;
            case JoinProcess join: Call(op, SyscallNumbers.setns, (ulong)join.Process.Descriptor, (ulong)join.Types); break;
            case NewNamespace ns: Call(op, SyscallNumbers.unshare, (ulong)ns.Type); break;
            case EnterTimeNamespace:
                Call(ops[0], SyscallNumbers.openat, unchecked((ulong)CurrentDirectory));
                Assert.Equal(("/proc/self/ns/time_for_children", 0x80000ul), (ops[0].Pointed(1), ops[0].X[2]));
                UseHeld(ops, SyscallNumbers.setns);
                Assert.Equal(0x80ul, ops[1].X[1]);
                return;
            case BecomeRoot:
                Call(ops[0], SyscallNumbers.setresgid, 0, 0, 0);
                Call(ops[1], SyscallNumbers.setresuid, 0, 0, 0);
                Assert.Equal(2, ops.Count);
                return;
            case NewSession: Call(op, SyscallNumbers.setsid); Assert.Equal(Errno.EPERM, op.C); break;
            case JoinCgroup join:
                Call(op, SyscallNumbers.write, (ulong)join.Tasks.Descriptor);
                Assert.Equal(((byte)'0', 1ul), (op.Bytes[(int)op.X[1]], op.X[2]));
                break;
            case HideFromContainer: Call(op, SyscallNumbers.prctl, 4, 0); break;
            case DieWithRuntime: Call(op, SyscallNumbers.prctl, 1, 9); break;
            case ShowToRuntime: Call(op, SyscallNumbers.prctl, 4, 1); break;
            case OpenInside { Handle: HostTree tree }:
                Call(op, SyscallNumbers.open_tree, unchecked((ulong)CurrentDirectory));
                Assert.Equal((tree.Path, tree.Descriptor), (op.Pointed(1), op.D));
                Assert.Equal(0x80001ul | (tree.Recursive ? 0x8000ul : 0) | (tree.Follow ? 0 : 0x100ul), op.X[2]);
                var calls = tree.AttributeCalls();
                Assert.Equal(calls.Count, ops.Count - 1);
                for (var i = 0; i < calls.Count; i++)
                {
                    Call(ops[i + 1], SyscallNumbers.mount_setattr, (ulong)tree.Descriptor);
                    Assert.Equal(("", 0x1000ul | (calls[i].Recursive ? 0x8000ul : 0)), (ops[i + 1].Pointed(1), ops[i + 1].X[2]));
                    Assert.Equal(((ulong)calls[i].Set, (ulong)calls[i].Clear, (ulong)calls[i].Propagation), (ops[i + 1].Number(0), ops[i + 1].Number(8), ops[i + 1].Number(16)));
                }
                return;

            case LeaveHostMounts leave: SetAttributes(op, leave.Path, leave.Recursive, 0, (ulong)leave.Propagation); break;
            case SetRootPropagation root: SetAttributes(op, "/", root.Recursive, 0, (ulong)root.Propagation); break;
            case MakeRootReadOnly: SetAttributes(op, "/", false, 1, 0); break;
            case MakeMountReadOnly mount: SetAttributes(op, mount.Path, false, 1, 0); break;
            case PlaceRoot place:
                Call(op, SyscallNumbers.move_mount, (ulong)place.Tree.Descriptor);
                Assert.Equal(("", place.Path, unchecked((ulong)CurrentDirectory), 4ul), (op.Pointed(1), op.Pointed(3), op.X[2], op.X[4]));
                break;
            case MountFileSystem mount:
                Code(op, 6, mount.Held ? 1 : 0);
                Assert.Equal([(ulong)mount.Attributes, (ulong)mount.Propagation, (ulong)mount.Destination, mount.CopyMode ? 1ul : 0], op.X[..4]);
                Assert.Equal([mount.Path, mount.Type, .. mount.Options], op.Texts(2 + mount.Options.Count));
                break;
            case AttachHeld held:
                Code(op, 7, -1);
                Assert.Equal((ulong)held.Mount.Destination, op.X[2]);
                Assert.Equal([held.Mount.Path], op.Texts(1));
                break;
            case BindTree { Tree.Link: { } link } bind: Code(op, 10, 1); Assert.Equal([bind.Path, link], op.Texts(2)); break;
            case BindTree bind:
                Code(op, 7, bind.Tree.Descriptor);
                Assert.Equal((ulong)bind.Destination | (bind.Tree.IsDirectory ? 1ul : 2), op.X[2]);
                Assert.Equal([bind.Path], op.Texts(1));
                break;
            case CopyTree copy:
                Opens(ops[0], copy.Root.Descriptor, copy.Inside, 0x280000ul | (copy.Tree.Follow ? 0 : 0x20000ul), 0x12);
                Call(ops[1], SyscallNumbers.open_tree);
                Assert.Equal((0x102, "", 0x81001ul | (copy.Tree.Recursive ? 0x8000ul : 0), -1, 2), (ops[1].B, ops[1].Pointed(1), ops[1].X[2], ops[1].D, ops.Count));
                return;
            case AttachTree attach: Code(op, 7, -1); Assert.Equal((ulong)attach.Destination, op.X[2]); Assert.Equal([attach.Path], op.Texts(1)); break;
            case MakeDirectory make: Code(op, 8); Assert.Equal(make.Mode, op.X[0]); Assert.Equal([make.Path], op.Texts(1)); break;
            case MakeNode node:
                Code(op, 9, (int)node.Uid, (int)node.Gid);
                Assert.Equal(node.Mode | node.Type switch { 'b' => 0x6000u, 'p' => 0x1000, _ => 0x2000 }, op.X[0]);
                Assert.Equal((node.Major, node.Minor), ((uint)(op.X[1] >> 8 & 0xfff), (uint)((op.X[1] & 0xff) | (op.X[1] >> 12 & 0xffffff00))));
                Assert.Equal([node.Path], op.Texts(1));
                break;
            case MakeLink link: Code(op, 10); Assert.Equal([link.Path, link.Target], op.Texts(2)); break;
            case MaskPath mask: Code(op, 11, mask.Directory.Descriptor, mask.Null.Descriptor); Assert.Equal([mask.Path], op.Texts(1)); break;
            case MakeReadOnly read: Code(op, 12); Assert.Equal([read.Path], op.Texts(1)); break;
            case WriteSetting write: WriteFile(ops, write.Proc.Descriptor, write.File, write.Value); return;
            case LeaveKernelFileSystem leave:
                if (leave.Shared)
                    SetAttributes(ops[0], leave.Path, true, 0, (ulong)Propagation.Slave);
                Call(ops[^1], leave.Cover ? SyscallNumbers.mount : SyscallNumbers.umount2);
                Assert.Equal(leave.Path, ops[^1].Pointed(leave.Cover ? 1 : 0));
                Assert.Equal(leave.Cover ? ("tmpfs", 1ul) : (leave.Path, 0ul), (ops[^1].Pointed(0), ops[^1].X[3]));
                Assert.Equal(leave.Shared ? 2 : 1, ops.Count);
                return;
            case PivotRoot pivot:
                Call(ops[0], SyscallNumbers.fchdir, (ulong)pivot.Root.Descriptor);
                if (pivot.MoveOnly)
                {
                    Call(ops[1], SyscallNumbers.chroot);
                    Assert.Equal(".", ops[1].Pointed(0));
                }
                else
                {
                    Call(ops[1], SyscallNumbers.pivot_root);
                    Assert.Equal((".", "."), (ops[1].Pointed(0), ops[1].Pointed(1)));
                    if (pivot.Shared)
                        SetAttributes(ops[2], "..", true, 0, (ulong)Propagation.Slave);
                    Call(ops[^2], SyscallNumbers.umount2);
                    Assert.Equal((".", 2ul), (ops[^2].Pointed(0), ops[^2].X[1]));
                }
                Call(ops[^1], SyscallNumbers.chdir);
                Assert.Equal("/", ops[^1].Pointed(0));
                Assert.Equal(pivot.MoveOnly ? 3 : pivot.Shared ? 5 : 4, ops.Count);
                return;

            case SetName name:
                Call(op, name.Domain ? SyscallNumbers.setdomainname : SyscallNumbers.sethostname);
                Assert.Equal((1, 0ul), (op.B, op.X[0]));
                Assert.Equal(name.Name, Encoding.UTF8.GetString(op.Bytes, 0, (int)op.X[1]));
                break;
            case LoopbackUp:
                Call(ops[0], SyscallNumbers.socket, 2, 0x80002, 0);
                UseHeld(ops, SyscallNumbers.ioctl);
                Assert.Equal((0x8914ul, "lo", 1), (ops[1].X[1], ops[1].Pointed(2), ops[1].Bytes[16]));
                return;
            case NewKeyring keyring: Call(op, SyscallNumbers.keyctl, 1); Assert.Equal((keyring.Name, Errno.ENOSYS), (op.Pointed(1), op.C)); break;
            case OpenConsole console:
                Code(op, 13, console.Receiver.Descriptor, console.Bind ? 1 : 0);
                Assert.Equal(((int)console.Rows, (int)console.Columns, (ulong)console.Uid), (op.C, op.D, op.X[0]));
                break;
            case TakeTerminal: Code(op, 14); break;
            case OwnStreams own:
                for (var i = 0; i < own.Streams.Count; i++)
                {
                    Call(ops[i], SyscallNumbers.fchown, (ulong)own.Streams[i], own.Uid, uint.MaxValue);
                    Assert.Equal(-1, ops[i].C);
                }
                Assert.Equal(own.Streams.Count, ops.Count);
                return;
            case SetLimit limit:
                Call(op, SyscallNumbers.prlimit64, 0, (ulong)limit.Resource);
                Assert.Equal((4, 0ul, 0ul), (op.B, op.X[2], op.X[3]));
                Assert.Equal((limit.Soft, limit.Hard), (op.Number(0), op.Number(8)));
                break;
            case SetScheduler scheduler:
                Call(op, SyscallNumbers.sched_setattr, 0);
                Assert.Equal((2, 0ul), (op.B, op.X[1]));
                Assert.Equal([48ul | ((ulong)scheduler.Number << 32), scheduler.Flags, (uint)scheduler.Nice | ((ulong)scheduler.Priority << 32), scheduler.Runtime, scheduler.Deadline, scheduler.Period],
                    Enumerable.Range(0, 6).Select(i => op.Number(i * 8)));
                break;
            case SetIoPriority priority: Call(op, SyscallNumbers.ioprio_set, 1, 0, (ulong)((priority.Number << 13) | priority.Priority)); break;
            case SetAffinity affinity:
                Call(op, SyscallNumbers.sched_setaffinity, 0, (ulong)affinity.Cpus.Length, 0);
                Assert.Equal((4, affinity == SetAffinity.All ? Errno.EINVAL : 0), (op.B, op.C));
                Assert.Equal(affinity.Cpus, op.Bytes[..affinity.Cpus.Length]);
                break;
            case SetMemoryPolicy { Bits.Length: 0 } policy: Call(op, SyscallNumbers.set_mempolicy, (ulong)policy.Number, 0, 0); break;
            case SetMemoryPolicy policy:
                Call(op, SyscallNumbers.set_mempolicy, (ulong)policy.Number, 0, ((ulong)policy.Bits.Length * 8) + 1);
                Assert.Equal(2, op.B);
                Assert.Equal(policy.Bits, op.Bytes);
                break;
            case SetLabel label: WriteFile(ops, label.Proc.Descriptor, "thread-self/attr/" + label.File, label.Value); return;
            case RestrictSelf restrict: Call(op, SyscallNumbers.landlock_restrict_self, (ulong)restrict.Ruleset.Descriptor, 0); break;
            case SetPersonality personality: Call(op, SyscallNumbers.personality, personality.Number); break;
            case SetUmask umask: Call(op, SyscallNumbers.umask, umask.Mask); break;
            case BoundCapabilities bound: Code(op, 15); Assert.Equal(bound.Kept, op.X[0]); break;
            case BecomeUser user:
                Call(ops[0], SyscallNumbers.prctl, 8, 1);
                if (!user.KeepsGroups)
                {
                    Call(ops[1], SyscallNumbers.setgroups, (ulong)user.Groups.Count);
                    Assert.Equal((2, 0ul, user is { GroupsMayStay: true, Groups.Count: 0 } ? Errno.EPERM : 0), (ops[1].B, ops[1].X[1], ops[1].C));
                    for (var i = 0; i < user.Groups.Count; i++)
                        Assert.Equal(user.Groups[i], BinaryPrimitives.ReadUInt32LittleEndian(ops[1].Bytes.AsSpan(i * 4)));
                }
                Call(ops[^3], SyscallNumbers.setresgid, user.Gid, user.Gid, user.Gid);
                Call(ops[^2], SyscallNumbers.setresuid, user.Uid, user.Uid, user.Uid);
                Call(ops[^1], SyscallNumbers.prctl, 8, 0);
                Assert.Equal(user.KeepsGroups ? 4 : 5, ops.Count);
                return;
            case SetCapabilities set:
                Call(op, SyscallNumbers.capset);
                Assert.Equal((3, 0ul, 8ul, 0x20080522ul), (op.B, op.X[0], op.X[1], op.Number(0)));
                ulong[] sets = [set.Effective, set.Permitted, set.Inheritable];
                for (var i = 0; i < 3; i++)
                {
                    Assert.Equal((uint)sets[i], BinaryPrimitives.ReadUInt32LittleEndian(op.Bytes.AsSpan(8 + (i * 4))));
                    Assert.Equal((uint)(sets[i] >> 32), BinaryPrimitives.ReadUInt32LittleEndian(op.Bytes.AsSpan(20 + (i * 4))));
                }
                ulong ambient = 0;
                foreach (var raise in ops[1..])
                {
                    Call(raise, SyscallNumbers.prctl, 47, 2);
                    ambient |= 1ul << (int)raise.X[2];
                }
                Assert.Equal(set.Ambient, ambient);
                return;
            case NoNewPrivileges: Call(op, SyscallNumbers.prctl, 38, 1, 0, 0, 0); break;
            case LoadFilter filter:
                Code(op, 16);
                Assert.Equal((filter.Flags, (ulong)filter.Program.Length / 8), (op.X[0], op.X[1]));
                Assert.Equal(filter.Program, op.Bytes);
                break;
            case ChangeDirectory change: Code(op, 17); Assert.Equal([change.Path], op.Texts(1)); break;
            case FindProgram find: Code(op, 18, find.Candidates.Count); Assert.Equal(find.Candidates, op.Texts(op.A)); break;
            case LetGoOfHost let:
                // Together they cover every descriptor from the first on, but the two that are needed.
                var closed = ops.SelectMany(o => Range(o.X[0], Math.Min(o.X[1], 2000))).ToHashSet();
                foreach (var each in ops)
                    Call(each, SyscallNumbers.close_range);
                Assert.Equal(3, ops.Count);
                Assert.Equal((ulong)int.MaxValue, ops[^1].X[1]);
                Assert.Equal(Range((ulong)let.First, 2000).Where(fd => fd != 77 && fd != (ulong)let.Kept.Descriptor), closed.Order());
                return;
            case HandOver hand: Call(op, SyscallNumbers.fcntl, (ulong)hand.Handle.Descriptor, 2, 0); break;
            case CloseDescriptors close: Call(op, SyscallNumbers.close_range, (ulong)close.First, uint.MaxValue, 4); break;
            case Execute execute:
                Code(op, 19, execute.Arguments.Count, execute.Environment.Count);
                Assert.Equal([.. execute.Arguments, .. execute.Environment], op.Texts(op.A + op.B));
                break;
            case Unmount unmount:
                Code(op, 20, unmount.Proc.Descriptor);
                Assert.Equal((unmount.Mount.Id, (ulong)unmount.Mount.Kind), (op.X[0], op.X[1]));
                Assert.Equal([unmount.Path], op.Texts(1));
                break;
            default:
                Assert.Fail($"{operation.GetType().Name} is not known to this test: say what its encoding must be");
                break;
        }
        Assert.Single(ops);
    }

    private static IEnumerable<ulong> Range(ulong from, ulong to) => from > to ? [] : Enumerable.Range((int)from, (int)(to - from) + 1).Select(i => (ulong)i);

    private static void Code(DecodedOp op, uint code, int a = 0, int b = 0) => Assert.Equal((code, a, b), (op.Code, op.A, op.B));

    private static void Call(DecodedOp op, int number, params ulong[] arguments)
    {
        Assert.Equal((5u, number), (op.Code, op.A));
        Assert.Equal(arguments, op.X[..arguments.Length]);
    }

    // What the first call opens, the second uses and the third closes.
    private static void UseHeld(List<DecodedOp> ops, int number)
    {
        Assert.Equal(-1, ops[0].D);
        Call(ops[1], number);
        Call(ops[2], SyscallNumbers.close);
        Assert.Equal((0x100, 0x100, 3), (ops[1].B & ~0xff, ops[2].B, ops.Count));
    }

    private static void Opens(DecodedOp op, int directory, string path, ulong flags, ulong resolve)
    {
        Call(op, SyscallNumbers.openat2, (ulong)directory);
        var how = (int)op.X[2];
        Assert.Equal((path, 24ul, -1), (op.Pointed(1), op.X[3], op.D));
        Assert.Equal((flags, 0ul, resolve), (op.Number(how), op.Number(how + 8), op.Number(how + 16)));
    }

    private static void WriteFile(List<DecodedOp> ops, int directory, string file, string content)
    {
        Opens(ops[0], directory, file, 0x80001, 0xb);
        UseHeld(ops, SyscallNumbers.write);
        Assert.Equal(content, Encoding.UTF8.GetString(ops[1].Bytes, (int)ops[1].X[1], (int)ops[1].X[2]));
    }

    private static void SetAttributes(DecodedOp op, string path, bool recursive, ulong set, ulong propagation)
    {
        Call(op, SyscallNumbers.mount_setattr, unchecked((ulong)CurrentDirectory));
        Assert.Equal((0b1010, path, recursive ? 0x8000ul : 0, 32ul), (op.B, op.Pointed(1), op.X[2], op.X[4]));
        var at = (int)op.X[3];
        Assert.Equal((set, 0ul, propagation, 0ul), (op.Number(at), op.Number(at + 8), op.Number(at + 16), op.Number(at + 24)));
    }
}
