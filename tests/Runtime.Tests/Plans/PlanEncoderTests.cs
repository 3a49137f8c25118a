// Any operations with any operands become bytes that conman-init reads as the same operations.

using System.Reflection;
using Conman.Linux;
using Conman.Runtime.Compiling;
using Conman.Runtime.Plans;
using CsCheck;

namespace Conman.Runtime.Tests.Plans;

public class PlanEncoderTests
{
    private static readonly RuntimeDescriptor Handle = new("a socket") { Descriptor = 5 };
    private static readonly HostTree Tree = new("/a", recursive: true) { Descriptor = 6 };
    private static readonly HostProc Proc = new("/proc/sys") { Descriptor = 7 };
    private static readonly HostNamespace Namespace = new("/proc/1/ns/net", Namespaces.Network) { Descriptor = 8 };

    private static readonly LandlockRuleset Ruleset = new(LandlockPolicy.Parse(new() { ["org.conman.landlock.read"] = "/" })!, 7) { Descriptor = 11 };

    // One generator a kind of operation, with every operand arbitrary.
    private static readonly Dictionary<Type, Gen<Operation>> Operations = Make();

    [Fact]
    public void Any_plan_is_read_as_it_was_written() =>
        Gen.Int[0, Operations.Count - 1].SelectMany(i => Operations.Values.ElementAt(i)).Array[0, 40].Sample(operations =>
        {
            var plan = new Plan();
            plan.Operations.AddRange(operations);
            DecodedPlan.Check(plan);
        }, iter: 3000);

    [Fact]
    public void Every_kind_of_operation_is_looked_at()
    {
        var kinds = typeof(Operation).Assembly.GetTypes().Where(t => t.IsSubclassOf(typeof(Operation)) && !t.IsAbstract);
        Assert.Empty(kinds.Except(Operations.Keys).Select(t => t.Name));
    }

    [Fact]
    public void A_plan_larger_than_the_first_buffer_is_whole()
    {
        var plan = new Plan();
        plan.Add(new Execute([.. Enumerable.Range(0, 5000).Select(i => $"argument {i}")], [.. Enumerable.Range(0, 5000).Select(i => $"V{i}={new string('x', i % 50)}")]));
        DecodedPlan.Check(plan);
    }

    [Fact]
    public void A_text_with_a_NUL_is_refused_and_never_read_as_two()
    {
        var plan = new Plan();
        plan.Add(new MakeLink("/a\0b", "/c"));
        Assert.Equal("cannot link /a\\0b to /c: a NUL character in \"/a\\\\0b\"", Assert.Throws<RuntimeException>(() => PlanEncoder.Encode(plan, 3)).Message);
    }

