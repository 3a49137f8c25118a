// What registries answer (distribution-spec spec.md; docker/docs registry/spec/auth/token.md; Docker Hub's v1 search).

using Conman.Oci;

namespace Conman.Images.Registry;

/// <summary>A token for requests.</summary>
[OciObject]
internal sealed partial class TokenAnswer
{
    public string? Token { get; set; }

    [OciName("access_token")]
    public string? AccessToken { get; set; }

    /// <summary>Seconds.</summary>
    [OciName("expires_in")]
    public long? ExpiresIn { get; set; }

    [OciName("refresh_token")]
    public string? RefreshToken { get; set; }
}

/// <summary>Why a request failed.</summary>
[OciObject]
internal sealed partial class ErrorAnswer
{
    public List<ErrorDetail>? Errors { get; set; }

    /// <summary>Of token servers.</summary>
    public string? Details { get; set; }

    /// <summary>Of some registries, for all.</summary>
    public string? Message { get; set; }
}

[OciObject]
internal sealed partial class ErrorDetail
{
    /// <summary><c>MANIFEST_UNKNOWN</c>, …</summary>
    public string? Code { get; set; }

    public string? Message { get; set; }
}

[OciObject]
internal sealed partial class TagsAnswer
{
    public string? Name { get; set; }

    public List<string>? Tags { get; set; }
}

[OciObject]
internal sealed partial class CatalogAnswer
{
    public List<string>? Repositories { get; set; }
}

[OciObject]
internal sealed partial class SearchAnswer
{
    public List<SearchResult>? Results { get; set; }
}

/// <summary>A repository that a search found.</summary>
[OciObject]
public sealed partial class SearchResult
{
    public string? Name { get; set; }

    public string? Description { get; set; }

    [OciName("star_count")]
    public long Stars { get; set; }

    [OciName("is_official")]
    public bool Official { get; set; }

    [OciName("is_automated")]
    public bool Automated { get; set; }
}
