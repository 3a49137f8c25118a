// Prints a log as `docker logs` does: to standard output what was written there, to standard error the rest.

using Conman.Linux;

namespace Conman.Engine.Monitoring;

/// <summary>Gathers what goes to one descriptor, and writes it in large pieces.</summary>
/// <param name="timestamps">Each line begins with its time.</param>
public sealed class LogPrinter(bool timestamps)
{
    private readonly byte[] _buffer = new byte[64 << 10];
    private readonly bool[] _inLine = new bool[2];
    private int _used;
    private bool _error;

    /// <summary>A <see cref="LogSink"/>.</summary>
    public void Print(bool error, ReadOnlySpan<byte> time, ReadOnlySpan<byte> text)
    {
        if (error != _error)
            Flush();
        _error = error;
        ref var inLine = ref _inLine[error ? 1 : 0];
        if (timestamps && !inLine)
        {
            Write(time);
            Write(" "u8);
        }
        Write(text);
        inLine = text.Length > 0 && text[^1] != '\n';
    }

    /// <summary>Writes what is left; to be called at the end, and where more may be long in coming.</summary>
    /// <exception cref="LinuxException">It cannot be written.</exception>
    public void Flush()
    {
        Files.Write(_error ? 2 : 1, _buffer.AsSpan(0, _used), _error ? "standard error" : "standard output");
        _used = 0;
    }

    private void Write(ReadOnlySpan<byte> data)
    {
        while (data.Length > 0)
        {
            if (_used == _buffer.Length)
                Flush();
            var n = Math.Min(data.Length, _buffer.Length - _used);
            data[..n].CopyTo(_buffer.AsSpan(_used));
            _used += n;
            data = data[n..];
        }
    }
}
