// How a user shows a registry who he is.

namespace Conman.Images.Registry;

/// <param name="User">Empty with an identity token.</param>
/// <param name="Secret">The password, or the identity token.</param>
/// <param name="IsToken">The secret is an identity token: an OAuth2 refresh token.</param>
public sealed record Credential(string User, string Secret, bool IsToken = false)
{
    internal string Basic => "Basic " + Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(User + ":" + Secret));
}
