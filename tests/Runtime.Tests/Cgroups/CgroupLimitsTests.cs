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
    [InlineData("""{"memory": {"limit": -1}}""", "memory.swap.max=max; memory.max=max")]
    [InlineData("""{"memory": {"limit": 0}}""", "")]
    [InlineData("""{"memory": {"limit": 1000, "swap": 3000}}""", "memory.swap.max=2000; memory.max=1000")]
    [InlineData("""{"memory": {"limit": 1000, "swap": 1000}}""", "memory.swap.max=0; memory.max=1000")]
    [InlineData("""{"memory": {"swap": -1}}""", "memory.swap.max=max")]
    [InlineData("""{"memory": {"limit": -1, "swap": 1000}}""", "memory.swap.max=1000; memory.max=max")]
    [InlineData("""{"memory": {"swappiness": 0, "disableOOMKiller": true, "kernel": 7, "kernelTCP": 7, "useHierarchy": true}}""", "")]
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
    [InlineData("""{"pids": {"limit": 0}}""", "pids.max=1")]
    [InlineData("""{"blockIO": {"weight": 500, "weightDevice": [{"major": 8, "minor": 0, "weight": 100}]}}""", "io.bfq.weight=500; io.bfq.weight=8:0 100")]
    [InlineData("""{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}], "throttleWriteBpsDevice": [{"major": 8, "minor": 1, "rate": 2}], "throttleReadIOPSDevice": [{"major": 8, "minor": 2, "rate": 3}], "throttleWriteIOPSDevice": [{"major": 8, "minor": 3, "rate": 4}]}}""",
        "io.max=8:0 rbps=1; io.max=8:1 wbps=2; io.max=8:2 riops=3; io.max=8:3 wiops=4")]
    [InlineData("""{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}""", "hugetlb.2MB.max=4194304; hugetlb.2MB.rsvd.max=4194304")]
    [InlineData("""{"rdma": {"mlx5_1": {"hcaHandles": 3, "hcaObjects": 10000}}}""", "rdma.max=mlx5_1 hca_handle=3 hca_object=10000")]
    [InlineData("""{"unified": {"memory.high": "1G", "io.weight": "default 10"}}""", "memory.high=1G; io.weight=default 10")]
    [Proves("linux.resources.memory", "linux.resources.cpu.shares", "linux.resources.cpu.quota",
        "linux.resources.cpu.period", "linux.resources.cpu.burst", "linux.resources.cpu.idle",
        "linux.resources.cpu.cpus", "linux.resources.cpu.mems", "linux.resources.pids.limit",
        "linux.resources.blockIO.weight", "linux.resources.blockIO.throttleReadBpsDevice[]",
        "linux.resources.blockIO.throttleWriteBpsDevice[]", "linux.resources.blockIO.throttleReadIOPSDevice[]",
        "linux.resources.blockIO.throttleWriteIOPSDevice[]", "linux.resources.blockIO.weightDevice[].major",
        "linux.resources.blockIO.weightDevice[].minor", "linux.resources.blockIO.weightDevice[].weight",
        "linux.resources.hugepageLimits[]", "linux.resources.rdma.*", "linux.resources.unified.*")]
    [Proves("linux.resources.memory", "linux.resources.cpu.shares", "linux.resources.cpu.quota",
        "linux.resources.cpu.period", "linux.resources.cpu.burst", "linux.resources.cpu.idle",
        "linux.resources.cpu.cpus", "linux.resources.cpu.mems", "linux.resources.pids.limit",
        "linux.resources.blockIO.weight", "linux.resources.blockIO.throttleReadBpsDevice[]",
        "linux.resources.blockIO.throttleWriteBpsDevice[]", "linux.resources.blockIO.throttleReadIOPSDevice[]",
        "linux.resources.blockIO.throttleWriteIOPSDevice[]", "linux.resources.blockIO.weightDevice[].major",
        "linux.resources.blockIO.weightDevice[].minor", "linux.resources.blockIO.weightDevice[].weight",
        "linux.resources.hugepageLimits[]", "linux.resources.rdma.*", "linux.resources.unified.*")]
    public void Resources_become_writes(string resources, string writes) => Assert.Equal(writes, Writes(resources));

    [Theory]
    [InlineData("""{"memory": {"swap": 1000}}""", "linux.resources.memory.swap: unable to set swap limit without memory limit")]
    [InlineData("""{"memory": {"limit": 2000, "swap": 1000}}""", "linux.resources.memory.swap: memory+swap limit should be >= memory limit")]
    [InlineData("""{"cpu": {"realtimeRuntime": 5}}""", "linux.resources.cpu.realtimeRuntime: the unified hierarchy has no realtime limits")]
    [InlineData("""{"blockIO": {"leafWeight": 5}}""", "linux.resources.blockIO.leafWeight: the unified hierarchy has no leaf weight")]
    [InlineData("""{"network": {"classID": 5}}""", "linux.resources.network.classID: the net_cls controller is not available")]
    [InlineData("""{"network": {"priorities": [{"name": "lo", "priority": 1}]}}""", "linux.resources.network.priorities: the net_prio controller is not available")]
    [InlineData("""{"blockIO": {"weightDevice": [{"major": 8, "minor": 0, "leafWeight": 5}]}}""", "linux.resources.blockIO.weightDevice: the unified hierarchy has no leaf weight")]
    [InlineData("""{"unified": {"../cgroup.procs": "1"}}""", "linux.resources.unified: ../cgroup.procs is no control file")]
    [InlineData("""{"unified": {"cgroup/x": "1"}}""", "linux.resources.unified: cgroup/x is no control file")]
    [InlineData("""{"unified": {"..": "1"}}""", "linux.resources.unified: .. is no control file")]
    [InlineData("""{"unified": {"x": "1"}}""", "linux.resources.unified: x is no control file")]
    [InlineData("""{"hugepageLimits": [{"pageSize": "../../x", "limit": 1}]}""", "linux.resources.hugepageLimits: ../../x is no size of pages")]
    [InlineData("""{"hugepageLimits": [{"limit": 1}]}""", "linux.resources.hugepageLimits: \"\" is no size of pages")]
    [Proves("linux.resources.cpu.realtimeRuntime", "linux.resources.blockIO.leafWeight",
        "linux.resources.blockIO.weightDevice[].leafWeight", "linux.resources.network")]
    [Proves("linux.resources.cpu.realtimeRuntime", "linux.resources.blockIO.leafWeight",
        "linux.resources.blockIO.weightDevice[].leafWeight", "linux.resources.network")]
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

    [Theory]
    [InlineData("""{"blockIO": {"weight": 10}}""", "io.weight=1")]
    [InlineData("""{"blockIO": {"weight": 750}}""", "io.weight=7475")]
    [InlineData("""{"blockIO": {"weight": 1000}}""", "io.weight=10000")]
    public void Without_the_bfq_scheduler_the_weight_is_scaled(string resources, string write) =>
        Assert.Equal(write, Text(CgroupLimits.Compile(Parse(resources)).ConvertAll(w => w.Otherwise!)));

    [Theory]
    [InlineData("{}", "")]
    [InlineData("""{"memory": {"limit": 1000, "swap": 3000}}""", "memory.limit_in_bytes=1000; memory.memsw.limit_in_bytes=3000")]
    [InlineData("""{"memory": {"limit": -1}}""", "memory.limit_in_bytes=-1; memory.memsw.limit_in_bytes=-1")]
    [InlineData("""{"memory": {"swap": 3000}}""", "memory.memsw.limit_in_bytes=3000")]
    [InlineData("""{"memory": {"reservation": 5, "swappiness": 0, "disableOOMKiller": true, "kernelTCP": 7}}""",
        "memory.soft_limit_in_bytes=5; memory.kmem.tcp.limit_in_bytes=7; memory.oom_control=1; memory.swappiness=0")]
    [InlineData("""{"memory": {"disableOOMKiller": false, "kernel": 7, "useHierarchy": true, "checkBeforeUpdate": true}}""", "")]
    [InlineData("""{"cpu": {"shares": 1024, "quota": -1, "period": 5000, "burst": 10, "idle": 0}}""",
        "cpu.idle=0; cpu.shares=1024; cpu.cfs_period_us=5000; cpu.cfs_quota_us=-1; cpu.cfs_burst_us=10")]
    [InlineData("""{"cpu": {"realtimePeriod": 100, "realtimeRuntime": 50, "cpus": "0", "mems": "1"}}""",
        "cpu.rt_period_us=100; cpu.rt_runtime_us=50; cpuset.cpus=0; cpuset.mems=1")]
    [InlineData("""{"pids": {"limit": 0}}""", "pids.max=1")]
    [InlineData("""{"pids": {"limit": -1}}""", "pids.max=max")]
    [InlineData("""{"blockIO": {"weight": 500, "leafWeight": 20, "weightDevice": [{"major": 8, "minor": 0, "weight": 100, "leafWeight": 30}]}}""",
        "blkio.weight=500; blkio.leaf_weight=20; blkio.weight_device=8:0 100; blkio.leaf_weight_device=8:0 30")]
    [InlineData("""{"blockIO": {"throttleReadBpsDevice": [{"major": 8, "minor": 0, "rate": 1}], "throttleWriteIOPSDevice": [{"major": 8, "minor": 3, "rate": 0}]}}""",
        "blkio.throttle.read_bps_device=8:0 1; blkio.throttle.write_iops_device=8:3 0")]
    [InlineData("""{"hugepageLimits": [{"pageSize": "2MB", "limit": 4194304}]}""", "hugetlb.2MB.limit_in_bytes=4194304; hugetlb.2MB.rsvd.limit_in_bytes=4194304")]
    [InlineData("""{"network": {"classID": 1048577, "priorities": [{"name": "eth0", "priority": 500}]}}""", "net_cls.classid=1048577; net_prio.ifpriomap=eth0 500")]
    [InlineData("""{"rdma": {"mlx5_1": {"hcaHandles": 3}}}""", "rdma.max=mlx5_1 hca_handle=3")]
    [Proves("linux.resources.memory", "linux.resources.cpu", "linux.resources.pids.limit", "linux.resources.blockIO",
        "linux.resources.hugepageLimits[]", "linux.resources.network", "linux.resources.rdma.*")]
    [Proves("linux.resources.memory", "linux.resources.cpu", "linux.resources.pids.limit", "linux.resources.blockIO",
        "linux.resources.hugepageLimits[]", "linux.resources.network", "linux.resources.rdma.*")]
    public void Resources_become_writes_of_cgroup_v1(string resources, string writes) => Assert.Equal(writes, Text(LegacyLimits.Compile(Parse(resources))));

    [Theory]
    [InlineData("""{"unified": {"memory.high": "1"}}""", "linux.resources.unified: invalid configuration: cannot use unified on cgroup v1")]
    [InlineData("""{"memory": {"limit": 2000, "swap": 1000}}""", "linux.resources.memory.swap: memory+swap limit should be >= memory limit")]
    [InlineData("""{"memory": {"swappiness": 101}}""", "linux.resources.memory.swappiness: invalid memory swappiness value: 101 (valid range is 0-100)")]
    [InlineData("""{"cpu": {"shares": 1}}""", "linux.resources.cpu.shares: the minimum allowed cpu-shares is 2")]
    [InlineData("""{"cpu": {"shares": 262145}}""", "linux.resources.cpu.shares: the maximum allowed cpu-shares is 262144")]
    public void What_cgroup_v1_cannot_enforce_is_refused(string resources, string sentence) =>
        Assert.Equal(sentence, Assert.Throws<RuntimeException>(() => LegacyLimits.Compile(Parse(resources))).Message);

    private static string Writes(string resources) => Text(CgroupLimits.Compile(Parse(resources)));

    private static string Text(IEnumerable<CgroupWrite> writes) => string.Join("; ", writes.Select(w => $"{w.File}={w.Value}"));

    private static Resources? Parse(string resources) => Samples.Parse("{\"linux\": {\"resources\": " + resources + "}}").Linux!.Resources;
}
