// The binary: which face it shows is decided by the name it is called by, and by its first word.

using Conman.Engine.Life;
using Conman.Images.Layers;
using Conman.Oci;

namespace Conman;

internal static class Program
{
    private static int Main(string[] args)
    {
        var called = Path.GetFileName(Environment.GetCommandLineArgs()[0]);
        if (called.EndsWith("runc", StringComparison.Ordinal))
            return OciFace.Run(called, args, 0);
        return args switch
        {
            ["oci", ..] => OciFace.Run("conman oci", args, 1),
            [UnpackProcess.Word, ..] => UnpackProcess.Run(args.AsSpan(1)), // by itself, for every layer
            [MonitorSettings.ExitWord or MonitorSettings.RestartWord or MonitorSettings.HealthWord, ..] when args.Length == 4 => InternalCommands.Run(args),
            ["--version" or "-v"] => ManagerFace.Version(),
            _ => ManagerFace.Run(args),
        };
    }
}
