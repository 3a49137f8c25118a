// Which namespace a container is in: "host", "private", "container:NAME", "ns:PATH", and what some kinds have besides.

namespace Conman.Engine.Specs;

public enum NamespaceKind
{
    Private,
    Host,
    /// <summary>That of another container.</summary>
    Container,
    /// <summary>One that a path names.</summary>
    Path,
    /// <summary>Of IPC: private, but others may join. Here every one may be joined.</summary>
    Shareable,
    /// <summary>Of IPC: private without /dev/shm. Of the network: nothing but a loopback device.</summary>
    None,
    /// <summary>Of the network: a private one that is connected to a network of this name.</summary>
    Network,
}

/// <summary>A mode as it was asked for.</summary>
/// <param name="Argument">Of <c>container:</c>, <c>ns:</c>, and a network's name; else empty.</param>
public readonly record struct NamespaceMode(NamespaceKind Kind, string Argument = "")
{
    /// <summary>Whether it is not shared with anybody from the start.</summary>
    public bool IsNew => Kind is not (NamespaceKind.Host or NamespaceKind.Container or NamespaceKind.Path);

    /// <summary>The mode of pid, uts, cgroupns and userns.</summary>
    /// <exception cref="EngineException">There is no such mode.</exception>
    public static NamespaceMode Parse(string flag, string text) => Shared(flag, text) ?? throw Unknown(flag, text, "");

    public static NamespaceMode ParseIpc(string text) => text switch
    {
        "shareable" => new(NamespaceKind.Shareable),
        "none" => new(NamespaceKind.None),
        _ => Shared("ipc", text) ?? throw Unknown("ipc", text, ", shareable, none"),
    };

    public static NamespaceMode ParseNetwork(string text) => text switch
    {
        "" or "default" or "bridge" => new(NamespaceKind.Network, "bridge"),
        "none" => new(NamespaceKind.None),
        _ => Shared("network", text) ?? new(NamespaceKind.Network, text),
    };

    private static NamespaceMode? Shared(string flag, string text)
    {
        if (text is "" or "private")
            return new(NamespaceKind.Private);
        if (text == "host")
            return new(NamespaceKind.Host);
        var colon = text.IndexOf(':');
        if (colon < 0)
            return null;
        var argument = text[(colon + 1)..];
        return text[..colon] switch
        {
            "container" when argument.Length > 0 => new(NamespaceKind.Container, argument),
            "ns" when argument.StartsWith('/') => new(NamespaceKind.Path, argument),
            "ns" => throw new EngineException($"--{flag}: {argument} is not an absolute path"),
            _ => null,
        };
    }

    private static EngineException Unknown(string flag, string text, string more) =>
        new($"--{flag}: there is no mode {text}: it is private, host, container:NAME, ns:PATH{more}");
}
