// What a user reads when a container cannot be what was asked for: one line.

using System.Diagnostics.CodeAnalysis;

namespace Conman.Runtime;

/// <summary>A request that cannot be fulfilled. The message is one line that names the thing, the operation and the cause.</summary>
public sealed class RuntimeException(string message, Exception? inner = null) : Exception(message, inner)
{
    /// <summary>What the kernel said where the program could not be executed; 0: it is not about that.</summary>
    public int ProgramErrno { get; init; }

    /// <summary>Throws; an expression of any type, so that it can stand where a value is expected.</summary>
    [DoesNotReturn]
    public static T Throw<T>(string message) => throw new RuntimeException(message);
}
