// Signals by name: what people type, with `kill -l` as the judge.

namespace Conman.Linux.Tests;

public class SignalTests
{
    [Fact]
    public void Every_name_of_the_shell_has_its_number()
    {
        var checkedNames = 0;
        for (var number = 1; number <= 64; number++)
        {
            var name = Scratch.Run("bash", "-c", $"kill -l {number}").Trim();
            if (name.Length == 0)
                continue; // 32 and 33 belong to the C library
            checkedNames++;
            foreach (var typed in (string[])[name, "SIG" + name, name.ToLowerInvariant(), "sig" + name.ToLowerInvariant(), "Sig" + name, $"{number}"])
                Assert.True(Signals.Parse(typed) == number, $"{typed} is {Signals.Parse(typed)}, not {number}");
        }
        Assert.Equal(62, checkedNames);
    }

    [Theory]
    [InlineData("IOT", 6)]
    [InlineData("SIGCLD", 17)]
    [InlineData("poll", 29)]
    [InlineData("RTMIN", 34)]
    [InlineData("SIGRTMIN+0", 34)]
    [InlineData("rtmin+30", 64)]
    [InlineData("RTMAX", 64)]
    [InlineData("RTMAX-30", 34)]
    [InlineData("0", 0)]
    [InlineData("64", 64)]
    public void Other_names_and_numbers(string text, int number) => Assert.Equal(number, Signals.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("SIG")]
    [InlineData("SIGSIGKILL")]
    [InlineData("KILLED")]
    [InlineData("KIL")]
    [InlineData(" KILL")]
    [InlineData("KILL ")]
    [InlineData("HUP INT")]
    [InlineData("65")]
    [InlineData("-1")]
    [InlineData("99999999999")]
    [InlineData(" 9")]
    [InlineData("+9")]
    [InlineData("9 ")]
    [InlineData("0x9")]
    [InlineData("RTMIN+31")]
    [InlineData("RTMIN-1")]
    [InlineData("RTMIN3")]
    [InlineData("RTMIN+")]
    [InlineData("RTMIN+ 3")]
    [InlineData("RTMAX+1")]
    [InlineData("RTMAX-31")]
    [InlineData("RTMAX-")]
    [InlineData("SIGKıLL")]
    [InlineData("kill\0")]
    public void What_is_no_signal(string text) => Assert.Equal(-1, Signals.Parse(text));
}
