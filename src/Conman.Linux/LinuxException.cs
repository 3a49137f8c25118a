// The one exception that carries errno: what was tried, on what, and why it failed.

using System.Diagnostics.CodeAnalysis;

namespace Conman.Linux;

/// <summary>A system call failed. The message reads <c>cannot OPERATION: strerror</c>, and what the kernel says of it in its own words, if anything.</summary>
public sealed class LinuxException(int errno, string operation, string? words = null)
    : Exception($"cannot {operation}: {Describe(errno)}{(words is null ? "" : " (" + words + ")")}")
{
    /// <summary>The errno value (errno(3)).</summary>
    public int Errno { get; } = errno;

    /// <summary>What was tried, e.g. <c>open /etc/passwd</c>.</summary>
    public string Operation { get; } = operation;

    /// <summary>strerror(3), in the middle of a sentence: its first letter is small, as callers of runc look for it.</summary>
    public static string Describe(int errno) => ErrnoText.Of(errno);

    [DoesNotReturn]
    internal static void Throw(int errno, string operation) => throw new LinuxException(errno, operation);
}
