// A folder of one test's own, and running a program of the host.

using System.Diagnostics;

namespace Conman.Linux.Tests;

internal sealed class Scratch : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("conman-linux-tests-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public FileDescriptor Open() => Files.Open(Path, OpenFlags.ReadOnly | Files.Directory);

    public void Dispose() => Directory.Delete(Path, recursive: true);

    public static string Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return output;
    }
}
