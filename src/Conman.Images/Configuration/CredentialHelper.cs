// Programs that keep credentials: docker-credential-NAME, asked over their standard streams (github.com/docker/docker-credential-helpers).

using System.Text;
using Conman.Images.Registry;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Images.Configuration;

/// <summary>What a helper keeps.</summary>
[OciObject]
internal sealed partial class HelperEntry
{
    [OciName("ServerURL")]
    public string? ServerUrl { get; set; }

    /// <summary><c>&lt;token&gt;</c>: the secret is an identity token.</summary>
    [OciName("Username")]
    public string? Username { get; set; }

    [OciName("Secret")]
    public string? Secret { get; set; }
}

internal static class CredentialHelper
{
    private const string TokenUser = "<token>";
    private const int LongestAnswer = 1 << 20;

    /// <summary>The credential for a server; null if there is none.</summary>
    public static Credential? Get(string helper, string server)
    {
        var (exit, answer) = Run(helper, "get", Encoding.UTF8.GetBytes(server));
        if (exit != 0)
        {
            var said = Encoding.UTF8.GetString(answer).Trim();
            // The one text that the protocol fixes.
            return said.Contains("credentials not found", StringComparison.OrdinalIgnoreCase) ? null
                : throw new ImageException($"the credential helper docker-credential-{helper} failed: {RegistryHost.OneLine(said, 200)}");
        }
        try
        {
            var entry = HelperEntry.Parse(answer);
            return entry.Secret is null ? null : entry.Username == TokenUser ? new Credential("", entry.Secret, IsToken: true) : new Credential(entry.Username ?? "", entry.Secret);
        }
        catch (OciFormatException e)
        {
            throw new ImageException($"the credential helper docker-credential-{helper} answers with no credential: {e.Message}", e);
        }
    }

    public static void Store(string helper, string server, Credential credential) => Must(helper, "store",
        new HelperEntry { ServerUrl = server, Username = credential.IsToken ? TokenUser : credential.User, Secret = credential.Secret }.ToUtf8(indented: false));

    public static void Erase(string helper, string server) => Must(helper, "erase", Encoding.UTF8.GetBytes(server));

    private static void Must(string helper, string verb, byte[] input)
    {
        var (exit, answer) = Run(helper, verb, input);
        if (exit != 0)
            throw new ImageException($"the credential helper docker-credential-{helper} failed: {RegistryHost.OneLine(Encoding.UTF8.GetString(answer).Trim(), 200)}");
    }

    private static (int Exit, byte[] Answer) Run(string helper, string verb, byte[] input)
    {
        if (helper.AsSpan().ContainsAny('/', '\0'))
            throw new ImageException($"\"{helper}\" is no name of a credential helper");
        var program = "docker-credential-" + helper;
        using var executable = (Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").Split(':', StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Files.TryOpen($"{folder}/{program}", OpenFlags.ReadOnly, out _)).FirstOrDefault(file => file is not null)
            ?? throw new ImageException($"the credential helper {program} is not on the PATH");
        var environment = new List<string>();
        foreach (System.Collections.DictionaryEntry variable in Environment.GetEnvironmentVariables())
            environment.Add($"{variable.Key}={variable.Value}");
        // What is asked is short: memory in place of a pipe, so that nobody waits for anybody.
        using var question = Files.Memory("credential");
        Files.Write(question.Number, input, program);
        Files.Rewind(question);
        var (read, write) = Files.Pipe(0);
        using (read)
        {
            ProcessHandle process;
            using (write)
            {
                // Kept open, for a script is read through it by its interpreter.
                process = Processes.Spawn(executable, [program, verb], [.. environment], new SpawnOptions { StandardStreams = (question.Number, write.Number, -1), Keep = { executable.Number } });
            }
            using (process)
            {
                var answer = Files.ReadAll(read, program, LongestAnswer);
                return (process.Wait().Code, answer);
            }
        }
    }
}
