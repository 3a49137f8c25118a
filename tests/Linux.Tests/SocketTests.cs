// Sockets and waiting.

using System.Diagnostics;
using System.Text;

namespace Conman.Linux.Tests;

public sealed class SocketTests : IDisposable
{
    private readonly Scratch _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_descriptor_travels_and_is_the_same_file()
    {
        var (left, right) = Sockets.Pair();
        using (left)
        using (right)
        using (var memory = Files.SealedMemory("test", "in flight"u8))
        {
            Assert.Equal(0, Sockets.TrySendDescriptor(left, memory.Number, "name"u8));
            using var arrived = Sockets.ReceiveDescriptor(right);
            Assert.NotEqual(memory.Number, arrived!.Number);
            Assert.Equal("in flight", Encoding.UTF8.GetString(Files.ReadAll(arrived, "it")));
            Assert.Equal(0, Sockets.TrySend(left, "bytes alone"u8));
            Assert.Null(Sockets.ReceiveDescriptor(right));
            left.Dispose();
            Assert.Null(Sockets.ReceiveDescriptor(right));
        }
    }

    [Fact]
    public void Packets_keep_their_bounds_and_a_lost_peer_is_no_signal()
    {
        var (left, right) = Sockets.Pair();
        using (left)
        {
            Sockets.TrySend(left, "one"u8);
            Sockets.TrySend(left, "three"u8);
            var buffer = new byte[100];
            Assert.Equal(3, Sockets.Receive(right, buffer));
            Assert.Equal(5, Sockets.Receive(right, buffer));
            right.Dispose();
            Assert.Equal(Errno.EPIPE, Sockets.TrySend(left, "x"u8));
            Assert.Equal(0, Sockets.Receive(left, buffer));
        }
    }

    [Fact]
    public void A_listener_is_reached_by_its_folder_and_by_a_path_of_any_length()
    {
        var folder = _scratch[string.Join('/', Enumerable.Repeat(new string('d', 60), 4))];
        Directory.CreateDirectory(folder);
        using var directory = Files.Open(folder, OpenFlags.Path);
        using var listener = Sockets.Listen(directory, "socket");
        using var byFolder = Sockets.TryConnect(directory, "socket", out var first);
        using var byPath = Sockets.TryConnect(folder + "/socket", out var second);
        Assert.Equal((0, 0), (first, second));
        listener.Dispose();
        Assert.Null(Sockets.TryConnect(folder + "/socket", out var errno));
        Assert.Equal(Errno.ECONNREFUSED, errno);
        Assert.Null(Sockets.TryConnect(folder + "/none", out errno));
        Assert.Equal(Errno.ENOENT, errno);
    }

    [Fact]
    public void Waiting_ends_with_what_is_waited_for_or_with_the_time()
    {
        var (left, right) = Sockets.Pair();
        using (left)
        using (right)
        {
            var clock = Stopwatch.StartNew();
            Assert.False(Waiting.Readable(right, 50));
            Assert.InRange(clock.ElapsedMilliseconds, 45, 5000);
            Sockets.TrySend(left, "x"u8);
            PollEntry[] entries = [new(-1, PollEvents.In), new(right.Number, PollEvents.In), new(left.Number, PollEvents.In)];
            Assert.True(Waiting.Poll(entries));
            Assert.Equal([PollEvents.None, PollEvents.In, PollEvents.None], entries.Select(e => e.Returned));
            right.Dispose();
            Assert.True(Waiting.Poll(entries.AsSpan(2)));
            Assert.True((entries[2].Returned & PollEvents.HangUp) != 0);
        }
    }
}
