// The program of an OCI runtime, which native/programs.c begins when conman is called by a name that ends in "runc" or as `conman oci`.

namespace Conman.Runc;

internal static class Program
{
    private static int Main(string[] args)
    {
        var called = Path.GetFileName(Environment.GetCommandLineArgs()[0]);
        return called.EndsWith("runc", StringComparison.Ordinal) ? OciFace.Run(called, args, 0) : OciFace.Run("conman oci", args, 1);
    }
}