    private static Dictionary<Type, Gen<Operation>> Make()
    {
        var text = Gen.Char[' ', '\ud7ff'].Array[0, 40].Select(c => new string(c));
        var texts = text.Array[0, 6].Select(t => (IReadOnlyList<string>)t);
        var number = Gen.ULong;
        var id = Gen.UInt;
        var flag = Gen.Bool;
        var propagation = Gen.Int[0, 4].Select(i => ((Propagation[])[Propagation.Unchanged, Propagation.Private, Propagation.Slave, Propagation.Shared, Propagation.Unbindable])[i]);
        var all = new Dictionary<Type, Gen<Operation>>();
        void Kind<T>(Gen<T> gen) where T : Operation => all.Add(typeof(T), gen.Select(o => (Operation)o));

        Kind(Gen.Int[0, 9].Select(i => new Sync((SyncPoint)i) { Mount = new MountFileSystem("tmpfs", "/a", MountAttributes.None) }));
        Kind(Gen.Bool.Select(_ => new Gate()));
        Kind(Gen.Bool.Select(_ => new AwaitStart(Handle)));
        Kind(number.Select(n => new ContinueIn((Namespaces)n)));
        Kind(Gen.Bool.Select(_ => new JoinNamespace(Namespace)));
        Kind(number.Select(n => new JoinProcess(Handle, (Namespaces)n)));
        Kind(number.Select(n => new NewNamespace((Namespaces)n)));
        Kind(Gen.Bool.Select(_ => new EnterTimeNamespace()));
        Kind(Gen.Bool.Select(_ => new BecomeRoot()));
        Kind(Gen.Bool.Select(_ => new NewSession()));
        Kind(text.Select(name => new JoinCgroup(Handle, name)));
        Kind(text.Select(path => new MakeMountReadOnly(path)));
        Kind(Gen.Bool.Select(_ => new HideFromContainer()));
        Kind(Gen.Bool.Select(_ => new ShowToRuntime()));
        Kind(Gen.Select(text, flag, flag, number, propagation, propagation).Select((path, recursive, follow, set, p, then) => new OpenInside(
            new HostTree(path, recursive) { Descriptor = 11, Follow = follow, SetRecursive = (MountAttributes)set, Propagation = p, Then = then })));
        Kind(Gen.Bool.Select(_ => new DieWithRuntime()));
        Kind(Gen.Select(text, propagation, flag).Select((path, p, recursive) => new LeaveHostMounts(path, p, recursive)));
        Kind(text.Select(path => new PlaceRoot(Tree, path)));
        Kind(Gen.Select(text, text, number, texts, propagation).Select((type, path, attributes, options, p) =>
            new MountFileSystem(type, path, (MountAttributes)attributes) { Options = options, Propagation = p, CopyMode = options.Count == 0, Held = options.Count == 1 }));
        Kind(Gen.Select(text, Gen.Int[0, 31]).Select((path, d) => new AttachHeld(new MountFileSystem("tmpfs", path, MountAttributes.None) { Destination = (Destination)d })));
        Kind(Gen.Select(text, Gen.Int[0, 31], flag, text).Select((path, d, isLink, link) =>
            new BindTree(isLink ? new HostTree("/a", false) { Descriptor = 6, Link = link } : Tree, path) { Destination = (Destination)(d & ~3) }));
        Kind(Gen.Select(text, flag, flag).Select((path, recursive, follow) => new CopyTree(new HostTree(path, recursive) { Follow = follow }, Tree, path)));
        Kind(Gen.Select(text, Gen.Int[0, 31]).Select((path, d) => new AttachTree(Tree, path) { Destination = (Destination)(d & ~3) }));
        Kind(Gen.Select(text, number, id).Select((path, mount, kind) => new Unmount(Proc, path, new MountId(mount, kind))));
        Kind(Gen.Select(text, id).Select((path, mode) => new MakeDirectory(path, mode)));
        Kind(Gen.Select(text, Gen.Char["cbp"], Gen.UInt[0, 0xfff], Gen.UInt[0, 0xfffff], Gen.UInt[0, 0xfff], id, id).Select((path, type, major, minor, mode, uid, gid) =>
            new MakeNode(path, type, major, minor, mode, uid, gid)));
        Kind(Gen.Select(text, text).Select((path, target) => new MakeLink(path, target)));
        Kind(text.Select(path => new MaskPath(path, new EmptyDirectory { Descriptor = 9 }, new NullDevice { Descriptor = 10 })));
        Kind(text.Select(path => new MakeReadOnly(path)));
        Kind(Gen.Select(text, text).Select((file, value) => new WriteSetting(Proc, file, value, "set something")));
        Kind(Gen.Select(text, flag, flag).Select((path, cover, shared) => new LeaveKernelFileSystem(path, cover, shared)));
        Kind(Gen.Select(flag, flag).Select((move, shared) => new PivotRoot(Tree, move, shared)));
        Kind(Gen.Select(propagation, flag).Select((p, recursive) => new SetRootPropagation(p, recursive)));
        Kind(Gen.Bool.Select(_ => new MakeRootReadOnly()));
        Kind(Gen.Select(text, flag).Select((name, domain) => new SetName(name, domain)));
        Kind(Gen.Bool.Select(_ => new LoopbackUp()));
        Kind(text.Select(name => new NewKeyring(name)));
        Kind(Gen.Select(flag, id, id, id).Select((bind, rows, columns, uid) => new OpenConsole(Handle, bind, rows, columns, uid)));
        Kind(Gen.Bool.Select(_ => new TakeTerminal()));
        Kind(Gen.Select(Gen.Int[0, 2].Array[1, 3], id).Select((streams, uid) => new OwnStreams(streams, uid)));
        Kind(Gen.Select(Gen.Int[0, 15], number, number).Select((resource, soft, hard) => new SetLimit("RLIMIT_X", resource, soft, hard)));
        Kind(id.Select(mask => new SetUmask(mask)));
        Kind(number.Select(kept => new BoundCapabilities(kept)));
        Kind(Gen.Select(id, id, Gen.OneOf(Gen.UInt.Array[0, 8], Gen.UInt.Array[300]), flag, flag)
            .Select((uid, gid, groups, stay, keep) => new BecomeUser(uid, gid, groups, stay) { KeepsGroups = keep }));
        Kind(Gen.Select(number, number, number, number).Select((e, p, i, a) => new SetCapabilities(e, p, i, a)));
        Kind(Gen.Bool.Select(_ => new NoNewPrivileges()));
        Kind(Gen.Select(Gen.ULong.Array[1, 100], id).Select((program, flags) => new LoadFilter([.. program.SelectMany(BitConverter.GetBytes)], flags)));
        Kind(text.Select(path => new ChangeDirectory(path)));
        Kind(Gen.Select(text, texts).Select((name, candidates) => new FindProgram(name, candidates, true)));
        Kind(Gen.Int[0, 1000].Select(first => new CloseDescriptors(first)));
        Kind(Gen.Int[0, 1000].Select(first => new LetGoOfHost(Handle, first)));
        Kind(Gen.Bool.Select(_ => new HandOver(Handle)));
        Kind(Gen.Select(text, id, number, id).Select((name, policy, flags, priority) => new SetScheduler(name, policy, flags, 5, priority, flags, flags, flags)));
        Kind(Gen.Select(text, Gen.Int[0, 3], Gen.Int[0, 7]).Select((name, number, priority) => new SetIoPriority(name, number, priority)));
        Kind(Gen.Byte.Array[1, 40].Select(cpus => new SetAffinity("some CPUs", cpus)));
        Kind(Gen.Select(Gen.Int[0, 0xffff], Gen.ULong.Array[0, 4]).Select((mode, bits) => new SetMemoryPolicy("MPOL_X", "", "", mode, [.. bits.SelectMany(BitConverter.GetBytes)])));
        Kind(Gen.Select(text, text).Select((file, value) => new SetLabel(Proc, file, value, "take a label")));
        Kind(Gen.Bool.Select(_ => new RestrictSelf(Ruleset)));
        Kind(Gen.Select(text, id).Select((name, domain) => new SetPersonality(name, domain)));
        Kind(Gen.Select(texts, texts).Select((arguments, environment) => new Execute(arguments, environment)));
        return all;
    }
}
