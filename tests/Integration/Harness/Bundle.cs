// A bundle: a folder with a small root file system made of busybox, and a config.json that starts as what
// `runc spec` writes on a unified host and is changed by the test. Everything a test makes carries its id.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public sealed class Bundle : IDisposable
{
    /// <summary>Set in the environment of every process that a test starts, so that a lost one can be found.</summary>
    public const string Marker = "CONMAN_TEST_ID";

    private const UnixFileMode Executable =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead |
        UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private static readonly string Busybox = FindBusybox();
    private static readonly string[] Applets =
    [
        "awk", "cat", "chmod", "echo", "env", "grep", "head", "hostname", "id", "ip", "ls", "mkdir", "mknod", "mount", "printf", "pwd", "readlink", "rm",
        "rmdir", "sed", "sh", "sleep", "stat", "stty", "tail", "touch", "tr", "true", "tty", "umount", "wc",
    ];
    private static int s_count;

    public Bundle()
    {
        Id = $"ct-{Environment.ProcessId}-{Interlocked.Increment(ref s_count)}";
        Folder = $"/tmp/conman-test-{Id}";
        Rootfs = Folder + "/rootfs";
        Spec = DefaultSpec(Id);
        foreach (string folder in (string[])["bin", "dev", "etc", "proc", "root", "sys", "tmp", "var"])
            Directory.CreateDirectory($"{Rootfs}/{folder}", Executable);
        // A hard link would be quicker, and let one test's container change the busybox of all others.
        System.IO.File.Copy(Busybox, Rootfs + "/bin/busybox");
        System.IO.File.SetUnixFileMode(Rootfs + "/bin/busybox", Executable);
        foreach (string applet in Applets)
            System.IO.File.CreateSymbolicLink($"{Rootfs}/bin/{applet}", "busybox");
        File("rootfs/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nmail:x:8:8:mail:/var/mail:/bin/sh\n");
        File("rootfs/etc/group", "root:x:0:\ntty:x:5:\nmail:x:8:\n");
    }

    public string Id { get; }
    public string Folder { get; }
    public string Rootfs { get; }
    public JsonObject Spec { get; }

    /// <summary>Where the container's cgroup is, as the host sees it.</summary>
    public string Cgroup => $"{Leftovers.UnifiedRoot}/conman-test/{Id}";

    /// <summary>Where a controller of its cgroup is: the same place, or on a v1 host the controller's own hierarchy.</summary>
    public string CgroupOf(string controller) => Leftovers.Unified ? Cgroup : $"{Leftovers.CgroupRoot}/{controller}/conman-test/{Id}";

    public Bundle Args(params string[] args) => Set("process/args", Strings(args));

    public Bundle Shell(string script) => Args("/bin/sh", "-c", script);

    public Bundle Env(params string[] variables)
    {
        foreach (string variable in variables)
            Add("process/env", variable);
        return this;
    }

    public Bundle User(long uid, long gid) => Set("process/user", new JsonObject { ["uid"] = uid, ["gid"] = gid });

    public Bundle Mount(string destination, string type, string source, params string[] options) =>
        Add("mounts", new JsonObject
        {
            ["destination"] = destination, ["type"] = type, ["source"] = source, ["options"] = Strings(options),
        });

    public Bundle Bind(string source, string destination, params string[] options) =>
        Mount(destination, "bind", source, options.Length == 0 ? ["rbind"] : options);

    public Bundle WithoutMount(string destination) =>
        Where("mounts", m => (string?)m["destination"] != destination);

    /// <summary>Asks for a namespace of this type: new, or the one at <paramref name="path"/>.</summary>
    public Bundle Namespace(string type, string? path = null)
    {
        WithoutNamespace(type);
        var ns = new JsonObject { ["type"] = type };
        if (path is not null)
            ns["path"] = path;
        return Add("linux/namespaces", ns);
    }

    public Bundle WithoutNamespace(string type) => Where("linux/namespaces", n => (string?)n["type"] != type);

    /// <summary>A user namespace in which root is <paramref name="hostId"/> outside.</summary>
    public Bundle UserNamespace(int hostId = 100000, int size = 65536) => Namespace("user")
        .Set("linux/uidMappings", new JsonArray(Map(hostId, size)))
        .Set("linux/gidMappings", new JsonArray(Map(hostId, size)));

    /// <summary>As `spec --rootless` has it: root is that user outside, and more ids are mapped on request.</summary>
    public Bundle Rootless(int user, bool ranges = false)
    {
        JsonArray Maps() => ranges
            ? [Map(user, 1), new JsonObject { ["containerID"] = 1, ["hostID"] = 200000, ["size"] = 65536 }]
            : [Map(user, 1)];
        Namespace("user").WithoutNamespace("network").Set("linux/uidMappings", Maps()).Set("linux/gidMappings", Maps())
            .Remove("linux/resources").Remove("linux/cgroupsPath").WithoutMount("/sys").WithoutMount("/sys/fs/cgroup").WithoutMount("/dev/pts");
        Mount("/dev/pts", "devpts", "devpts", "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620");
        Mount("/sys", "none", "/sys", "rbind", "nosuid", "noexec", "nodev", "ro");
        return Mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro");
    }

    public Bundle Capabilities(params string[] names)
    {
        foreach (string set in (string[])["bounding", "effective", "permitted"])
            Set("process/capabilities/" + set, Strings(names));
        return this;
    }

    public Bundle Writable() => Set("root/readonly", false);

    /// <summary>Sets what is at <paramref name="path"/> ("process/user/uid"), making the objects on the way.</summary>
    public Bundle Set(string path, JsonNode? value)
    {
        (JsonObject parent, string name) = Find(path);
        parent[name] = value;
        return this;
    }

    public Bundle Remove(string path)
    {
        (JsonObject parent, string name) = Find(path);
        parent.Remove(name);
        return this;
    }

    /// <summary>Appends to the array at <paramref name="path"/>, which need not be there yet.</summary>
    public Bundle Add(string path, JsonNode value)
    {
        (JsonObject parent, string name) = Find(path);
        if (parent[name] is not JsonArray array)
            parent[name] = array = [];
        array.Add(value);
        return this;
    }

    /// <summary>Makes a file in the bundle's folder and tells its full path.</summary>
    public string File(string name, string text = "", int mode = 0x1a4 /* 0644 */)
    {
        string path = $"{Folder}/{name}";
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, text);
        System.IO.File.SetUnixFileMode(path, (UnixFileMode)mode);
        return path;
    }

    /// <summary>Makes a folder in the bundle's folder and tells its full path.</summary>
    public string Subfolder(string name)
    {
        Directory.CreateDirectory($"{Folder}/{name}", Executable);
        return $"{Folder}/{name}";
    }

    public string Read(string name) =>
        System.IO.File.Exists($"{Folder}/{name}") ? System.IO.File.ReadAllText($"{Folder}/{name}") : "";

    /// <summary>Writes config.json as the specification now stands.</summary>
    public Bundle Save()
    {
        System.IO.File.WriteAllText(Folder + "/config.json", Spec.ToJsonString());
        return this;
    }

    public void Dispose()
    {
        if (Directory.Exists(Folder))
            Directory.Delete(Folder, recursive: true);
    }

    public static JsonArray Strings(params string[] values) => new([.. values.Select(v => JsonValue.Create(v))]);

    private static JsonObject Map(int hostId, int size) =>
        new() { ["containerID"] = 0, ["hostID"] = hostId, ["size"] = size };

    private Bundle Where(string path, Func<JsonNode, bool> keep)
    {
        (JsonObject parent, string name) = Find(path);
        JsonArray kept = [];
        foreach (JsonNode? item in parent[name]!.AsArray())
        {
            if (keep(item!))
                kept.Add(item!.DeepClone());
        }
        parent[name] = kept;
        return this;
    }

    private (JsonObject Parent, string Name) Find(string path)
    {
        string[] names = path.Split('/');
        JsonObject parent = Spec;
        foreach (string name in names[..^1])
        {
            if (parent[name] is not JsonObject next)
                parent[name] = next = [];
            parent = next;
        }
        return (parent, names[^1]);
    }

    private static string FindBusybox() =>
        (Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin").Split(':')
        .Select(folder => folder + "/busybox").FirstOrDefault(System.IO.File.Exists)
        ?? throw new FileNotFoundException("the tests need a statically linked busybox in PATH");

    private static JsonObject DefaultSpec(string id)
    {
        var spec = (JsonObject)JsonNode.Parse("""
            {
              "ociVersion": "1.0.2",
              "process": {
                "terminal": false,
                "user": { "uid": 0, "gid": 0 },
                "args": [ "sh" ],
                "env": [ "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm" ],
                "cwd": "/",
                "capabilities": {
                  "bounding": [ "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" ],
                  "effective": [ "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" ],
                  "permitted": [ "CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE" ]
                },
                "rlimits": [ { "type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024 } ],
                "noNewPrivileges": true
              },
              "root": { "path": "rootfs", "readonly": true },
              "hostname": "runc",
              "mounts": [
                { "destination": "/proc", "type": "proc", "source": "proc" },
                { "destination": "/dev", "type": "tmpfs", "source": "tmpfs",
                  "options": [ "nosuid", "strictatime", "mode=755", "size=65536k" ] },
                { "destination": "/dev/pts", "type": "devpts", "source": "devpts",
                  "options": [ "nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5" ] },
                { "destination": "/dev/shm", "type": "tmpfs", "source": "shm",
                  "options": [ "nosuid", "noexec", "nodev", "mode=1777", "size=65536k" ] },
                { "destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue",
                  "options": [ "nosuid", "noexec", "nodev" ] },
                { "destination": "/sys", "type": "sysfs", "source": "sysfs",
                  "options": [ "nosuid", "noexec", "nodev", "ro" ] },
                { "destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup",
                  "options": [ "nosuid", "noexec", "nodev", "relatime", "ro" ] }
              ],
              "linux": {
                "resources": { "devices": [ { "allow": false, "access": "rwm" } ] },
                "namespaces": [
                  { "type": "pid" }, { "type": "network" }, { "type": "ipc" }, { "type": "uts" },
                  { "type": "mount" }, { "type": "cgroup" }
                ],
                "maskedPaths": [
                  "/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list",
                  "/proc/timer_stats", "/proc/sched_debug", "/sys/firmware", "/proc/scsi"
                ],
                "readonlyPaths": [ "/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger" ]
              }
            }
            """)!;
        spec["process"]!["env"]!.AsArray().Add($"{Marker}={id}");
        spec["linux"]!["cgroupsPath"] = $"/conman-test/{id}";
        return spec;
    }
}
