// What went wrong with an image: one line for the user, that names the thing, the operation and the cause.

namespace Conman.Images;

public class ImageException : Exception
{
    public ImageException(string message) : base(message)
    {
    }

    public ImageException(string message, Exception cause) : base(message, cause)
    {
    }
}
