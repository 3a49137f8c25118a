// Which of the kernel's security features are there to be used.

using System.Runtime.InteropServices;

namespace Conman.Linux;

/// <summary>Linux security modules and system call filters, asked of the running kernel.</summary>
public static class SecurityModules
{
    /// <summary>AppArmor is on (apparmor(7)).</summary>
    public static bool AppArmor
    {
        get
        {
            using var file = Files.TryOpen("/sys/module/apparmor/parameters/enabled", OpenFlags.ReadOnly, out _);
            Span<byte> answer = stackalloc byte[1];
            return file is not null && Files.Read(file.Number, answer, "enabled") == 1 && answer[0] == 'Y';
        }
    }

    /// <summary>Whether seccomp(2) knows a SECCOMP_FILTER_FLAG_*: it looks at flags before it looks for the program, and here there is none.</summary>
    public static bool KnowsFilterFlag(uint flag) =>
        Native.syscall(SyscallNumbers.seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, (nint)flag, 0, 0, 0, 0) < 0 && Marshal.GetLastPInvokeError() == Errno.EFAULT;
}
