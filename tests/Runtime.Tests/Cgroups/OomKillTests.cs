// The kernel's word of whom it has killed.

using Conman.Runtime.Cgroups;

namespace Conman.Runtime.Tests.Cgroups;

public class OomKillTests
{
    private const string Before = "4,900,5,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=";

    [Theory]
    [InlineData(Before + "/a/b,task=tail,pid=17,uid=0\n", "/a/b", 17, "tail")]
    [InlineData(Before + "/a/b/c,task=tail,pid=17,uid=0", "/a/b", 17, "tail")]
    [InlineData(Before + "/a/b,task=a,pid=9,pid=17,uid=0", "/a/b", 17, "a,pid=9")]
    public void A_record_names_the_process(string record, string cgroup, int pid, string name) => Assert.Equal(new OomKill(pid, name), OomKill.TryParse(record, cgroup));

    [Theory]
    [InlineData(Before + "/a/bc,task=tail,pid=17,uid=0", "/a/b")]
    [InlineData("6,1,2,-;eth0: link up", "/a/b")]
    [InlineData("6,1,2,-;user: oom-kill:task_memcg=/a/b,task=x,pid=1", "/a/b")]
    [InlineData("", "/a/b")]
    public void Another_record_is_none(string record, string cgroup) => Assert.Null(OomKill.TryParse(record, cgroup));
}
