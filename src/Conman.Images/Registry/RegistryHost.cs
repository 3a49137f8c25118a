// One registry: where it is, who it takes us for, and how patiently it is asked.

using System.Globalization;
using System.Net;
using System.Text;
using Conman.Oci;

namespace Conman.Images.Registry;

/// <summary>Where a registry is, and the connections to it: one for all of its repositories. Used by several threads.</summary>
internal sealed class RegistryEndpoint : IDisposable
{
    private readonly HostSettings _settings;
    private readonly Lock _lock = new();
    private Uri? _base;

    public RegistryEndpoint(HostSettings settings, TransferLimits limits, string agent)
    {
        _settings = settings;
        Transport = new HttpTransport(new Uri("https://" + Address).Host.Trim('[', ']'), settings.Tls, limits, agent);
    }

    /// <summary>As references name it.</summary>
    public string Domain => _settings.Domain;

    public HttpTransport Transport { get; }

    /// <summary>Its address. One that may do without TLS is asked with it first, as Docker does.</summary>
    public Uri Base
    {
        get
        {
            lock (_lock)
                return _base ??= _settings.MayBePlain && !SpeaksTls() ? new Uri($"http://{Address}/") : new Uri($"https://{Address}/");
        }
    }

    private string Address => Domain == References.ImageReference.DefaultDomain ? "registry-1.docker.io" : Domain;

    public void Dispose() => Transport.Dispose();

    private bool SpeaksTls()
    {
        try
        {
            Transport.Send(new Call(HttpMethod.Get, new Uri($"https://{Address}/v2/")), null).Dispose();
            return true;
        }
        catch (RegistryException)
        {
            return false;
        }
    }
}

/// <summary>Sends requests with what the registry wants to see, and again if it is busy or the connection breaks. Used by several threads.</summary>
internal sealed class RegistryHost(RegistryEndpoint endpoint, TransferLimits limits, Func<Credential?> credential)
{
    private const int LongestError = 64 << 10;

    private readonly Lock _lock = new();
    private Authenticator? _authenticator;

    /// <summary>As references name it.</summary>
    public string Domain => endpoint.Domain;

    public HttpTransport Transport => endpoint.Transport;

    public bool HasCredential => Authenticator.HasCredential;

    /// <summary>An address of the registry's interface: <c>v2/…</c>.</summary>
    public Uri At(string path) => new(endpoint.Base, path);

    /// <summary>Sends a request until there is an answer that is one of these, or 2xx.</summary>
    /// <param name="what">What it is about, for errors: the words after "cannot".</param>
    /// <exception cref="RegistryException">There is none.</exception>
    public HttpResponseMessage Send(Call call, string what, params ReadOnlySpan<HttpStatusCode> expected) => Send(new Retry(limits), call, what, expected);

    /// <summary>Sends a request that the caller repeats otherwise.</summary>
    public HttpResponseMessage SendOnce(Call call, string what) => Send(null, call, what);

    private HttpResponseMessage Send(Retry? retry, Call call, string what, params ReadOnlySpan<HttpStatusCode> expected)
    {
        while (true)
        {
            RegistryException failure;
            TimeSpan? after = null;
            try
            {
                var response = Authorized(call);
                if (response.IsSuccessStatusCode || expected.Contains(response.StatusCode))
                    return response;
                using (response)
                {
                    after = RetryAfter(response);
                    failure = Refusal(response, what);
                }
            }
            catch (RegistryException e)
            {
                failure = e;
            }
            if (retry is null)
                throw failure;
            retry.Wait(failure, after);
        }
    }

    /// <summary>Whether a later try may do better.</summary>
    public static bool IsTransient(HttpStatusCode status) => status is HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests
        or HttpStatusCode.InternalServerError or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout;

    /// <summary>What a registry says, for a message: a part of a line, that does nothing to a terminal.</summary>
    public static string OneLine(string text, int most)
    {
        var line = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            if (line.Length >= most)
                return line.Append('…').ToString();
            line.Append(Rune.IsControl(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator ? "?" : rune.ToString());
        }
        return line.ToString();
    }

