// An open file, pipe or socket as a stream: the framework's own would ask and set up more than reading takes.

using Conman.Linux;

namespace Conman.Images.Layers;

/// <summary>Reads and writes a descriptor that stays its owner's.</summary>
public sealed class DescriptorStream(int descriptor, string name) : Stream
{
    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => true;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }
    public override int Read(Span<byte> buffer) => Files.Read(descriptor, buffer, name);
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
    public override void Write(ReadOnlySpan<byte> buffer) => Files.Write(descriptor, buffer, name);
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
}
