// A folder of a test's own, and the host's programs that conman is compared with.

using System.Diagnostics;
using Conman.Linux;

namespace Conman.Images.Tests;

internal sealed class Scratch : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("conman-images-tests-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    /// <summary>A new, empty directory, opened.</summary>
    public FileDescriptor NewDirectory(string name)
    {
        Directory.CreateDirectory(this[name]);
        return Files.Open(this[name], OpenFlags.ReadOnly | Files.Directory);
    }

    public void Dispose()
    {
        using (var folder = Files.Open(Path, OpenFlags.ReadOnly | Files.Directory))
            Trees.Empty(folder);
        Directory.Delete(Path);
    }
}

internal static class Host
{
    public static bool IsRoot => Environment.UserName == "root";

    public static void NeedRoot() => Skip.IfNot(IsRoot, "files of any owner are made by root");

    public static bool Has(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Any(folder => File.Exists(System.IO.Path.Combine(folder, program)));

    /// <summary>Runs a shell's script in a folder; its output, or an exception with its errors.</summary>
    public static string Shell(string folder, string script)
    {
        var start = new ProcessStartInfo("/bin/bash", ["-c", "set -e -o pipefail\n" + script]) { WorkingDirectory = folder, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["LC_ALL"] = "C";
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output : throw new InvalidOperationException($"{script}: {errors.Result}");
    }

    /// <summary>All that can be told of a tree but the times of last access: kinds, modes, owners, times, devices, targets, contents, attributes, and which names are one file.</summary>
    public static string Describe(string folder, bool directoryTimes = true)
    {
        var times = directoryTimes ? "-printf '%P|%y|%m|%U|%G|%T@|%n|%l|\\n'" : "\\( -type d -printf '%P|%y|%m|%U|%G|\\n' -o -printf '%P|%y|%m|%U|%G|%T@|%n|%l|\\n' \\)";
        return Shell(folder, $"""
            find . -mindepth 1 {times} | sort
            find . -type f -size -4M -print0 | sort -z | xargs -0 -r sha256sum
            find . \( -type b -o -type c \) -print0 | sort -z | xargs -0 -r stat -c '%n %t:%T'
            find . -type f -links +1 -printf '%i %P\n' | sort -k2 | awk '!($1 in n) {"{"} n[$1] = ++c {"}"} {"{"} $1 = n[$1]; print {"}"}'
            find . -print0 | sort -z | xargs -0 -r getfattr -h -d -m - -e hex 2>/dev/null || true
            """);
    }
}
