// Many layers made lasting by few syncs: whoever comes while one is under way shares the next.

using System.Runtime.ExceptionServices;
using Conman.Linux;

namespace Conman.Images.Store;

/// <summary>Publishes blobs and layers that are complete, after everything in them is on the disk.</summary>
public sealed class GroupCommit(ImageStore store)
{
    private readonly Lock _leader = new(), _queue = new();
    private List<Pending> _waiting = [];

    /// <summary>Returns when both are in their places, to last; either may be null. The blob has been verified.</summary>
    public void Commit(BlobIngest? blob, LayerMaking? layer)
    {
        var mine = new Pending(blob, layer);
        lock (_queue)
            _waiting.Add(mine);
        lock (_leader)
        {
            if (!mine.Done)
                Lead();
        }
        if (mine.Error is { } error)
            ExceptionDispatchInfo.Throw(error);
    }

    private void Lead()
    {
        List<Pending> group;
        lock (_queue)
            (group, _waiting) = (_waiting, []);
        try
        {
            Storage.SyncFileSystem(store.Root, "the image store");
            foreach (var pending in group)
            {
                pending.Blob?.Publish();
                pending.Layer?.Publish();
            }
            // The new names. They come after what they name, whatever becomes of this sync.
            Storage.SyncFileSystem(store.Root, "the image store");
        }
        catch (LinuxException e)
        {
            group.ForEach(pending => pending.Error = e);
        }
        group.ForEach(pending => pending.Done = true);
    }

    private sealed class Pending(BlobIngest? blob, LayerMaking? layer)
    {
        public BlobIngest? Blob { get; } = blob;

        public LayerMaking? Layer { get; } = layer;

        public bool Done { get; set; }

        public LinuxException? Error { get; set; }
    }
}
