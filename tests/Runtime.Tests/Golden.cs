// Golden files: what people read, kept as files, so that a change shows in the diff. CONMAN_UPDATE_GOLDEN=1 rewrites them.

using System.Runtime.CompilerServices;

namespace Conman.Runtime.Tests;

internal static class GoldenFile
{
    private static readonly bool Update = Environment.GetEnvironmentVariable("CONMAN_UPDATE_GOLDEN") == "1";

    /// <summary>Compares with Golden/NAME.txt, exactly.</summary>
    public static void Check(string name, string actual)
    {
        var path = Path.Combine(Folder(), "Golden", name + ".txt");
        if (Update)
            File.WriteAllText(path, actual);
        Assert.True(File.Exists(path), $"{path} is missing: run once with CONMAN_UPDATE_GOLDEN=1");
        Assert.Equal(File.ReadAllText(path), actual);
    }

    /// <summary>Every golden file that there is.</summary>
    public static IEnumerable<string> All() => Directory.GetFiles(Path.Combine(Folder(), "Golden")).Select(f => Path.GetFileNameWithoutExtension(f)!);

    private static string Folder([CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;
}
