// C11 through the whole binary: documents made to break a reader. What comes out is one line and an exit code, at little cost in memory.
// The reader alone is tried far more often in tests/Oci.Tests (MalformedTests).
using System.Text;

namespace Conman.Integration.Tests;

public class FuzzTests : ContainerTest
{
    public static TheoryData<string> Documents =>
    [
        "depth", "depth of objects", "not a number", "given twice", "lone surrogate", "beyond 64 bits", "long string", "long number", "many members",
        "a gigabyte",
    ];

    private static string Document(string what) => what switch
    {
        "depth" => "{\"annotations\":" + string.Concat(Enumerable.Repeat("[", 10_000)) + string.Concat(Enumerable.Repeat("]", 10_000)) + "}",
        "depth of objects" => string.Concat(Enumerable.Repeat("{\"a\":", 10_000)) + "1" + new string('}', 10_000),
        "not a number" => "{\"process\":{\"oomScoreAdj\":NaN}}",
        "given twice" => "{\"hostname\":\"a\",\"hostname\":\"b\"}",
        "lone surrogate" => "{\"hostname\":\"\\ud800\"}",
        "beyond 64 bits" => "{\"linux\":{\"resources\":{\"memory\":{\"limit\":9223372036854775808}}}}",
        "long string" => "{\"hostname\":\"" + new string('a', 12 << 20) + "\"",
        "long number" => "{\"process\":{\"oomScoreAdj\":" + new string('1', 1 << 20) + "}}",
        "many members" => "{" + string.Join(',', Enumerable.Range(0, 100_000).Select(i => $"\"m{i}\":{i}")) + "",
        _ => "",
    };

    [SkippableTheory]
    [MemberData(nameof(Documents))]
    public void C11_a_hostile_document_is_refused_in_one_line_and_little_memory(string what)
    {
        Skip.If(Runtime.IsRunc, "runc takes much of this, and more memory");
        Bundle.Save();
        string file = Bundle.File("config.json", Document(what));
        if (what == "a gigabyte")
        {
            using FileStream sparse = File.OpenWrite(file);
            sparse.SetLength(1L << 30);
        }
        // 64 MiB of data beside what the document itself may have (16 MiB): more, and the process would end by a signal.
        Result run = Runtime.StartProgram("sh", new Options(), ["-c", "ulimit -d 81920; exec \"$@\"", "sh", .. Runtime.CommandLine("run", "--bundle", Bundle.Folder, Bundle.Id)]);
        run.ExitedWith(1);
        Assert.Single(run.Error.TrimEnd('\n').Split('\n'));
        Assert.True(run.Error.Length < 1000, "the message is as long as the document");
        AssertNothingLeft();
    }

    [SkippableFact]
    public void C11_a_document_with_random_damage_is_refused_or_run()
    {
        // Its cgroup has a name that no damage changes.
        Bundle.Args("true").Remove("linux/cgroupsPath").Save();
        byte[] valid = Encoding.UTF8.GetBytes(Bundle.Read("config.json"));
        var random = new Random(11);
        for (int i = 0; i < 150; i++)
        {
            byte[] damaged = [.. valid];
            for (int n = random.Next(1, 4); n > 0; n--)
            {
                int at = random.Next(damaged.Length);
                damaged[at] = random.Next(4) == 0 ? (byte)random.Next(256) : (byte)"{}[]\",:0-1eE.\\ tfn"[random.Next(18)];
            }
            File.WriteAllBytes(Bundle.Folder + "/config.json", damaged);
            Result run = Runtime.Run("run", "--bundle", Bundle.Folder, Bundle.Id);
            string what = $"damage {i}: exit code {run.ExitCode}, {run.Error}";
            Assert.True(run.ExitCode is 0 or 1 or 127, what);
            Assert.True(run.ExitCode != 1 || run.Error.TrimEnd('\n').Split('\n').Length <= 3, what);
            Assert.False(run.Error.Contains("Unhandled", StringComparison.OrdinalIgnoreCase) || run.Error.Contains("   at ", StringComparison.Ordinal), what);
        }
        AssertNothingLeft();
    }
}
