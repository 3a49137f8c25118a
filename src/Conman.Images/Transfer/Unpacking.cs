// An unpacker at work on a layer that is still coming: it reads the one end of a pipe, the download writes the other.

using System.Runtime.ExceptionServices;
using Conman.Images.Layers;
using Conman.Images.Registry;
using Conman.Linux;

namespace Conman.Images.Transfer;

internal sealed class Unpacking : IBlobSink, IDisposable
{
    // As much as the kernel lets an ordinary user have: the downloader seldom waits for the unpacker to wake.
    private const int PipeSize = 1 << 20;

    private readonly UnpackLayer _unpack;
    private readonly FileDescriptor _directory;
    private readonly long _compressedSize;
    private FileDescriptor? _pipe;
    private Thread? _thread;
    private UnpackedLayer? _result;
    private Exception? _failure;

    public Unpacking(UnpackLayer unpack, FileDescriptor directory, long compressedSize) => (_unpack, _directory, _compressedSize) = (unpack, directory, compressedSize);

    public long Written { get; private set; }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        if (_thread is null)
            Start();
        Written += bytes.Length;
        var errno = _pipe is null ? 0 : Files.TryWrite(_pipe.Number, bytes);
        if (errno == Errno.EPIPE)
            End(); // it has failed, and says why when its turn has come: first the blob must be what its digest says
        else if (errno != 0)
            throw new LinuxException(errno, "write to the unpacker");
    }

    public void Restart()
    {
        End();
        Trees.Empty(_directory);
        (_thread, _failure, _result, Written) = (null, null, null, 0);
    }

    /// <summary>All has been written: what came of it.</summary>
    public UnpackedLayer Finish()
    {
        if (_thread is null)
            Start(); // of nothing: an empty blob
        End();
        if (_failure is not null)
            ExceptionDispatchInfo.Throw(_failure);
        return _result!;
    }

    public void Dispose() => End();

    private void Start()
    {
        var (read, write) = Files.Pipe(PipeSize);
        _pipe = write;
        _thread = new Thread(() => Work(read), 512 << 10) { IsBackground = true };
        _thread.Start();
    }

    private void Work(FileDescriptor archive)
    {
        try
        {
            using (archive)
                _result = _unpack(_directory, archive, _compressedSize);
        }
        catch (Exception e) when (e is ImageException or LinuxException)
        {
            _failure = e;
        }
    }

    private void End()
    {
        _pipe?.Dispose();
        _pipe = null;
        _thread?.Join();
    }
}
