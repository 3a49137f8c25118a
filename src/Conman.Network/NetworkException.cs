// What cannot be done with networks, in words for the person who asked.

namespace Conman.Network;

/// <summary>One line that names the thing, the operation and the cause.</summary>
public sealed class NetworkException(string message, Exception? inner = null) : Exception(message, inner);
