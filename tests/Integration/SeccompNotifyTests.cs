// SCMP_ACT_NOTIFY: calls of a container that a process outside answers, held against a real agent.
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

public class SeccompNotifyTests : ContainerTest
{
    private const int ENOMEDIUM = 123;

    private string Socket => Bundle.Folder + "/agent.sock";

    private Bundle Notify(bool noNewPrivileges, string listener, params string[] calls)
    {
        Bundle.Set("process/noNewPrivileges", noNewPrivileges).Set("linux/seccomp", new JsonObject
        {
            ["defaultAction"] = "SCMP_ACT_ALLOW",
            ["listenerPath"] = listener,
            ["listenerMetadata"] = "for the agent",
            ["syscalls"] = new JsonArray(new JsonObject { ["names"] = Tests.Bundle.Strings(calls), ["action"] = "SCMP_ACT_NOTIFY" }),
        });
        return Bundle;
    }

    private Bundle NotifyOfMkdir(bool noNewPrivileges) => Notify(noNewPrivileges, Socket, "mkdir", "mkdirat").Shell("mkdir /tmp/a 2>&1; true");

    private const string Answered = "mkdir: can't create directory '/tmp/a': No medium found";

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    [Proves("linux.seccomp.listenerPath", "linux.seccomp.listenerMetadata")]
    public void An_agent_answers_for_run(bool noNewPrivileges)
    {
        using SeccompAgent agent = new(Socket, ENOMEDIUM);
        Runtime.RunContainer(NotifyOfMkdir(noNewPrivileges)).Printed(Answered);
        JsonObject state = Assert.Single(agent.States);
        Assert.Equal("for the agent", (string?)state["metadata"]);
        Assert.Equal(["seccompFd"], state["fds"]!.AsArray().Select(f => (string)f!));
        Assert.Equal("1.3.0", (string?)state["ociVersion"]);
        Assert.True((int)state["pid"]! > 1);
        Assert.Equal(((int)state["pid"]!, Bundle.Id, Bundle.Folder, "creating"),
            ((int)state["state"]!["pid"]!, (string)state["state"]!["id"]!, (string)state["state"]!["bundle"]!, (string)state["state"]!["status"]!));
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_agent_answers_for_create_and_start(bool noNewPrivileges)
    {
        using SeccompAgent agent = new(Socket, ENOMEDIUM);
        Runtime.CreateAndStart(NotifyOfMkdir(noNewPrivileges)).WaitForOutput(Answered);
        Assert.Single(agent.States);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void An_agent_answers_for_exec(bool noNewPrivileges)
    {
        using SeccompAgent agent = new(Socket, ENOMEDIUM);
        int pid = StartIdle(Notify(noNewPrivileges, Socket, "mkdir", "mkdirat"));
        Runtime.Run("exec", Bundle.Id, "sh", "-c", "mkdir /tmp/a 2>&1; true").Printed(Answered);
        Assert.Equal(2, agent.States.Count);
        Assert.Equal("running", (string?)agent.States[1]["state"]!["status"]);
        Assert.Equal(pid, (int)agent.States[1]["state"]!["pid"]!);
        Assert.NotEqual(pid, (int)agent.States[1]["pid"]!);
    }

    // crun #1002: a runtime that sends the listener through calls that the listener is asked for waits for ever.
    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Every_call_that_the_runtime_makes_may_be_asked_of_the_agent(bool noNewPrivileges)
    {
        using SeccompAgent agent = new(Socket);
        Notify(noNewPrivileges, Socket,
            "sendmsg", "sendto", "recvmsg", "recvfrom", "read", "close", "close_range", "execve", "exit", "exit_group", "accept4", "prctl", "capset", "setgroups",
            "setresuid", "setresgid", "umask", "chdir", "getcwd", "statx", "faccessat2", "sched_yield", "futex", "mmap", "ioctl", "clone", "clone3", "fcntl", "openat")
            .Args("echo", "hello");
        Runtime.RunContainer(Bundle).Printed("hello");
        Runtime.Run("delete", "--force", Bundle.Id);
        Runtime.CreateAndStart(Bundle).WaitForOutput("hello");
        Assert.Equal(2, agent.States.Count);
        Assert.NotEmpty(agent.Calls);
    }

    [SkippableTheory]
    [InlineData(true)]
    [InlineData(false)]
    public void Without_an_agent_nothing_runs_and_nothing_is_left(bool noNewPrivileges)
    {
        Runtime.RunContainer(NotifyOfMkdir(noNewPrivileges)).FailedWith("failed to connect with seccomp agent");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void An_agent_may_have_an_abstract_name()
    {
        using SeccompAgent agent = new("@" + Bundle.Id, ENOMEDIUM);
        Runtime.RunContainer(Notify(true, "@" + Bundle.Id, "mkdir", "mkdirat").Shell("mkdir /tmp/a 2>&1; true")).Printed(Answered);
        Bundle.Set("linux/seccomp/listenerPath", "@nobody-" + Bundle.Id);
        Runtime.RunContainer(Bundle).FailedWith("failed to connect with seccomp agent");
    }

    [SkippableFact]
    public void Start_that_finds_no_agent_can_be_repeated()
    {
        Runtime.Create(NotifyOfMkdir(true)).Succeeded();
        Runtime.Run("start", Bundle.Id).FailedWith("failed to connect with seccomp agent");
        Assert.Equal("created", Runtime.Status(Bundle.Id));
        using SeccompAgent agent = new(Socket, ENOMEDIUM);
        Runtime.Run("start", Bundle.Id).Succeeded();
        Runtime.WaitForStatus(Bundle.Id, "stopped");
        Assert.NotEmpty(agent.Calls);
    }

    [SkippableFact]
    public void A_call_fails_when_its_agent_is_gone()
    {
        SeccompAgent agent = new(Socket);
        Result created = Runtime.CreateAndStart(Notify(true, Socket, "mkdir", "mkdirat")
            .Shell("until [ -e /agent/gone ]; do sleep 0.01; done; mkdir /tmp/a 2>&1").Bind(Bundle.Subfolder("outside"), "/agent").Set("root/readonly", false));
        agent.Dispose();
        Bundle.File("outside/gone");
        created.WaitForOutput("mkdir: can't create directory '/tmp/a': Function not implemented");
    }

    [SkippableFact]
    public void A_wait_that_only_death_ends_can_be_asked_for()
    {
        using SeccompAgent agent = new(Socket, ENOMEDIUM);
        NotifyOfMkdir(true).Set("linux/seccomp/flags", Tests.Bundle.Strings("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_LOG"));
        Runtime.RunContainer(Bundle).Printed(Answered);
    }

    [SkippableFact]
    public void An_agent_that_no_rule_asks_for_is_left_alone()
    {
        Bundle.Set("linux/seccomp", new JsonObject { ["defaultAction"] = "SCMP_ACT_ALLOW", ["listenerPath"] = "/nonexistent" }).Args("true");
        Runtime.RunContainer(Bundle).Succeeded();
    }

    [SkippableFact]
    public void Notifications_without_a_listener_are_refused()
    {
        Notify(true, "", "mkdir").Args("true");
        Runtime.RunContainer(Bundle).FailedWith("seccomp listenerPath is not set");
        AssertNothingLeft();
    }
}
