// A blob on its way from a registry: in order, on from where the sink stands after each cut, a large one in several pieces at a time.
//
// The thread that calls hands every byte to the sink. Helpers fetch pieces ahead into memory while there is some to have; a piece that a helper could
// not get the caller fetches itself. So helpers only ever help, and what a registry does wrong is dealt with in one place.

using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Conman.Linux;
using Conman.Oci.ImageSpec;

namespace Conman.Images.Registry;

/// <summary>Memory for pieces that are fetched ahead, for all downloads of a client together.</summary>
internal sealed class SegmentMemory(TransferLimits limits)
{
    private readonly SemaphoreSlim _free = new(limits.SegmentsAhead);
    private readonly ConcurrentBag<byte[]> _buffers = [];

    /// <summary>Waits for memory; null if it is given up.</summary>
    public byte[]? Take(CancellationToken stop)
    {
        try
        {
            _free.Wait(stop);
        }
        catch (OperationCanceledException)
        {
            return null;
        }
        return _buffers.TryTake(out var buffer) ? buffer : GC.AllocateUninitializedArray<byte>(limits.Segment);
    }

    public void Return(byte[] buffer)
    {
        _buffers.Add(buffer);
        _free.Release();
    }
}

internal sealed class BlobDownload(RegistryHost host, string repository, Descriptor blob, TransferLimits limits, SegmentMemory memory)
{
    // So much since the last cut, and the cuts before do not count.
    private const int Progress = 64 << 10;
    private const int Helpers = 3;

    private readonly Uri _address = host.At($"v2/{repository}/blobs/{blob.Digest}");
    private readonly Retry _retry = new(limits);
    private string? _version;
    private bool _whole, _versionsVary;
    private long _inSink; // ticks of Stopwatch

    /// <summary>Until the sink has all of it.</summary>
    /// <exception cref="RegistryException">It is not to be had.</exception>
    public void Run(IBlobSink sink)
    {
        while (sink.Written < blob.Size)
        {
            var before = sink.Written;
            try
            {
                if (!_whole && blob.Size - before >= 2L * limits.Segment)
                    FetchInPieces(sink);
                else
                    Fetch(sink, before, blob.Size);
            }
            catch (RegistryException e)
            {
                if (sink.Written - before >= Progress)
                    _retry.Progress();
                _retry.Wait(e);
            }
        }
    }

    private void FetchInPieces(IBlobSink sink)
    {
        var start = sink.Written;
        using var ahead = new Ahead(this, start);
        // The first piece tells how fast one connection is, the sink's own time aside. More of them only cost where one is fast enough.
        var (began, inSink) = (Stopwatch.GetTimestamp(), _inSink);
        for (var i = 0; i < ahead.Count; i++)
        {
            var (from, to) = ahead.Bounds(i);
            if (ahead.Take(i) is { } piece)
            {
                sink.Write(piece.AsSpan(0, (int)(to - from)));
                memory.Return(piece);
            }
            else
            {
                Fetch(sink, from, to);
            }
            if (sink.Written != to)
                return; // the whole came, or it began anew
            if (i == 0)
            {
                var seconds = (Stopwatch.GetTimestamp() - began - (_inSink - inSink)) / (double)Stopwatch.Frequency;
                if (limits.Segment / seconds >= limits.Plenty)
                {
                    Fetch(sink, to, blob.Size);
                    return;
                }
                ahead.Start();
            }
        }
    }

    /// <summary>Bytes from the sink's end to the sink. May end elsewhere than asked: where the registry sends all, or what is there counts for nothing.</summary>
    private void Fetch(IBlobSink sink, long from, long to)
    {
        if (_whole && from > 0)
        {
            sink.Restart();
            from = 0;
        }
        using var response = Get(from, to);
        switch (response.StatusCode)
        {
            case HttpStatusCode.OK:
                if (from > 0)
                    sink.Restart();
                from = 0;
                to = blob.Size;
                Remember(response);
                break;
            case HttpStatusCode.PartialContent when IsPart(response, from) && IsSame(response):
                break;
            default: // 416, another part, or of something that has changed meanwhile
                sink.Restart();
                _whole = true;
                _version = null;
                throw new RegistryException($"{host.Domain} does not send the rest of blob {blob.Digest}", (int)response.StatusCode, transient: true);
        }
        var n = host.Transport.Read(response, bytes =>
        {
            var began = Stopwatch.GetTimestamp();
            sink.Write(bytes);
            _inSink += Stopwatch.GetTimestamp() - began;
        }, to - from);
        if (n < to - from)
            throw CutOff(n, to - from);
    }

