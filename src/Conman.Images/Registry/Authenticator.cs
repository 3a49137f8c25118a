// Answers a registry's challenges: with a password, or with a token that a token server gives for it
// (docker/docs registry/spec/auth/token.md and oauth.md).

using System.Net;
using System.Text;
using Conman.Oci;

namespace Conman.Images.Registry;

/// <summary>Who one registry takes this for. Used by several threads.</summary>
internal sealed class Authenticator(Uri registry, HttpTransport transport, Func<Credential?> find)
{
    // The least a token is good for, by the specification; one is not used in its last seconds.
    private const int LeastSeconds = 60, Margin = 10;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, (string Header, long Until)> _tokens = new(StringComparer.Ordinal);
    private Challenge? _bearer;
    private string? _basic;
    private Credential? _credential;
    private bool _asked;

    /// <summary>What is known to be wanted, before it is asked for; null: nothing yet.</summary>
    /// <exception cref="RegistryException">The token server refuses.</exception>
    public string? Header(string scope)
    {
        lock (_lock)
            return _basic ?? (_bearer is null ? null : Token(scope));
    }

    /// <summary>Makes up an answer to a refusal; null if there is nothing to answer with.</summary>
    /// <param name="refused">The header that the registry did not take; null: there was none.</param>
    public string? Answer(HttpResponseMessage response, string scope, string? refused)
    {
        var challenges = response.Headers.TryGetValues("WWW-Authenticate", out var values) ? Challenge.Parse(values) : [];
        lock (_lock)
        {
            if (challenges.Find(c => c.Scheme == "bearer" && c["realm"] is not null) is { } bearer)
            {
                _bearer = bearer;
                var wanted = Union(scope, bearer["scope"]);
                if (refused is not null && _tokens.TryGetValue(scope, out var old) && old.Header == refused)
                    _tokens.Remove(scope);
                var token = Token(wanted);
                _tokens[scope] = _tokens[wanted];
                return token == refused ? null : token;
            }
            if (challenges.Exists(c => c.Scheme == "basic") && Credential() is { IsToken: false } credential && credential.Basic != refused)
                return _basic = credential.Basic;
            return null;
        }
    }

    /// <summary>Whether there is a credential for the registry.</summary>
    public bool HasCredential
    {
        get
        {
            lock (_lock)
                return Credential() is not null;
        }
    }

    private Credential? Credential()
    {
        if (!_asked)
            (_credential, _asked) = (find(), true);
        return _credential;
    }

    private string Token(string scope)
    {
        if (_tokens.TryGetValue(scope, out var known) && Environment.TickCount64 < known.Until)
            return known.Header;
        var answer = Ask(scope);
        if ((answer.Token ?? answer.AccessToken) is not { Length: > 0 } token || token.AsSpan().ContainsAnyExceptInRange('!', '~'))
            throw new RegistryException($"the token server of {registry.Authority} gives no token");
        if (answer.RefreshToken is { Length: > 0 } refresh)
            _credential = new Credential("", refresh, IsToken: true);
        var seconds = Math.Clamp(answer.ExpiresIn ?? LeastSeconds, LeastSeconds, 3600);
        _tokens[scope] = ("Bearer " + token, Environment.TickCount64 + (seconds - Margin) * 1000);
        return "Bearer " + token;
    }

    private TokenAnswer Ask(string scope)
    {
        var realm = Realm(_bearer!["realm"]!);
        var credential = Credential();
        var scopes = scope.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        Call call;
        string? authorization = null;
        if (credential is { IsToken: true })
        {
            List<KeyValuePair<string, string>> form =
            [
                new("grant_type", "refresh_token"), new("service", _bearer["service"] ?? ""), new("client_id", "conman"), new("refresh_token", credential.Secret), new("scope", scope),
            ];
            call = new Call(HttpMethod.Post, realm) { Content = () => new FormUrlEncodedContent(form) };
        }
        else
        {
            var query = new StringBuilder(realm.Query.Length > 1 ? realm.Query[1..] : "");
            void Add(string name, string value) => query.Append(query.Length == 0 ? "" : "&").Append(name).Append('=').Append(Uri.EscapeDataString(value));
            if (_bearer["service"] is { } service)
                Add("service", service);
            foreach (var one in scopes)
                Add("scope", one);
            if (credential is not null)
            {
                Add("account", credential.User);
                authorization = credential.Basic;
            }
            call = new Call(HttpMethod.Get, new UriBuilder(realm) { Query = query.ToString() }.Uri);
        }
        using var response = transport.Send(call, authorization);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            var status = (int)response.StatusCode;
            if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden or HttpStatusCode.BadRequest)
                throw new RegistryException(credential is null
                    ? $"{registry.Authority} asks for a login: run 'conman login {registry.Authority}'"
                    : $"{registry.Authority} refuses the credentials{Words(response)}: run 'conman login {registry.Authority}'", status);
            throw new RegistryException($"the token server {realm.Authority} answers {status}{Words(response)}", status, RegistryHost.IsTransient(response.StatusCode));
        }
        try
        {
            return TokenAnswer.Parse(transport.ReadAll(response, TransferLimits.LongestAnswer));
        }
        catch (OciFormatException e)
        {
            throw new RegistryException($"the token server {realm.Authority} does not answer with a token", cause: e);
        }
    }

    private string Words(HttpResponseMessage response) => RegistryHost.Words(transport, response);

    // Where the password goes is the registry's choice, within bounds: over TLS, or to the registry's own host if that has none; the transport refuses
    // addresses of the local link.
    private Uri Realm(string text)
    {
        if (!Uri.TryCreate(text, UriKind.Absolute, out var realm) || realm.Scheme is not ("https" or "http") || realm.UserInfo.Length > 0)
            throw new RegistryException($"{registry.Authority} sends to the token server {Show(text)}, which is no address of one");
        if (realm.Scheme == "http" && !(registry.Scheme == "http" && (realm.Host == registry.Host || realm.IsLoopback && registry.IsLoopback)))
            throw new RegistryException($"{registry.Authority} sends to the token server {Show(text)}: refused, since it would get the password without encryption");
        return realm;
    }

    private static string Show(string text) => RegistryHost.OneLine(text, 100);

    private static string Union(string ours, string? theirs) =>
        string.Join(' ', (ours + " " + theirs).Split(' ', StringSplitOptions.RemoveEmptyEntries).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
}
