// Unpacks a layer in a process that can do nothing else, and does for it what it may not: attributes that only the host's root can set.

using Conman.Linux;

namespace Conman.Images.Layers;

/// <summary>Starts the process, believes it little.</summary>
/// <param name="executable">The binary, which knows <see cref="UnpackProcess.Word"/>.</param>
public sealed class LayerUnpacker(string executable = "/proc/self/exe")
{
    private const Namespaces Apart = Namespaces.Mount | Namespaces.Network | Namespaces.Ipc | Namespaces.Uts | Namespaces.Pid | Namespaces.Cgroup;

    /// <summary>Unpacks into an empty directory.</summary>
    /// <param name="archive">The layer as it came, compressed or not: a file or a pipe, read from where it stands to its end.</param>
    /// <param name="compressedSize">Its bytes, by which it is told how much it may unpack to.</param>
    /// <exception cref="ImageException">It is malformed or hostile, or the file system refuses.</exception>
    public UnpackedLayer Unpack(FileDescriptor directory, FileDescriptor archive, long compressedSize)
    {
        using var tree = Mounts.TryCloneTree("", recursive: false, out var errno, directory.Number) ?? throw new LinuxException(errno, "open the layer's directory as a mount");
        errno = Mounts.TrySetAttributes(tree, recursive: false, MountAttributes.NoSuid | MountAttributes.NoDev | MountAttributes.NoExec, MountAttributes.None, Propagation.Private);
        if (errno != 0)
            throw new LinuxException(errno, "set attributes of the layer's mount");
        var (read, write) = Files.Pipe(64 << 10);
        using (read)
        {
            ProcessHandle process;
            using (write)
            using (var nothing = Files.Open("/dev/null", OpenFlags.WriteOnly))
            using (var program = Files.Open(executable, OpenFlags.Path))
            {
                var options = new SpawnOptions { New = Apart, StandardStreams = (archive.Number, write.Number, nothing.Number), Keep = { tree.Number } };
                process = Processes.Spawn(program, ["conman", UnpackProcess.Word, tree.Number.ToString(), compressedSize.ToString()], [], options);
            }
            using (process)
            {
                byte[]? report = null;
                try
                {
                    report = Read(read);
                }
                finally
                {
                    if (report is null)
                        process.TrySignal(9 /* SIGKILL */);
                    process.Wait();
                }
                return Finish(directory, report, process.Wait());
            }
        }
    }

    // All that it says, if that is not too much.
    private static byte[] Read(FileDescriptor read)
    {
        using var report = new MemoryStream();
        var buffer = new byte[16 << 10];
        for (int n; (n = Files.Read(read.Number, buffer, "the unpacker's report")) > 0;)
        {
            report.Write(buffer, 0, n);
            if (report.Length > UnpackReport.MaximalSize)
                throw new ImageException("the unpacker tells too much");
        }
        return report.ToArray();
    }

    private static UnpackedLayer Finish(FileDescriptor directory, byte[] bytes, Exit exit)
    {
        var report = exit.Code == 0 ? UnpackReport.Parse(bytes) : null;
        if (report is null)
            throw new ImageException(exit.Signal != 0 ? $"the unpacker was killed by signal {exit.Signal}" : $"the unpacker failed (status {exit.Status})");
        if (report.Failure is not null)
            throw new ImageException(report.Failure);
        SetLateAttributes(directory, report.Layer.LateAttributes);
        return new UnpackedLayer(report.DiffId, report.Layer.Size, report.Layer.Entries, report.Layer.ImpliedDirectories);
    }

    /// <summary>Sets what the extractor could not. Paths are looked for in the directory alone, and what is gone is passed over.</summary>
    internal static void SetLateAttributes(FileDescriptor directory, IEnumerable<LateAttribute> attributes)
    {
        foreach (var (path, name, value) in attributes)
        {
            var isOpaque = name.AsSpan().SequenceEqual("trusted.overlay.opaque"u8) && value.AsSpan().SequenceEqual("y"u8);
            if (!isOpaque && (name.AsSpan().StartsWith("trusted.overlay."u8) || name.AsSpan().StartsWith("user.overlay."u8)))
                throw new ImageException("the unpacker asks for what only the store may set");
            using var file = Files.TryOpenResolved(
                directory.Number, path.Length == 0 ? "."u8 : path, OpenFlags.Path | Files.NoFollow | (isOpaque ? Files.Directory : 0), Resolve.InRoot | Resolve.NoMagicLinks | Resolve.NoSymlinks | Resolve.NoXdev, out var errno);
            if (errno is Errno.ENOENT or Errno.ENOTDIR)
                continue;
            if (file is not null)
                errno = Files.TrySetAttribute(file, [.. name, 0], value);
            // A file system without such attributes is that of the user's choice; without opaque directories there is no layer.
            if (errno != 0 && (isOpaque || errno is not (Errno.EOPNOTSUPP or Errno.EPERM or Errno.ELOOP)))
                throw new LinuxException(errno, $"set attribute {Tar.TarEntry.Text(name)} of {Tar.TarEntry.Text(path)}");
        }
    }
}
