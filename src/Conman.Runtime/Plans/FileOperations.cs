// What the new process does to the file system that it will live in. Every path is resolved inside the container's root, by the kernel.

using Conman.Linux;

namespace Conman.Runtime.Plans;

/// <summary>Stops what is mounted from now on from travelling to the host.</summary>
/// <param name="Path">A mount point: all below it (recursive), or it alone.</param>
public sealed record LeaveHostMounts(string Path, Propagation Propagation, bool Recursive) : Operation
{
    public override string Describe() => $"keep what is mounted from now on from reaching the host ({Path} becomes {Words.Propagation(Propagation, Recursive)})";

    internal override void Encode(PlanEncoder encoder) => SetPropagation.Encode(encoder, Propagation, Recursive, Path);
}

/// <summary>
/// Puts the root file system's tree into the mount namespace: over the host's root, which needs no permission on the way, or where hooks
/// look for it, at its own path.
/// </summary>
public sealed record PlaceRoot(HostTree Tree, string Path) : Operation
{
    public override string Describe() => $"mount the root file system {Tree.Path}" + (Path == Tree.Path ? " there, for the hooks" : "");

    internal override void Encode(PlanEncoder encoder) => encoder.CallWith(
        System.Text.Encoding.UTF8.GetBytes($"\0{Path}\0"), SyscallNumbers.move_mount, 0b1010,
        (ulong)Tree.Descriptor, 0, unchecked((ulong)Files.CurrentDirectory), 1, 4 /* MOVE_MOUNT_F_EMPTY_PATH */);
}

/// <summary>Makes a new file system and mounts it.</summary>
public sealed record MountFileSystem(string Type, string Path, MountAttributes Attributes) : Operation
{
    /// <summary>Option and value in turn; an empty value is a flag.</summary>
    public IReadOnlyList<string> Options { get; init; } = [];
    public Propagation Propagation { get; init; }

    /// <summary>Its root gets the mode of the folder that it covers: 1777, a new tmpfs's own, where that has to be made.</summary>
    public bool CopyMode { get; init; }

    /// <summary>It is only made, not put in its place: <see cref="AttachHeld"/> does that.</summary>
    public bool Held { get; init; }

    /// <summary>It begins with a copy of what it covers; the runtime fills it while it is held.</summary>
    public bool CopyUp { get; init; }

    /// <summary>What is set once it is filled.</summary>
    public MountAttributes Later { get; init; }
    internal Destination Destination { get; init; } = Destination.Directory;

    public override string Describe()
    {
        var options = "";
        for (var i = 0; i + 1 < Options.Count; i += 2)
        {
            // A source that is only the type again says nothing.
            if (Options[i] != "source" || !Type.StartsWith(Options[i + 1], StringComparison.Ordinal))
                options += (options.Length == 0 ? "" : ", ") + Options[i] + (Options[i + 1].Length == 0 ? "" : "=" + Options[i + 1]);
        }
        return (Held ? $"make a {Type} for {Path}" : $"mount {Type} on {Path}") + Words.InParentheses(
            Words.Attributes(Attributes), options, CopyMode ? "with the mode of what it covers" : "", Words.Propagation(Propagation, false));
    }

    public override string Failure(int errno, string kernelWords) =>
        errno == Errno.ELOOP && (Destination & Destination.NoFollow) != 0
            ? $"cannot mount {Type} on {Path}: must be mounted on ordinary directory"
            : errno == Errno.ENODEV ? $"cannot mount {Type} on {Path}: no such file system: {LinuxException.Describe(errno)}" : base.Failure(errno, kernelWords);

    internal override void Encode(PlanEncoder encoder) =>
        encoder.AddTexts(PlanCode.Mount, Held ? 1 : 0, 0, [(ulong)Attributes, (ulong)Propagation, (ulong)Destination, CopyMode ? 1ul : 0], [Path, Type], Options);
}

/// <summary>Puts the file system that is held in its place.</summary>
public sealed record AttachHeld(MountFileSystem Mount) : Operation
{
    public override string Describe() => $"mount it on {Mount.Path}" + Words.InParentheses(Words.Attributes(Mount.Later));

    public override string Failure(int errno, string kernelWords) => $"cannot mount {Mount.Type} on {Mount.Path}: {LinuxException.Describe(errno)}";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Attach, -1, x2: (ulong)Mount.Destination, texts: Mount.Path);
}

/// <summary>Copies a tree out of the container's root, with what has been mounted there by now, and holds the copy: the runtime prepares it.</summary>
/// <param name="Inside">Its path in the root.</param>
public sealed record CopyTree(HostTree Tree, HostHandle Root, string Inside) : Operation
{
    public override string Describe() => $"take {Tree.Describe()}, as it is now";

