// A stream that a thread of its own reads ahead of its reader: decompressing goes on while files are written.

using System.Collections.Concurrent;
using System.Runtime.ExceptionServices;
using Conman.Images.Compression;

namespace Conman.Images.Layers;

internal sealed class ReadAhead : ReadOnlyStream
{
    private const int Buffers = 8, BufferSize = 256 << 10;

    private readonly Stream _stream;
    private readonly BlockingCollection<(byte[] Buffer, int Length)> _filled = new(Buffers), _empty = new(Buffers);
    private readonly Thread _thread;
    private (byte[] Buffer, int Length) _current = ([], 0);
    private int _start;
    private Exception? _failure;
    private bool _ended;

    public ReadAhead(Stream stream)
    {
        _stream = stream;
        for (var i = 0; i < Buffers; i++)
            _empty.Add((GC.AllocateUninitializedArray<byte>(BufferSize), 0));
        _thread = new Thread(Work, 512 << 10) { IsBackground = true };
        _thread.Start();
    }

    public override int Read(Span<byte> buffer)
    {
        if (_start == _current.Length && !_ended)
        {
            if (_current.Buffer.Length > 0)
                _empty.Add(_current);
            _ended = !_filled.TryTake(out _current, Timeout.Infinite);
            _start = 0;
        }
        if (_ended)
        {
            if (_failure is not null)
                ExceptionDispatchInfo.Throw(_failure);
            return 0;
        }
        var n = Math.Min(buffer.Length, _current.Length - _start);
        _current.Buffer.AsSpan(_start, n).CopyTo(buffer);
        _start += n;
        return n;
    }

    /// <summary>Waits for the thread: what it reads must have an end.</summary>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _empty.CompleteAdding();
            _thread.Join();
            _stream.Dispose();
        }
        base.Dispose(disposing);
    }

    private void Work()
    {
        try
        {
            while (_empty.TryTake(out var next, Timeout.Infinite))
            {
                // As much as there is: what comes by a pipe may be long in coming.
                var used = _stream.Read(next.Buffer, 0, next.Buffer.Length);
                if (used == 0)
                    break;
                _filled.Add((next.Buffer, used));
            }
        }
        catch (Exception e)
        {
            _failure = e;
        }
        _filled.CompleteAdding();
    }
}
