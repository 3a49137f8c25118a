using Conman.Linux;
namespace Conman;
internal static class Program {
    private static int Main(string[] args) { Files.Write(1, "conman 0.1.0\n"u8, "stdout"); return 0; }
}