    internal override void Encode(PlanEncoder encoder)
    {
        encoder.Open(Root.Descriptor, Inside, OpenFlags.Path | (Tree.Follow ? 0 : Files.NoFollow), Resolve.InRoot | Resolve.NoMagicLinks);
        encoder.CallWith("\0"u8, SyscallNumbers.open_tree, PlanEncoder.HeldFirst | 0b10, 0, 0,
            1 /* OPEN_TREE_CLONE */ | (ulong)OpenFlags.CloseOnExec | 0x1000 /* AT_EMPTY_PATH */ | (Tree.Recursive ? 0x8000u : 0) /* AT_RECURSIVE */, into: PlanEncoder.Hold);
    }
}

/// <summary>Puts the tree that is held in its place.</summary>
public sealed record AttachTree(HostTree Tree, string Path) : Operation
{
    internal Destination Destination { get; init; }

    public override string Describe() => $"mount it on {Path}";

    public override string Failure(int errno, string kernelWords) => $"cannot mount {Tree.Path} on {Path}: {LinuxException.Describe(errno)}";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Attach, -1, x2: (ulong)Destination, texts: Path);
}

/// <summary>Takes away a mount, if it is still the one that is meant; who uses it may go on (umount2(2), MNT_DETACH).</summary>
/// <param name="Mount">Its id, and which kind of id: STATX_MNT_ID or STATX_MNT_ID_UNIQUE of statx(2).</param>
public sealed record Unmount(HostProc Proc, string Path, MountId Mount) : Operation
{
    public override string Describe() => $"remove the mount on {Path}";

    public override string Failure(int errno, string kernelWords) =>
        $"cannot {Describe()}: " + (errno is Errno.EINVAL or Errno.ENOENT or Errno.ENOTDIR ? "it is not there any more, or another lies over it" : LinuxException.Describe(errno));

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Unmount, Proc.Descriptor, x0: Mount.Id, x1: Mount.Kind, texts: Path);
}

/// <summary>Puts a prepared tree in its place.</summary>
public sealed record BindTree(HostTree Tree, string Path) : Operation
{
    internal Destination Destination { get; init; }

    public override string Describe() => $"mount {Tree.Path} on {Path}" + Words.InParentheses(
        Tree.Recursive ? "rbind" : "bind", Words.Attributes(Tree.Set), Words.Attributes(Tree.SetRecursive, true),
        Tree.IdMap is null ? "" : Tree.IdMapRecursive ? "ridmap" : "idmap",
        Words.Propagation(Tree.Propagation, Tree.Recursive), Words.Then(Tree.Then, Tree.ThenRecursive));

    public override string Failure(int errno, string kernelWords) =>
        errno == Errno.EPERM && (Destination & Destination.OnProc) == 0 ? $"cannot {Describe()}: {Path} lies on a procfs"
        : errno == Errno.EEXIST && Tree.Link is { } link ? $"cannot link {Path} to {link}: it is something else already"
        : base.Failure(errno, kernelWords);

    internal override void Encode(PlanEncoder encoder)
    {
        if (Tree.Link is { } link)
            encoder.Add(PlanCode.Symlink, 1, texts: [Path, link]);
        else
            encoder.Add(PlanCode.Attach, Tree.Descriptor, x2: (ulong)(Destination | (Tree.IsDirectory ? Destination.Directory : Destination.File)), texts: Path);
    }
}

/// <summary>Makes a directory and what is missing above it.</summary>
public sealed record MakeDirectory(string Path, uint Mode) : Operation
{
    public override string Describe() => $"make sure that {Path} is there";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Directory, x0: Mode, texts: Path);
}

/// <summary>mknod(2); what is there already stays.</summary>
public sealed record MakeNode(string Path, char Type, uint Major, uint Minor, uint Mode, uint Uid, uint Gid) : Operation
{
    public override string Describe() =>
        Type == 'p' ? $"make the fifo {Path} (mode {Words.Octal(Mode)})" : $"make the device {Path} ({Type} {Major}:{Minor}, mode {Words.Octal(Mode)})";

    internal override void Encode(PlanEncoder encoder)
    {
        var type = Type switch { 'b' => FileType.BlockDevice, 'p' => FileType.Fifo, _ => FileType.CharacterDevice };
        // dev_t of the kernel: 12 bits of major between two parts of the minor (makedev(3))
        var device = (Minor & 0xff) | ((ulong)(Major & 0xfff) << 8) | ((ulong)(Minor & ~0xffu) << 12);
        encoder.Add(PlanCode.Node, (int)Uid, (int)Gid, x0: (ulong)type | (Mode & 0xfffu), x1: device, texts: Path);
    }
}

/// <summary>symlink(2); what is there already stays.</summary>
public sealed record MakeLink(string Path, string Target) : Operation
{
    public override string Describe() => $"link {Path} to {Target}";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Symlink, texts: [Path, Target]);
}

/// <summary>Covers a path so that nothing of it can be read: a folder with an empty one, a file with the null device.</summary>
public sealed record MaskPath(string Path, EmptyDirectory Directory, NullDevice Null) : Operation
{
    public override string Describe() => $"mask {Path}";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.Mask, Directory.Descriptor, Null.Descriptor, texts: Path);
}

/// <summary>Makes a path and all below it read-only.</summary>
public sealed record MakeReadOnly(string Path) : Operation
{
    public override string Describe() => $"make {Path} read-only";

