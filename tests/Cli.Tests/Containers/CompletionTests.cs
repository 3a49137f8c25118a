// Completion for shells: what is written is what the shell reads, and every command is in it.

using System.Diagnostics;
using Conman.CommandLine;

namespace Conman.Cli.Tests.Containers;

public class CompletionTests
{
    private static readonly Option[] Global = [new("root", "a folder", "DIR"), new("version", "it's the version", Short: 'v')];

    private static readonly CommandGroup[] Groups =
    [
        new("", "", [new Command("run", "IMAGE [COMMAND]", "Run a command in a container's place", RunOptions.Table(create: false), _ => 0), new Command("version", "", "Show the version", [], _ => 0)]),
        new("volume", "Manage volumes", [new Command("ls", "", "List volumes", [new("quiet", "names only", Short: 'q')], _ => 0), new Command("rm", "VOLUME...", "Remove volumes", [], _ => 0)]),
    ];

    [SkippableTheory]
    [InlineData("conman ", 1, "run version volume --root --version")]
    [InlineData("conman vol", 1, "volume")]
    [InlineData("conman volume ", 2, "ls rm")]
    [InlineData("conman --root /x volume r", 4, "rm")]
    [InlineData("conman volume ls --", 3, "--quiet --help")]
    [InlineData("conman run --memory-s", 2, "--memory-swap --memory-swappiness")]
    public void Bash_completes(string line, int word, string expected)
    {
        var words = line.Split(' ').Select(w => "'" + w + "'");
        var script = $"{Completion.Bash(Groups, Global)}\nCOMP_WORDS=({string.Join(' ', words)}); COMP_CWORD={word}; _conman; echo \"${{COMPREPLY[*]}}\"";
        Assert.Equal(expected, Run("bash", script));
    }

    [SkippableFact]
    public void Zsh_can_read_it() => Assert.Equal("ok", Run("zsh", $"_conman_all() {{\n{Completion.Zsh(Groups, Global)}\n}}\necho ok"));

    [SkippableFact]
    public void Fish_can_read_it() => Assert.Equal("ok", Run("fish", Completion.Fish(Groups, Global) + "\necho ok"));

    [Fact]
    public void Options_that_are_refused_are_not_offered()
    {
        foreach (var text in (string[])[Completion.Bash(Groups, Global), Completion.Zsh(Groups, Global), Completion.Fish(Groups, Global)])
        {
            Assert.Contains("memory-swap", text, StringComparison.Ordinal);
            Assert.DoesNotContain("gpus", text, StringComparison.Ordinal);
        }
    }

    private static string Run(string shell, string script)
    {
        Skip.If(!Environment.GetEnvironmentVariable("PATH")!.Split(':').Any(d => File.Exists(Path.Combine(d, shell))), $"there is no {shell} here");
        using var process = Process.Start(new ProcessStartInfo(shell) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        process.StandardInput.Write(script);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEnd().Trim();
        Assert.Equal("", process.StandardError.ReadToEnd());
        process.WaitForExit();
        return output;
    }
}
