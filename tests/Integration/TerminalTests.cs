// Containers with a terminal, handed over through --console-socket.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class TerminalTests : ContainerTest
{
    private ConsoleSocket NewSocket() => new(Bundle.Folder + "/console");

    private Bundle WithTerminal(string script) => Bundle.Set("process/terminal", true).Shell(script);

    [SkippableFact]
    [Proves("process.terminal")]
    public void The_terminal_is_the_containers_console()
    {
        using ConsoleSocket socket = NewSocket();
        WithTerminal("tty; stat -c '%F %t %u %g %a' /dev/console; for n in 0 1 2; do [ -t $n ] && echo tty $n; done; readlink /proc/self/fd/0; read -r line; echo \"got $line\"");
        Runtime.Create(Bundle, "--console-socket", socket.Path).Succeeded();
        using Terminal terminal = socket.Receive();
        Runtime.Run("start", Bundle.Id).Succeeded();
        string seen = terminal.ReadUntil("tty 2");
        Assert.Contains("/dev/pts/0", seen);
        Assert.Contains("character special file 88 0 5 620", seen);
        Assert.Contains("tty 0", seen);
        terminal.Write("hello\n");
        terminal.ReadUntil("got hello");
        terminal.ReadToEnd();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
    }

    [SkippableFact]
    public void What_is_printed_before_the_end_is_not_lost()
    {
        using ConsoleSocket socket = NewSocket();
        Runtime.Create(WithTerminal("printf 'one\\ntwo\\n'"), "--console-socket", socket.Path).Succeeded();
        using Terminal terminal = socket.Receive();
        Runtime.Run("start", Bundle.Id).Succeeded();
        Assert.Equal("one\ntwo\n", terminal.ReadToEnd().Replace("\r", ""));
    }

    [SkippableFact]
    public void Run_in_a_terminal_gives_the_container_one_too()
    {
        // The caller's terminal and the container's must not both add a carriage return.
        WithTerminal("[ -t 0 ] && [ -t 1 ] && [ -t 2 ] && echo inside");
        Result run = Runtime.RunInTerminal("run", "--bundle", Bundle.Save().Folder, Bundle.Id).Succeeded();
        Assert.Equal("inside\r\n", run.Output);
        AssertNothingLeft();
    }

    [SkippableFact]
    [Proves("process.consoleSize")]
    public void The_terminal_has_the_size_asked_for()
    {
        using ConsoleSocket socket = NewSocket();
        WithTerminal("stty size").Set("process/consoleSize", new JsonObject { ["height"] = 33, ["width"] = 111 });
        Runtime.Create(Bundle, "--console-socket", socket.Path).Succeeded();
        using Terminal terminal = socket.Receive();
        Assert.Equal((33, 111), terminal.Size);
        Runtime.Run("start", Bundle.Id).Succeeded();
        terminal.ReadUntil("33 111");
    }

    [SkippableFact]
    public void The_terminal_belongs_to_the_user_of_the_process()
    {
        using ConsoleSocket socket = NewSocket();
        Bundle.User(1000, 100);
        Runtime.Create(WithTerminal("stat -c '%u %g' $(tty)"), "--console-socket", socket.Path).Succeeded();
        using Terminal terminal = socket.Receive();
        Runtime.Run("start", Bundle.Id).Succeeded();
        terminal.ReadUntil("1000 5");
    }

    [SkippableFact]
    public void The_terminal_controls_the_session()
    {
        using ConsoleSocket socket = NewSocket();
        Runtime.Create(WithTerminal("trap 'echo interrupted; exit' INT; echo ready; while :; do sleep 0.01; done"), "--console-socket", socket.Path).Succeeded();
        using Terminal terminal = socket.Receive();
        Runtime.Run("start", Bundle.Id).Succeeded();
        terminal.ReadUntil("ready");
        terminal.Write("\u0003");
        terminal.ReadUntil("interrupted");
        terminal.ReadToEnd();
    }

    [SkippableFact]
    public void Run_detached_hands_the_terminal_over()
    {
        using ConsoleSocket socket = NewSocket();
        Runtime.RunContainer(WithTerminal("echo ready; read -r line; exit 0"), "--detach", "--console-socket", socket.Path).Succeeded();
        using Terminal terminal = socket.Receive();
        terminal.ReadUntil("ready");
        terminal.Write("\n");
        Runtime.WaitForStatus(Bundle.Id, "stopped");
    }

    [SkippableFact]
    public void Exec_hands_over_a_terminal_of_its_own()
    {
        StartIdle(Bundle);
        using ConsoleSocket socket = NewSocket();
        Runtime.Run("exec", "--tty", "--detach", "--console-socket", socket.Path, Bundle.Id, "sh", "-c", "tty; [ -t 0 ] && echo yes; read -r line; echo \"got $line\"").Succeeded();
        using Terminal terminal = socket.Receive();
        Assert.Contains("/dev/pts/", terminal.ReadUntil("yes"));
        terminal.Write("hello\n");
        terminal.ReadUntil("got hello");
        terminal.ReadToEnd();
    }

    [SkippableFact]
    public void A_terminal_described_by_a_file_has_its_size()
    {
        StartIdle(Bundle);
        using ConsoleSocket socket = NewSocket();
        var process = new JsonObject
        {
            ["terminal"] = true, ["consoleSize"] = new JsonObject { ["height"] = 10, ["width"] = 110 }, ["user"] = new JsonObject { ["uid"] = 0, ["gid"] = 0 },
            ["args"] = Tests.Bundle.Strings("stty", "size"), ["env"] = Tests.Bundle.Strings("PATH=/bin"), ["cwd"] = "/",
        };
        Result exec = Runtime.Start(new Options(), "exec", "--console-socket", socket.Path, "--detach", "--process", Bundle.File("p.json", process.ToJsonString()), Bundle.Id);
        using Terminal terminal = socket.Receive();
        terminal.ReadUntil("10 110");
        exec.Succeeded();
    }

    [SkippableFact]
    public void A_terminal_without_a_socket_to_send_it_to_is_refused()
    {
        Runtime.Create(WithTerminal("true")).FailedWith("console socket");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_socket_without_a_terminal_to_send_is_refused()
    {
        using ConsoleSocket socket = NewSocket();
        Runtime.Create(Bundle.Args("true"), "--console-socket", socket.Path).FailedWith("console socket");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_socket_that_nobody_listens_on_is_an_error()
    {
        Assert.NotEqual(0, Runtime.Create(WithTerminal("true"), "--console-socket", Bundle.Folder + "/nosuch").ExitCode);
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Without_a_terminal_there_is_none()
    {
        Runtime.RunContainer(Bundle.Shell("tty; [ -e /dev/console ] || echo no console")).Printed("not a tty", "no console");
    }
}
