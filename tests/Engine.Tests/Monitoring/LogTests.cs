// Logs: byte for byte what Docker and the kubelet write, rotation without loss, and the reader's grammar.

using System.Text;
using System.Text.RegularExpressions;
using Conman.Engine.Monitoring;
using Conman.Linux;

namespace Conman.Engine.Tests.Monitoring;

public class LogTests
{
    private static string[] Lines(Monitored container, string script, LogFormat format)
    {
        container.Run(script, container.Options(format));
        container.AwaitMonitor();
        // The time is checked, and out of the way.
        return [.. Encoding.UTF8.GetString(File.ReadAllBytes(container.Log)).Split('\n')[..^1].Select(l => Regex.Replace(l, @"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z", "TIME"))];
    }

    private static string Json(string log, string stream = "stdout") => $"{{\"log\":\"{log}\",\"stream\":\"{stream}\",\"time\":\"TIME\"}}";

    [Fact]
    public void Lines_are_those_of_Docker()
    {
        using var container = new Monitored();
        // Each octal escape is a byte; the expected texts are what encoding/json of Go makes of them, with its escapes for HTML.
        Assert.Equal(
            [
                Json("plain, and longer than sixteen bytes\\n"), Json("\\n"), Json("\\\"q\\\" \\\\ \\u003c\\u003e\\u0026\\n"), Json("\\u0000\\u0001\\u0009\\r\\u001b\u007f\\n"),
                Json("\u00e9 \u20ac \ud83d\ude00 \\u2028\\u2029\\n"), Json("\\ufffd\\ufffd\\ufffd\\ufffd \\ufffd( \\ufffd\\ufffd\\ufffd \\ufffd\\n"), Json("no end"),
            ],
            Lines(container, """
                printf 'plain, and longer than sixteen bytes\n\n"q" \\ <>&\n'
                printf '\000\001\t\r\033\177\n\303\251 \342\202\254 \360\237\230\200 \342\200\250\342\200\251\n'
                printf '\377\370\300\200 \303( \355\240\200 \342\n'; sleep 0.2
                printf 'no end'
                """, LogFormat.JsonFile));
    }

    [Fact]
    public void Lines_are_those_of_the_kubelet()
    {
        using var container = new Monitored();
        Assert.Equal(["TIME stdout F a", "TIME stdout F ", "TIME stdout F \"<\ufffd", "TIME stderr F b", "TIME stdout P c"],
            Lines(container, "printf 'a\\n\\n\"<\\377\\n'; sleep 0.2; echo b >&2; sleep 0.2; printf c", LogFormat.Cri));
    }

    [Fact]
    public void A_line_is_one_however_it_comes()
    {
        using var container = new Monitored();
        Assert.Equal([Json("one line\\n")], Lines(container, "printf one; sleep 0.2; printf ' li'; sleep 0.2; printf 'ne\\n'", LogFormat.JsonFile));
    }

    [Theory]
    [InlineData(16383, new[] { 16384 })]
    [InlineData(16384, new[] { 16384, 1 })]
    [InlineData(40000, new[] { 16384, 16384, 7233 })]
    public void A_long_line_is_logged_in_pieces(int size, int[] pieces)
    {
        using var container = new Monitored();
        container.Run($"head -c {size} /dev/zero | tr '\\0' x; echo", container.Options());
        container.AwaitMonitor();
        using var reader = new LogReader(LogFormat.JsonFile, container.Log, new LogOptions());
        var found = new List<int>();
        reader.Read((_, _, text) => found.Add(text.Length));
        Assert.Equal(pieces, found);
    }

    [Fact]
    public void Binary_output_comes_back_as_UTF_8_can_hold_it()
    {
        using var container = new Monitored();
        var random = new byte[300_000];
        new Random(1).NextBytes(random);
        File.WriteAllBytes(container.Path + "/data", random);
        container.Run($"cat {container.Path}/data", container.Options(LogFormat.Cri));
        container.AwaitMonitor();
        using var reader = new LogReader(LogFormat.Cri, container.Log, new LogOptions());
        var back = new List<byte>();
        reader.Read((_, _, text) => back.AddRange(text));
        Assert.Equal(random, back);
    }

