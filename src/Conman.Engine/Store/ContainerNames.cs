// Ids and names of containers.

using Conman.Linux;

namespace Conman.Engine.Store;

public static class ContainerNames
{
    /// <summary>Hexadecimal digits of an id.</summary>
    public const int IdLength = 64;

    // What is said of a ship, and a word for what carries.
    private static ReadOnlySpan<byte> Adjectives => "amber bold brisk calm clear crisp deep early eager fair fast firm fresh gentle grand happy keen kind light lively loyal lucid merry mild neat nimble noble patient plain polite proud quick quiet ready robust sharp silent sleek smooth sober solid spry steady still stout sturdy swift tidy true vivid warm wise"u8;

    private static ReadOnlySpan<byte> Nouns => "anchor ark barge barque basket boat box brig buoy canoe cargo clipper coaster cog craft crane crate cutter dhow dinghy dory ferry frigate galley harbor helm hull junk kayak keel ketch lighter lugger mast oar packet pallet pilot pinnace prow punt quay raft rudder sail schooner ship skiff sloop tender trawler tug vessel wharf yacht yawl"u8;

    /// <summary>A new random id.</summary>
    public static string NewId()
    {
        Span<byte> random = stackalloc byte[IdLength / 2];
        Randomness.Fill(random);
        return Convert.ToHexStringLower(random);
    }

    /// <summary>Two random words: <c>swift_barge</c>.</summary>
    public static string NewName()
    {
        Span<byte> random = stackalloc byte[8];
        Randomness.Fill(random);
        return Pick(Adjectives, random[..4]) + "_" + Pick(Nouns, random[4..]);
    }

    /// <summary>Whether a text has the form of a whole id.</summary>
    public static bool IsId(string text) => text.Length == IdLength && !text.AsSpan().ContainsAnyExcept("0123456789abcdef");

    /// <summary>Whether a text may be a name: <c>[a-zA-Z0-9][a-zA-Z0-9_.-]*</c>, at most 255 bytes (the name of a file).</summary>
    public static bool IsName(string text)
    {
        var valid = text.Length is > 0 and <= 255 && char.IsAsciiLetterOrDigit(text[0]);
        foreach (var c in text)
            valid &= char.IsAsciiLetterOrDigit(c) || c is '_' or '.' or '-';
        return valid;
    }

    /// <exception cref="EngineException">It may not be a name.</exception>
    public static void Validate(string name)
    {
        if (!IsName(name))
            throw new EngineException($"invalid container name ({name}): only [a-zA-Z0-9][a-zA-Z0-9_.-]* is allowed, at most 255 characters");
        if (IsId(name))
            throw new EngineException($"invalid container name ({name}): it is an id");
    }

    // The n-th word of a list, n by chance; that some words come a little more often does not matter.
    private static string Pick(ReadOnlySpan<byte> words, ReadOnlySpan<byte> random)
    {
        var count = words.Count((byte)' ') + 1;
        var wanted = (int)(BitConverter.ToUInt32(random) % (uint)count);
        for (; wanted > 0; wanted--)
            words = words[(words.IndexOf((byte)' ') + 1)..];
        var end = words.IndexOf((byte)' ');
        return System.Text.Encoding.UTF8.GetString(end < 0 ? words : words[..end]);
    }
}
