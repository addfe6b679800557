// Which lines begin a multi-line event: a regular expression (PCRE2, by its JIT where there is one).
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace logflume {

// Threads: one.
class StartPattern {
 public:
  // A line is judged by its first bytes: what comes later cannot make it a beginning, however long it is.
  static constexpr std::size_t kHeadBytesMax = 16 * 1024;

  // Errors: kInvalidArgument: what is wrong with the pattern, and where.
  static Result<StartPattern> compile(const std::string& pattern);
  StartPattern(StartPattern&&) noexcept;
  StartPattern& operator=(StartPattern&&) noexcept;
  ~StartPattern();

  // `line` without its newline, or as much of it as there is, but at least kHeadBytesMax. A line on which the
  // pattern runs into its match limits begins nothing.
  bool matches(std::string_view line);
  // Lines that ran into the match limits since the last call.
  std::uint64_t take_gave_up();

 private:
  StartPattern();
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
    void operator()(pcre2_real_match_data_8* data) const;
    void operator()(pcre2_real_match_context_8* context) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
  std::unique_ptr<pcre2_real_match_data_8, Free> data_;
  std::unique_ptr<pcre2_real_match_context_8, Free> context_;
  std::uint64_t gave_up_ = 0;
};

}  // namespace logflume
