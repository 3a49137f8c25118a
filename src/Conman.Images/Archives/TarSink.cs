// An archive of images on its way out. The same images give the same bytes: members have no owner and no time.

using Conman.Images.Tar;
using Conman.Linux;

namespace Conman.Images.Archives;

/// <summary>Writes members to a descriptor, which may be a pipe.</summary>
public sealed class TarSink : IFileSink, IDisposable
{
    private readonly FileDescriptor _file;
    private readonly Stream _stream;
    private readonly TarWriter _writer;
    private readonly bool _lasting;
    private readonly HashSet<string> _folders = new(StringComparer.Ordinal);

    /// <param name="lasting">It is a file, which is to be on the disk in the end.</param>
    public TarSink(FileDescriptor file, bool lasting)
    {
        (_file, _lasting) = (file, lasting);
        _stream = Files.Duplicate(file.Number).ToStream(FileAccess.Write);
        _writer = new TarWriter(_stream);
    }

    public void Add(string name, ReadOnlySpan<byte> content)
    {
        Begin(name, content.Length);
        _writer.WriteData(content);
    }

    public void Add(string name, FileDescriptor file, long size)
    {
        Begin(name, size);
        var buffer = GC.AllocateUninitializedArray<byte>(256 << 10);
        for (int n; (n = Files.Read(file.Number, buffer, name)) > 0;)
            _writer.WriteData(buffer.AsSpan(0, n));
    }

    public void Finish()
    {
        _writer.Finish();
        _stream.Flush();
        if (_lasting)
            Storage.Sync(_file, "the archive");
    }

    public void Dispose() => _stream.Dispose();

    private void Begin(string name, long size)
    {
        for (var slash = name.IndexOf('/'); slash >= 0; slash = name.IndexOf('/', slash + 1))
        {
            if (_folders.Add(name[..slash]))
                _writer.Write(new TarEntry { Type = TarType.Directory, Name = System.Text.Encoding.UTF8.GetBytes(name[..(slash + 1)]), Mode = 0x1ed /* 0755 */ });
        }
        _writer.Write(new TarEntry { Type = TarType.File, Name = System.Text.Encoding.UTF8.GetBytes(name), Mode = 0x1a4 /* 0644 */, Size = size });
    }
}
