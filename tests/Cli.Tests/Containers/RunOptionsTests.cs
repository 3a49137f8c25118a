// The options of run and create: what each becomes, and what is said where one makes no sense.

using System.Text;
using Conman.CommandLine;
using Conman.Oci;

namespace Conman.Cli.Tests.Containers;

public class RunOptionsTests
{
    [Theory]
    // Resources.
    [InlineData("-m 512m --memory-swap -1 --memory-reservation 1.5g", "fails: minimum memory limit can not be less than memory reservation limit, see usage")]
    [InlineData("-m 512m --memory-swap -1", """{"Memory":536870912,"MemorySwap":-1}""")]
    [InlineData("-m512MiB", """{"Memory":536870912}""")]
    [InlineData("--memory=6291456b --memory-swap=12m", """{"Memory":6291456,"MemorySwap":12582912}""")]
    [InlineData("-m 5m", "fails: minimum memory limit allowed is 6MB")]
    [InlineData("-m lots", "fails: --memory lots: not a size, such as 512m or 1.5g")]
    [InlineData("-m -5", "fails: --memory -5: not a size, such as 512m or 1.5g")]
    [InlineData("--memory-swap 1g", "fails: you should always set the memory limit when using memory-swap, see usage")]
    [InlineData("--cpus 0.5", """{"NanoCpus":500000000}""")]
    [InlineData("--cpus .000000001", """{"NanoCpus":1}""")]
    [InlineData("--cpus 1e3", "fails: --cpus 1e3: not a number of CPUs, such as 1.5")]
    [InlineData("--cpus 1 --cpu-quota 5000", "fails: conflicting options: nano cpus and cpu quota cannot both be set")]
    [InlineData("-c 512 --cpuset-cpus 0-1 --cpuset-mems 0", """{"CpuShares":512,"CpusetCpus":"0-1","CpusetMems":"0"}""")]
    [InlineData("--pids-limit 0", """{"PidsLimit":-1}""")]
    [InlineData("--pids-limit 64", """{"PidsLimit":64}""")]
    [InlineData("--oom-score-adj 1001", "fails: --oom-score-adj 1001: not a whole number from -1000 to 1000")]
    [InlineData("--blkio-weight 5", "fails: --blkio-weight 5: not a whole number from 10 to 1000")]
    [InlineData("--device-read-bps /dev/sda:1mb --device-write-iops /dev/sda:9", """{"BlkioDeviceReadBps":[{"Path":"/dev/sda","Rate":1048576}],"BlkioDeviceWriteIOps":[{"Path":"/dev/sda","Rate":9}]}""")]
    [InlineData("--device-read-bps sda:1mb", "fails: --device-read-bps sda:1mb: expected PATH:VALUE")]
    [InlineData("--ulimit nofile=10:20 --ulimit core=-1", """{"Ulimits":[{"Name":"nofile","Hard":20,"Soft":10},{"Name":"core","Hard":-1,"Soft":-1}]}""")]
    [InlineData("--ulimit nofile=30:20", "fails: --ulimit nofile=30:20: the soft limit is above the hard one")]
    [InlineData("--ulimit nofile=-1:20", "fails: --ulimit nofile=-1:20: the soft limit is above the hard one")]
    [InlineData("--ulimit nofiles=1", "fails: --ulimit nofiles=1: there is no limit nofiles: did you mean nofile?")]
    [InlineData("--shm-size 0", "fails: --shm-size 0: it is more than 0")]
    // The file system.
    [InlineData("-v /a:/b:ro -v data:/c:nocopy", """{"Binds":["/a:/b:ro","data:/c:nocopy"]}""")]
    [InlineData("-v /a:/", "fails: --volume /a:/: nothing can be mounted on /")]
    [InlineData("-v /a:b", "fails: --volume /a:b: the target b is not an absolute path")]
    [InlineData("-v /a:/b:ro,rw", "fails: --volume /a:/b:ro,rw: ro and rw contradict each other")]
    [InlineData("-v /a:/b:nocopy", "fails: --volume /a:/b:nocopy: nocopy is for volumes, not for folders of the host")]
    [InlineData("-v /a:/b:U", "fails: --volume /a:/b:U: there is no option U: conman changes no owners, and puts no overlay over a volume")]
    [InlineData("-v /a:/b:rdonly", "fails: --volume /a:/b:rdonly: unknown option rdonly")]
    [InlineData("-v /a:/b:/c:/d", "fails: --volume /a:/b:/c:/d: expected SOURCE:TARGET[:OPTIONS]")]
    [InlineData("-v a/b:/c", "fails: \"a/b\" is no name for a volume: that is two letters, digits, '_', '.' or '-' at least, the first a letter or digit; a folder of the host is given by an absolute path")]
    [InlineData("-v ../../../../../../../../../../../../../../etc:/c", """{"Binds":["/etc:/c"]}""")]
    [InlineData("--tmpfs /run:size=1m --tmpfs /tmp", """{"Tmpfs":{"/run":"size=1m","/tmp":""}}""")]
    [InlineData("--mount type=bind,src=/a,dst=/b,ro,bind-propagation=rslave", """{"Mounts":[{"Type":"bind","Source":"/a","Target":"/b","ReadOnly":true,"BindOptions":{"Propagation":"rslave"}}]}""")]
    [InlineData("--mount src=data,target=/b,volume-nocopy,volume-subpath=x,volume-label=a=b", """{"Mounts":[{"Type":"volume","Source":"data","Target":"/b","VolumeOptions":{"NoCopy":true,"Labels":{"a":"b"},"Subpath":"x"}}]}""")]
    [InlineData("--mount type=tmpfs,destination=/t,tmpfs-size=1m,tmpfs-mode=1770", """{"Mounts":[{"Type":"tmpfs","Target":"/t","TmpfsOptions":{"SizeBytes":1048576,"Mode":1016}}]}""")]
    [InlineData("--mount type=volume,target=/v,\"volume-opt=o=a,b\"", """{"Mounts":[{"Type":"volume","Target":"/v","VolumeOptions":{"DriverConfig":{"Options":{"o":"a,b"}}}}]}""")]
    [InlineData("--mount type=bind,target=/v", "fails: --mount type=bind,target=/v: source is missing")]
    [InlineData("--mount type=bind,source=/a", "fails: --mount type=bind,source=/a: target is missing")]
    [InlineData("--mount type=bind,source=/a,target=/b,volume-nocopy", "fails: --mount type=bind,source=/a,target=/b,volume-nocopy: it has fields that are not for type bind")]
    [InlineData("--mount type=bind,sorce=/a,target=/b", "fails: --mount type=bind,sorce=/a,target=/b: unknown field sorce: did you mean source?")]
    [InlineData("--mount type=cluster,target=/b", "fails: --mount type=cluster,target=/b: there is no type cluster: it is bind, volume, tmpfs or image")]
    [InlineData("--mount type=bind,source=/a,target=/b,ro=perhaps", "fails: --mount type=bind,source=/a,target=/b,ro=perhaps: readonly: perhaps is neither true nor false", "ro")]
    [InlineData("--read-only --read-only-tmpfs", """{"ReadonlyRootfs":true,"Tmpfs":{"/run":"mode=755","/tmp":"mode=1777","/var/tmp":"mode=1777"}}""")]
    // Devices and rights.
    [InlineData("--device /dev/fuse --device /dev/sda:/dev/xvda:r --device /dev/null:rw", """{"Devices":[{"PathOnHost":"/dev/fuse","PathInContainer":"/dev/fuse","CgroupPermissions":"rwm"},{"PathOnHost":"/dev/sda","PathInContainer":"/dev/xvda","CgroupPermissions":"r"},{"PathOnHost":"/dev/null","PathInContainer":"/dev/null","CgroupPermissions":"rw"}]}""")]
    [InlineData("--device nvidia.com/gpu=all", "fails: --device nvidia.com/gpu=all: conman knows no devices by CDI names: name the nodes in /dev")]
    [InlineData("--device /dev/a:/dev/b:x", "fails: --device /dev/a:/dev/b:x: x is not made of r, w and m")]
    [InlineData("--device-cgroup-rule=c+1:3+rwm", """{"DeviceCgroupRules":["c 1:3 rwm"]}""")]
    [InlineData("--device-cgroup-rule=c+1+rwm", "fails: --device-cgroup-rule c 1 rwm: expected TYPE MAJOR:MINOR ACCESS, e.g. \"c 1:3 rwm\"")]
    [InlineData("--cap-add net_admin,SYS_TIME --cap-drop ALL", """{"CapAdd":["net_admin","SYS_TIME"],"CapDrop":["ALL"]}""")]
    [InlineData("--cap-add fly", "fails: --cap-add: there is no capability fly")]
    [InlineData("--security-opt no-new-privileges --security-opt seccomp=unconfined", """{"SecurityOpt":["no-new-privileges","seccomp=unconfined"]}""")]
    [InlineData("--security-opt seccomp=/nowhere.json", "fails: --security-opt seccomp=/nowhere.json: no such file or directory")]
    [InlineData("--security-opt sccomp=x", "fails: --security-opt: unknown option sccomp=x: it is one of apparmor, label, mask, no-new-privileges, seccomp, systempaths, unmask, writable-cgroups")]
    [InlineData("--sysctl net.core.somaxconn=1024", """{"Sysctls":{"net.core.somaxconn":"1024"}}""")]
    [InlineData("--sysctl net.core.somaxconn", "fails: --sysctl net.core.somaxconn: expected KEY=VALUE")]
    [InlineData("--pid host --ipc container:db --uts host", """{"IpcMode":"container:db","PidMode":"host","UTSMode":"host"}""")]
    [InlineData("--pid hosts", "fails: --pid: there is no mode hosts: it is private, host, container:NAME, ns:PATH")]
    [InlineData("--uts host --hostname web", "fails: conflicting options: hostname and the UTS mode")]
    // Life.
    [InlineData("--restart on-failure:3", """{"RestartPolicy":{"Name":"on-failure","MaximumRetryCount":3}}""")]
    [InlineData("--restart always:3", "fails: --restart always:3: only on-failure has a number of times")]
    [InlineData("--restart sometimes", "fails: --restart sometimes: there is no such policy: it is no, always, unless-stopped or on-failure[:TIMES]")]
    [InlineData("--restart always --rm", "fails: conflicting options: cannot specify both --restart and --rm")]
    [InlineData("--log-driver k8s-file --log-opt max-size=10m --log-opt max-file=3", """{"LogConfig":{"Type":"k8s-file","Config":{"max-size":"10m","max-file":"3"}}}""")]
    [InlineData("--log-opt mode=non-blocking", "fails: --log-opt mode: there is no such option: it is max-size, max-file or tag")]
    [InlineData("--log-driver syslog", "fails: --log-driver syslog: it is json-file, k8s-file, journald or none")]
    // The network.
    [InlineData("-p 8080:80 -p 127.0.0.1::53/udp", """{"PortBindings":{"80/tcp":[{"HostPort":"8080"}],"53/udp":[{"HostIp":"127.0.0.1"}]}}""")]
    [InlineData("-p [::1]:8000-8001:80-81", """{"PortBindings":{"80/tcp":[{"HostIp":"::1","HostPort":"8000"}],"81/tcp":[{"HostIp":"::1","HostPort":"8001"}]}}""")]
    [InlineData("-p 8000-8010:80", """{"PortBindings":{"80/tcp":[{"HostPort":"8000-8010"}]}}""")]
    [InlineData("-p published=8080,target=80,protocol=udp,mode=host", """{"PortBindings":{"80/udp":[{"HostPort":"8080"}]}}""")]
    [InlineData("-p 80-81:80-82", "fails: --publish 80-81:80-82: 80-81 and 80-82 are not the same number of ports")]
    [InlineData("-p ::1:80:80", "fails: --publish ::1:80:80: an IPv6 address is in brackets, with a port or a colon after it: [::1]:80:80")]
    [InlineData("-p 65536:80", "fails: --publish 65536:80: 65536 is no port")]
    [InlineData("-p 80/icmp", "fails: --publish 80/icmp: unknown protocol icmp: it is tcp, udp or sctp")]
    [InlineData("-p local:80:80", "fails: --publish local:80:80: local is no IP address")]
    [InlineData("-p 90-80", "fails: --publish 90-80: 90-80 ends before it begins")]
    [InlineData("--network container:db -p 80:80", "fails: conflicting options: port publishing and the container type network mode")]
    [InlineData("--network none --ip 10.0.0.2", "fails: --ip 10.0.0.2: a container with --network none has no address of its own")]
    [InlineData("--network none --network blue", "fails: --network blue: a container that is in no network of its own cannot be in another besides")]
    [InlineData("--network blue --network name=green,alias=x,ip=10.0.0.2", """{"NetworkMode":"blue"}""")]
    [InlineData("--add-host db:10.0.0.5 --add-host six=[::1] --add-host up:host-gateway", """{"ExtraHosts":["db:10.0.0.5","six:::1","up:host-gateway"]}""")]
    [InlineData("--add-host db", "fails: --add-host db: expected NAME:ADDRESS")]
    [InlineData("--dns 1.2.3", "fails: --dns 1.2.3: not an IP address")]
    // What there is not.
    [InlineData("--gpus all", "fails: --gpus: conman knows no graphics cards: name their nodes with --device")]
    [InlineData("--volme /a:/b", "fails: unknown option --volme: did you mean --volume?")]
    [InlineData("--rm=perhaps", "fails: --rm is a flag: perhaps is neither true nor false")]
    [InlineData("--memory", "fails: --memory needs a value: BYTES", "no image")]
    public void An_option_becomes_a_setting_or_is_refused(string line, string expected, string? remark = null)
    {
        if (remark == "ro")
            expected = expected.Replace("readonly: perhaps", "ro: perhaps", StringComparison.Ordinal);
        Assert.Equal(expected, Outcome(line, o => o.Host.WriteTo, remark == "no image" ? [] : ["image"]));
    }

