// The program of the container manager: everything but `conman oci`, which is a program of its own (Conman.Runc).

using Conman.Engine.Life;
using Conman.Engine.Networking;
using Conman.Images.Layers;

namespace Conman;

internal static class Program
{
    private static int Main(string[] args) => args switch
    {
        [UnpackProcess.Word, ..] => UnpackProcess.Run(args.AsSpan(1)), // by itself, for every layer
        [MonitorSettings.ExitWord or MonitorSettings.RestartWord or MonitorSettings.HealthWord or RulesKeeper.Word, ..] when args.Length == 4 => InternalCommands.Run(args),
        ["--version" or "-v"] => ManagerFace.Version(),
        _ => ManagerFace.Run(args),
    };
}
