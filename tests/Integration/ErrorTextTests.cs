// What containerd, CRI-O and Podman look for in the runtime's messages: the same fault is made with the host's runc, and both must say it, on
// standard error and in the last line of the log, and exit alike.
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Conman.Integration.Tests;

public class ErrorTextTests : PeerTest
{
    private static readonly Dictionary<string, (string Ground, string[] Command, string Text)> Faults = new()
    {
        // GROUND: what is there before. B: the bundle; ID: the container.
        ["state of none"] = ("none", ["state", "ID"], "container does not exist"),
        ["kill of none"] = ("none", ["kill", "ID", "KILL"], "container does not exist"),
        ["delete of none"] = ("none", ["delete", "ID"], "container does not exist"),
        ["start of none"] = ("none", ["start", "ID"], "container does not exist"),
        ["pause of none"] = ("none", ["pause", "ID"], "container does not exist"),
        ["resume of none"] = ("none", ["resume", "ID"], "container does not exist"),
        ["ps of none"] = ("none", ["ps", "ID"], "container does not exist"),
        ["exec in none"] = ("none", ["exec", "ID", "true"], "container does not exist"),
        ["forced delete of none"] = ("none", ["delete", "--force", "ID"], ""),
        ["no bundle"] = ("none", ["create", "--bundle", "B/nosuch", "ID"], "no such file or directory"),
        ["no config"] = ("none", ["create", "--bundle", "B/rootfs", "ID"], "JSON specification file config.json not found"),
        ["no id"] = ("none", ["create", "--bundle", "B", "a/b"], "invalid container ID format"),
        ["taken"] = ("created", ["create", "--bundle", "B", "ID"], "container with given ID already exists"),
        ["start of running"] = ("running", ["start", "ID"], "cannot start an already running container"),
        ["delete of running"] = ("running", ["delete", "ID"], "that is not stopped"),
        ["resume of running"] = ("running", ["resume", "ID"], "container not paused"),
        ["odd signal"] = ("running", ["kill", "ID", "FOO"], "unknown signal \"FOO\""),
        ["exec of nothing"] = ("running", ["exec", "ID", "nosuch"], "executable file not found in $PATH"),
        ["exec of no file"] = ("running", ["exec", "ID", "/nosuch"], "no such file or directory"),
        ["exec of no program"] = ("running", ["exec", "ID", "/etc/passwd"], "permission denied"),
        ["exec detached with terminal"] = ("running", ["exec", "-d", "-t", "ID", "true"], "cannot allocate tty if runc will detach without setting console socket"),
        ["exec with a console of none"] = ("running", ["exec", "--console-socket", "B/x", "ID", "true"], "cannot use console socket if runc will not detach or allocate tty"),
        ["exec by a file of none"] = ("running", ["exec", "--process", "B/nosuch", "ID"], "no such file or directory"),
        ["exec in paused"] = ("paused", ["exec", "ID", "true"], "cannot exec in a paused container (use --ignore-paused to override)"),
        ["pause of paused"] = ("paused", ["pause", "ID"], "container not running"),
        ["start of paused"] = ("paused", ["start", "ID"], "cannot start a container in the paused state"),
        ["delete of paused"] = ("paused", ["delete", "ID"], "that is not stopped: paused"),
        ["kill of stopped"] = ("stopped", ["kill", "ID", "KILL"], "container not running"),
        ["start of stopped"] = ("stopped", ["start", "ID"], "cannot start a container that has stopped"),
        ["exec in stopped"] = ("stopped", ["exec", "ID", "true"], "cannot exec in a stopped container"),
        ["pause of stopped"] = ("stopped", ["pause", "ID"], "container not running"),
        ["resume of stopped"] = ("stopped", ["resume", "ID"], "container not paused"),
        ["ps of stopped"] = ("stopped", ["ps", "--format", "json", "ID"], ""),
        ["run of nothing"] = ("none: nosuch", ["run", "--bundle", "B", "ID"], "executable file not found in $PATH"),
        ["run of no file"] = ("none: /nosuch", ["run", "--bundle", "B", "ID"], "no such file or directory"),
        ["run of no program"] = ("none: /etc/passwd", ["run", "--bundle", "B", "ID"], "permission denied"),
        ["create of nothing"] = ("none: nosuch", ["create", "--bundle", "B", "ID"], "executable file not found in $PATH"),
    };

