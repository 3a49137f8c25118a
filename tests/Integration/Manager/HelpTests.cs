// Help: of every command, by either way to ask for it.
namespace Conman.Integration.Tests.Manager;

public class HelpTests : ManagerTest
{
    [SkippableFact]
    public void Every_command_tells_what_it_takes()
    {
        foreach (string command in Commands("--help").Where(c => c != "oci"))
        {
            string[] below = Run(command, "--help").Succeeded().Output.Contains("\nCommands:\n", StringComparison.Ordinal) ? Commands(command, "--help") : [""];
            foreach (string word in below)
            {
                string[] words = word.Length > 0 ? [command, word] : [command];
                string help = Run([.. words, "--help"]).Succeeded().Output;
                Assert.StartsWith($"Usage: conman {string.Join(' ', words)}", help, StringComparison.Ordinal);
                Assert.Equal(help, Run(["help", .. words]).Succeeded().Output);
            }
        }
    }

    private string[] Commands(params string[] arguments) =>
        [.. Run(arguments).Succeeded().Lines.SkipWhile(l => l != "Commands:").Skip(1).TakeWhile(l => l.StartsWith("  ", StringComparison.Ordinal)).Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0])];
}
