// cp: which end is where, and which is an archive.

using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Contents;
using Conman.Formatting;
using Conman.Images.Layers;
using Conman.Linux;

namespace Conman;

internal static class CopyCommand
{
    /// <summary>An end: a path of a container or, where that is null, of the host, or an archive in standard input or output.</summary>
    private readonly record struct End(string? Container, string Path)
    {
        public bool IsArchive => this is { Container: null, Path: "-" };

        // A name before a colon; what begins with / or . is of the host, whatever colons it has.
        public static End Parse(string text)
        {
            var colon = text.IndexOf(':');
            return colon <= 0 || text[0] is '/' or '.' ? new End(null, text) : new End(text[..colon], text[(colon + 1)..]);
        }
    }

    public static int Run(ContainerEngine engine, Arguments arguments) => ContentCommands.Failing(() =>
    {
        var (from, to) = (End.Parse(arguments.Words[0]), End.Parse(arguments.Words[1]));
        if (from.Container is null && to.Container is null)
            throw new UsageException("cp needs a container at one end: CONTAINER:PATH");
        if (from.IsArchive && Terminals.IsTerminal(0))
            throw new EngineException("cannot read an archive from a terminal: redirect standard input");
        if (to.IsArchive && Terminals.IsTerminal(1))
            throw new EngineException("cowardly refusing to write an archive to a terminal: redirect standard output");
        var options = new CopyOptions(arguments.Has("archive"), arguments.Has("follow-link"), arguments.Has("overwrite"));
        var bytes = from.Container is { } one && to.Container is { } other && engine.Containers.Resolve(one) == engine.Containers.Resolve(other)
            ? Within(engine, from, to, options)
            : At(engine, from, "archive-path", source => At(engine, to, "extract-to-dir", target => Copy(source, target, options)));
        if (!arguments.Has("quiet") && !to.IsArchive && Terminals.IsTerminal(2))
            Output.Error($"Successfully copied {Humane.Size(bytes)} to {arguments.Words[1]}");
        return 0;
    });

    // Null: an archive.
    private static long At(ContainerEngine engine, End end, string action, Func<FilePlace?, long> act)
    {
        if (end.Container is null)
            return act(end.IsArchive ? null : FilePlace.OfHost(end.Path));
        using var container = engine.Containers.OpenLocked(end.Container);
        var bytes = ContainerRoot.Use(engine, container, root => act(FilePlace.OfContainer(root, end.Container, end.Path)));
        engine.Tell(container, action, ("path", end.Path));
        return bytes;
    }

    // One lock, one root.
    private static long Within(ContainerEngine engine, End from, End to, CopyOptions options) => At(engine, from, "archive-path", source =>
    {
        var target = source!.Beside(to.Container!, to.Path);
        return target.AbsolutePath.StartsWith(source.AbsolutePath + "/", StringComparison.Ordinal) || source.AbsolutePath == "/"
            ? throw new EngineException($"cannot copy {source.Typed} into itself") : Copy(source, target, options);
    });

    private static long Copy(FilePlace? from, FilePlace? to, CopyOptions options)
    {
        if (from is null)
            return FileCopy.Extract(new DescriptorStream(0, "the archive"), to!, options.Replace);
        if (to is not null)
            return FileCopy.Run(from, to, options);
        using var archive = new BufferedStream(new DescriptorStream(1, "the archive"), 256 << 10);
        FileCopy.Pack(from, options.FollowLink, archive);
        return 0;
    }
}
