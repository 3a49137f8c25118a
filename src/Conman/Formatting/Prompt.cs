// Questions to the person at the terminal.

using System.Text;
using Conman.CommandLine;
using Conman.Images;
using Conman.Linux;

namespace Conman.Formatting;

internal static class Prompt
{
    /// <summary>Asks before something is lost; only a y is a yes.</summary>
    public static bool Confirms(string warning) => Line(warning + "\nAre you sure you want to continue? [y/N] ") is ['y' or 'Y', ..];

    /// <summary>Asks for a line.</summary>
    public static string Line(string question)
    {
        Output.Write(question);
        return ReadLine();
    }

    /// <summary>Asks for a line that is not shown while it is typed.</summary>
    public static string Secret(string question)
    {
        if (!Terminals.IsTerminal(0))
            throw new ImageException("cannot ask for a password: standard input is no terminal (use --password-stdin)");
        Output.Write(question);
        using (Terminals.Silence(0))
        {
            var line = ReadLine();
            Output.Write("\n");
            return line;
        }
    }

    /// <summary>Everything that standard input has.</summary>
    public static string Rest()
    {
        using var input = Files.Duplicate(0);
        return Encoding.UTF8.GetString(Files.ReadAll(input, "standard input", 64 << 10));
    }

    private static string ReadLine()
    {
        var line = new List<byte>();
        Span<byte> one = stackalloc byte[1];
        while (Files.Read(0, one, "standard input") == 1 && one[0] != '\n')
            line.Add(one[0]);
        return Encoding.UTF8.GetString(line.ToArray()).TrimEnd('\r');
    }
}
