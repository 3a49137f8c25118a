// native/ for the processor that these tests do not run on: it compiles with every warning an error, and the helper runs where there is an emulator.

using System.Buffers.Binary;
using Conman.Linux.Tests.Layout;

namespace Conman.Linux.Tests;

public class CrossBuildTests
{
    private const string Compiler = "/usr/bin/aarch64-linux-gnu-";

    [SkippableFact]
    public void What_is_written_in_C_is_made_for_aarch64()
    {
        Skip.IfNot(File.Exists(Compiler + "gcc"), "no compiler for aarch64 (package gcc-aarch64-linux-gnu)");
        using var scratch = new Scratch();
        Scratch.Run("make", "-s", "-C", CSource.Root + "/native", "OUT=" + scratch.Path, $"CC={Compiler}gcc", $"STRIP={Compiler}strip", $"AR={Compiler}ar",
            scratch["libconman.a"]);
        Assert.True(File.Exists(scratch["libconman.a"]));
        var helper = File.ReadAllBytes(scratch["conman-init"]);
        Assert.Equal(183 /* EM_AARCH64 */, BinaryPrimitives.ReadUInt16LittleEndian(helper.AsSpan(18)));
        Assert.InRange(helper.Length, 1, 40_000);
        Skip.IfNot(File.Exists("/usr/bin/qemu-aarch64"), "no emulator of aarch64 (package qemu-user)");
        Assert.Equal("126\n", Scratch.Run("/bin/sh", "-c", $"qemu-aarch64 {scratch["conman-init"]}; echo $?")); // it has been given no plan
    }
}
