// The commands on containers, by themselves and as `conman container …`.

using Conman.CommandLine;

namespace Conman;

internal static class ContainerCommands
{
    /// <summary>Those that stand by themselves.</summary>
    public static IEnumerable<Command> All(ManagerContext context) => Later.Each(() => Common(context), () => [ListCommand.Of(context, "ps"), InspectCommand.Of(context)]);

    /// <summary>Those of <c>conman container</c>.</summary>
    public static List<Command> OfGroup(ManagerContext context) =>
    [
        .. Common(context),
        ListCommand.Of(context, "ls"),
        ListCommand.Of(context, "list"),
        ListCommand.Of(context, "ps"),
        InspectCommand.Of(context, "container"),
        LifeCommands.Prune(context),
        Exists(context),
    ];

    private static IEnumerable<Command> Common(ManagerContext context) => Later.Each(
        () => RunCommand.Of(context),
        () => [ContainerExec.Of(context)],
        () => LifeCommands.Of(context),
        () => OutputCommands.Of(context),
        () => [ContainerUpdate.Of(context), TopCommand.Of(context), PortCommand.Of(context), StatsCommand.Of(context)],
        () => ContentCommands.Of(context));

    private static Command Exists(ManagerContext context) => new("exists", "CONTAINER", "Exit with 0 if a container exists, else with 1", [],
        arguments => context.Engine.Containers.TryResolve(arguments.Words[0]) is null ? 1 : 0);
}
