// What is wrong with a document, in one line.

namespace Conman.Oci;

/// <summary>A document that is no JSON, or whose members are not what the specification says. The message is one line and names the member.</summary>
public sealed class OciFormatException(string message, Exception? inner = null) : FormatException(message, inner);
