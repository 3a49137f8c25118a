// spec, features and plan: commands that only print or write a document.

using Conman.CommandLine;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime;
using Conman.Runtime.Containers;
using Conman.Runtime.Plans;

namespace Conman.Runc;

internal static class DocumentCommands
{
    public static int Spec(Arguments arguments)
    {
        var folder = arguments.Get("bundle") is { Length: > 0 } bundle ? bundle : ".";
        var spec = arguments.Has("rootless") ? Oci.RuntimeSpec.Spec.DefaultRootless(Processes.EffectiveUser, Processes.EffectiveGroup) : Oci.RuntimeSpec.Spec.Default();
        var path = arguments.Get("file") is { Length: > 0 } given ? given : folder + "/config.json";
        using var file = Files.TryOpen(path, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Exclusive, out var errno, mode: 0x1b6 /* 0666 */);
        if (file is null)
        {
            throw new RuntimeException(errno == Errno.EEXIST
                ? $"File {Path.GetFileName(path)} exists. Remove it first"
                : $"cannot write {path}: {LinuxException.Describe(errno)}");
        }
        Files.Write(file.Number, [.. spec.ToUtf8(true), (byte)'\n'], path);
        return 0;
    }

    public static int Features()
    {
        Output.Write(RuntimeFeatures.Describe(Build.Version, Build.Commit).ToUtf8(true));
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
