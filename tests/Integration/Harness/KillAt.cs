// tests/KillSweep/killat: a command, killed at a chosen system call, and what is left after a cleanup.
using System.Diagnostics;

namespace Conman.Integration.Tests;

/// <summary>What one run of killat has told.</summary>
public sealed class KillAt
{
    private static readonly Lazy<string> Tool = new(Build);

    private KillAt(Result result)
    {
        ToolCode = result.ExitCode;
        Lines = result.Lines;
        Errors = result.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    public int ToolCode { get; }

    /// <summary>Standard output of the tool and of the commands.</summary>
    public string[] Lines { get; }

    /// <summary>Standard error of the commands.</summary>
    public string[] Errors { get; }

    /// <summary>Which process was killed, and at which call; null if the command ended before that call.</summary>
    public string? Killed => Line("killed ");

    /// <summary>How the command ended: its exit code, -1 if it did not.</summary>
    public int Code => int.TryParse(Line("command exit "), out int code) ? code : -1;

    /// <summary>What should not have been: commands before or after that failed, processes that are left.</summary>
    public IEnumerable<string> Faults => Lines.Where(line =>
        line is "command hangs" || line.StartsWith("setup ", StringComparison.Ordinal) || line.StartsWith("cleanup ", StringComparison.Ordinal) ||
        line.StartsWith("left ", StringComparison.Ordinal));

    /// <summary>Runs a command and kills someone.</summary>
    /// <param name="who">own, child or parent: see killat.c.</param>
    /// <param name="where">N, NAME:K or list.</param>
    /// <param name="network">The network namespace in which all of it happens; null: that of the tests.</param>
    public static KillAt Run(Runtime runtime, string who, string where, string[][] setup, string[] command, string[][] cleanup, TestNetwork? network = null) =>
        new(runtime.StartProgram(Tool.Value, CheckpointTests.Plain with { Network = network }, Words(who, where, setup, command, cleanup)).Wait(TimeSpan.FromMinutes(2)));

    /// <summary>As an ordinary user, who traces what is his own.</summary>
    /// <param name="folder">Where he can reach the tool.</param>
    public static KillAt RunAs(int user, Runtime runtime, string folder, string who, string where, string[] command, string[][] cleanup)
    {
        string tool = folder + "/killat";
        if (!File.Exists(tool))
            File.Copy(Tool.Value, tool);
        string[] words = [user.ToString(System.Globalization.CultureInfo.InvariantCulture), "", tool, .. Words(who, where, [], command, cleanup)];
        return new KillAt(runtime.StartProgram(Runtime.RepositoryRoot() + "/tests/Integration/as-user", new Options(), words).Wait(TimeSpan.FromMinutes(2)));
    }

    private static string[] Words(string who, string where, string[][] setup, string[] command, string[][] cleanup) =>
    [
        who, where,
        .. setup.SelectMany(words => (string[])[":", .. words]),
        "::", .. command,
        .. cleanup.SelectMany(words => (string[])[":", .. words]),
    ];

    private string? Line(string begin) => Lines.FirstOrDefault(line => line.StartsWith(begin, StringComparison.Ordinal))?[begin.Length..];

    private static string Build()
    {
        string repository = Runtime.RepositoryRoot(), output = repository + "/out/kill-sweep";
        using Process make = Process.Start(new ProcessStartInfo("make")
        {
            ArgumentList = { "--silent", "-C", repository + "/tests/KillSweep", "OUT=" + output },
        })!;
        make.WaitForExit();
        Assert.True(make.ExitCode == 0, "tests/KillSweep does not build");
        return output + "/killat";
    }
}
