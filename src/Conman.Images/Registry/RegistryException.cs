// What a registry refused, or why it could not be asked.

namespace Conman.Images.Registry;

/// <summary>An exchange with a registry failed; where there are several places to ask, the next may do better.</summary>
/// <param name="message">One line.</param>
/// <param name="status">The HTTP status of the answer; 0: there was none.</param>
/// <param name="transient">The same may work when it is tried again.</param>
public sealed class RegistryException(string message, int status = 0, bool transient = false, Exception? cause = null) : ImageException(message, cause!)
{
    /// <summary>The HTTP status of the answer; 0: there was none.</summary>
    public int Status { get; } = status;

    /// <summary>The same may work when it is tried again.</summary>
    public bool Transient { get; } = transient;
}
