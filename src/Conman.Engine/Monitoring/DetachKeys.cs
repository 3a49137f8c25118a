// The keys that leave a container running and give the terminal back.

namespace Conman.Engine.Monitoring;

/// <summary>Looks for a sequence of keys in what is typed.</summary>
public sealed class DetachKeys
{
    /// <summary>Docker's own.</summary>
    public const string Default = "ctrl-p,ctrl-q";

    private readonly byte[] _sequence;
    private int _matched;

    /// <param name="text">Docker's syntax: characters and <c>ctrl-X</c>, with commas between them; empty: no keys.</param>
    /// <exception cref="EngineException">It is not.</exception>
    public DetachKeys(string text) => _sequence = text.Length == 0 ? [] : [.. text.Split(',').Select(Key)];

    private static byte Key(string key) => key switch
    {
        [var c] when c < 0x80 => (byte)c,
        ['c', 't', 'r', 'l', '-', var c] when c is '@' or (>= 'a' and <= 'z') or '[' or '\\' or ']' or '^' or '_' => (byte)(c & 0x1f),
        "DEL" => 127,
        _ => throw new EngineException($"invalid detach keys: Unknown character: '{key}'"),
    };

    /// <summary>Takes what was typed; the beginning of a sequence is held back until it is clear that it is none.</summary>
    /// <param name="typed">Gets what is the container's.</param>
    /// <returns>Whether the sequence is complete.</returns>
    public bool Feed(ReadOnlySpan<byte> input, List<byte> typed)
    {
        if (_sequence.Length == 0)
        {
            typed.AddRange(input);
            return false;
        }
        foreach (var key in input)
        {
            if (key != _sequence[_matched])
            {
                typed.AddRange(_sequence.AsSpan(0, _matched));
                _matched = 0;
            }
            if (key != _sequence[_matched])
                typed.Add(key);
            else if (++_matched == _sequence.Length)
                return true;
        }
        return false;
    }
}
