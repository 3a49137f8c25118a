// The plan: everything that happens before a container's program runs, as data.

using Conman.Linux;

namespace Conman.Runtime.Plans;

/// <summary>
/// A typed list of kernel operations. What must be opened on the host (<see cref="Preparations"/>) is opened by the runtime and handed over
/// as descriptors; what must happen inside the new process (<see cref="Operations"/>) is interpreted there by conman-init.
/// </summary>
public sealed class Plan
{
    /// <summary>Namespaces that the process is born into.</summary>
    public Namespaces New { get; set; }

    /// <summary>The root file system; null for a process that joins a container.</summary>
    public HostHandle? Root { get; set; }

    /// <summary>What the runtime opens before it starts the process, in order.</summary>
    public List<HostHandle> Preparations { get; } = [];

    /// <summary>What the new process does, in order.</summary>
    public List<Operation> Operations { get; } = [];

    /// <summary>Adds an operation.</summary>
    public void Add(Operation operation) => Operations.Add(operation);

    /// <summary>Adds something to be opened on the host, and gives it back to be named by operations.</summary>
    public T Prepare<T>(T handle) where T : HostHandle
    {
        Preparations.Add(handle);
        return handle;
    }
}

/// <summary>Something of the host that the new process gets as an open descriptor.</summary>
public abstract class HostHandle
{
    /// <summary>Set by the runtime when it has been opened; -1 before.</summary>
    public int Descriptor { get; set; } = -1;

    /// <summary>The runtime has no right to open it and only keeps the number free; the new process opens it (<see cref="OpenInside"/>).</summary>
    public bool Inside { get; set; }

    /// <summary>Only the runtime itself needs it.</summary>
    public virtual bool StaysOutside => false;

    /// <summary>What it is, in words: the object of "open …".</summary>
    public abstract string Describe();
}
