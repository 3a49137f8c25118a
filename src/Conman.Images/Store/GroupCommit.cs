// Many layers made lasting by few syncs: whoever comes while one is under way shares the next.

using System.Runtime.ExceptionServices;
using Conman.Linux;

namespace Conman.Images.Store;

/// <summary>Publishes blobs and layers that are complete, after everything in them is on the disk.</summary>
public sealed class GroupCommit(ImageStore store)
{
    private readonly Lock _leader = new(), _queue = new();
    private List<Pending> _waiting = [];

    /// <summary>Returns when all are in their places, to last. The blobs have been verified.</summary>
    public void Commit(IReadOnlyList<(BlobIngest? Blob, LayerMaking? Layer)> content)
    {
        var mine = new Pending(content);
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
            foreach (var (blob, layer) in group.SelectMany(pending => pending.Content))
            {
                blob?.Publish();
                layer?.Publish();
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

    private sealed class Pending(IReadOnlyList<(BlobIngest? Blob, LayerMaking? Layer)> content)
    {
        public IReadOnlyList<(BlobIngest? Blob, LayerMaking? Layer)> Content { get; } = content;

        public bool Done { get; set; }

        public LinuxException? Error { get; set; }
    }
}