    [Theory]
    [InlineData("-it", """{"AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":true,"OpenStdin":true,"StdinOnce":true,"Image":"image"}""")]
    [InlineData("-d -i", """{"OpenStdin":true,"Image":"image"}""")]
    [InlineData("-a stderr", """{"AttachStderr":true,"Image":"image"}""")]
    [InlineData("-a stdio", "fails: --attach stdio: it is stdin, stdout or stderr")]
    [InlineData("-d -a stdout", "fails: conflicting options: cannot specify both --attach and --detach")]
    [InlineData("-d -e A=1 -e CONMAN_NOT_SET -e B= -w /srv -u 1:2 --entrypoint= --umask 027", """{"User":"1:2","Env":["A=1","CONMAN_NOT_SET","B="],"Image":"image","WorkingDir":"/srv","Entrypoint":[""],"Umask":"027"}""")]
    [InlineData("-d -e =1", "fails: --env =1: a variable needs a name")]
    [InlineData("-d --umask 8", "fails: --umask 8: not an octal number up to 7777")]
    [InlineData("-d -w srv", "fails: --workdir srv: the working directory is an absolute path")]
    [InlineData("-d -v /data --expose 80-81/udp", """{"ExposedPorts":{"80/udp":{},"81/udp":{}},"Image":"image","Volumes":{"/data":{}}}""")]
    [InlineData("-d -l a=b=c -l d", """{"Image":"image","Labels":{"a":"b=c","d":""}}""")]
    [InlineData("-d --stop-signal rtmin+3 --stop-timeout 0 --timeout 5 --tz Europe/Berlin", """{"Image":"image","StopSignal":"rtmin+3","StopTimeout":0,"Timeout":5,"Timezone":"Europe/Berlin"}""")]
    [InlineData("-d --stop-signal NOPE", "fails: --stop-signal NOPE: there is no such signal")]
    [InlineData("-d --health-cmd true --health-interval 1m30s --health-retries 2", """{"Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":90000000000,"Retries":2},"Image":"image"}""")]
    [InlineData("-d --health-interval 5us", "fails: --health-interval 5us: it is at least 1ms")]
    [InlineData("-d --health-timeout 5", "fails: --health-timeout 5: not a duration, such as 30s or 1m30s")]
    [InlineData("-d --no-healthcheck", """{"Healthcheck":{"Test":["NONE"]},"Image":"image"}""")]
    [InlineData("-d --no-healthcheck --health-cmd true", "fails: --no-healthcheck: contradicts the other --health options")]
    [InlineData("-d --secret key,type=env,target=KEY --secret other,uid=5,mode=0400", """{"Image":"image","Secrets":[{"Name":"key","Type":"env","Target":"KEY"},{"Name":"other","UID":5,"Mode":256}]}""")]
    [InlineData("-d --secret type=env", "fails: --secret type=env: the name of a secret is missing")]
    public void So_does_what_is_said_of_the_program(string line, string expected) => Assert.Equal(expected, Outcome(line, o => o.Config.WriteTo, ["image"]));

