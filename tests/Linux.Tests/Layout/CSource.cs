// C that the tests write: one _Static_assert a fact, compiled by gcc against the kernel's own headers. A wrong constant does not compile.

using System.Diagnostics;
using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;

namespace Conman.Linux.Tests.Layout;

internal sealed class CSource(params string[] headers)
{
    private readonly StringBuilder _asserts = new();

    public static string Root { get; } =
        typeof(CSource).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "RepositoryRoot").Value!;

    /// <summary>A C expression must have this value.</summary>
    public void Value(string expression, ulong value, string what) =>
        _asserts.Append($"_Static_assert((unsigned long long)({expression}) == {value}ull, \"{what} is not {expression}\");\n");

    /// <summary>Only the 32 low bits count.</summary>
    public void Value32(string expression, long value, string what) =>
        _asserts.Append($"_Static_assert((unsigned)({expression}) == {(uint)value}u, \"{what} is not {expression}\");\n");

    /// <summary>Size, and for each field offset and size, of a struct.</summary>
    /// <param name="fields">C names of fields that have others in C#.</param>
    /// <param name="prefix">The C# struct is only the beginning of the C one.</param>
    public void Struct(Type type, string name, Dictionary<string, string>? fields = null, bool prefix = false)
    {
        var compare = prefix ? ">=" : "==";
        _asserts.Append($"_Static_assert(sizeof({name}) {compare} {Marshal.SizeOf(type)}, \"size of {type.Name}\");\n");
        foreach (var field in type.GetFields(BindingFlags.Instance | BindingFlags.Public | BindingFlags.NonPublic))
        {
            var own = field.Name.StartsWith('<') ? field.Name[1..field.Name.IndexOf('>')].ToLowerInvariant() : field.Name;
            if (own.StartsWith('_'))
                continue; // spare room
            var c = fields?.GetValueOrDefault(own) ?? own;
            _asserts.Append($"_Static_assert(__builtin_offsetof({name}, {c}) == {Marshal.OffsetOf(type, field.Name)}, \"offset of {type.Name}.{own}\");\n");
            _asserts.Append($"_Static_assert(sizeof((({name} *)0)->{c}) == {SizeOf(field)}, \"size of {type.Name}.{own}\");\n");
        }
    }

    /// <summary>Compiles it; gcc's words if it does not.</summary>
    public void Check()
    {
        var text = string.Concat(headers.Select(h => h.StartsWith('#') ? h + "\n" : $"#include <{h}>\n")) + _asserts;
        var start = new ProcessStartInfo("gcc", ["-std=gnu11", "-Wall", "-Werror", "-fsyntax-only", "-I", Path.Combine(Root, "native"), "-x", "c", "-"])
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
        };
        using var gcc = Process.Start(start)!;
        var errors = gcc.StandardError.ReadToEndAsync();
        gcc.StandardInput.Write(text);
        gcc.StandardInput.Close();
        gcc.WaitForExit();
        Assert.True(gcc.ExitCode == 0, errors.Result + "\n" + text);
    }

    private static int SizeOf(FieldInfo field)
    {
        if (field.GetCustomAttribute<FixedBufferAttribute>() is { } buffer)
            return Marshal.SizeOf(buffer.ElementType) * buffer.Length;
        return field.FieldType.IsPointer ? 8 : Marshal.SizeOf(field.FieldType.IsEnum ? Enum.GetUnderlyingType(field.FieldType) : field.FieldType);
    }
}
