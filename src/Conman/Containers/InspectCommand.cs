// inspect: everything that is known of containers and images.

using System.Text.Json.Nodes;
using Conman.CommandLine;
using Conman.Engine;
using Conman.Engine.Store;
using Conman.Formatting;
using Conman.Images.Store;

namespace Conman;

internal static class InspectCommand
{
    /// <summary><c>conman inspect</c>, of whatever has the name; with <paramref name="type"/>, of one type of things.</summary>
    public static Command Of(ManagerContext context, string? type = null) => new("inspect", "NAME...", type is null ? "Show everything that is known of containers and images" : $"Show everything that is known of {type}s",
        [
            new("format", "json or a Go template", "FORMAT", 'f'),
            PlatformOptions.Check,
            new("size", "of containers: what they wrote as well", Short: 's'),
            .. type is null ? [new Option("type", "container, image, network or volume (default: the first that has the name)", "TYPE", 't')] : (Option[])[],
        ],
        arguments =>
        {
            var wanted = type ?? arguments.Get("type");
            if (wanted is not (null or "" or "all" or "container" or "image" or "network" or "volume"))
                throw new UsageException($"--type: \"{wanted}\" cannot be inspected");
            return Inspected.Show(arguments.Words, word => Find(context.Engine, word, wanted is "" or "all" ? null : wanted, arguments), arguments.Get("format"), words => $"no such {wanted ?? "object"}: {words}");
        }) { Count = (1, int.MaxValue) };

    private static JsonObject? Find(ContainerEngine engine, string word, string? type, Arguments arguments)
    {
        if (type is null or "container" && engine.Containers.TryResolve(word) is { } id)
        {
            using var container = engine.Containers.TryOpen(id);
            if (container is not null)
                return ContainerView.Inspect(engine, container, arguments.Has("size"));
        }
        if (type is null or "image" && ImageLookup.Find(engine.Images, word) is { } image)
        {
            PlatformOptions.MustFit(arguments, image.Record);
            return ImageView.Inspect(engine.Images, image);
        }
        if (type is null or "network" && NetworkCommands.TryInspect(engine, word) is { } network)
            return network;
        return type is null or "volume" ? VolumeCommands.TryInspect(engine, word) : null;
    }
}
