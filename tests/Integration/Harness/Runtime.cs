// The runtime under test, as its callers use it: a command line in runc's language, standard streams, an exit code.
// CONMAN_TEST_RUNTIME names the binary; without it, it is out/conman of this repository.
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Conman.Integration.Tests;

/// <summary>How a command of the runtime is to be run, where that differs from the usual.</summary>
public sealed record Options
{
    /// <summary>Text for standard input; nothing at all when null.</summary>
    public string? Input { get; init; }

    /// <summary>Standard input is a pipe that the test writes to.</summary>
    public bool InputPipe { get; init; }

    /// <summary>Standard output is a pipe, read to its end, instead of a file.</summary>
    public bool OutputPipe { get; init; }

    /// <summary>More redirections in the words of the shell ("3&lt;/a 4&gt;/b").</summary>
    public string Redirections { get; init; } = "";

    public string? WorkingFolder { get; init; }

    /// <summary>The network namespace that it runs in; null: that of the tests.</summary>
    public TestNetwork? Network { get; init; }

    public Dictionary<string, string> Environment { get; init; } = [];
}

public sealed class Runtime : IDisposable
{
    /// <summary>The binary by its absolute path, under a name that ends in runc: what a container host is told.</summary>
    public static readonly string Binary = FindBinary();

    private static readonly string VersionText = ReadVersion();

    private readonly string _id;
    private readonly string _files;
    private int _count;

    public Runtime(string id)
    {
        _id = id;
        Root = $"/run/conman-test-{id}";
        _files = $"/tmp/conman-test-{id}-out";
        Directory.CreateDirectory(_files);
    }

    /// <summary>The folder given as --root: every test has its own.</summary>
    public string Root { get; }

    /// <summary>The words of another program that runs the runtime.</summary>
    public string[] Through { get; set; } = [];

    /// <summary>Another copy of the runtime, where the one under test cannot be reached.</summary>
    public string Program { get; set; } = Binary;

    public static bool IsRunc => VersionText.StartsWith("runc ", StringComparison.Ordinal);

    /// <summary>Whether this is a runc older than the given 1.x, which cannot do all that today's can.</summary>
    public static bool IsRuncOlderThan(int minor) =>
        IsRunc && Version.Parse(VersionText.Split(' ', '\n')[2].Split('+', '-')[0]) < new Version(1, minor);

    /// <summary>Runs a command to its end. Its output may go on growing if a container has inherited it.</summary>
    public Result Run(params string[] arguments) => Run(new Options(), arguments);

    public Result Run(Options options, params string[] arguments) => Start(options, arguments).Wait();

    /// <summary>Starts a command and leaves it running.</summary>
    public Result Start(Options options, params string[] arguments) => StartBare(options, ["--root", Root, .. arguments]);

    /// <summary>Runs a command in a terminal, as a person would.</summary>
    public Result RunInTerminal(params string[] arguments)
    {
        string command = string.Join(' ', ((string[])[.. Through, Program, "--root", Root, .. arguments]).Select(a => $"'{a}'"));
        return StartProgram("script", new Options { InputPipe = true }, "-q", "-e", "-c", command, "/dev/null").Wait();
    }

    /// <summary>Starts a command with nothing put in front of its arguments.</summary>
    public Result StartBare(Options options, params string[] arguments)
    {
        string[] words = [.. Through, Program, .. arguments];
        return StartProgram(words[0], options, words[1..]);
    }

    /// <summary>The words of a command of the runtime, for another program to run.</summary>
    public string[] CommandLine(params string[] arguments) => [.. Through, Program, "--root", Root, .. arguments];

    /// <summary>Starts another program as <see cref="Start"/> starts the runtime.</summary>
    public Result StartProgram(string program, Options options, params string[] arguments)
    {
        if (options.Network is not null)
            (program, arguments) = ("nsenter", ["--net=" + options.Network.Path, program, .. arguments]);
        string name = $"{_files}/{++_count}";
        string input = "/dev/null";
        if (options.Input is not null)
            File.WriteAllText(input = name + ".in", options.Input);
        // Output goes to files, not to pipes: a container that outlives its `create` keeps them open.
        string redirections = $"2>'{name}.err' {options.Redirections}" +
            (options.InputPipe ? "" : $" <'{input}'") + (options.OutputPipe ? "" : $" >'{name}.out'");
        var start = new ProcessStartInfo("/bin/sh")
        {
            // LISTEN_PID must be the pid of the runtime itself, which is the shell's.
            ArgumentList = { "-c", $"[ -z \"$LISTEN_FDS\" ] || export LISTEN_PID=$$; exec \"$0\" \"$@\" {redirections}", program },
            RedirectStandardInput = options.InputPipe,
            RedirectStandardOutput = options.OutputPipe,
            WorkingDirectory = options.WorkingFolder ?? "/",
        };
        foreach (string argument in arguments)
            start.ArgumentList.Add(argument);
        start.Environment[Bundle.Marker] = _id;
        // What the test runner has in its environment is none of a container's business.
        start.Environment.Remove("NOTIFY_SOCKET");
        start.Environment.Remove("LISTEN_FDS");
        foreach ((string variable, string value) in options.Environment)
            start.Environment[variable] = value;
        return new Result(Process.Start(start)!, name, string.Join(' ', arguments), options.OutputPipe);
    }

    public Result RunContainer(Bundle bundle, params string[] options) => RunContainer(bundle, new Options(), options);

    /// <summary>`run`, in the foreground.</summary>
    public Result RunContainer(Bundle bundle, Options how, params string[] options) =>
        Run(how, ["run", "--bundle", bundle.Save().Folder, .. options, bundle.Id]);

