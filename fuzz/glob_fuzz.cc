// Globs: no pattern crashes or hangs, and what compiles means what the naive model says.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "check.h"
#include "source/glob.h"
#include "source/glob_model.h"

namespace {

// The model is slow.
constexpr std::size_t kModelPatternMax = 24;
constexpr std::size_t kModelPathMax = 24;

bool is_normal(std::string_view path) {
  if (path.empty() || path.front() != '/' || path.back() == '/') return false;
  for (std::size_t begin = 1; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    const std::string_view name = path.substr(begin, end - begin);
    if (name.empty() || name == "." || name == "..") return false;
    begin = end + 1;
  }
  return true;
}

}  // namespace

// The input is a pattern, a NUL and a path.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace logflume;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t separator = input.find('\0');
  if (separator == std::string_view::npos) return 0;
  const std::string_view pattern = input.substr(0, separator);
  const std::string_view path = input.substr(separator + 1);

  GlobSet globs;
  const bool is_valid = static_cast<bool>(globs.add(pattern, "/here/{[*"));
  FUZZ_CHECK(globs.empty() != is_valid);
  if (!is_valid || !is_normal(path)) return 0;
  const bool matched = globs.matches(path);

  const Result<std::vector<std::string>> expanded = expand_braces(pattern);
  FUZZ_CHECK(expanded);
  if (pattern.size() > kModelPatternMax || path.size() > kModelPathMax) return 0;
  if (pattern.find("[:") != std::string_view::npos) return 0;
  bool expected = false;
  for (const std::string& one : *expanded) {
    if (one.front() != '/') return 0;
    expected |= glob_model::matches(one, path);
  }
  FUZZ_CHECK(matched == expected);
  return 0;
}
