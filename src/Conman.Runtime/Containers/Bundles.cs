// A bundle: a folder with config.json and, mostly, the root file system that it names.

using System.Text;
using Conman.Linux;
using Conman.Oci;
using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Compiling;

namespace Conman.Runtime.Containers;

/// <summary>Reading bundles, and gathering what the compiler must know beside them.</summary>
public static class Bundles
{
    /// <summary>config.json's bytes.</summary>
    public static byte[] ReadSpec(string bundle)
    {
        using var file = Files.TryOpen(bundle + "/config.json", OpenFlags.ReadOnly, out var errno);
        if (file is null)
        {
            throw new RuntimeException(errno == Errno.ENOENT
                ? $"JSON specification file config.json not found in bundle {bundle}"
                : $"cannot open {bundle}/config.json: {LinuxException.Describe(errno)}");
        }
        try
        {
            return Files.ReadAll(file, $"{bundle}/config.json");
        }
        catch (LinuxException e)
        {
            throw new RuntimeException(e.Message, e);
        }
    }

    /// <summary>Parses config.json.</summary>
    public static Spec Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            return Spec.Parse(json);
        }
        catch (FormatException e)
        {
            throw new RuntimeException($"config.json: {e.Message}", e);
        }
    }

    /// <summary>Compiles a bundle for a request.</summary>
    public static CompiledSpec Compile(Spec spec, CreateRequest request) => PlanCompiler.Compile(spec, Facts(spec, request.Bundle), new CompileOptions
    {
        Id = request.Id,
        Bundle = request.Bundle,
        NoPivot = request.NoPivot,
        NoNewKeyring = request.NoNewKeyring,
        PreservedDescriptors = request.PreservedDescriptors,
        AwaitStart = request.AwaitStart,
    });

    private static HostFacts Facts(Spec spec, string bundle) => new()
    {
        Capabilities = HostCapabilities(),
        Home = NeedsHome(spec.Process) ? HomeOf(spec, bundle) : null,
    };

    /// <summary>The capabilities that this kernel has.</summary>
    internal static ulong HostCapabilities()
    {
        Span<byte> buffer = stackalloc byte[16];
        using var file = Files.TryOpen("/proc/sys/kernel/cap_last_cap", OpenFlags.ReadOnly, out _);
        return file is not null && int.TryParse(buffer[..Files.Read(file.Number, buffer, "cap_last_cap")].TrimEnd((byte)'\n'), out var last)
            ? (2ul << last) - 1
            : new HostFacts().Capabilities;
    }

    private static bool NeedsHome(Process? process) =>
        process?.Env?.Exists(v => v.StartsWith("HOME=", StringComparison.Ordinal)) is not true;

    // /etc/passwd as the container will see it: of a bind mount over it if there is one, else of the root file system.
    private static string? HomeOf(Spec spec, string bundle)
    {
        var (folder, path) = (Path.GetFullPath(spec.Root?.Path ?? "rootfs", bundle), "/etc/passwd");
        foreach (var mount in spec.Mounts ?? [])
        {
            var destination = Path.TrimEndingDirectorySeparator(mount.Destination ?? "");
            if (destination == "/etc/passwd" && mount.Source is not null)
                (folder, path) = (Path.GetDirectoryName(Path.GetFullPath(mount.Source, bundle))!, Path.GetFileName(mount.Source));
            else if (destination == "/etc" && mount.Source is not null)
                (folder, path) = (Path.GetFullPath(mount.Source, bundle), "passwd");
        }
        using var root = Files.TryOpen(folder, OpenFlags.Path | Files.Directory, out _);
        return root is null ? null : UserDatabase.HomeOf(root, path, spec.Process?.User?.Uid ?? 0);
    }
}

/// <summary>passwd(5) of a container.</summary>
internal static class UserDatabase
{
    private const int LargestFile = 1 << 20;

    /// <summary>The home directory of a numeric user; null if the file does not say.</summary>
    public static string? HomeOf(FileDescriptor root, string path, uint uid)
    {
        // NonBlock: a FIFO in an image must not make the runtime wait for a writer.
        using var file = Files.TryOpenResolved(root.Number, path, OpenFlags.ReadOnly | OpenFlags.NonBlock, Resolve.InRoot | Resolve.NoMagicLinks, out _);
        if (file is null || Files.Status(file, path).Type != FileType.Regular)
            return null;
        byte[] content;
        try
        {
            content = Files.ReadAll(file, path, LargestFile);
        }
        catch (LinuxException)
        {
            return null;
        }
        foreach (var line in content.AsSpan().Split((byte)'\n'))
        {
            var fields = Encoding.UTF8.GetString(content.AsSpan()[line]).Split(':');
            if (fields.Length >= 6 && uint.TryParse(fields[2], out var id) && id == uid)
                return fields[5].Length > 0 ? fields[5] : null;
        }
        return null;
    }
}
