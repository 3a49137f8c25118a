// The mark of a test that proves a property of the runtime specification. docs/conformance.md is made of these marks.
namespace Conman.Tests;

/// <summary>This test would fail if the product did not do what the specification says of these properties.</summary>
/// <param name="properties">"linux.resources.memory.limit" of config.json, or of another document with its name before it
/// ("state: pid", "features: hooks[]"). One that has properties of its own stands for all of them ("linux.uidMappings[]").</param>
[AttributeUsage(AttributeTargets.Method, AllowMultiple = true)]
public sealed class ProvesAttribute(params string[] properties) : Attribute
{
    public IReadOnlyList<string> Properties { get; } = properties;
}
