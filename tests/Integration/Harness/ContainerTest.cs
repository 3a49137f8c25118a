// The ground every test stands on: a bundle, a runtime with a state folder of its own, and, at the end, the
// question whether anything is left. A test may leave containers; they are removed by `delete --force`.
namespace Conman.Integration.Tests;

public abstract class ContainerTest : IDisposable
{
    private readonly List<Bundle> _bundles = [];
    private readonly Leftovers _before;

    static ContainerTest()
    {
        if (Libc.geteuid() == 0)
            Leftovers.RemoveThoseOfDeadRuns();
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            // The folder of all the tests' cgroups, which no runtime knows to be ours. Another run may still need it.
            foreach (string hierarchy in Leftovers.Hierarchies)
                Leftovers.TryDelete(hierarchy + "/conman-test");
        };
    }

    /// <param name="whyNot">Why the tests of this class cannot run here; null: they can. Asked before anything is made: who is skipped later, in the
    /// constructor, is not disposed.</param>
    protected ContainerTest(string? whyNot = null)
    {
        Skip.If(whyNot is not null, whyNot);
        Skip.If(Libc.geteuid() != 0, "needs root");
        Skip.IfNot(File.Exists(Leftovers.UnifiedRoot + "/cgroup.controllers"), "needs the unified hierarchy, be it beside the old ones");
        _before = new Leftovers();
        Bundle = NewBundle();
        Runtime = new Runtime(Bundle.Id);
    }

    protected Bundle Bundle { get; }

    protected Runtime Runtime { get; }

    /// <summary>One more container for the same test.</summary>
    protected Bundle NewBundle()
    {
        _bundles.Add(new Bundle());
        return _bundles[^1];
    }

    /// <summary>Starts the bundle, whose process must print "ready" when it is, and tells the pid on the host.</summary>
    protected int StartReady(Bundle bundle)
    {
        Runtime.CreateAndStart(bundle).WaitForOutput("ready");
        return Runtime.Pid(bundle.Id);
    }

    /// <summary>Starts a container that does nothing until it is killed, and tells its pid on the host.</summary>
    protected int StartIdle(Bundle bundle) => StartReady(bundle.Shell("echo ready; exec sleep 1000"));

    /// <summary>The host is as it was before the test. To be asked before the test ends when a command has failed.</summary>
    protected void AssertNothingLeft()
    {
        string[] left = FindLeftovers();
        if (left.Length > 0)
            Assert.Fail("left behind:\n" + string.Join('\n', left));
    }

    /// <summary>What is left on the host, one sentence for each thing.</summary>
    protected string[] FindLeftovers()
    {
        string[] ids = [.. _bundles.Select(b => b.Id)];
        string[] left = [];
        // A killed process takes a moment to be gone.
        long start = Environment.TickCount64;
        do
        {
            left = [.. _before.Of(ids, Runtime.Root)];
        }
        while (left.Length > 0 && Environment.TickCount64 - start < 3000);
        return left;
    }

    /// <summary>Takes away by force what <see cref="FindLeftovers"/> found, for a test that goes on.</summary>
    protected void RemoveLeftovers()
    {
        _before.Remove([.. _bundles.Select(b => b.Id)]);
        if (Directory.Exists(Runtime.Root))
            Directory.Delete(Runtime.Root, recursive: true);
    }

    /// <summary>What a test must remove itself: what it made with other programs than the runtime.</summary>
    protected virtual void CleanUp()
    {
    }

    public void Dispose()
    {
        GC.SuppressFinalize(this);
        if (Runtime is null)
            return; // skipped
        try
        {
            CleanUp();
            if (Directory.Exists(Runtime.Root) && Directory.EnumerateFileSystemEntries(Runtime.Root).Any())
            {
                foreach (Bundle bundle in _bundles)
                    Runtime.Run("delete", "--force", bundle.Id).Succeeded();
            }
            AssertNothingLeft();
        }
        finally
        {
            _before.Remove([.. _bundles.Select(b => b.Id)]);
            Runtime.Dispose();
            foreach (Bundle bundle in _bundles)
                bundle.Dispose();
        }
    }
}
