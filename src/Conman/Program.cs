// The binary: which face it shows is decided by the name it is called by, and by its first word.

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
        switch (args.Length > 0 ? args[0] : "help")
        {
            case "oci":
                return OciFace.Run("conman oci", args, 1);
            case UnpackProcess.Word: // by itself, for every layer
                return UnpackProcess.Run(args.AsSpan(1));
            case "--version" or "-v" or "version":
                Output.Write($"conman version {Build.Version}\n");
                return 0;
            case "--help" or "-h" or "help":
                Output.Write(Help);
                return 0;
            default:
                Output.Error($"conman: unknown command {args[0]}\nRun 'conman help' for the commands.");
                return 125;
        }
    }

    private const string Help =
        """
        Usage: conman COMMAND

        Runs Linux containers by talking straight to the kernel.

        Commands:
          oci         Act as an OCI runtime, in place of runc (also when called by a name that ends in "runc")
          version     Show the version
          help        Show this text

        Run 'conman oci --help' for the commands of the runtime.

        """;
}
