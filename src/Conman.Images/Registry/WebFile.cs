// A file from the web, by the same rules as what registries send: no way from https to http, no endless waits.

using System.Net;
using Conman.Images.Configuration;
using Conman.Images.Store;

namespace Conman.Images.Registry;

public static class WebFile
{
    /// <summary>Downloads a file.</summary>
    /// <param name="address">Of http or https.</param>
    /// <exception cref="ImageException">It is not to be had.</exception>
    public static void Download(Uri address, RegistryTable table, string agent, NewBlob to)
    {
        using var transport = new HttpTransport(address.Host, table.Host(address.Authority).Tls, new TransferLimits(), agent);
        using var response = transport.Send(new Call(HttpMethod.Get, address), null);
        if (response.StatusCode != HttpStatusCode.OK)
            throw new RegistryException($"cannot download {address}: {HttpTransport.Authority(response)} answers {(int)response.StatusCode}", (int)response.StatusCode);
        var length = response.Content.Headers.ContentLength;
        var read = transport.Read(response, to.Write, long.MaxValue - 1);
        if (length is not null && read != length)
            throw new RegistryException($"cannot download {address}: it ends after {read} of {length} bytes", transient: true);
    }
}
