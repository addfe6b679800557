// The newline kernels, one set for each instruction set. Internal to newlines.cc; see newlines.h for what
// they promise.
#pragma once

#include <cstddef>
#include <cstdint>

namespace logflume::newline_kernel {

std::size_t count_portable(const char* data, std::size_t size);
std::size_t index_portable(const char* data, std::size_t size, std::uint32_t base, std::uint32_t* out);

#if defined(__x86_64__)
// REQUIRES: the processor has AVX2, BMI1 and POPCNT.
std::size_t count_avx2(const char* data, std::size_t size);
std::size_t index_avx2(const char* data, std::size_t size, std::uint32_t base, std::uint32_t* out);

// REQUIRES: the processor has AVX-512F, AVX-512BW, BMI1, BMI2 and POPCNT.
std::size_t count_avx512(const char* data, std::size_t size);
std::size_t index_avx512(const char* data, std::size_t size, std::uint32_t base, std::uint32_t* out);
#endif

}  // namespace logflume::newline_kernel
