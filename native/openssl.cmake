# .NET's own library over OpenSSL is compiled when the binary is linked (StaticOpenSslLinking), by glibc's headers as the rest of .NET is: musl-gcc,
# which links the binary, has no OpenSSL among its headers.
set(CMAKE_C_COMPILER gcc)
# .NET's build script sets this, and nobody reads it: CMake would warn.
set(unread ${CLR_CMAKE_TARGET_UNIX})
