// Records: a small file for each name of an image. A tag that moves replaces its file; the image that it left keeps a name by its digest.

using System.Text;
using Conman.Linux;
using Conman.Oci;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Store;

/// <summary>What a name stands for.</summary>
[OciObject]
public sealed partial class ImageRecord
{
    /// <summary>The canonical reference, with a tag or a digest: <c>docker.io/library/alpine:3.20</c>; for an image without a name <c>&lt;none&gt;@sha256:…</c>.</summary>
    public string? Name { get; set; }

    /// <summary>What the name stood for where it came from: an index or a manifest.</summary>
    public Descriptor? Target { get; set; }

    /// <summary>The manifest for the platform that was chosen.</summary>
    public Descriptor? Manifest { get; set; }

    /// <summary>The configuration: its digest is the image's id.</summary>
    public Descriptor? Config { get; set; }

    /// <summary>When the image was made, RFC 3339; absent if it does not say.</summary>
    public string? Created { get; set; }

    /// <summary>Bytes of the files in its layers.</summary>
    public long Size { get; set; }

    /// <summary><c>os/architecture[/variant]</c>.</summary>
    public string? Platform { get; set; }

    /// <summary>It came from the registry of its name, under <see cref="Target"/>'s digest.</summary>
    public bool Pulled { get; set; }

    /// <summary>When the name was given, RFC 3339.</summary>
    public string? Tagged { get; set; }

    /// <summary>This moment, RFC 3339.</summary>
    public static string Now => DateTimeOffset.UtcNow.ToString("yyyy-MM-ddTHH:mm:ssZ", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The image's id.</summary>
    public Digest Id => Digest.Parse(Config?.Digest);

    /// <summary>The name without its tag or digest: <c>docker.io/library/alpine</c>.</summary>
    public string Repository => Name![..Split];

    /// <summary>The tag, or null where the name is one by digest.</summary>
    public string? Tag => Name![Split] == ':' ? Name[(Split + 1)..] : null;

    private int Split
    {
        get
        {
            var at = Name!.IndexOf('@');
            return at >= 0 ? at : Name.LastIndexOf(':');
        }
    }
}

/// <summary>The folder <c>images</c>.</summary>
public sealed class ImageRecords(FileDescriptor folder) : IDisposable
{
    /// <summary>The repository of an image without a name.</summary>
    public const string Nameless = "<none>";

    // NAME_MAX is 255, and Replace writes beside it under a name of five characters more.
    private const int LongestName = 240;

    /// <summary>Hears that a name was given to an image (<c>tag</c>) or taken from it (<c>untag</c>), and of which image, where that is known.</summary>
    public Action<string, string, string?> Told { get; set; } = (_, _, _) => { };

    public void Dispose() => folder.Dispose();

    /// <summary>The record of a canonical name, or null.</summary>
    public ImageRecord? Find(string name)
    {
        using var file = Files.TryOpen(FileName(name), OpenFlags.ReadOnly | Files.NoFollow, out _, folder.Number);
        return file is null ? null : Read(file, name);
    }

    /// <summary>Every record, by name.</summary>
    /// <param name="damaged">Gets the file names of those that cannot be read.</param>
    public List<ImageRecord> All(List<string>? damaged = null)
    {
        var records = new List<ImageRecord>();
        using var reading = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, folder.Number);
        foreach (var name in Files.List(reading, "images"))
        {
            if (!name.EndsWith(".json", StringComparison.Ordinal) || name[0] == '.')
                continue;
            using var file = Files.TryOpen(name, OpenFlags.ReadOnly | Files.NoFollow, out _, folder.Number);
            if (file is null)
                continue; // removed meanwhile
            try
            {
                records.Add(Read(file, null));
            }
            catch (ImageException) when (damaged is not null)
            {
                damaged.Add(name);
            }
        }
        records.Sort((a, b) => string.CompareOrdinal(a.Name, b.Name));
        return records;
    }

    /// <summary>Writes a record, to last. An image that thereby loses its last name keeps one by its digest; one that gets a name needs no other.</summary>
    public void Write(ImageRecord record)
    {
        using var writing = Lock();
        var all = All([]);
        bool HasOther(ImageRecord of) => all.Exists(r => r.Config?.Digest == of.Config?.Digest && r.Name != of.Name);
        if (record.Repository == Nameless && HasOther(record))
            return;
        if (all.Find(r => r.Name == record.Name) is { Tag: not null } old && old.Config?.Digest != record.Config?.Digest && !HasOther(old))
        {
            old.Name = $"{(old.Pulled ? old.Repository : Nameless)}@{old.Target!.Digest}";
            Replace(old);
        }
        Replace(record);
        Told("tag", record.Name!, record.Config?.Digest);
        foreach (var needless in all.Where(r => r.Repository == Nameless && r.Config?.Digest == record.Config?.Digest && r.Name != record.Name))
            Remove(needless.Name!);
    }

    /// <summary>Removes a name; false if there is none.</summary>
    public bool Remove(string name)
    {
        if (Files.TryUnlink(FileName(name), folder.Number) != 0)
            return false;
        Told("untag", name, null);
        return true;
    }

    /// <summary>Removes what killed commands wrote beside a record and did not rename to it.</summary>
    internal void RemoveHalfWritten()
    {
        using var writing = Lock();
        foreach (var name in Files.List(writing, "images"))
        {
            if (name[0] == '.')
                Files.TryUnlink(name, folder.Number);
        }
    }

    /// <summary>Removes a record that cannot be read, by the name of its file.</summary>
    internal void RemoveFile(string file) => Files.TryUnlink(file, folder.Number);

    // One writer at a time: what is written depends on what is there.
    private FileDescriptor Lock()
    {
        var own = Files.Open(".", OpenFlags.ReadOnly | Files.Directory, folder.Number);
        Files.Lock(own, wait: true, "images");
        return own;
    }

    private void Replace(ImageRecord record) => Storage.Replace(folder, FileName(record.Name!), record.ToUtf8(indented: true));

    // The name, with + for what cannot stand in a file's name; a long one is cut and told apart by a digest.
    private static string FileName(string name)
    {
        var file = name.Replace('/', '+') + ".json";
        return file.Length <= LongestName ? file : file[..150] + "+" + Digest.Of(Encoding.UTF8.GetBytes(name)).Hex + ".json";
    }

    private static ImageRecord Read(FileDescriptor file, string? name)
    {
        try
        {
            var record = ImageRecord.Parse(Files.ReadAll(file, "an image's record"));
            if (record is not { Name.Length: > 0, Target.Digest: not null, Manifest.Digest: not null } || !Digest.TryParse(record.Config?.Digest, out _)
                || record.Name.AsSpan().IndexOfAny('@', ':') < 0 || (name is not null && record.Name != name))
                throw new ImageException($"the record of image {name ?? record.Name} is damaged: run 'conman image check --repair'");
            return record;
        }
        catch (OciFormatException e)
        {
            throw new ImageException($"the record of {(name is null ? "an image" : "image " + name)} is damaged: run 'conman image check --repair'", e);
        }
    }
}