    public static TheoryData<string> FaultNames => [.. Faults.Keys];

    [SkippableTheory]
    [MemberData(nameof(FaultNames))]
    public void A_fault_is_told_as_runc_tells_it(string fault)
    {
        (string ground, string[] command, string text) = Faults[fault];
        Prepare(Bundle, ground, a => Runtime.Run(a));
        Prepare(Other, ground, a => Peer(a));

        Result theirs = Peer(For(command, Other));
        Assert.True(Spoken(theirs.Error).Contains(text, StringComparison.Ordinal), $"runc does not say '{text}' but {theirs.Error}");
        foreach (string format in (string[])["", "text", "json"])
        {
            string log = $"{Bundle.Folder}/log.{format}";
            string[] options = format == "" ? [] : ["--log", log, "--log-format", format];
            Result ours = Runtime.StartBare(new Options(), ["--root", Runtime.Root, .. options, .. For(command, Bundle)]).ExitedWith(theirs.ExitCode);
            Assert.Contains(text, Spoken(ours.Error));
            if (format == "" || text == "")
                continue;
            string last = File.ReadAllLines(log)[^1];
            if (format == "json")
            {
                JsonObject line = JsonNode.Parse(last)!.AsObject();
                Assert.Equal(["level", "msg", "time"], line.Select(m => m.Key));
                Assert.Equal("error", (string?)line["level"]);
                Assert.Contains(text, (string?)line["msg"]);
            }
            else
            {
                Assert.Matches("^time=\"[-0-9]{10}T[:0-9]{8}(Z|[+-][0-9:]{5})\" level=error msg=", last);
                Assert.Contains(text, Spoken(last));
            }
        }
    }

    [SkippableTheory]
    [InlineData("plain")]
    [InlineData("two words")]
    [InlineData("\"quoted\" \\ back")]
    [InlineData("<html> & co")]
    [InlineData("é ☃ 🐳 \u00a0\u200b\u2028")]
    [InlineData("\a\b\f\n\r\t\v\u0001\u007f")]
    public void A_line_of_the_log_is_quoted_as_runc_quotes_it(string odd)
    {
        Prepare(Bundle, "running", a => Runtime.Run(a));
        Prepare(Other, "running", a => Peer(a));
        foreach (string format in (string[])["text", "json"])
        {
            string ours = $"{Bundle.Folder}/ours.{format}", theirs = $"{Bundle.Folder}/theirs.{format}";
            Runtime.StartBare(new Options(), "--root", Runtime.Root, "--log", ours, "--log-format", format, "kill", Bundle.Id, odd).ExitedWith(1);
            Peer("--log", theirs, "--log-format", format, "kill", Other.Id, odd).ExitedWith(1);
            Assert.Equal(Timeless(File.ReadAllText(theirs)), Timeless(File.ReadAllText(ours)));
        }
    }

    [SkippableFact]
    public void The_log_tells_local_time()
    {
        Skip.IfNot(File.Exists("/usr/share/zoneinfo/Asia/Kolkata"), "needs the time zone database");
        var options = new Options { Environment = { ["TZ"] = "Asia/Kolkata" } };
        Assert.Matches("^time=\"[^\"]*\\+05:30\" level=error", Runtime.Run(options, "state", "nosuch").ExitedWith(1).Error);
        DateTimeOffset told = DateTimeOffset.Parse(Regex.Match(Runtime.Run(options, "state", "nosuch").Error, "time=\"([^\"]*)\"").Groups[1].Value);
        Assert.True((DateTimeOffset.Now - told).Duration() < TimeSpan.FromMinutes(10));
    }

