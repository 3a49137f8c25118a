// sd_notify(3) from within a container, and sockets that come from the host's service manager.
namespace Conman.Integration.Tests;

public class NotifyTests : ContainerTest
{
    private readonly DatagramSocket _manager;

    public NotifyTests() => _manager = new DatagramSocket(Bundle.Folder + "/manager.sock");

    private Options WithManager => new() { Environment = { ["NOTIFY_SOCKET"] = _manager.Path } };

    // busybox has no program that sends a datagram: this one does, and only in a container has it a place to send to.
    private Bundle Telling(string script)
    {
        Skip.If(Sender.Value is null, "needs gcc for a program that sends a datagram");
        File.Copy(Sender.Value!, Bundle.Rootfs + "/bin/tell");
        return Bundle.Shell(script);
    }

    private static readonly Lazy<string?> Sender = new(static () =>
    {
        string folder = Directory.CreateTempSubdirectory($"conman-test-{Environment.ProcessId}-").FullName;
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(folder, recursive: true);
        File.WriteAllText(folder + "/tell.c", """
            #include <stdlib.h>
            #include <string.h>
            #include <sys/socket.h>
            #include <sys/un.h>
            int main(int argc, char **argv)
            {
                struct sockaddr_un to = { AF_UNIX, "" };
                strncpy(to.sun_path, getenv("NOTIFY_SOCKET"), sizeof to.sun_path - 1);
                int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
                return sendto(fd, argv[argc - 1], strlen(argv[argc - 1]), 0, (struct sockaddr *)&to, sizeof to) < 0;
            }
            """);
        try
        {
            using var gcc = System.Diagnostics.Process.Start("gcc", ["-static", "-O", "-o", folder + "/tell", folder + "/tell.c"]);
            gcc.WaitForExit();
            return gcc.ExitCode == 0 ? folder + "/tell" : null;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return null;
        }
    });

    [SkippableFact]
    public void Run_in_the_foreground_passes_on_all_that_the_program_says()
    {
        Skip.If(Runtime.IsRunc, "runc passes on that it is ready, and no more");
        Result run = Runtime.StartContainer(
            Telling("tell 'STATUS=half done'; tell $'MAINPID=1\\nNOTIFYACCESS=all\\nREADY=1\\nSTATUS=up'; tell WATCHDOG=1; read x; tell STOPPING=1"), WithManager with { InputPipe = true });
        Assert.Equal("STATUS=half done\n", _manager.Receive());
        Assert.Equal($"READY=1\nSTATUS=up\nMAINPID={Runtime.Pid(Bundle.Id)}\n", _manager.Receive());
        Assert.Equal("WATCHDOG=1\n", _manager.Receive());
        run.Input.Write("\n");
        run.Input.Close();
        Assert.Equal("STOPPING=1\n", _manager.Receive());
        run.Succeeded();
        AssertNothingLeft();
    }

    [SkippableTheory]
    [InlineData("start")]
    [InlineData("run")]
    public void Whoever_starts_it_waits_until_it_is_ready(string command)
    {
        Telling("cat /tmp/go; tell READY=1; exec sleep 1000");
        Bundle.Bind(Bundle.Subfolder("tmp"), "/tmp").Save();
        Libc.Check(Libc.mkfifo(Bundle.Folder + "/tmp/go", 0x180), "make a FIFO");
        if (command == "start")
            Runtime.Run(WithManager, "create", "--bundle", Bundle.Folder, Bundle.Id).Succeeded();
        Result start = Runtime.Start(WithManager, command == "start" ? ["start", Bundle.Id] : ["run", "--detach", "--bundle", Bundle.Folder, Bundle.Id]);
        Wait.Until(() => Runtime.Run("list", "-q").Output.Contains(Bundle.Id, StringComparison.Ordinal), "the container to be there");
        Runtime.WaitForStatus(Bundle.Id, "running");
        Assert.False(_manager.HasMore);
        Assert.True(start.Running);
        File.WriteAllText(Bundle.Folder + "/tmp/go", "");
        string told = _manager.Receive();
        Assert.Contains("READY=1", told);
        start.Succeeded();
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void Whoever_waits_for_it_to_be_ready_hears_of_its_end_and_keeps_nobody_from_deleting_it()
    {
        Skip.If(Runtime.IsRunc, "it looks once in a while");
        Runtime.Run(WithManager, "create", "--bundle", Bundle.Args("sleep", "1000").Save().Folder, Bundle.Id).Succeeded();
        Result start = Runtime.Start(WithManager, "start", Bundle.Id);
        Runtime.WaitForStatus(Bundle.Id, "running");
        Assert.True(start.Running);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        start.Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void A_killed_start_leaves_a_container_that_can_be_deleted()
    {
        Runtime.Run(WithManager, "create", "--bundle", Bundle.Args("sleep", "1000").Save().Folder, Bundle.Id).Succeeded();
        Result start = Runtime.Start(WithManager, "start", Bundle.Id);
        Runtime.WaitForStatus(Bundle.Id, "running");
        Libc.Check(Libc.kill(start.Pid, Libc.SIGKILL), "kill start");
        start.ExitedWith(137);
        Runtime.Run("delete", "--force", Bundle.Id).Succeeded();
        AssertNothingLeft();
    }

    [SkippableFact]
    public void The_place_of_the_socket_cannot_be_changed_from_within()
    {
        Bundle.Shell("echo $NOTIFY_SOCKET; stat -c %a /run/notify; rm $NOTIFY_SOCKET 2>/dev/null || touch /run/notify/x 2>/dev/null || echo kept");
        Result run = Runtime.RunContainer(Bundle, WithManager).Succeeded();
        Assert.Equal(["/run/notify/notify.sock", "755", "kept"], run.Lines);
    }

    [SkippableFact]
    public void A_program_that_start_cannot_execute_is_named_with_a_manager_too()
    {
        Bundle.File("rootfs/bin/broken", "#!/nosuch\n", 0x1ed);
        Runtime.Run(WithManager, "create", "--bundle", Bundle.Args("/bin/broken").Save().Folder, Bundle.Id).Succeeded();
        Runtime.Run(WithManager, "start", Bundle.Id).FailedWith("exec /bin/broken: no such file or directory");
    }

    [SkippableFact]
    public void Listening_descriptors_keep_their_names_and_reach_exec_too()
    {
        string three = Bundle.File("three", "3"), four = Bundle.File("four", "4");
        var options = new Options
        {
            Redirections = $"3<{three} 4<{four}", Environment = { ["LISTEN_FDS"] = "2", ["LISTEN_FDNAMES"] = "web:ctl" },
        };
        Runtime.RunContainer(Bundle.Shell("echo $LISTEN_FDS $LISTEN_PID $LISTEN_FDNAMES; cat <&3; cat <&4"), options).Printed("2 1 web:ctl", "34");
        StartIdle(Bundle);
        Runtime.Run(options, "exec", Bundle.Id, "sh", "-c", "echo $LISTEN_FDS $LISTEN_FDNAMES; cat <&3; cat <&4").Printed("2 web:ctl", "34");
    }

    [SkippableFact]
    public void Descriptors_that_are_not_open_are_refused_and_none_of_ours_takes_their_place()
    {
        Runtime.RunContainer(Bundle.Args("ls", "/proc/self/fd"), "--preserve-fds", "2").FailedWith("descriptor");
        StartIdle(Bundle);
        Runtime.Run("exec", "--preserve-fds", "1", Bundle.Id, "true").FailedWith("descriptor");
    }

    protected override void CleanUp() => _manager.Dispose();
}
