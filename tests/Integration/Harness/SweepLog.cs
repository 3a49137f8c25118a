// What a whole sweep has tried so far with one binary. It takes long: whoever stops it and starts it again goes on where it was.
using System.Globalization;
using System.Security.Cryptography;

namespace Conman.Integration.Tests;

/// <summary>A file of <c>out/kill-sweep/BINARY-VIEW</c> with a line for each kill point: its number, and behind that what was wrong.</summary>
internal sealed class SweepLog
{
    private const string EndMark = "end";
    private static readonly Lazy<string> Folder = new(MakeFolder);

    private readonly string _path;

    public SweepLog(string name)
    {
        _path = $"{Folder.Value}/{name}";
        foreach (string line in File.Exists(_path) ? File.ReadAllLines(_path) : [])
        {
            if (line == EndMark)
            {
                Ended = true;
                break;
            }
            Points++;
            if (line.Contains(' '))
                Failures.Add(line);
        }
    }

    /// <summary>How many points have been tried.</summary>
    public int Points { get; private set; }

    public List<string> Failures { get; } = [];

    /// <summary>The command has no more calls.</summary>
    public bool Ended { get; private set; }

    public void Add(string? failure)
    {
        string line = (++Points).ToString(CultureInfo.InvariantCulture) + (failure is null ? "" : " " + failure.ReplaceLineEndings("; "));
        File.AppendAllText(_path, line + "\n");
    }

    public void End() => File.AppendAllText(_path, EndMark + "\n");

    // Another binary makes other calls.
    private static string MakeFolder()
    {
        using FileStream binary = File.OpenRead(Runtime.Binary);
        string hash = Convert.ToHexStringLower(SHA256.HashData(binary))[..12];
        return Directory.CreateDirectory($"{Runtime.RepositoryRoot()}/out/kill-sweep/{hash}-{(Leftovers.Unified ? "unified" : "hybrid")}").FullName;
    }
}
