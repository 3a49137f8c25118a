// Whose the standard streams are: the permissions of a pipe are its owner's, and a program may open /dev/stdout by name only if they let it.

using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Containers;

internal static class StandardStreams
{
    /// <summary>Those of this process that a user does not own, but for the null device, which is everybody's.</summary>
    public static List<int> Foreign(uint user)
    {
        var foreign = new List<int>(3);
        for (var stream = 0; stream < 3; stream++)
        {
            if (Nodes.TryStatus(stream, "\0"u8, out var status) == 0 && status.File.Uid != user
                && status.File is not { Type: FileType.CharacterDevice, DeviceMajor: 1, DeviceMinor: 3 })
            {
                foreign.Add(stream);
            }
        }
        return foreign;
    }

    /// <summary>
    /// Gives them to a user of a user namespace, from outside: in there nobody may, for their owner has no number there. Where that cannot be (a
    /// read-only file system, an ordinary user as the caller), the program has what it was given.
    /// </summary>
    public static void Give(uint user, List<IdMapping>? maps)
    {
        if (HostIds.Of(user, maps) is not { } outside)
            return;
        foreach (var stream in Foreign(outside))
            Nodes.TryChangeOwner(stream, outside, uint.MaxValue);
    }
}
