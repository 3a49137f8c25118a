// A descriptor that is closed once, by whoever owns it.

using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Conman.Linux;

/// <summary>
/// An open file descriptor. The one who holds the object owns the descriptor; passing the object on does not pass ownership unless a
/// method's documentation says "takes".
/// </summary>
public sealed class FileDescriptor : SafeHandleMinusOneIsInvalid
{
    /// <summary>Takes ownership of a raw descriptor.</summary>
    public FileDescriptor(int fd) : base(ownsHandle: true) => SetHandle(fd);

    /// <summary>The number, valid while this object lives and is not disposed.</summary>
    public int Number => (int)handle;

    /// <summary>An unbuffered stream that takes the descriptor over: this object no longer owns it.</summary>
    public FileStream ToStream(FileAccess access)
    {
        var taken = new SafeFileHandle(handle, ownsHandle: true);
        SetHandleAsInvalid();
        return new FileStream(taken, access, bufferSize: 0);
    }

    protected override bool ReleaseHandle() => Tmds.Linux.LibC.close((int)handle) == 0;

    internal static FileDescriptor Check(nint result, string operation)
    {
        if (result < 0)
            LinuxException.Throw(Marshal.GetLastPInvokeError(), operation);
        return new FileDescriptor((int)result);
    }
}
