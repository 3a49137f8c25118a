// A machine of its own for a container host (podman, containerd, dockerd), as far as namespaces go: no network but what is made in it, an
// empty /run, empty folders under /var/lib, its own process table. When its first process ends, all that ran or was mounted in it is gone.
using System.Formats.Tar;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests.Hosts;

public sealed class PrivateMachine : IDisposable
{
    /// <summary>The image that every host is given: busybox, and nothing else.</summary>
    public const string Image = "docker.io/library/tiny:latest";

    // It ends with the tests, whose end of the pipe it reads. It ignores the end of children, so that the kernel reaps what hosts leave to the
    // first process (conmon, shims).
    private const string FirstProcess = """
        for folder in /run /var/lib/containers /var/lib/docker /var/lib/containerd /var/lib/cni /etc/cni/net.d; do
            [ ! -d $folder ] || mount -t tmpfs -o mode=755 tmpfs $folder
        done
        ip link set lo up
        echo ready
        trap '' CHLD
        exec cat
        """;

    private readonly Bundle _files = new();
    private readonly Runtime _programs;
    private readonly Result _holder;
    private readonly HashSet<string> _cgroups = [.. AllCgroups()];

    public PrivateMachine()
    {
        _programs = new Runtime(_files.Id);
        Archive = MakeArchive();
        _holder = _programs.StartProgram("unshare", new Options { InputPipe = true },
            "--fork", "--kill-child", "--pid", "--mount-proc", "--net", "--mount", "--propagation", "private", "--", "sh", "-euc", FirstProcess);
        _holder.WaitForOutput("ready");
        Pid = int.Parse(File.ReadAllText($"/proc/{_holder.Pid}/task/{_holder.Pid}/children").Trim(), CultureInfo.InvariantCulture);
    }

    /// <summary>A folder of the test's, which the machine sees too.</summary>
    public string Folder => _files.Folder;

    /// <summary><see cref="Image"/> as `docker save` writes it, which all hosts read.</summary>
    public string Archive { get; }

    /// <summary>The first process, as the tests' own machine numbers it.</summary>
    public int Pid { get; }

    /// <summary>Skips the test where the program is not installed, or is not to be run.</summary>
    public static void Require(string program, string package)
    {
        Skip.If(Libc.geteuid() != 0, "needs root");
        string[] folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':');
        Skip.IfNot(folders.Append("/usr/sbin").Any(folder => File.Exists($"{folder}/{program}")), $"needs {program}, from the package {package}");
    }

    /// <summary>Runs a command inside to its end.</summary>
    public Result Run(params string[] words) => Start(words).Wait(TimeSpan.FromMinutes(2));

    /// <summary>Starts a command inside and leaves it running.</summary>
    public Result Start(params string[] words) => Start(new Options(), words);

    public Result Start(Options options, params string[] words) => _programs.StartProgram("nsenter", options with { Environment = Usual.Environment }, Enter(words));

    /// <summary>Starts a command inside in a terminal, into which the result's input types.</summary>
    public Result StartInTerminal(params string[] words)
    {
        string command = string.Join(' ', Enter(words).Prepend("nsenter").Select(word => $"'{word.Replace("'", "'\\''")}'"));
        return _programs.StartProgram("script", Usual with { InputPipe = true }, "-q", "-e", "-c", command, "/dev/null");
    }

    /// <summary>Fails unless nothing of a container with this id is left: no process, no file of state, no cgroup.</summary>
    public void AssertNothingLeft(string id)
    {
        string[] left = [];
        long start = Environment.TickCount64;
        do
        {
            left = [.. Find(id)];
        }
        while (left.Length > 0 && Environment.TickCount64 - start < 5000);
        Assert.True(left.Length == 0, "left behind:\n" + string.Join('\n', left));
    }

    public void Dispose()
    {
        _ = Libc.kill(Pid, Libc.SIGKILL);
        Wait.ForExit(_holder.Pid);
        foreach (string cgroup in AllCgroups().Except(_cgroups).OrderByDescending(path => path.Length).ToList())
        {
            try
            {
                Directory.Delete(cgroup); // the hosts' own; another test run's are not empty
            }
            catch (IOException)
            {
            }
        }
        _programs.Dispose();
        _files.Dispose();
    }

    private static readonly Options Usual = new() { Environment = { ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin", ["HOME"] = "/root" } };

    private string[] Enter(string[] words) =>
        ["--target", Pid.ToString(CultureInfo.InvariantCulture), "--mount", "--net", "--pid", "--", .. words];

    private IEnumerable<string> Find(string id)
    {
        string inside = $"/proc/{Pid}/root";
        var options = new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint };
        foreach (string path in Directory.EnumerateFileSystemEntries(inside + "/run", $"*{id}*", options))
            yield return path[inside.Length..];
        foreach (string path in AllCgroups().Where(path => path.Contains(id)))
            yield return path;
        foreach (string path in Directory.EnumerateDirectories(inside + "/proc").Where(path => int.TryParse(Path.GetFileName(path), out _)))
        {
            if (Leftovers.ReadOrEmpty(path + "/cmdline").Contains(id))
                yield return Leftovers.ReadOrEmpty(path + "/cmdline").Replace('\0', ' ');
        }
    }

    private static IEnumerable<string> AllCgroups() => Directory.EnumerateDirectories(Leftovers.CgroupRoot, "*",
        new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint });

    private string MakeArchive()
    {
        string folder = _files.Subfolder("image");
        TarFile.CreateFromDirectory(_files.Rootfs, folder + "/layer.tar", includeBaseDirectory: false);
        string digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(folder + "/layer.tar")));
        File.WriteAllText(folder + "/config.json", new JsonObject
        {
            ["architecture"] = System.Runtime.InteropServices.RuntimeInformation.ProcessArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64",
            ["os"] = "linux",
            ["config"] = new JsonObject { ["Cmd"] = Bundle.Strings("sh"), ["Env"] = Bundle.Strings("PATH=/bin") },
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = Bundle.Strings("sha256:" + digest) },
        }.ToJsonString());
        File.WriteAllText(folder + "/manifest.json", new JsonArray(new JsonObject
        {
            ["Config"] = "config.json", ["RepoTags"] = Bundle.Strings(Image), ["Layers"] = Bundle.Strings("layer.tar"),
        }).ToJsonString());
        TarFile.CreateFromDirectory(folder, _files.Folder + "/tiny.tar", includeBaseDirectory: false);
        return _files.Folder + "/tiny.tar";
    }
}
