// What a plan needs from the host: each is opened outside, by the runtime, and used inside by descriptor.

using Conman.Linux;

namespace Conman.Runtime.Plans;

/// <summary>A detached copy of a mount tree of the host: the root file system, or the source of a bind mount.</summary>
public sealed class HostTree(string path, bool recursive) : HostHandle
{
    public string Path { get; } = path;

    /// <summary>With what is mounted below it.</summary>
    public bool Recursive { get; } = recursive;

    /// <summary>False: the path itself, though it be a symbolic link.</summary>
    public bool Follow { get; init; } = true;

    /// <summary>Set and cleared on the top mount only.</summary>
    public MountAttributes Set { get; init; }
    public MountAttributes Clear { get; init; }

    /// <summary>Set and cleared on the whole tree.</summary>
    public MountAttributes SetRecursive { get; init; }
    public MountAttributes ClearRecursive { get; init; }

    /// <summary>Propagation of every mount in the tree, before <see cref="Then"/>.</summary>
    public Propagation Propagation { get; init; } = Propagation.Slave;

    /// <summary>A second propagation type for the top mount or the whole tree.</summary>
    public Propagation Then { get; init; }
    public bool ThenRecursive { get; init; }

    /// <summary>Known once it is open.</summary>
    public bool IsDirectory { get; set; } = true;

    /// <summary>The calls of mount_setattr(2) that the copy needs, in order: attributes of the whole tree and its first propagation travel together.</summary>
    internal List<(bool Recursive, MountAttributes Set, MountAttributes Clear, Propagation Propagation)> AttributeCalls()
    {
        var calls = new List<(bool, MountAttributes, MountAttributes, Propagation)>(3);
        if ((SetRecursive | ClearRecursive) != 0 || Propagation != Propagation.Unchanged)
            calls.Add((true, SetRecursive, ClearRecursive, Propagation));
        if ((Set | Clear) != 0 || (Then != Propagation.Unchanged && !ThenRecursive))
            calls.Add((false, Set, Clear, ThenRecursive ? Propagation.Unchanged : Then));
        if (Then != Propagation.Unchanged && ThenRecursive)
            calls.Add((true, MountAttributes.None, MountAttributes.None, Then));
        return calls;
    }

    public override string Describe() =>
        $"a copy of the {(Recursive ? "mounts" : "mount")} at {Path}" + Words.InParentheses(
            Words.Attributes(Set | SetRecursive, SetRecursive != 0), Words.Propagation(Propagation, Recursive), Words.Then(Then, ThenRecursive));
}

/// <summary>An empty, read-only tmpfs, mounted on every folder that is masked.</summary>
public sealed class EmptyDirectory : HostHandle
{
    public override string Describe() => "an empty read-only directory, to mask others with";
}

/// <summary>The null device, verified by its number, mounted on every file that is masked.</summary>
public sealed class NullDevice : HostHandle
{
    public override string Describe() => "the null device (1:3), to mask files with";
}

/// <summary>/proc/sys or /proc of the host, on a real procfs.</summary>
public sealed class HostProc(string path) : HostHandle
{
    public string Path { get; } = path;

    public override string Describe() => $"{Path}, a real procfs, to write settings through";
}

/// <summary>A namespace that exists already.</summary>
public sealed class HostNamespace(string path, Namespaces type) : HostHandle
{
    public string Path { get; } = path;
    public Namespaces Type { get; } = type;

    public override string Describe() => $"the {Words.Namespace(Type)} namespace {Path}";
}

/// <summary>A socket or a pidfd that the runtime opens itself.</summary>
public sealed class RuntimeDescriptor(string purpose) : HostHandle
{
    public override string Describe() => purpose;
}
