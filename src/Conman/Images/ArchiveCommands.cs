// The commands that move images without a registry: load and save.

using Conman.CommandLine;
using Conman.Images;
using Conman.Images.Archives;
using Conman.Images.Layers;
using Conman.Images.Store;
using Conman.Images.Transfer;
using Conman.Linux;

namespace Conman;

internal static class ArchiveCommands
{
    public static List<Command> All(ManagerContext context) => [Load(context), Save(context)];

    private static Command Load(ManagerContext context) => new("load", "", "Load images from an archive or a folder that save, docker, podman or skopeo wrote",
        [new("input", "archive or folder (default: standard input)", "PATH", 'i'), RegistryCommands.Platform, RegistryCommands.Quiet],
        arguments =>
        {
            using var store = context.OpenStore();
            using var files = Open(arguments.Get("input"), store);
            var platform = arguments.Get("platform") is { } text ? Platforms.Parse(text) : null;
            var progress = arguments.Has("quiet") ? (ITransferProgress)new NoDisplay() : new TransferDisplay();
            foreach (var record in new ImageLoad(store, files, new LayerUnpacker().Unpack, progress).Run(platform))
                Output.Write(record.Tag is null ? $"Loaded image ID: {record.Id}\n" : $"Loaded image: {ImageView.Familiar(record.Name!)}\n");
            return 0;
        }) { Count = (0, 0) };

    private static IFileSet Open(string? path, ImageStore store)
    {
        if (path is null or "-")
        {
            if (Terminals.IsTerminal(0))
                throw new ImageException("cannot read from terminal. Use command line redirection or the input flag.");
            return new TarFiles(Files.Duplicate(0), "standard input", store.Root);
        }
        var file = Files.TryOpen(path, OpenFlags.ReadOnly, out var errno) ?? throw new ImageException($"cannot open {path}: {LinuxException.Describe(errno)}");
        if (Files.Status(file, path).Type != FileType.Directory)
            return new TarFiles(file, path, store.Root);
        file.Dispose();
        return new FolderFiles(path);
    }

    private static Command Save(ManagerContext context) => new("save", "IMAGE...", "Save images to an archive or a folder",
        [
            new("output", "where to (default: standard output)", "PATH", 'o'),
            new("format", "docker-archive, oci-archive, oci-dir or docker-dir (default: docker-archive)", "FORMAT"),
        ],
        arguments =>
        {
            var format = arguments.Get("format") switch
            {
                null or "docker-archive" => SaveFormat.DockerArchive,
                "oci-archive" => SaveFormat.OciArchive,
                "oci-dir" => SaveFormat.OciFolder,
                "docker-dir" => SaveFormat.DockerFolder,
                var other => throw new UsageException($"--format {other}: docker-archive, oci-archive, oci-dir or docker-dir is expected"),
            };
            using var store = context.OpenStore();
            var images = arguments.Words.Select(word => ImageCommands.Find(store, word)).GroupBy(found => found.Id)
                .Select(group => (group.First().Record, group.Select(found => found.Named?.Tag is null ? null : found.Named.Name).OfType<string>().Distinct().ToList())).ToList();
            var output = arguments.Get("output");
            if (format is SaveFormat.OciFolder or SaveFormat.DockerFolder)
            {
                using var folder = new FolderSink(output ?? throw new UsageException("a folder needs --output"));
                ImageSave.Write(store, images, format, folder);
                return 0;
            }
            if (output is null && Terminals.IsTerminal(1))
                throw new ImageException("cowardly refusing to save to a terminal. Use the -o flag or redirect");
            SaveArchive(store, images, format, output);
            return 0;
        }) { Count = (1, int.MaxValue) };

    // An archive is written beside its name, and renamed to it when it is whole.
    private static void SaveArchive(ImageStore store, List<(ImageRecord, List<string>)> images, SaveFormat format, string? output)
    {
        var temporary = output + ".part";
        using var file = output is null ? Files.Duplicate(1) : Files.Open(temporary, OpenFlags.WriteOnly | OpenFlags.Create | OpenFlags.Truncate, mode: 0x180 /* 0600 */);
        try
        {
            using var sink = new TarSink(file, lasting: output is not null);
            ImageSave.Write(store, images, format, sink);
            if (output is not null)
                Storage.Rename(Files.CurrentDirectory, temporary, Files.CurrentDirectory, output);
        }
        catch when (output is not null)
        {
            Files.TryUnlink(temporary);
            throw;
        }
    }
}
