// The protocol of CRIU on the wire: the standard's own examples, and bytes that are no message.

using System.Text;
using Conman.Runtime.Checkpoints;
using CsCheck;

namespace Conman.Runtime.Tests.Checkpoints;

public class ProtobufTests
{
    [Fact]
    public void Fields_are_written_as_the_standard_shows_them()
    {
        var message = new ProtobufWriter();
        message.Add(1, 150);
        message.Add(2, "testing");
        message.Add(3, false);
        message.Add(4, (string?)null);
        Assert.Equal("08960112" + "0774657374696E67", Convert.ToHexString(message.ToArray()));
        var outer = new ProtobufWriter();
        outer.Add(3, message);
        outer.Add(1, -1);
        Assert.Equal("1A0C" + "089601120774657374696E67" + "08" + "FFFFFFFFFFFFFFFFFF01", Convert.ToHexString(outer.ToArray()));
    }

    [Fact]
    public void What_is_written_is_read() =>
        Gen.Select(Gen.Int[1, 1000], Gen.ULong, Gen.String).Sample((field, number, text) =>
        {
            var message = new ProtobufWriter();
            message.Add(field, (long)number);
            message.Add(field + 1, text);
            var reader = new ProtobufReader(message.ToArray());
            Assert.True(reader.Read());
            Assert.Equal((field, number), (reader.Field, reader.Number));
            Assert.True(reader.Read());
            Assert.Equal(field + 1, reader.Field);
            Assert.True(reader.Bytes.SequenceEqual(Encoding.UTF8.GetBytes(text)));
            Assert.False(reader.Read());
        });

    [Fact]
    public void Any_bytes_are_a_message_or_a_format_error() =>
        Gen.Byte.Array[0, 40].Sample(bytes =>
        {
            try
            {
                for (var reader = new ProtobufReader(bytes); reader.Read();)
                {
                }
            }
            catch (FormatException)
            {
            }
        });
}
