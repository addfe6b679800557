#include "source/start_pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

namespace logflume {
namespace {

// Lines are hostile input: a pattern such as (a+)+b must not hold the reader for seconds.
constexpr std::uint32_t kMatchLimit = 100'000;
constexpr std::uint32_t kHeapLimitKib = 1024;

}  // namespace

void StartPattern::Free::operator()(pcre2_real_code_8* code) const { ::pcre2_code_free(code); }
void StartPattern::Free::operator()(pcre2_real_match_data_8* data) const { ::pcre2_match_data_free(data); }
void StartPattern::Free::operator()(pcre2_real_match_context_8* context) const {
  ::pcre2_match_context_free(context);
}

StartPattern::StartPattern() = default;
StartPattern::StartPattern(StartPattern&&) noexcept = default;
StartPattern& StartPattern::operator=(StartPattern&&) noexcept = default;
StartPattern::~StartPattern() = default;

Result<StartPattern> StartPattern::compile(const std::string& pattern) {
  int error = 0;
  PCRE2_SIZE at = 0;
  StartPattern made;
  // Lines are bytes; those that are not UTF-8 match nothing but do not stop the search.
  made.code_.reset(::pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C, &error, &at,
                                   nullptr));
  if (!made.code_) {
    PCRE2_UCHAR text[256] = {};
    ::pcre2_get_error_message(error, text, sizeof text);
    return Error{Errc::kInvalidArgument, 0,
                 fmt::format("{} at character {}", reinterpret_cast<const char*>(text), at + 1)};
  }
  // Without a JIT (an architecture that has none) the interpreter gives the same answers.
  (void)::pcre2_jit_compile(made.code_.get(), PCRE2_JIT_COMPLETE);
  made.data_.reset(::pcre2_match_data_create(1, nullptr));
  made.context_.reset(::pcre2_match_context_create(nullptr));
  if (!made.data_ || !made.context_) return Error{Errc::kNoMemory, 0, "regular expression"};
  ::pcre2_set_match_limit(made.context_.get(), kMatchLimit);
  ::pcre2_set_heap_limit(made.context_.get(), kHeapLimitKib);
  return made;
}

bool StartPattern::matches(std::string_view line) {
  line = line.substr(0, kHeadBytesMax);
  const int found = ::pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(line.data()), line.size(), 0, 0,
                                  data_.get(), context_.get());
  if (found >= 0) return true;
  if (found != PCRE2_ERROR_NOMATCH) ++gave_up_;
  return false;
}

std::uint64_t StartPattern::take_gave_up() { return std::exchange(gave_up_, 0); }

}  // namespace logflume
