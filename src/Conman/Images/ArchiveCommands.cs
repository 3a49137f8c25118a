// The commands that move images without a registry: import, load and save.

using Conman.CommandLine;
using Conman.Images;
using Conman.Images.Archives;
using Conman.Images.Building;
using Conman.Images.Configuration;
using Conman.Images.Layers;
using Conman.Images.Registry;
using Conman.Images.Store;
using Conman.Images.Transfer;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman;

internal static class ArchiveCommands
{
    public static List<Command> All(ManagerContext context) => [Import(context), Load(context), Save(context)];

    private static Command Import(ManagerContext context) => new("import", "FILE|URL|- [REPOSITORY[:TAG]]", "Make an image from the archive of a file system",
        [
            new("change", "an instruction of a Dockerfile that the image is to have: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL, ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR", "INSTRUCTION", 'c', Repeats: true),
            new("message", "what its history is to say", "TEXT", 'm'),
            .. PlatformOptions.All,
            RegistryCommands.Quiet,
        ],
        arguments =>
        {
            var from = arguments.Words[0];
            var config = new ImageConfig();
            var changes = new ConfigChanges(config);
            arguments.All("change").ForEach(changes.Apply);
            var settings = new ImportSettings(arguments.Words.Count > 1 ? ImageNames.Tagged(arguments.Words[1]) : null, arguments.Get("message") ?? $"Imported from {from}",
                config, PlatformOptions.Of(arguments) ?? Platforms.Host);
            using var store = context.OpenStore();
            using var archive = store.Blobs.Begin();
            ReadArchive(from, archive);
            Output.Write(ImageImport.Run(store, archive, settings, new LayerUnpacker().Unpack).Id + "\n");
            return 0;
        }) { Count = (1, 2) };

    private static void ReadArchive(string from, NewBlob archive)
    {
        if (from.StartsWith("http://", StringComparison.Ordinal) || from.StartsWith("https://", StringComparison.Ordinal))
        {
            var address = Uri.TryCreate(from, UriKind.Absolute, out var uri) ? uri : throw new UsageException($"{from} is no address");
            WebFile.Download(address, RegistryTable.Load(), RegistryCommands.Agent, archive);
            return;
        }
        if (from == "-" && Terminals.IsTerminal(0))
            throw new ImageException("cannot read from terminal. Use command line redirection or name a file.");
        using var file = from == "-" ? Files.Duplicate(0) : OpenFile(from);
        var buffer = GC.AllocateUninitializedArray<byte>(256 << 10);
        for (int n; (n = Files.Read(file.Number, buffer, from)) > 0;)
            archive.Write(buffer.AsSpan(0, n));
    }

    private static FileDescriptor OpenFile(string path) =>
        Files.TryOpen(path, OpenFlags.ReadOnly, out var errno) ?? throw new ImageException($"cannot open {path}: {LinuxException.Describe(errno)}");

    private static Command Load(ManagerContext context) => new("load", "", "Load images from an archive or a folder that save, docker, podman or skopeo wrote",
        [new("input", "archive or folder (default: standard input)", "PATH", 'i'), .. PlatformOptions.All, RegistryCommands.Quiet],
        arguments =>
        {
            using var store = context.OpenStore();
            using var files = Open(arguments.Get("input"), store);
            var platform = PlatformOptions.Of(arguments);
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
        var file = OpenFile(path);
        if (Files.Status(file, path).Type != FileType.Directory)
            return new TarFiles(file, path, store.Root);
        file.Dispose();
        return new FolderFiles(path);
    }

    private static Command Save(ManagerContext context) => new("save", "IMAGE...", "Save images to an archive or a folder",
        [
            new("output", "where to (default: standard output)", "PATH", 'o'),
            new("format", "docker-archive, oci-archive, oci-dir or docker-dir (default: docker-archive)", "FORMAT"),
            PlatformOptions.Check,
            new("multi-image-archive", "as without it: an archive may hold several images", Short: 'm'),
            new("quiet", "as without it: nothing is written but the archive", Short: 'q'),
            new("compress", "") { Refused = "layers are saved as they are here, so that their digests stay" }, new("uncompressed", "") { Refused = "layers are saved as they are here, so that their digests stay" },
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
            images.ForEach(image => PlatformOptions.MustFit(arguments, image.Record));
            var output = arguments.Get("output");
            if (format is SaveFormat.OciFolder or SaveFormat.DockerFolder)
            {
                using var folder = new FolderSink(output ?? throw new UsageException("a folder needs --output"));
                ImageSave.Write(store, images, format, folder);
                return 0;
            }
            if (output is null && Terminals.IsTerminal(1))
                throw new ImageException("cowardly refusing to save to a terminal. Use the -o flag or redirect");
            OutputFile.Write(output, (file, lasting) => WriteArchive(store, images, format, file, lasting));
            return 0;
        }) { Count = (1, int.MaxValue) };

    private static void WriteArchive(ImageStore store, List<(ImageRecord, List<string>)> images, SaveFormat format, FileDescriptor file, bool lasting)
    {
        using var sink = new TarSink(file, lasting);
        ImageSave.Write(store, images, format, sink);
    }
}
