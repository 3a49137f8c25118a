// Secrets on the real file system: who can read them, and what is refused.

using System.Text;
using Conman.Engine.Secrets;

namespace Conman.Engine.Tests.Secrets;

public sealed class SecretStoreTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("conman-engine-tests-").FullName;

    private SecretStore Store => new(_root);

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact, Proves("G11")]
    public void A_secret_is_kept_for_root_alone()
    {
        var data = Encoding.UTF8.GetBytes("first\nsecond\0\n");
        var id = Store.Create("key", data, new() { ["a"] = "b" }, replace: false);
        Assert.Matches("^[0-9a-f]{24}$", id);
        Assert.Equal(data, Store.Read("key"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_root + "/secrets/key"));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_root + "/secrets"));
        Assert.Equal("key", Store.TryFind(id[..6])!.Value.Name);
        Assert.Equal("b", Store.TryFind("key")!.Value.Record.Labels!["a"]);
        Assert.Equal(["key"], Store.All().Select(s => s.Name));
    }

    [Fact]
    public void A_name_is_taken_until_it_is_replaced_or_removed()
    {
        var id = Store.Create("key", "one"u8, null, replace: false);
        Assert.Equal("secret name \"key\" is already in use", Assert.Throws<EngineException>(() => Store.Create("key", "two"u8, null, replace: false)).Message);
        Assert.Equal(id, Store.Create("key", "two"u8, null, replace: true));
        Assert.Equal("two"u8, Store.Read("key"));
        Assert.True(Store.Remove("key"));
        Assert.False(Store.Remove("key"));
        Assert.Equal("no such secret: key", Assert.Throws<NoSuchSecretException>(() => Store.Read("key")).Message);
    }

    [Fact]
    public void What_is_no_name_or_no_secret_is_refused()
    {
        foreach (var name in (string[])["", "../key", ".key", "a/b", "-"])
            Assert.Throws<EngineException>(() => Store.Create(name, "x"u8, null, replace: false));
        Assert.Equal("secret key: a secret has 1 to 512000 bytes, this has 0", Assert.Throws<EngineException>(() => Store.Create("key", [], null, false)).Message);
        Assert.Throws<EngineException>(() => Store.Create("key", new byte[512_001], null, false));
    }
}
