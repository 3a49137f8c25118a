// The namespaces: new, the host's, another container's, or one that a path names; and what is kept by them.

using System.Globalization;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

public sealed partial class SpecBuilder
{
    private void AddNamespaces()
    {
        _linux.Namespaces = [new Namespace { Type = "mount" }];
        Add("pid", "pid", _pid);
        Add("network", "net", _in.NetworkNamespace is { } path ? new NamespaceMode(NamespaceKind.Path, path) : _network);
        Add("ipc", "ipc", _ipc);
        Add("uts", "uts", _uts);
        Add("cgroup", "cgroup", _cgroup);
        Add("user", "user", _user);
        _linux.Sysctl = Sysctls();
    }

    private void Add(string type, string file, NamespaceMode mode)
    {
        switch (mode.Kind)
        {
            case NamespaceKind.Host:
                return;
            case NamespaceKind.Container:
                var pid = _in.PidOf(mode.Argument).ToString(CultureInfo.InvariantCulture);
                _linux.Namespaces!.Add(new Namespace { Type = type, Path = "/proc/" + pid + "/ns/" + file });
                return;
            case NamespaceKind.Path:
                _linux.Namespaces!.Add(new Namespace { Type = type, Path = mode.Argument });
                return;
            default:
                _linux.Namespaces!.Add(new Namespace { Type = type });
                return;
        }
    }

    // In a network namespace of its own a container may ping and listen on low ports, whoever its user is: there is nobody to protect from it.
    private Dictionary<string, string>? Sysctls()
    {
        var given = _in.Host.Sysctls;
        if (!_network.IsNew && _in.NetworkNamespace is null)
            return given;
        var result = new Dictionary<string, string> { ["net.ipv4.ip_unprivileged_port_start"] = "0", ["net.ipv4.ping_group_range"] = "0 2147483647" };
        foreach (var (name, value) in given ?? [])
            result[name] = value;
        return result;
    }
}
