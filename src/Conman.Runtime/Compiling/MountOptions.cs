// Mount options: words that mean attributes of the mount, propagation, or something for the file system itself.

using Conman.Linux;

namespace Conman.Runtime.Compiling;

/// <summary>The options of one mount, sorted by who acts on them (runtime-spec config.md, "Linux mount options"; mount(8)).</summary>
internal sealed class MountOptions
{
    public bool Bind { get; private set; }
    public bool BindRecursive { get; private set; }
    public MountAttributes Set { get; private set; }
    public MountAttributes Clear { get; private set; }
    public MountAttributes SetRecursive { get; private set; }
    public MountAttributes ClearRecursive { get; private set; }
    public Propagation Propagation { get; private set; }
    public bool PropagationRecursive { get; private set; }

    /// <summary>The tmpfs begins with a copy of what it covers.</summary>
    public bool CopyUp { get; private set; }

    /// <summary>A source that is a symbolic link is made again at the destination, and nothing is mounted.</summary>
    public bool CopyLink { get; private set; }

    /// <summary>A source that is a symbolic link is mounted itself.</summary>
    public bool SourceNoFollow { get; private set; }

    /// <summary>A destination that is a symbolic link is covered itself.</summary>
    public bool DestinationNoFollow { get; private set; }

    /// <summary>The mount is id-mapped, if only by the container's own user namespace.</summary>
    public bool IdMap { get; private set; }

    /// <summary>With every mount below it.</summary>
    public bool IdMapRecursive { get; private set; }

    /// <summary>The maps that crun's form <c>idmap=uids=…;gids=…</c> names; null: none.</summary>
    public string? IdMaps { get; private set; }

    /// <summary>Flags that the kernel knows for every file system (fs/fs_context.c): they go to the new one, and mean nothing to a bind.</summary>
    public static readonly string[] OfEveryFileSystem = ["async", "dirsync", "lazytime", "mand", "nolazytime", "sync"];

    /// <summary>For fsconfig(2): option and value in turn; an empty value is a flag.</summary>
    public List<string> FileSystem { get; } = [];

    public static MountOptions Parse(List<string>? options)
    {
        var result = new MountOptions();
        foreach (var option in options ?? [])
            result.Add(option);
        return result;
    }

    private void Add(string option)
    {
        switch (option)
        {
            case "bind": Bind = true; return;
            case "rbind": Bind = BindRecursive = true; return;
            case "defaults": return;
            case "tmpcopyup": CopyUp = true; return;
            case "copy-symlink": CopyLink = true; return;
            case "src-nofollow": SourceNoFollow = true; return;
            case "dest-nofollow": DestinationNoFollow = true; return;
            case "idmap": MapIds(false, null); return;
            case "ridmap": MapIds(true, null); return;
            case "private": Propagate(Propagation.Private, false); return;
            case "rprivate": Propagate(Propagation.Private, true); return;
            case "slave": Propagate(Propagation.Slave, false); return;
            case "rslave": Propagate(Propagation.Slave, true); return;
            case "shared": Propagate(Propagation.Shared, false); return;
            case "rshared": Propagate(Propagation.Shared, true); return;
            case "unbindable": Propagate(Propagation.Unbindable, false); return;
            case "runbindable": Propagate(Propagation.Unbindable, true); return;
            // Of mounts that are remounted; a new mount has nothing to remount.
            case "remount" or "nomand" or "norelatime" or "nostrictatime" or "rnorelatime" or "rnostrictatime" or "loud" or "silent": return;
        }
        if (Attribute(option, out var set, out var clear))
        {
            // A later word overrides an earlier one.
            Set = (Set & ~clear) | set;
            Clear = (Clear & ~set) | clear;
        }
        else if (option.Length > 1 && option[0] == 'r' && Attribute(option[1..], out set, out clear))
        {
            SetRecursive = (SetRecursive & ~clear) | set;
            ClearRecursive = (ClearRecursive & ~set) | clear;
        }
        else if (option.StartsWith("idmap=", StringComparison.Ordinal) || option.StartsWith("ridmap=", StringComparison.Ordinal))
        {
            MapIds(option[0] == 'r', option[(option.IndexOf('=') + 1)..]);
        }
        else
        {
            var equals = option.IndexOf('=');
            FileSystem.Add(equals < 0 ? option : option[..equals]);
            FileSystem.Add(equals < 0 ? "" : option[(equals + 1)..]);
        }
    }

    private void MapIds(bool recursive, string? maps) => (IdMap, IdMapRecursive, IdMaps) = (true, recursive, maps ?? IdMaps);

    private void Propagate(Propagation propagation, bool recursive) => (Propagation, PropagationRecursive) = (propagation, recursive);

    // The kernel wants the whole field of access-time modes cleared when one of them is set (mount_setattr(2)).
    private static bool Attribute(string word, out MountAttributes set, out MountAttributes clear)
    {
        (set, clear) = word switch
        {
            "ro" => (MountAttributes.ReadOnly, MountAttributes.None),
            "rw" => (MountAttributes.None, MountAttributes.ReadOnly),
            "nosuid" => (MountAttributes.NoSuid, MountAttributes.None),
            "suid" => (MountAttributes.None, MountAttributes.NoSuid),
            "nodev" => (MountAttributes.NoDev, MountAttributes.None),
            "dev" => (MountAttributes.None, MountAttributes.NoDev),
            "noexec" => (MountAttributes.NoExec, MountAttributes.None),
            "exec" => (MountAttributes.None, MountAttributes.NoExec),
            "noatime" => (MountAttributes.NoAccessTime, MountAttributes.AccessTimeMask),
            "strictatime" => (MountAttributes.StrictAccessTime, MountAttributes.AccessTimeMask),
            "relatime" or "atime" => (MountAttributes.None, MountAttributes.AccessTimeMask),
            "nodiratime" => (MountAttributes.NoDirectoryAccessTime, MountAttributes.None),
            "diratime" => (MountAttributes.None, MountAttributes.NoDirectoryAccessTime),
            "nosymfollow" => (MountAttributes.NoSymlinkFollow, MountAttributes.None),
            "symfollow" => (MountAttributes.None, MountAttributes.NoSymlinkFollow),
            _ => (MountAttributes.None, MountAttributes.None),
        };
        return (set | clear) != 0;
    }
}