    [Fact]
    public void D9_no_line_is_lost_or_torn_when_files_rotate()
    {
        using var container = new Monitored();
        container.Run("seq 1 30000; seq 30001 60000 >&2", container.Options(maxSize: 100_000, maxFiles: 100));
        container.AwaitMonitor();
        Assert.Equal(60000, container.ReadLog().Split('\n').Count(l => l.Replace("2:", "").Length > 0));
        var files = Directory.GetFiles(container.Path, "log*");
        Assert.InRange(files.Length, 30, 99);
        foreach (var file in files)
        {
            Assert.InRange(new FileInfo(file).Length, 1, 100_200);
            Assert.EndsWith("}\n", File.ReadAllText(file));
        }
    }

    [Fact]
    public void Of_rotated_files_the_newest_are_kept()
    {
        using var container = new Monitored();
        container.Run("seq 1 10000", container.Options(maxSize: 50_000, maxFiles: 3));
        container.AwaitMonitor();
        Assert.Equal([container.Log, container.Log + ".1", container.Log + ".2"], Directory.GetFiles(container.Path, "log*").Order(StringComparer.Ordinal));
        Assert.EndsWith("9999\n10000\n", container.ReadLog());
    }

    [SkippableFact]
    public void D3_D8_a_full_disk_loses_lines_of_the_log_and_nothing_else()
    {
        using var container = new Monitored();
        Skip.IfNot(Environment.IsPrivilegedProcess, "needs root, to mount a small file system");
        var disk = Directory.CreateDirectory(container.Path + "/disk").FullName;
        Run("mount", "-t", "tmpfs", "-o", "size=100k", "none", disk);
        try
        {
            TestClient client = null!;
            container.Run($"seq 1 5000; rm {disk}/ballast; sleep 0.3; echo room again; exit 4", container.Options(log: disk + "/log"), () =>
            {
                File.WriteAllBytes(disk + "/ballast", new byte[40_000]);
                client = container.Client("b");
            });
            Assert.Equal((4, 0), client.ReadToEnd());
            client.Dispose();
            container.AwaitMonitor();
            Assert.Equal(string.Concat(Enumerable.Range(1, 5000).Select(i => i + "\n")) + "room again\n", client.Stdout);
            var lines = File.ReadAllLines(disk + "/log");
            Assert.All(lines, l => Assert.Matches("^{\"log\":\".*\\\\n\",\"stream\":\"stdout\",\"time\":\".*Z\"}$", l));
            Assert.Contains("room again", lines[^1]);
            Assert.InRange(lines.Length, 100, 4999);
        }
        finally
        {
            Run("umount", disk);
        }

        static void Run(params string[] command)
        {
            using var process = System.Diagnostics.Process.Start(command[0], command[1..]);
            process.WaitForExit();
            Assert.Equal(0, process.ExitCode);
        }
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(2500, 2500)]
    [InlineData(-1, 5000)]
    [InlineData(9000, 5000)]
    public void The_last_lines_are_found_across_files(int tail, int found)
    {
        using var container = new Monitored();
        container.Run("seq 1 5000", container.Options(maxSize: 50_000, maxFiles: 50));
        container.AwaitMonitor();
        Assert.Equal(string.Concat(Enumerable.Range(5001 - found, found).Select(i => i + "\n")), container.ReadLog(new LogOptions { Tail = tail }));
    }

