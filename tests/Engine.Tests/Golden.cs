// Golden files: documents as they are made, kept as files, so that a change shows in the diff. CONMAN_UPDATE_GOLDEN=1 rewrites them.

using System.Runtime.CompilerServices;

namespace Conman.Engine.Tests;

internal static class GoldenFile
{
    private static readonly bool Update = Environment.GetEnvironmentVariable("CONMAN_UPDATE_GOLDEN") == "1";

    /// <summary>Compares with Golden/NAME, exactly.</summary>
    public static void Check(string name, string actual)
    {
        var path = Path.Combine(Folder(), "Golden", name);
        if (Update)
            File.WriteAllText(path, actual);
        Assert.True(File.Exists(path), $"{path} is missing: run once with CONMAN_UPDATE_GOLDEN=1");
        Assert.Equal(File.ReadAllText(path), actual);
    }

    private static string Folder([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