    [Fact]
    public void What_follows_the_image_is_the_program_s()
    {
        var options = Parse(["--rm", "image", "sh", "-c", "--rm", "--", ""]);
        Assert.Equal(["sh", "-c", "--rm", "--", ""], options.Config.Cmd!);
        Assert.True(options.Host.AutoRemove);
    }

    [Fact]
    public void Networks_have_settings_of_their_own()
    {
        var options = Parse(["--network", "blue", "--network", "name=green,alias=x,\"alias=y\",gw-priority=2", "--ip", "10.0.0.2", "--net-alias", "z", "--mac-address", "02-42-AC-11-00-02", "image"]);
        Assert.Equal("""{"EndpointsConfig":{"blue":{"IPAMConfig":{"IPv4Address":"10.0.0.2"},"Aliases":["z"],"MacAddress":"02:42:ac:11:00:02"},"green":{"Aliases":["x","y"],"GwPriority":2}}}""", Text(options.Networking!.WriteTo));
    }

    [Fact]
    public void Files_of_variables_are_read_line_by_line()
    {
        var path = Path.GetTempFileName();
        try
        {
            File.WriteAllText(path, "\ufeff# a comment\nA=1\r\n\n   B= 2 \nCONMAN_NOT_SET\nPATH\n");
            var options = Parse(["--env-file", path, "-e", "C=3", "--label-file", path, "image"]);
            Assert.Equal(["A=1", "B= 2 ", "PATH=" + Environment.GetEnvironmentVariable("PATH"), "C=3"], options.Config.Env!);
            Assert.Equal("", options.Config.Labels!["CONMAN_NOT_SET"]);
            File.WriteAllText(path, "A=1\nB C=2\n");
            Assert.Equal($"--env-file {path}: line 2: the name \"B C\" has white space in it", Assert.Throws<UsageException>(() => Parse(["--env-file", path, "image"])).Message);
            File.WriteAllBytes(path, [0xff, 0xfe, 0x41]);
            Assert.Equal($"--env-file {path}: it is no UTF-8 text", Assert.Throws<UsageException>(() => Parse(["--env-file", path, "image"])).Message);
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Every_option_that_is_declared_is_read()
    {
        foreach (var option in RunOptions.Table(create: false))
        {
            if (option.Refused is not null)
                continue;
            // Whether the value makes sense does not matter here.
            string[] line = option.Value is null ? ["--" + option.Name, "image"] : ["--" + option.Name, "1", "image"];
            Assert.IsNotType<InvalidOperationException>(Record.Exception(() => Parse(line)));
        }
    }

    [Fact]
    public void No_two_options_have_one_name()
    {
        var options = RunOptions.Table(create: false);
        Assert.Equal(options.Length, options.DistinctBy(o => o.Name).Count());
        Assert.Equal(options.Count(o => o.Short != '\0'), options.Where(o => o.Short != '\0').DistinctBy(o => o.Short).Count());
    }

    // A plus stands for a space within a word.
    private static string Outcome(string line, Func<RunOptions, Action<OciWriter>> part, string[] words)
    {
        try
        {
            return Text(part(Parse([.. line.Split(' ').Select(w => w.Replace('+', line.Contains("cgroup-rule") ? ' ' : '+')), .. words])));
        }
        catch (UsageException e)
        {
            return "fails: " + e.Message;
        }
    }

    private static RunOptions Parse(string[] line) => RunOptions.Parse(Arguments.Parse(line, 0, RunOptions.Table(create: false), stopAfter: 1).Item1, create: false);

    private static string Text(Action<OciWriter> write) => Encoding.UTF8.GetString(OciWriter.Write(write, indented: false));
}