    public Result StartContainer(Bundle bundle, Options how, params string[] options) =>
        Start(how, ["run", "--bundle", bundle.Save().Folder, .. options, bundle.Id]);

    /// <summary>`create`, whatever comes of it.</summary>
    public Result Create(Bundle bundle, params string[] options) =>
        Run(["create", "--bundle", bundle.Save().Folder, .. options, bundle.Id]);

    /// <summary>`create` that must succeed, then `start`; the result is that of `create`, whose output is the container's.</summary>
    public Result CreateAndStart(Bundle bundle, params string[] options)
    {
        Result created = Create(bundle, options).Succeeded();
        Run("start", bundle.Id).Succeeded();
        return created;
    }

    public JsonObject State(string id) => (JsonObject)JsonNode.Parse(Run("state", id).Succeeded().Output)!;

    public string Status(string id) => (string)State(id)["status"]!;

    public int Pid(string id) => (int)State(id)["pid"]!;

    public void WaitForStatus(string id, string status) =>
        Wait.Until(() => Status(id) == status, $"{id} to be {status}");

    public void Dispose()
    {
        Directory.Delete(_files, recursive: true);
        if (Directory.Exists(Root))
            Directory.Delete(Root, recursive: true);
    }

    private static string FindBinary()
    {
        string? given = Environment.GetEnvironmentVariable("CONMAN_TEST_RUNTIME");
        if (string.IsNullOrEmpty(given))
            given = Path.Combine(RepositoryRoot(), "out/conman");
        else if (!given.Contains('/'))
            given = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':').Select(folder => $"{folder}/{given}").FirstOrDefault(File.Exists)
                ?? throw new FileNotFoundException($"CONMAN_TEST_RUNTIME={given} is not in PATH");
        given = Path.GetFullPath(given);
        if (!File.Exists(given))
            throw new FileNotFoundException($"the runtime to test, {given}, does not exist: build it, or name another in CONMAN_TEST_RUNTIME");
        if (Path.GetFileName(given).EndsWith("runc", StringComparison.Ordinal))
            return given;
        // conman speaks runc's language under a name that ends in runc.
        string link = Directory.CreateTempSubdirectory($"conman-test-{Environment.ProcessId}-").FullName + "/conman-runc";
        File.CreateSymbolicLink(link, given);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Directory.Delete(Path.GetDirectoryName(link)!, recursive: true);
        return link;
    }

    internal static string RepositoryRoot()
    {
        for (string? folder = AppContext.BaseDirectory; folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (File.Exists(folder + "/Conman.sln"))
                return folder;
        }
        throw new DirectoryNotFoundException("the tests are not inside the repository: set CONMAN_TEST_RUNTIME");
    }

    private static string ReadVersion()
    {
        using Process process = Process.Start(new ProcessStartInfo(Binary, "--version") { RedirectStandardOutput = true })!;
        string text = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return text;
    }
}

/// <summary>A command of the runtime that is running or has run.</summary>
public sealed class Result
{
    private readonly Process _process;
    private readonly string _name;
    private readonly string _command;
    private readonly Task<string>? _pipe;

    internal Result(Process process, string name, string command, bool outputPipe)
    {
        (_process, _name, _command) = (process, name, command);
        _pipe = outputPipe ? process.StandardOutput.ReadToEndAsync() : null;
    }

    public int Pid => _process.Id;

    public bool Running => !_process.HasExited;

    public StreamWriter Input => _process.StandardInput;

    public int ExitCode => Wait()._process.ExitCode;

    /// <summary>What has been written so far, by the command and by the containers that inherited its output.</summary>
    public string Output => _pipe is null ? Read(".out") : _pipe.GetAwaiter().GetResult();

    public string Error => Read(".err");

    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public Result Wait() => Wait(Tests.Wait.Deadline);

    public Result Wait(TimeSpan deadline)
    {
        if (!_process.WaitForExit(deadline))
        {
            _process.Kill();
            Assert.Fail($"{_command} does not end{Streams()}");
        }
        return this;
    }

    public Result Succeeded() => ExitedWith(0);

    public Result ExitedWith(int code)
    {
        Assert.True(ExitCode == code, $"{_command}: exit code {ExitCode} instead of {code}{Streams()}");
        return this;
    }

    /// <summary>The command failed, and said so with words that contain <paramref name="text"/>.</summary>
    public Result FailedWith(string text)
    {
        Assert.True(ExitCode != 0, $"{_command} should fail{Streams()}");
        // In its text form the log escapes the quotes within a message.
        Assert.True(Error.Replace("\\\"", "\"").Contains(text, StringComparison.Ordinal), $"{_command} should say '{text}'{Streams()}");
        return this;
    }

    /// <summary>The container printed exactly these lines, and ended well.</summary>
    public void Printed(params string[] lines)
    {
        Succeeded();
        Assert.Equal(string.Join('\n', lines), Output.TrimEnd('\n'));
    }

    /// <summary>Waits until the output, now or of a container still running, contains the text.</summary>
    public void WaitForOutput(string text) =>
        Tests.Wait.Until(() => Read(".out").Contains(text, StringComparison.Ordinal), $"the output of {_command} to contain {text}");

    private string Read(string extension) => File.Exists(_name + extension) ? File.ReadAllText(_name + extension) : "";

    private string Streams() => $"\n--- stdout\n{(_pipe is null ? Start(Read(".out")) : "(piped)")}\n--- stderr\n{Start(Error)}";

    private static string Start(string text) => text.Length > 4000 ? text[..4000] + "..." : text;
}
