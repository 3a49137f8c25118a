// The log of events across its rotation: nothing is lost, nothing told twice, and what is no event is passed over.

using Conman.Engine.Events;

namespace Conman.Engine.Tests;

public sealed class EventReaderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("conman-events-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Every_event_is_read_once_also_when_the_file_is_followed_by_another()
    {
        var log = new EventLog(_folder);
        using var reader = new EventReader(log);
        var told = new List<int>();
        var filler = new string('x', 20_000);
        for (var i = 0; i < 500; i++) // ten megabytes: the file changes twice
        {
            log.Append("container", "create", i.ToString(), new() { ["filler"] = filler });
            if (i % 7 == 0)
                reader.Read(e => told.Add(int.Parse(e.Actor!.Id!)));
        }
        reader.Read(e => told.Add(int.Parse(e.Actor!.Id!)));
        Assert.Equal(Enumerable.Range(0, 500), told);
        Assert.True(File.Exists(log.Earlier));
    }

    [Fact]
    public void Lines_that_are_no_events_are_passed_over()
    {
        var log = new EventLog(_folder);
        log.Append("volume", "create", "one", []);
        File.AppendAllText(log.Path, "{\"Type\":\"cont\nnothing\n\n" + new string('y', 200_000) + "\n");
        log.Append("volume", "create", "two", []);
        using var reader = new EventReader(log);
        var told = new List<string>();
        reader.Read(e => told.Add(e.Actor!.Id!));
        Assert.Equal(["one", "two"], told);
    }
}
