// errno in words: glibc's.

using System.Runtime.InteropServices;

namespace Conman.Linux.Tests;

public unsafe partial class LinuxExceptionTests
{
    [Fact]
    public void Every_errno_has_the_words_of_glibc_in_the_middle_of_a_sentence()
    {
        for (var errno = 1; errno <= 133; errno++)
        {
            var words = Marshal.PtrToStringUTF8((nint)strerror(errno))!;
            words = char.ToLowerInvariant(words[0]) + words[1..];
            Assert.Equal(words, LinuxException.Describe(errno));
            Assert.Equal($"cannot do it: {words}", new LinuxException(errno, "do it").Message);
        }
    }

    [LibraryImport("libc")]
    private static partial byte* strerror(int errno);
}
