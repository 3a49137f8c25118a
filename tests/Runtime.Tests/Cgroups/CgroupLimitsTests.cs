// linux.resources as writes to control files: the table, and what is refused.

using Conman.Oci.RuntimeSpec;
using Conman.Runtime.Cgroups;
using CsCheck;

namespace Conman.Runtime.Tests.Cgroups;

public class CgroupLimitsTests
{
    [Theory]
    [InlineData("{}", "")]
    [InlineData("""{"memory": {"limit": 1048576}}""", "memory.max=1048576")]
    [InlineData("""{"memory": {"limit": -1}}""", "memory.max=max")]
    [InlineData("""{"memory": {"limit": 0}}""", "")]
    [InlineData("""{"memory": {"limit": 1000, "swap": 3000}}""", "memory.swap.max=2000; memory.max=1000")]
    [InlineData("""{"memory": {"limit": 1000, "swap": 1000}}""", "memory.swap.max=0; memory.max=1000")]
    [InlineData("""{"memory": {"swap": -1}}""", "memory.swap.max=max")]
    [InlineData("""{"memory": {"reservation": 500}}""", "memory.low=500")]
    [InlineData("""{"cpu": {"shares": 1024}}""", "cpu.weight=100")]
    [InlineData("""{"cpu": {"shares": 0}}""", "")]
    [InlineData("""{"cpu": {"quota": 50000, "period": 100000}}""", "cpu.max=50000 100000")]
    [InlineData("""{"cpu": {"quota": 50000}}""", "cpu.max=50000")]
    [InlineData("""{"cpu": {"period": 100000}}""", "cpu.max=max 100000")]
    [InlineData("""{"cpu": {"quota": -1, "period": 5000}}""", "cpu.max=max 5000")]
    [InlineData("""{"cpu": {"quota": -1}}""", "cpu.max=max")]
    [InlineData("""{"cpu": {"idle": 1, "burst": 10, "cpus": "0-1,3", "mems": "0"}}""", "cpu.idle=1; cpu.max.burst=10; cpuset.cpus=0-1,3; cpuset.mems=0")]
    [InlineData("""{"pids": {"limit": 10}}""", "pids.max=10")]
    [InlineData("""{"pids": {"limit": -1}}""", "pids.max=max")]
    [InlineData("""{"blockIO": {"weight": 500, "weightDevice": [{"major": 8, "minor": 0, "weight": 100}]}}""", "io.bfq.weight=500; io.bfq.weight=8:0 100")]
    [InlineData("""{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}], "throttleWriteBpsDevice": [{"major": 8, "minor": 1, "rate": 2}], "throttleReadIOPSDevice": [{"major": 8, "minor": 2, "rate": 3}], "throttleWriteIOPSDevice": [{"major": 8, "minor": 3, "rate": 4}]}}""",
        "io.max=8:0 rbps=1; io.max=8:1 wbps=2; io.max=8:2 riops=3; io.max=8:3 wiops=4")]
    [InlineData("""{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}""", "hugetlb.2MB.max=4194304; hugetlb.2MB.rsvd.max=4194304")]
    [InlineData("""{"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}}}""", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000")]
    [InlineData("""{"unified": {"memory.high": "1G", "io.weight": "default 10"}}""", "memory.high=1G; io.weight=default 10")]
    public void Resources_become_writes(string resources, string writes) => Assert.Equal(writes, Writes(resources));

    [Theory]
    [InlineData("""{"memory": {"swap": 1000}}""", "linux.resources.memory.swap: unable to set swap limit without memory limit")]
    [InlineData("""{"memory": {"limit": 2000, "swap": 1000}}""", "linux.resources.memory.swap: memory+swap limit should be >= memory limit")]
    [InlineData("""{"cpu": {"realtimeRuntime": 5}}""", "linux.resources.cpu.realtimeRuntime: the unified hierarchy has no realtime limits")]
    [InlineData("""{"blockIO": {"leafWeight": 5}}""", "linux.resources.blockIO.leafWeight: the unified hierarchy has no leaf weight")]
    [InlineData("""{"unified": {"../cgroup.procs": "1"}}""", "linux.resources.unified: ../cgroup.procs is no control file")]
    [InlineData("""{"unified": {"cgroup/x": "1"}}""", "linux.resources.unified: cgroup/x is no control file")]
    [InlineData("""{"unified": {"..": "1"}}""", "linux.resources.unified: .. is no control file")]
    [InlineData("""{"unified": {"x": "1"}}""", "linux.resources.unified: x is no control file")]
    [InlineData("""{"hugepageLimits": [{"pageSize": "../../x", "limit": 1}]}""", "linux.resources.hugepageLimits: ../../x is no size of pages")]
    [InlineData("""{"hugepageLimits": [{"limit": 1}]}""", "linux.resources.hugepageLimits: \"\" is no size of pages")]
    public void What_cannot_be_enforced_is_refused(string resources, string sentence) =>
        Assert.Equal(sentence, Assert.Throws<RuntimeException>(() => Writes(resources)).Message);

    [Theory]
    [InlineData(0, 1)]
    [InlineData(1, 1)]
    [InlineData(2, 1)]
    [InlineData(1024, 100)]
    [InlineData(262144, 10000)]
    [InlineData(ulong.MaxValue, 10000)]
    public void Shares_become_weight_at_the_ends_and_at_the_default(ulong shares, ulong weight) => Assert.Equal(weight, CgroupLimits.Weight(shares));

    [Fact]
    public void More_shares_are_never_less_weight() =>
        Gen.Select(Gen.ULong[0, 300_000], Gen.ULong[0, 300_000]).Sample((a, b) =>
        {
            Assert.InRange(CgroupLimits.Weight(a), 1ul, 10000ul);
            Assert.True(CgroupLimits.Weight(Math.Min(a, b)) <= CgroupLimits.Weight(Math.Max(a, b)), $"{a}, {b}");
        });

    private static string Writes(string resources) => string.Join("; ", CgroupLimits.Compile(
        Samples.Parse("{\"linux\": {\"resources\": " + resources + "}}").Linux!.Resources).Select(w => $"{w.File}={w.Value}"));
}
