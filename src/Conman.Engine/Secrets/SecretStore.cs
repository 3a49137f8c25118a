// Secrets: <root>/secrets/<name>, which only root can read: a line of JSON, and what is secret after it. One file, so that it is there or not.

using System.Security.Cryptography;
using Conman.Linux;
using Conman.Oci;

namespace Conman.Engine.Secrets;

/// <summary>What is known of a secret.</summary>
[OciObject]
public sealed partial class StoredSecret
{
    /// <summary>24 hexadecimal digits.</summary>
    public string? Id { get; set; }

    /// <summary>RFC 3339.</summary>
    public string? CreatedAt { get; set; }

    public string? UpdatedAt { get; set; }

    public Dictionary<string, string>? Labels { get; set; }
}

/// <summary>There is no such secret.</summary>
public sealed class NoSuchSecretException(string name) : EngineException($"no such secret: {name}");

public sealed class SecretStore(string root)
{
    private const int MostBytes = 512_000; // Podman's

    private string Folder { get; } = root + "/secrets";

    /// <summary>Keeps a secret; its id.</summary>
    /// <param name="replace">One of the name may be there; it keeps its id.</param>
    /// <exception cref="EngineException">The name is no name or taken, or the secret is empty or too much.</exception>
    public string Create(string name, ReadOnlySpan<byte> data, Dictionary<string, string>? labels, bool replace)
    {
        CheckName(name);
        if (data.Length is 0 or > MostBytes)
            throw new EngineException($"secret {name}: a secret has 1 to {MostBytes} bytes, this has {data.Length}");
        Files.MakeDirectories(Folder, 0x1c0 /* 0700 */);
        using var folder = Files.Open(Folder, OpenFlags.ReadOnly | Files.Directory);
        Files.Lock(folder, wait: true, Folder);
        var old = TryRead(name);
        if (old is not null && !replace)
            throw new EngineException($"secret name \"{name}\" is already in use");
        var record = new StoredSecret
        {
            Id = old?.Record.Id ?? Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12)),
            CreatedAt = old?.Record.CreatedAt ?? Time.Now,
            UpdatedAt = Time.Now,
            Labels = labels ?? old?.Record.Labels,
        };
        Storage.Replace(folder, name, [.. record.ToUtf8(indented: false), (byte)'\n', .. data]);
        return record.Id;
    }

    /// <summary>What is secret.</summary>
    /// <exception cref="NoSuchSecretException"/>
    public byte[] Read(string name) => TryRead(name)?.Data ?? throw new NoSuchSecretException(name);

    /// <summary>A secret by name or id, or the beginning of its id; null: there is none.</summary>
    public (string Name, StoredSecret Record)? TryFind(string text)
    {
        (string, StoredSecret)? found = null;
        foreach (var (name, record) in All())
        {
            if (name == text)
                return (name, record);
            if (text.Length > 2 && record.Id!.StartsWith(text, StringComparison.Ordinal))
                found = found is null ? (name, record) : throw new EngineException($"{text}: more than one secret has an id that begins so");
        }
        return found;
    }

    /// <summary>Every secret, by name.</summary>
    public List<(string Name, StoredSecret Record)> All()
    {
        var secrets = new List<(string, StoredSecret)>();
        using var folder = Files.TryOpen(Folder, OpenFlags.ReadOnly | Files.Directory, out _);
        if (folder is null)
            return secrets;
        var names = Files.List(folder, Folder);
        names.Sort(StringComparer.Ordinal);
        foreach (var name in names)
        {
            if (name[0] != '.' && TryRead(name) is { } secret)
                secrets.Add((name, secret.Record));
        }
        return secrets;
    }

    /// <summary>Removes a secret; false: there was none.</summary>
    public bool Remove(string name)
    {
        CheckName(name);
        return Files.TryUnlink(Folder + "/" + name) == 0;
    }

    private (StoredSecret Record, byte[] Data)? TryRead(string name)
    {
        CheckName(name);
        using var file = Files.TryOpen(Folder + "/" + name, OpenFlags.ReadOnly | Files.NoFollow, out _);
        if (file is null)
            return null;
        var content = Files.ReadAll(file, name);
        var line = content.AsSpan().IndexOf((byte)'\n');
        try
        {
            return line < 0 ? null : (StoredSecret.Parse(content.AsSpan(0, line)), content[(line + 1)..]);
        }
        catch (OciFormatException e)
        {
            throw new EngineException($"secret {name} is damaged: {e.Message}", e);
        }
    }

    private static void CheckName(string name)
    {
        var valid = name.Length is > 0 and <= 253 && char.IsAsciiLetterOrDigit(name[0]);
        foreach (var c in name)
            valid &= char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-';
        if (!valid)
            throw new EngineException($"\"{name}\" is no name for a secret: letters, digits, '_', '.' and '-', the first a letter or digit");
    }
}
