// What the record of a container has more if it holds a pod together.

using Conman.Oci;

namespace Conman.Engine.Pods;

[OciObject]
public sealed partial class StoredPod
{
    /// <summary>The namespaces that all of its containers are in: <c>net</c>, <c>ipc</c>, <c>uts</c>, <c>pid</c>.</summary>
    public List<string>? Shares { get; set; }
}
