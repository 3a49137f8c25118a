// What a transfer tells about itself while it runs.

namespace Conman.Images.Transfer;

/// <summary>Where a layer is on its way.</summary>
public enum TransferState
{
    /// <summary>Nothing has come yet.</summary>
    Queued,

    /// <summary>Another pull is at it; this one waits.</summary>
    Waiting,
    Downloading,

    /// <summary>All of it has come; its files are still being written.</summary>
    Unpacking,
    Uploading,

    /// <summary>It was there before.</summary>
    Exists,
    Done,
}

/// <summary>One layer or document on its way; written by one thread, read by any.</summary>
public sealed class TransferItem(Digest digest, long total)
{
    private long _bytes;

    public Digest Digest { get; } = digest;

    /// <summary>Bytes in all.</summary>
    public long Total { get; } = total;

    /// <summary>Bytes so far.</summary>
    public long Bytes
    {
        get => Volatile.Read(ref _bytes);
        set => Volatile.Write(ref _bytes, value);
    }

    public TransferState State { get; set; }
}

/// <summary>Gets told; called by several threads.</summary>
public interface ITransferProgress
{
    /// <summary>These are the items, in the order of the layers.</summary>
    void Begin(IReadOnlyList<TransferItem> items);

    /// <summary>More bytes, or another state.</summary>
    void Update(TransferItem item);
}