    [Fact]
    public void Times_and_streams_are_filtered()
    {
        using var container = new Monitored();
        string Line(int second, string stream) => $"{{\"log\":\"{second}\\n\",\"stream\":\"{stream}\",\"time\":\"2026-01-02T03:04:{second:00}.5Z\"}}\n";
        File.WriteAllText(container.Log, Line(1, "stdout") + Line(2, "stderr") + "torn{\n" + Line(3, "stdout") + Line(4, "stdout"));
        var base_ = new DateTimeOffset(2026, 1, 2, 3, 4, 0, TimeSpan.Zero).ToUnixTimeSeconds() * 1_000_000_000L;
        Assert.Equal("1\n2:2\n3\n4\n", container.ReadLog());
        Assert.Equal("2:2\n3\n", container.ReadLog(new LogOptions { Since = base_ + 2_500_000_000, Until = base_ + 3_500_000_000 }));
        Assert.Equal("1\n3\n4\n", container.ReadLog(new LogOptions { Stderr = false }));
        Assert.Equal("2:2\n", container.ReadLog(new LogOptions { Stdout = false }));
    }

    [Fact]
    public void A_follower_sees_every_line_across_rotation_and_ends_with_the_container()
    {
        using var container = new Monitored();
        container.Run("i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; sleep 0.2; echo last", container.Options(maxSize: 20_000, maxFiles: 100));
        using var reader = new LogReader(LogFormat.JsonFile, container.Log, new LogOptions());
        var lines = new List<string>();
        reader.Read((_, _, text) => lines.Add(Encoding.UTF8.GetString(text)), container.Folder);
        Assert.Equal([.. Enumerable.Range(0, 3000).Select(i => $"line {i}\n"), "last\n"], lines);
    }

    [Fact]
    public void A_log_that_was_moved_away_is_opened_again_on_demand()
    {
        using var container = new Monitored();
        container.Run("echo one; read x; echo two", container.Options(LogFormat.Cri, stdin: true));
        Monitored.Until(() => container.ReadLog(format: LogFormat.Cri).Contains("one"), "the first line");
        File.Move(container.Log, container.Log + ".moved");
        Assert.True(AttachClient.TryReopenLog(container.Folder));
        Monitored.Until(() => File.Exists(container.Log), "the new file");
        using (container.Client("igo\n"))
            container.AwaitMonitor();
        Assert.Equal("two\n", container.ReadLog(format: LogFormat.Cri));
    }

    [Fact]
    public void Logs_that_are_no_files_are_refused_by_name()
    {
        Assert.Contains("journalctl", Assert.Throws<EngineException>(() => new LogReader(LogFormat.Journald, "/tmp/log", new LogOptions())).Message);
        Assert.Contains("keeps none", Assert.Throws<EngineException>(() => new LogReader(LogFormat.None, "/tmp/log", new LogOptions())).Message);
    }

    [Theory]
    [InlineData("ctrl-p,ctrl-q", "a\u0010\u0011", "a", true)]
    [InlineData("ctrl-p,ctrl-q", "\u0010a\u0010\u0010\u0011", "\u0010a\u0010", true)]
    [InlineData("ctrl-p,ctrl-q", "abc\u0010", "abc", false)]
    [InlineData("q", "abcqd", "abc", true)]
    [InlineData("ctrl-@,ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_,DEL", "\0\u001b\u001c\u001d\u001e\u001f\u007f", "", true)]
    [InlineData("", "a\u0010\u0011", "a\u0010\u0011", false)]
    public void Keys_to_detach_are_found_in_what_is_typed(string keys, string input, string typed, bool detached)
    {
        var found = new List<byte>();
        Assert.Equal(detached, new DetachKeys(keys).Feed(Encoding.Latin1.GetBytes(input), found));
        Assert.Equal(typed, Encoding.Latin1.GetString([.. found]));
    }

    [Theory]
    [InlineData("ctrl-P")]
    [InlineData("ctrl-1")]
    [InlineData("alt-a")]
    [InlineData("a,,b")]
    public void Keys_that_do_not_exist_are_refused(string keys) => Assert.Throws<EngineException>(() => new DetachKeys(keys));
}
