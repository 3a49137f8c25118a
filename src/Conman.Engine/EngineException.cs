// What the engine cannot do, in words for the person who asked.

namespace Conman.Engine;

/// <summary>One line that names the thing, the operation and the cause.</summary>
public class EngineException(string message, Exception? inner = null) : Exception(message, inner);
