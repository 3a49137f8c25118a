// How a transfer looks: on a terminal a line a layer, drawn over; elsewhere a line for each thing that happened, as Docker writes it.

using System.Diagnostics;
using System.Text;
using Conman.CommandLine;
using Conman.Formatting;
using Conman.Images.Transfer;
using Conman.Linux;

namespace Conman;

internal sealed class TransferDisplay : ITransferProgress
{
    // A terminal is drawn ten times a second.
    private static readonly long Interval = Stopwatch.Frequency / 10;

    private const int BarWidth = 50;

    private readonly Lock _lock = new();
    private readonly Dictionary<TransferItem, TransferState> _told = [];
    private readonly bool _terminal = Terminals.IsTerminal(1);
    private IReadOnlyList<TransferItem> _items = [];
    private long _last, _started = Stopwatch.GetTimestamp();
    private bool _drawn;

    public void Begin(IReadOnlyList<TransferItem> items)
    {
        _items = items;
        _started = Stopwatch.GetTimestamp();
        _drawn = false;
    }

    public void Update(TransferItem item)
    {
        lock (_lock)
        {
            if (!_terminal)
            {
                TellChange(item);
                return;
            }
            var now = Stopwatch.GetTimestamp();
            if (now - _last < Interval && item.State is TransferState.Downloading or TransferState.Uploading)
                return;
            _last = now;
            Draw();
        }
    }

    private void TellChange(TransferItem item)
    {
        if (_told.TryGetValue(item, out var state) && state == item.State)
            return;
        _told[item] = item.State;
        if (Word(item.State) is { } word)
            Output.Write($"{item.Digest.Short}: {word}\n");
    }

    private void Draw()
    {
        var text = new StringBuilder();
        if (_drawn)
            text.Append($"\e[{_items.Count}A");
        var seconds = Stopwatch.GetElapsedTime(_started).TotalSeconds;
        foreach (var item in _items)
            text.Append("\e[2K").Append(Line(item, seconds)).Append('\n');
        _drawn = true;
        Output.Write(text.ToString());
    }

    private static string Line(TransferItem item, double seconds)
    {
        var head = $"{item.Digest.Short}: {Word(item.State) ?? "Pulling fs layer"}";
        if (item.State is not (TransferState.Downloading or TransferState.Uploading) || item.Total <= 0)
            return head;
        var filled = (int)(BarWidth * item.Bytes / item.Total);
        return $"{head,-25} [{new string('=', filled)}>{new string(' ', BarWidth - filled)}] {Humane.Size(item.Bytes)}/{Humane.Size(item.Total)} {Humane.Size(item.Bytes / Math.Max(seconds, 0.1))}/s";
    }

    private static string? Word(TransferState state) => state switch
    {
        TransferState.Waiting => "Waiting",
        TransferState.Downloading => "Downloading",
        TransferState.Unpacking => "Extracting",
        TransferState.Uploading => "Pushing",
        TransferState.Exists => "Already exists",
        TransferState.Done => "Complete",
        _ => null,
    };
}

/// <summary>Says nothing: --quiet.</summary>
internal sealed class NoDisplay : ITransferProgress
{
    public void Begin(IReadOnlyList<TransferItem> items)
    {
    }

    public void Update(TransferItem item)
    {
    }
}
