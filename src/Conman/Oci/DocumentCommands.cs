// spec, features and plan: commands that only print or write a document.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;
using Conman.Runtime.Plans;

namespace Conman.Oci;

internal static class DocumentCommands
{
    public static int Spec(Arguments arguments)
    {
        var folder = arguments.Get("bundle") is { Length: > 0 } path ? path : ".";
        var spec = arguments.Has("rootless") ? RuntimeSpec.Spec.DefaultRootless(Processes.EffectiveUser, Processes.EffectiveGroup) : RuntimeSpec.Spec.Default();
        using var file = Files.TryOpen(folder + "/config.json", OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out var errno, mode: 0x1b6 /* 0666 */);
        if (file is null)
        {
            throw new RuntimeException(errno == Errno.EEXIST
                ? "File config.json exists. Remove it first"
                : $"cannot write {folder}/config.json: {LinuxException.Describe(errno)}");
        }
        Files.Write(file.Number, [.. spec.ToUtf8(true), (byte)'\n'], folder + "/config.json");
        return 0;
    }

    public static int Features()
    {
        Output.Write(RuntimeFeatures.Describe().ToUtf8(true));
        Output.Write("\n");
        return 0;
    }

    public static int Plan(Arguments arguments)
    {
        var bundle = CreateCommand.LoadBundle(arguments);
        var id = arguments.Words.Count > 0 ? arguments.Words[0] : Path.GetFileName(bundle.Path);
        var compiled = bundle.Compile(new CreateRequest
        {
            Root = "",
            Id = id,
            NoPivot = arguments.Has("no-pivot"),
            NoNewKeyring = arguments.Has("no-new-keyring"),
            AwaitStart = true,
        });
        Output.Write(PlanText.Of(compiled, bundle.Spec, id));
        return 0;
    }
}
