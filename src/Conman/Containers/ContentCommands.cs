// A container's files: cp, diff, commit, export, mount, umount.

using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Contents;
using Conman.Engine.Rootfs;
using Conman.Engine.Store;
using Conman.Formatting;
using Conman.Images;
using Conman.Images.Layers;
using Conman.Linux;

namespace Conman;

internal static class ContentCommands
{
    public static List<Command> Of(ManagerContext context) => [Copy(context), Diff(context), Commit(context), Export(context), Mount(context), Unmount(context, "umount"), Unmount(context, "unmount")];

    private static Command Copy(ManagerContext context) => new("cp", "CONTAINER:PATH PATH|-, or PATH|- CONTAINER:PATH", "Copy files between a container and the host, or two containers; - is an archive",
        [
            new("archive", "keep owners (without: all belongs to who copies, in a container to root)", Short: 'a'),
            new("follow-link", "of a PATH that is a symbolic link copy what it points to", Short: 'L'),
            new("overwrite", "a directory and a file give way to each other"),
            new("quiet", "do not tell how much it was", Short: 'q'),
        ],
        arguments => CopyCommand.Run(context.Engine, arguments)) { Count = (2, 2) };

    private static Command Diff(ManagerContext context) => new("diff", "CONTAINER", "Show what a container has changed of its image's files: A added, C changed, D deleted",
        [new("format", "json: three lists", "FORMAT")],
        arguments => Failing(() =>
        {
            using var container = context.Engine.Containers.Open(arguments.Words[0]);
            var changes = Changes.Of(context.Engine, container);
            if (arguments.Get("format") is { } format)
            {
                if (format != "json")
                    throw new UsageException($"--format {format}: json is expected");
                var lists = new JsonObject();
                foreach (var (kind, name) in (ReadOnlySpan<(char, string)>)[('C', "changed"), ('A', "added"), ('D', "deleted")])
                {
                    if (changes.Exists(c => c.Kind == kind))
                        lists[name] = Json.List(changes.FindAll(c => c.Kind == kind).ConvertAll(c => c.Path));
                }
                Output.Write(Json.Compact(lists) + "\n");
                return 0;
            }
            Output.Write(string.Concat(changes.Select(c => $"{c.Kind} {c.Path}\n")));
            return 0;
        }));

    private static Command Commit(ManagerContext context) => new("commit", "CONTAINER [REPOSITORY[:TAG]]", "Make an image of what a container has written",
        [
            new("author", "who made it", "TEXT", 'a'),
            new("change", "an instruction of a Dockerfile that the image is to have: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR", "INSTRUCTION", 'c', Repeats: true),
            new("format", "", "FORMAT", 'f') { Refused = "an image is stored in the OCI's format; `save` writes Docker's beside it" },
            new("include-volumes", "") { Refused = "name the volumes that the image is to have: --change 'VOLUME /dir'" },
            new("iidfile", "write the image's id into a file", "FILE"),
            new("message", "what its history is to say", "TEXT", 'm'),
            new("no-pause", "let it run while its files are read"),
            new("pause", "=false: as --no-pause", Short: 'p'),
            RegistryCommands.Quiet,
            new("squash", "all in one layer, with no image below", Short: 's'),
        ],
        arguments => Failing(() =>
        {
            var settings = new CommitSettings
            {
                Name = arguments.Words.Count > 1 ? ImageNames.Tagged(arguments.Words[1]) : null,
                Author = arguments.Get("author"),
                Message = arguments.Get("message"),
                Changes = arguments.All("change"),
                Pause = !arguments.Has("no-pause") && (arguments.Get("pause") is null || arguments.Has("pause")),
                Squash = arguments.Has("squash"),
            };
            using var container = context.Engine.Containers.OpenLocked(arguments.Words[0]);
            var made = Engine.Contents.Commit.Run(context.Engine, container, settings).Id.ToString();
            if (arguments.Get("iidfile") is { } file)
                Files.Publish(Files.CurrentDirectory, Path.GetFullPath(file), System.Text.Encoding.UTF8.GetBytes(made), 0x1a4 /* 0644 */);
            Output.Write(made + "\n");
            return 0;
        })) { Count = (1, 2) };

    private static Command Export(ManagerContext context) => new("export", "CONTAINER", "Write all files of a container, without its volumes, as an archive",
        [new("output", "where to (default: standard output)", "FILE", 'o')],
        arguments => Failing(() =>
        {
            var output = arguments.Get("output");
            if (output is null && Terminals.IsTerminal(1))
                throw new EngineException("cowardly refusing to save to a terminal. Use the -o flag or redirect");
            using var container = context.Engine.Containers.Open(arguments.Words[0]);
            _ = container.NeedRecord();
            OutputFile.Write(output, (file, lasting) =>
            {
                using var archive = new BufferedStream(new DescriptorStream(file.Number, "the archive"), 256 << 10);
                Engine.Contents.Export.Write(context.Engine, container, archive);
                archive.Flush();
                if (lasting)
                    Storage.Sync(file, "the archive");
            });
            return 0;
        }));

    private static Command Mount(ManagerContext context) => new("mount", "[CONTAINER...]", "Mount the root file systems of containers and print where; without CONTAINER list those that are",
        [new("all", "every container", Short: 'a'), new("notruncate", "as without it: ids in the list are whole")],
        arguments =>
        {
            var engine = context.Engine;
            if (arguments.Words.Count == 0 && !arguments.Has("all"))
            {
                foreach (var id in engine.Containers.Ids())
                {
                    using var container = engine.Containers.TryOpen(id);
                    if (container is not null && ContainerMounts.IsMounted(container))
                        Output.Write($"{id} {ContainerMounts.PathOf(container)}\n");
                }
                return 0;
            }
            return Targets.Each(Targets.Of(engine, arguments.Words, arguments.Has("all"), c => c.Record is not null), word =>
            {
                using var container = engine.Containers.OpenLocked(word);
                _ = container.NeedRecord();
                Output.Write(ContainerMounts.Mount(container, engine.Images) + "\n");
                engine.Tell(container, "mount");
            }, print: false);
        }) { Count = (0, int.MaxValue) };

    private static Command Unmount(ManagerContext context, string name) => new(name, "CONTAINER...", "Take away what `mount` has mounted",
        [new("all", "every one that is mounted", Short: 'a')],
        arguments =>
        {
            var engine = context.Engine;
            return Targets.Each(Targets.Of(engine, arguments.Words, arguments.Has("all"), ContainerMounts.IsMounted), word =>
            {
                using var container = engine.Containers.OpenLocked(word);
                if (!ContainerMounts.Unmount(container))
                    throw new EngineException($"container {word} is not mounted");
                engine.Tell(container, "unmount");
            });
        }) { Count = (0, int.MaxValue) };

    /// <summary>What the kernel or the store refuses is told by 1, as Docker does.</summary>
    internal static int Failing(Func<int> act)
    {
        try
        {
            return act();
        }
        catch (Exception e) when (e is LinuxException or ImageException)
        {
            throw new EngineException(e.Message, e);
        }
    }
}
