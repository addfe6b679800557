#include "lab/scanners.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "event/newlines.h"
#include "event/slab.h"
#include "lab/pace.h"
#include "ring/cache_line.h"

namespace logflume {
namespace {

// Names of instruction sets as people write them.
std::string kernel_name(std::string_view name) {
  if (name == "avx512bw") return "AVX-512";
  if (name == "avx2") return "AVX2";
#if defined(__x86_64__)
  return "SSE2";
#elif defined(__aarch64__)
  return "NEON";
#else
  return "portable";
#endif
}

// Byte by byte: the empty asm statements keep the compiler from making vectors of it.
std::size_t count_scalar(std::string_view text, std::vector<std::uint32_t>&) {
  std::size_t count = 0;
  for (const char byte : text) {
    count += byte == '\n' ? 1 : 0;
    asm volatile("" : "+r"(count));
  }
  return count;
}

std::size_t index_scalar(std::string_view text, std::vector<std::uint32_t>& positions) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n') positions[count++] = static_cast<std::uint32_t>(i);
    asm volatile("" : "+r"(count));
  }
  return count;
}

std::size_t index_find(std::string_view text, std::vector<std::uint32_t>& positions) {
  std::size_t count = 0;
  for (auto at = text.begin(); (at = std::find(at, text.end(), '\n')) != text.end(); ++at) {
    positions[count++] = static_cast<std::uint32_t>(at - text.begin());
  }
  return count;
}

std::size_t index_memchr(std::string_view text, std::vector<std::uint32_t>& positions) {
  std::size_t count = 0;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end; ++at) {
    at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at)));
    if (at == nullptr) break;
    positions[count++] = static_cast<std::uint32_t>(at - text.data());
  }
  return count;
}

std::size_t count_std(std::string_view text, std::vector<std::uint32_t>&) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

template <std::size_t kKernel>
std::size_t count_kernel(std::string_view text, std::vector<std::uint32_t>&) {
  return newline_kernels()[kKernel].count(text.data(), text.size());
}

template <std::size_t kKernel>
std::size_t index_kernel(std::string_view text, std::vector<std::uint32_t>& positions) {
  return newline_kernels()[kKernel].index(text.data(), text.size(), 0, positions.data());
}

template <std::size_t... kKernels>
void add_kernels(std::vector<Scanner>& all, std::index_sequence<kKernels...>) {
  const auto add = [&all](std::size_t index, std::string work, auto run) {
    if (index >= newline_kernels().size() || !newline_kernels()[index].supported) return;
    all.push_back({std::move(work), kernel_name(newline_kernels()[index].name), run});
  };
  (add(kKernels, kCountWork, count_kernel<kKernels>), ...);
  (add(kKernels, kIndexWork, index_kernel<kKernels>), ...);
}

constexpr std::string_view kContent =
    "2026-11-23T07:36:54.123Z INFO worker-3 request served path=/api/v1/items status=200 ";

}  // namespace

std::span<const Scanner> scanners() {
  static const std::vector<Scanner> all = [] {
    std::vector<Scanner> made;
    constexpr std::size_t kKernelsMax = 3;
    add_kernels(made, std::make_index_sequence<kKernelsMax>());
    made.push_back({kCountWork, "std::count", count_std});
    made.push_back({kCountWork, "byte by byte", count_scalar});
    made.push_back({kIndexWork, "memchr", index_memchr});
    made.push_back({kIndexWork, "std::find", index_find});
    made.push_back({kIndexWork, "byte by byte", index_scalar});
    std::ranges::stable_sort(made, {}, &Scanner::work);
    return made;
  }();
  return all;
}

ScanText::ScanText(std::size_t line_bytes) {
  std::mt19937 random(1);
  std::string text;
  while (text.size() < SlabPool::kSlabBytes) {
    const std::size_t bytes = line_bytes / 2 + random() % line_bytes;
    std::string line;
    while (line.size() < bytes) line += kContent;
    text.append(line, 0, bytes) += '\n';
    ++lines_;
  }
  size_ = text.size();
  memory_.resize(size_ + 2 * kCacheLineBytes);
  const auto address = reinterpret_cast<std::uintptr_t>(memory_.data());
  char* const begin = memory_.data() + (kCacheLineBytes - address % kCacheLineBytes) % kCacheLineBytes;
  // One copy serves both: begun one byte behind, it ends with a byte that is not of the text.
  begin[size_] = ' ';
  text.copy(begin, size_);
  begin_ = begin;
}

Result<LabWork> scan(const Scanner& scanner, const ScanText& text, bool aligned, Duration time) {
  const std::string_view bytes = text.text(aligned);
  std::vector<std::uint32_t> positions(bytes.size());
  LabWork work;
  Pace pace(1);
  const TimePoint begin = steady_now();
  do {
    if (scanner.run(bytes, positions) != text.lines()) {
      return Error{Errc::kCorrupt, 0, "not every line was found"};
    }
    work.operations += text.lines();
    work.bytes += bytes.size();
    pace.passed(work.operations);
  } while (steady_now() - begin < time);
  work.seconds = pace.seconds(work.operations, begin);
  return work;
}

}  // namespace logflume
