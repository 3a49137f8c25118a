// What tests of the binary have in common: a store of their own, and the command line as a person types it.

using System.Reflection;
using System.Text.Json.Nodes;

namespace Conman.Images.Tests.EndToEnd;

public abstract class CommandTest : IDisposable
{
    protected static readonly string Binary = Path.Combine(
        typeof(CommandTest).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == "RepositoryRoot").Value!, "out/conman");

    private readonly Scratch _scratch = new();

    protected CommandTest()
    {
        Host.NeedRoot();
        Skip.IfNot(File.Exists(Binary), "out/conman is not built");
    }

    protected string Folder => _scratch.Path;

    protected string InFolder(string name) => _scratch[name];

    public virtual void Dispose() => _scratch.Dispose();

    protected string Shell(string script) => Host.Shell(Folder, script);

    /// <summary>Runs conman on the store; what it writes, and "exit code N" if that is not 0 but <paramref name="code"/>.</summary>
    protected string Conman(string arguments, int code = 0)
    {
        var output = Shell($"{{ {Binary} --root store --runroot run {arguments}; }} 2>&1 || echo \"exit code $?\"");
        if (code != 0)
            Assert.EndsWith($"exit code {code}\n", output, StringComparison.Ordinal);
        else
            Assert.DoesNotContain("exit code", output, StringComparison.Ordinal);
        return output;
    }

    protected JsonObject Inspect(string image) => (JsonObject)JsonNode.Parse(Conman("inspect " + image))![0]!;

    /// <summary>What nothing in the store should be when no image is there.</summary>
    protected string LeftInStore() => Shell("find store -type f ! -name lock; find store/layers -mindepth 1");
}