    internal override void Encode(PlanEncoder encoder) => encoder.Add(PlanCode.ReadOnly, texts: Path);
}

/// <summary>Writes a setting of the kernel through the host's own procfs.</summary>
public sealed record WriteSetting(HostProc Proc, string File, string Value, string Words) : Operation
{
    public override string Describe() => Words;

    internal override void Encode(PlanEncoder encoder) => encoder.WriteFile(Proc.Descriptor, File, Value);
}

/// <summary>Unmounts a procfs or sysfs of the host in this namespace, or covers it, once hooks and mounts have had it and before the root is changed.</summary>
/// <param name="Path">Of the host, whose root still is the process's own.</param>
/// <param name="Cover">By an empty tmpfs.</param>
/// <param name="Shared">The host's mounts in this namespace are still peers of the host's own: their end must stay here.</param>
public sealed record LeaveKernelFileSystem(string Path, bool Cover, bool Shared) : Operation
{
    public override string Describe() => (Cover ? "cover" : "unmount") + $" the host's {Path}, in this namespace";

    internal override void Encode(PlanEncoder encoder)
    {
        if (Shared)
            SetPropagation.Encode(encoder, Propagation.Slave, true, Path);
        if (Cover)
            encoder.CallWith(System.Text.Encoding.UTF8.GetBytes($"tmpfs\0{Path}\0"), SyscallNumbers.mount, 0b111, 0, 6, 0, 1 /* MS_RDONLY */);
        else
            encoder.CallWith(System.Text.Encoding.UTF8.GetBytes($"{Path}\0"), SyscallNumbers.umount2, 1, 0, 2 /* MNT_DETACH */);
    }
}

/// <summary>Makes the root file system the root of everything, and lets go of the host's.</summary>
/// <param name="MoveOnly">chroot(2) instead.</param>
/// <param name="Shared">The host's mounts in this namespace are still peers of the host's own: their end must stay here.</param>
public sealed record PivotRoot(HostTree Root, bool MoveOnly, bool Shared) : Operation
{
    public override string Describe() => MoveOnly
        ? $"make {Root.Path} the root (chroot, no pivot): the host's mounts stay out of sight, but there"
        : $"make {Root.Path} the root (pivot_root), and let go of the host's file systems";

    internal override void Encode(PlanEncoder encoder)
    {
        encoder.Call(SyscallNumbers.fchdir, (ulong)Root.Descriptor);
        if (MoveOnly)
        {
            encoder.CallWith(".\0"u8, SyscallNumbers.chroot, 1);
        }
        else
        {
            encoder.CallWith(".\0"u8, SyscallNumbers.pivot_root, 3);
            // The old root now lies on top of the new one: umount2(2) finds the topmost at ".", any other call only by way of "..".
            if (Shared)
                SetPropagation.Encode(encoder, Propagation.Slave, true, "..");
            encoder.CallWith(".\0"u8, SyscallNumbers.umount2, 1, 0, 2 /* MNT_DETACH */);
        }
        encoder.CallWith("/\0"u8, SyscallNumbers.chdir, 1);
    }
}

/// <summary>linux.rootfsPropagation.</summary>
public sealed record SetRootPropagation(Propagation Propagation, bool Recursive) : Operation
{
    public override string Describe() => $"make / {Words.Propagation(Propagation, Recursive)}";

    internal override void Encode(PlanEncoder encoder) => SetPropagation.Encode(encoder, Propagation, Recursive);
}

/// <summary>root.readonly.</summary>
public sealed record MakeRootReadOnly : Operation
{
    public override string Describe() => "make / read-only";

    internal override void Encode(PlanEncoder encoder) => SetPropagation.Encode(encoder, Propagation.Unchanged, false, "/", MountAttributes.ReadOnly);
}

/// <summary>Makes a mount read-only that had to be written to first; by then the container's root is the root.</summary>
public sealed record MakeMountReadOnly(string Path) : Operation
{
    public override string Describe() => $"make the mount on {Path} read-only";

    internal override void Encode(PlanEncoder encoder) => SetPropagation.Encode(encoder, Propagation.Unchanged, false, Path, MountAttributes.ReadOnly);
}

internal static class SetPropagation
{
    /// <summary>mount_setattr(2) on a path of the new process.</summary>
    public static void Encode(PlanEncoder encoder, Propagation propagation, bool recursive, string path = "/", MountAttributes set = MountAttributes.None)
    {
        // struct mount_attr (mount_setattr(2)), then the path.
        var bytes = new byte[32 + System.Text.Encoding.UTF8.GetByteCount(path) + 1];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(bytes, (ulong)set);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt64LittleEndian(bytes.AsSpan(16), (ulong)propagation);
        System.Text.Encoding.UTF8.GetBytes(path, bytes.AsSpan(32));
        encoder.CallWith(bytes, SyscallNumbers.mount_setattr, 0b1010, unchecked((ulong)Files.CurrentDirectory), 32, recursive ? 0x8000ul : 0, 0, 32);
    }
}