    /// <summary>The reasons in an error's body, after a colon; empty if it gives none.</summary>
    public static string Words(HttpTransport transport, HttpResponseMessage response)
    {
        try
        {
            var answer = ErrorAnswer.Parse(transport.ReadAll(response, LongestError));
            var words = answer.Errors is { Count: > 0 } errors
                ? string.Join(", ", errors.Take(3).Select(e => e.Message is { Length: > 0 } message ? message : e.Code?.ToLowerInvariant().Replace('_', ' ') ?? ""))
                : answer.Details ?? answer.Message ?? "";
            return words.Length == 0 ? "" : ": " + OneLine(words, 300);
        }
        catch (Exception e) when (e is RegistryException or OciFormatException)
        {
            return ""; // no document, a page for people, or one without end
        }
    }

    private HttpResponseMessage Authorized(Call call)
    {
        var header = Authenticator.Header(call.Scope);
        var response = Transport.Send(call, header);
        if (response.StatusCode != HttpStatusCode.Unauthorized || !HttpTransport.SameHost(response.RequestMessage!.RequestUri!, call.Address))
            return response;
        var answer = Authenticator.Answer(response, call.Scope, header);
        if (answer is null)
            return response;
        response.Dispose();
        return Transport.Send(call, answer);
    }

    private RegistryException Refusal(HttpResponseMessage response, string what)
    {
        var words = Words(Transport, response);
        var status = (int)response.StatusCode;
        return response.StatusCode switch
        {
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden when !HasCredential =>
                new RegistryException($"cannot {what}: {Domain} denies access{words}: it does not exist, or 'conman login {Domain}' is needed", status),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new RegistryException($"cannot {what}: {Domain} denies access{words}", status),
            HttpStatusCode.NotFound => new RegistryException($"cannot {what}: it does not exist in {Domain}{words}", status),
            HttpStatusCode.TooManyRequests => new RegistryException($"cannot {what}: {Domain} limits the number of requests{words}", status, transient: true),
            _ => new RegistryException($"cannot {what}: {HttpTransport.Authority(response)} answers {status}{words}", status, IsTransient(response.StatusCode)),
        };
    }

    // RFC 9110, 10.2.3: seconds or a date.
    private static TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        if (!response.Headers.TryGetValues("Retry-After", out var values) || values.FirstOrDefault() is not { } text)
            return null;
        if (long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
            return TimeSpan.FromSeconds(Math.Min(seconds, int.MaxValue));
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var date) ? date - DateTimeOffset.UtcNow : null;
    }

    private Authenticator Authenticator
    {
        get
        {
            lock (_lock)
                return _authenticator ??= new Authenticator(endpoint.Base, Transport, credential);
        }
    }
}

/// <summary>How often something is tried, and how long is waited between.</summary>
internal sealed class Retry(TransferLimits limits)
{
    private int _failures;
    private TimeSpan _left = limits.Waits;

    /// <summary>Something was achieved: what failed before does not count.</summary>
    public void Progress() => (_failures, _left) = (0, limits.Waits);

    /// <summary>Waits before the next try, or throws the failure: it would be the same again, or there were enough.</summary>
    /// <param name="after">How long the registry asks to wait.</param>
    public void Wait(RegistryException failure, TimeSpan? after = null)
    {
        if (!failure.Transient)
            throw failure;
        if (++_failures >= limits.Tries)
            throw new RegistryException($"{failure.Message} (tried {_failures} times)", failure.Status, cause: failure);
        var wait = limits.FirstWait * (1 << (_failures - 1)) * (0.5 + Random.Shared.NextDouble() / 2);
        if (after > wait)
            wait = after.Value;
        if (wait > _left)
            throw new RegistryException(after is null ? failure.Message : $"{failure.Message}: it asks to be left alone for {after.Value.TotalSeconds:0} seconds", failure.Status, cause: failure);
        _left -= wait;
        limits.Wait(wait);
    }
}
