// Whether a container that has ended is started again, and when: Docker's four policies.

using Conman.Engine.Settings;
using Conman.Engine.Store;

namespace Conman.Engine.Life;

public static class RestartPolicies
{
    // As Docker's: it doubles, up to a minute, and begins anew for one that ran for ten seconds.
    private const int FirstDelay = 100, LongestDelay = 60_000, LongEnough = 10;

    /// <summary>Milliseconds until the next start; null: there is none. Counts it in the state.</summary>
    public static int? Delay(RestartPolicy? policy, StoredState state)
    {
        var again = !state.Stopped && (state.RestartWanted || policy?.Name switch
        {
            "always" or "unless-stopped" => true,
            "on-failure" => state.ExitCode != 0 && (policy.MaximumRetryCount == 0 || state.RestartCount < policy.MaximumRetryCount),
            _ => false,
        });
        state.RestartWanted = false;
        if (!again)
            return null;
        var ran = Time.Parse(state.FinishedAt) - Time.Parse(state.StartedAt);
        state.RestartDelay = state.RestartDelay == 0 || ran?.TotalSeconds >= LongEnough ? FirstDelay : Math.Min(state.RestartDelay * 2, LongestDelay);
        state.RestartCount++;
        return state.RestartDelay;
    }

    /// <summary>Whether a container is started with the host.</summary>
    public static bool AtBoot(RestartPolicy? policy, StoredState state) =>
        policy?.Name switch { "always" => true, "unless-stopped" => !state.Stopped || state.StoppedWithHost, "on-failure" => !state.Stopped && state.ExitCode != 0, _ => false } && state.StartedAt is not null;
}
