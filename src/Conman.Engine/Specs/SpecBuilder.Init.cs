// A first process that is not the container's program (--init), and one that is all there is in a pod's own container.

using System.Globalization;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Specs;

public sealed partial class SpecBuilder
{
    // In /dev, which is a file system of the container's own: no file of it stays in what the container writes.
    private const string InitPath = "/dev/init", InitFile = "init";

    // The helper in its role of native/reaper.c. A copy for each container, mounted read-only: who could overwrite it overwrites his own.
    private void AddInit()
    {
        if (_spec.Mounts!.Exists(static m => m.Destination is "/dev" && m.Type is "bind"))
            throw new EngineException("--init: it needs a /dev of the container's own");
        using var folder = Files.Open(_in.LibFolder, OpenFlags.Path | Files.Directory);
        Files.TryUnlink(InitFile, folder.Number); // one that is executed cannot be written to
        EtcFiles.Put(folder, InitFile, Processes.HelperImage, 0x16d /* 0555 */);
        _spec.Mounts.Add(new Mount { Destination = InitPath, Type = "bind", Source = _in.LibFolder + "/" + InitFile, Options = ["bind", "ro", "rprivate", "nosuid", "nodev"] });
        if (_in.Holds)
        {
            _process.Args = [InitPath, "init", "0"];
            return;
        }
        var paths = Paths(_process.Args![0]);
        _process.Args = [InitPath, "init", paths.Count.ToString(CultureInfo.InvariantCulture), .. paths, .. _process.Args];
    }

    // Where a program may be, as execvp(3) looks for it; the helper tries them in turn.
    private List<string> Paths(string program)
    {
        if (program.Contains('/'))
            return [program];
        var paths = new List<string>();
        foreach (var folder in (_process.Env!.FindLast(static v => v.StartsWith("PATH=", StringComparison.Ordinal)) ?? "")["PATH=".Length..].Split(':'))
            paths.Add((folder.Length == 0 ? "." : folder) + "/" + program);
        return paths;
    }
}
