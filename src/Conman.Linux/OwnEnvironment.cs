// The environment of this process as C libraries see it: .NET keeps a copy of its own.

namespace Conman.Linux;

public static class OwnEnvironment
{
    /// <summary>setenv(3). Only while no other thread reads the environment: before a library's first use.</summary>
    public static void Set(string name, string value) => _ = Native.setenv(name, value, 1);
}
