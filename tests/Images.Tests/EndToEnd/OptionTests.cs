// Options that daily users of Docker and Podman type, where they type them.

namespace Conman.Images.Tests.EndToEnd;

public sealed class OptionTests : CommandTest
{
    [SkippableFact]
    public void What_every_command_takes_may_stand_after_its_name_too()
    {
        Shell("mkdir tree; tar -C tree -cf tree.tar .");
        Shell($"{Binary} import --root other --runroot run tree.tar base:1");
        Assert.Equal("base:1\n", Shell($"{Binary} --root nowhere images --root=other --format '{{{{.Repository}}}}:{{{{.Tag}}}}'"));
        Assert.Equal("base:1\n", Shell($"{Binary} --root other image ls --format '{{{{.Repository}}}}:{{{{.Tag}}}}'"));
        Assert.False(Directory.Exists(InFolder("nowhere")));
    }

    [SkippableFact]
    public void Images_are_sorted_as_asked_and_listed_without_a_heading()
    {
        Shell("mkdir a b; head -c 100 /dev/zero > a/f; head -c 9000 /dev/zero > b/f; tar -C a -cf a.tar .; tar -C b -cf b.tar .");
        Conman("import a.tar small:z");
        Conman("import b.tar large:a");
        Assert.Equal("large\nsmall\n", Conman("images --sort size --format '{{.Repository}}'"));
        Assert.Equal("large\nsmall\n", Conman("images --sort repository --format '{{.Repository}}'"));
        Assert.Equal("a\nz\n", Conman("images --sort tag --format '{{.Tag}}'"));
        Assert.DoesNotContain("REPOSITORY", Conman("images -n"), StringComparison.Ordinal);
        Assert.Contains("created, id, repository, size or tag is expected", Conman("images --sort nosuch", 125), StringComparison.Ordinal);
        Assert.Contains("are not kept", Conman("images --history", 125), StringComparison.Ordinal);
        Assert.Contains("so that their digests stay", Conman("push --format oci small:z", 125), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void Who_one_is_to_a_registry_is_told_and_all_of_it_forgotten()
    {
        Shell("""echo '{"auths":{"a.example":{"auth":"bWU6c2VjcmV0"},"b.example:5000":{"auth":"eW91OngK"}},"other":1}' > auth.json""");
        Assert.Equal("me\n", Conman("login --get-login --authfile auth.json a.example"));
        Assert.Contains("not logged in to c.example", Conman("login --get-login --authfile auth.json c.example", 1), StringComparison.Ordinal);
        Assert.Equal("Removing login credentials for a.example\nRemoving login credentials for b.example:5000\n", Conman("logout --all --authfile auth.json"));
        Assert.Contains("not logged in", Conman("login --get-login --authfile auth.json a.example", 1), StringComparison.Ordinal);
        Assert.Contains("\"other\"", Shell("cat auth.json"), StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_registry_is_asked_again_as_often_as_is_said()
    {
        using var server = new Registry.HttpServer { Handler = (_, reply) => reply.Send(503, "{}"u8) };
        Conman($"pull --tls-verify=false --retry 2 --retry-delay 1ms {server.Domain}/x", 125);
        var asked = server.Requests.Count(r => r.Path.Contains("/manifests/", StringComparison.Ordinal));
        Assert.Equal(3, asked);
    }
}
