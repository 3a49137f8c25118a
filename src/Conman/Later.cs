// Sequences whose parts are made when somebody comes to them.

namespace Conman;

internal static class Later
{
    /// <summary>One sequence after the other; none is made before its first element is asked for.</summary>
    public static IEnumerable<T> Each<T>(params Func<IEnumerable<T>>[] parts)
    {
        foreach (var part in parts)
        {
            foreach (var element in part())
                yield return element;
        }
    }
}
