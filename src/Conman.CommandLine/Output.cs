// Standard output without System.Console, whose set-up costs more than a container.

using System.Text;
using Conman.Linux;

namespace Conman.CommandLine;

internal static class Output
{
    /// <summary>Writes to standard output. A reader that went away is no error.</summary>
    public static void Write(string text) => Write(Encoding.UTF8.GetBytes(text));

    /// <summary>Writes to standard output.</summary>
    public static void Write(ReadOnlySpan<byte> data)
    {
        var errno = Files.TryWrite(1, data);
        if (errno is not (0 or Errno.EPIPE))
            throw new Runtime.RuntimeException($"cannot write to standard output: {LinuxException.Describe(errno)}");
    }

    /// <summary>Writes a line to standard error; nothing can be said if that fails.</summary>
    public static void Error(string line) => Files.TryWrite(2, Encoding.UTF8.GetBytes(line + "\n"));
}