    [SkippableFact]
    public void The_level_decides_what_is_logged()
    {
        Skip.If(Runtime.IsRunc, "a flag of crun");
        Bundle.Capabilities("CAP_KILL", "CAP_NOSUCH").Args("true");
        Assert.Contains("level=warning", Runtime.RunContainer(Bundle).Succeeded().Error);
        string[] run = ["--root", Runtime.Root, "run", "--bundle", Bundle.Folder, Bundle.Id];
        Assert.Empty(Runtime.StartBare(new Options(), ["--log-level", "error", .. run]).Succeeded().Error);
        Assert.Contains("level=debug", Runtime.StartBare(new Options(), ["--log-level", "debug", .. run]).Succeeded().Error);
        Assert.Contains("level=debug", Runtime.StartBare(new Options(), ["--debug", .. run]).Succeeded().Error);
    }

    [SkippableTheory]
    [InlineData("journald", "/run/systemd/journal", "socket")]
    [InlineData("syslog", "/dev", "log")]
    public void Messages_can_go_to_the_journal_and_to_syslog(string kind, string folder, string name)
    {
        Skip.If(Runtime.IsRunc, "a flag of crun");
        using var socket = new DatagramSocket(Bundle.Folder + "/" + name);
        // In a mount namespace of its own the command finds our socket at the place of the real one.
        string script = $"mount -t tmpfs tmpfs /{folder.Split('/')[1]} && mkdir -p {folder} && ln -s {socket.Path} {folder}/{name} && exec \"$@\"";
        string[] conman = Runtime.CommandLine("state", "nosuch");
        Runtime.StartProgram("unshare", new Options(),
            ["--mount", "--propagation", "private", "sh", "-c", script, "sh", conman[0], "--log", kind + ":me", .. conman[1..]]).ExitedWith(1);
        string message = socket.Receive();
        if (kind == "journald")
            Assert.Equal(["MESSAGE=container does not exist", "PRIORITY=3", "SYSLOG_IDENTIFIER=me", "ID=me", ""], message.Split('\n'));
        else
            Assert.Matches("^<11>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} me\\[[0-9]+\\]: container does not exist$", message);
    }

    [SkippableTheory]
    [InlineData("journald:me")]
    [InlineData("syslog:me")]
    [InlineData("file:/nosuch/log")]
    [InlineData("/nosuch/log")]
    public void A_log_that_is_not_there_is_an_error(string log)
    {
        Skip.If(Runtime.IsRunc, "partly a flag of crun");
        Skip.If(log.StartsWith("journald", StringComparison.Ordinal) && File.Exists("/run/systemd/journal/socket"), "there is a journal here");
        Skip.If(log.StartsWith("syslog", StringComparison.Ordinal) && File.Exists("/dev/log"), "there is a syslog here");
        Runtime.StartBare(new Options(), "--log", log, "list").FailedWith("cannot log to");
    }

    [SkippableFact]
    public void A_file_may_be_named_as_one()
    {
        Skip.If(Runtime.IsRunc, "a flag of crun");
        string log = Bundle.Folder + "/log";
        Assert.Equal("container does not exist\n", Runtime.StartBare(new Options(), "--log", "file:" + log, "--root", Runtime.Root, "state", "x").ExitedWith(1).Error);
        Assert.Contains("msg=\"container does not exist\"", File.ReadAllText(log));
    }

    private static string[] For(string[] command, Bundle bundle) =>
        [.. command.Select(word => word == "ID" ? bundle.Id : word == "B" || word.StartsWith("B/", StringComparison.Ordinal) ? bundle.Folder + word[1..] : word)];

    // Within a line of the log the quotes of a message are escaped.
    private static string Spoken(string text) => text.Replace("\\\"", "\"");

    private static string Timeless(string line) => Regex.Replace(line, "[-0-9]{10}T[^\"]*", "TIME");
}
