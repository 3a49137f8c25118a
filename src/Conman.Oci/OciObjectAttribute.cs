// Marks a class as a JSON object of an OCI document: its reader and writer are generated at build time.

namespace Conman.Oci;

/// <summary>A JSON object whose members are the class's public settable properties, in camelCase unless a <see cref="OciNameAttribute"/> says otherwise.</summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class OciObjectAttribute : Attribute
{
    /// <summary>An object of Docker's: the members have the properties' names as they are, and one that holds nothing (0 and "" too) is only
    /// written where <see cref="OciWriter.Whole"/> asks for it.</summary>
    public bool Docker { get; set; }
}

/// <summary>The member's name in JSON where it is not the property's name in camelCase.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OciNameAttribute(string name) : Attribute
{
    /// <summary>The name as it stands in the document.</summary>
    public string Name { get; } = name;
}

/// <summary>The specification requires the member: a boolean is written though it be false.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class OciRequiredAttribute : Attribute;