    private HttpResponseMessage Get(long from, long to)
    {
        var call = new Call(HttpMethod.Get, _address) { Scope = RegistryClient.Pull(repository) };
        if (from > 0 || to < blob.Size)
            call.Headers.Add(("Range", $"bytes={from}-{to - 1}"));
        return host.Send(call, $"download blob {blob.Digest}", HttpStatusCode.RequestedRangeNotSatisfiable);
    }

    private bool IsPart(HttpResponseMessage response, long from) =>
        response.Content.Headers.ContentRange is { Unit: "bytes" } range && range.From == from && (range.Length is null || range.Length == blob.Size);

    // By its digest it is always the same: that a registry says otherwise may mean that another one is behind the name now. Where every answer has
    // another version, it means nothing.
    private bool IsSame(HttpResponseMessage response)
    {
        var version = Version(response);
        if (_version is null || version is null || _versionsVary || version == _version)
        {
            _version ??= version;
            return true;
        }
        _versionsVary = true;
        return false;
    }

    private void Remember(HttpResponseMessage response) => _version = Version(response);

    private static string? Version(HttpResponseMessage response) => response.Headers.TryGetValues("ETag", out var values) ? values.FirstOrDefault() : null;

    private RegistryException CutOff(long n, long expected) =>
        new($"{host.Domain} ended blob {blob.Digest} after {n} of {expected} bytes", transient: true);

    /// <summary>The pieces of what is missing, some of them fetched ahead.</summary>
    private sealed class Ahead(BlobDownload download, long start) : IDisposable
    {
        private readonly int _segment = download.Limits.Segment;
        private readonly Dictionary<int, byte[]> _pieces = [];
        private readonly HashSet<int> _busy = [];
        private readonly CancellationTokenSource _stop = new();
        private int _next = 1;

        public int Count { get; } = (int)((download.Size - start + download.Limits.Segment - 1) / download.Limits.Segment);

        public (long From, long To) Bounds(int i) => (start + (long)i * _segment, Math.Min(start + (long)(i + 1) * _segment, download.Size));

        public void Start()
        {
            for (var i = 0; i < Math.Min(Helpers, Count - 1); i++)
                new Thread(Help, 512 << 10) { IsBackground = true }.Start();
        }

        /// <summary>A piece that a helper fetched, or is about to have; null: the caller must fetch it, and nobody else will.</summary>
        public byte[]? Take(int i)
        {
            lock (_pieces)
            {
                while (_busy.Contains(i))
                    Monitor.Wait(_pieces);
                _next = Math.Max(_next, i + 1);
                return _pieces.Remove(i, out var piece) ? piece : null;
            }
        }

        public void Dispose()
        {
            lock (_pieces)
            {
                _stop.Cancel();
                foreach (var piece in _pieces.Values)
                    download.Memory.Return(piece);
                _pieces.Clear();
            }
        }

        private void Help()
        {
            while (download.Memory.Take(_stop.Token) is { } buffer)
            {
                int i;
                lock (_pieces)
                {
                    i = _next;
                    if (i < Count && !_stop.IsCancellationRequested)
                    {
                        _next++;
                        _busy.Add(i);
                    }
                    else
                    {
                        i = -1;
                    }
                }
                var fetched = i >= 0 && Fetch(i, buffer);
                lock (_pieces)
                {
                    _busy.Remove(i);
                    if (fetched && !_stop.IsCancellationRequested)
                        _pieces[i] = buffer;
                    else
                        download.Memory.Return(buffer);
                    Monitor.PulseAll(_pieces);
                }
                if (!fetched)
                    return;
            }
        }

        private bool Fetch(int i, byte[] buffer)
        {
            var (from, to) = Bounds(i);
            var had = 0;
            try
            {
                using var response = download.Get(from, to);
                if (response.StatusCode != HttpStatusCode.PartialContent || !download.IsPart(response, from) || Version(response) != download._version)
                    return false;
                download.Host.Transport.Read(response, bytes =>
                {
                    if (_stop.IsCancellationRequested)
                        throw new RegistryException("the download has ended");
                    bytes.CopyTo(buffer.AsSpan(had));
                    had += bytes.Length;
                }, to - from);
                return had == to - from;
            }
            catch (Exception e) when (e is ImageException or LinuxException)
            {
                return false; // the caller meets it too, and knows what to do
            }
        }
    }

    private RegistryHost Host => host;

    private TransferLimits Limits => limits;

    private SegmentMemory Memory => memory;

    private long Size => blob.Size;
}
