// Credentials in the files of Docker and Podman, and in helpers.

using Conman.Images.Configuration;
using Conman.Images.References;
using Conman.Images.Registry;

namespace Conman.Images.Tests.Configuration;

public sealed class CredentialStoreTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("conman-test-");

    private string FilePath => _folder.FullName + "/docker/config.json";

    private CredentialStore Store => new([FilePath, _folder.FullName + "/auth.json"]);

    public void Dispose() => _folder.Delete(recursive: true);

    private void Write(string json)
    {
        Directory.CreateDirectory(_folder.FullName + "/docker");
        File.WriteAllText(FilePath, json);
    }

    [Theory]
    [InlineData("docker.io", "library/alpine", "hub"), InlineData("a.example", "x", "a"), InlineData("b.example:5000", "x", "b"), InlineData("c.example", "x", null)]
    [InlineData("d.example", "team/app/x", "app"), InlineData("d.example", "team/x", "team"), InlineData("d.example", "x", "d"), InlineData("e.example", "x", "plain")]
    public void A_registry_has_several_names_and_its_parts_credentials_of_their_own(string domain, string path, string? user)
    {
        static string Auth(string user) => $$"""{"auth":"{{Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(user + ":se:cret"))}}"}""";
        Write($$$"""
            {"auths":{"https://index.docker.io/v1/":{{{Auth("hub")}}},"a.example":{{{Auth("a")}}},"https://b.example:5000":{{{Auth("b")}}},"c.example":{},
             "d.example":{{{Auth("d")}}},"d.example/team":{{{Auth("team")}}},"d.example/team/app":{{{Auth("app")}}},"e.example":{"username":"plain","password":"se:cret"} } }
            """);
        Assert.Equal(user is null ? null : new Credential(user, "se:cret"), Store.Find(domain, path));
    }

    [Fact]
    public void What_is_kept_is_found_and_what_else_is_there_stays()
    {
        Write("""{"auths":{"a.example":{"auth":"eDp5"}},"HttpHeaders":{"X":"y"},"detachKeys":"ctrl-q"}""");
        Assert.True(Store.Save("docker.io", new Credential("me", "p:w")));
        Assert.True(Store.Save("t.example", new Credential("", "refresh", IsToken: true)));
        Assert.Equal(new Credential("me", "p:w"), Store.Find("docker.io", "library/a"));
        Assert.Equal(new Credential("", "refresh", IsToken: true), Store.Find("t.example", ""));
        Assert.True(Store.Remove("a.example"));
        Assert.False(Store.Remove("a.example"));
        Assert.Null(Store.Find("a.example", ""));
        var text = File.ReadAllText(FilePath);
        Assert.Contains("\"detachKeys\": \"ctrl-q\"", text, StringComparison.Ordinal);
        Assert.Contains("\"X\":\"y\"", text, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
    }

    [Fact]
    public void The_first_file_is_made_and_the_second_is_read()
    {
        File.WriteAllText(_folder.FullName + "/auth.json", """{"auths":{"a.example":{"auth":"eDp5"}}}""");
        Assert.Equal(new Credential("x", "y"), Store.Find("a.example", ""));
        Store.Save("b.example", new Credential("u", "p"));
        Assert.Equal(new Credential("u", "p"), Store.Find("b.example", ""));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder.FullName + "/docker"));
    }

    [Theory]
    [InlineData("{"), InlineData("""{"auths":[]}"""), InlineData("")]
    public void A_damaged_file_is_named(string json)
    {
        Write(json);
        Assert.Contains(FilePath + " is damaged", Assert.Throws<ImageException>(() => Store.Find("a.example", "")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_credential_that_is_none_is_named()
    {
        Write("""{"auths":{"a.example":{"auth":"!!"}}}""");
        Assert.Contains("'conman login a.example'", Assert.Throws<ImageException>(() => Store.Find("a.example", "")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_name_of_a_helper_is_no_path()
    {
        Write("""{"credsStore":"../../tmp/x"}""");
        Assert.Contains("is no name of a credential helper", Assert.Throws<ImageException>(() => Store.Find("a.example", "")).Message, StringComparison.Ordinal);
        Write("""{"credHelpers":{"a.example":"conman-test-absent"}}""");
        Assert.Contains("is not on the PATH", Assert.Throws<ImageException>(() => Store.Find("a.example", "")).Message, StringComparison.Ordinal);
        Assert.Null(Store.Find("b.example", ""));
    }
}
