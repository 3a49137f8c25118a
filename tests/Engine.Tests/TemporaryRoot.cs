// A root file system of one test's own, and a folder beside it for what belongs to a container.

using Conman.Engine.Settings;
using Conman.Engine.Specs;
using Conman.Linux;
using Conman.Oci.RuntimeSpec;

namespace Conman.Engine.Tests;

internal sealed class TemporaryRoot : IDisposable
{
    public const string Id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    public TemporaryRoot()
    {
        Directory.CreateDirectory(Root + "/etc");
        Directory.CreateDirectory(Lib);
        File.WriteAllText(Root + "/etc/passwd", """
            root:x:0:0:root:/root:/bin/sh
            daemon:x:1:2:daemon:/usr/sbin:/sbin/nologin
            web:x:1000:1001:Web:/srv/web:/bin/sh
            2000:x:3000:3000:a name that is a number:/home/odd:/bin/sh
            homeless:x:1002:1002:::
            broken
            :x:77
            """);
        File.WriteAllText(Root + "/etc/group", """
            root:x:0:root
            bin:x:1:root,daemon
            daemon:x:2:
            web:x:1001:
            video:x:44:web
            audio:x:29:daemon,web
            """);
    }

    public string Path { get; } = Directory.CreateTempSubdirectory("conman-engine-tests-").FullName;

    public string Root => Path + "/root";

    public string Lib => Path + "/lib";

    public FileDescriptor Open() => Files.Open(Root, OpenFlags.Path | Files.Directory);

    /// <summary>Builds a document, with the folder's name taken out of it.</summary>
    public Spec Build(ContainerConfig? config = null, HostConfig? host = null, List<Mount>? volumes = null)
    {
        using var root = Open();
        config ??= new ContainerConfig();
        config.Cmd ??= ["sh"];
        return SpecBuilder.Build(new SpecInputs
        {
            Id = Id, Name = "test", Config = config, Host = host ?? new HostConfig(), Root = root, LibFolder = Lib, Volumes = volumes ?? [],
            PidOf = name => name == "other" ? 4242 : throw new EngineException($"no such container: {name}"),
            SecretOf = name => System.Text.Encoding.UTF8.GetBytes("secret of " + name),
        });
    }

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
