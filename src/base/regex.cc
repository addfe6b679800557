#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace logflume {
namespace {

constexpr std::uint32_t kMatchLimit = 100'000;
constexpr std::uint32_t kHeapLimitKib = 1024;
constexpr std::size_t kJitStackBytes = 32 * 1024;
constexpr std::size_t kJitStackBytesMax = 512 * 1024;

pcre2_code* compiled(std::string_view pattern, std::uint32_t options, int& error, PCRE2_SIZE& at) {
  return ::pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                         options | PCRE2_NEVER_BACKSLASH_C, &error, &at, nullptr);
}

}  // namespace

void RegexScratch::Free::operator()(pcre2_real_match_data_8* data) const { ::pcre2_match_data_free(data); }
void RegexScratch::Free::operator()(pcre2_real_match_context_8* context) const {
  ::pcre2_match_context_free(context);
}
void RegexScratch::Free::operator()(pcre2_real_jit_stack_8* stack) const { ::pcre2_jit_stack_free(stack); }

RegexScratch::RegexScratch()
    : stack_(::pcre2_jit_stack_create(kJitStackBytes, kJitStackBytesMax, nullptr)),
      context_(::pcre2_match_context_create(nullptr)) {
  if (!context_) throw std::bad_alloc();
  ::pcre2_set_match_limit(context_.get(), kMatchLimit);
  ::pcre2_set_heap_limit(context_.get(), kHeapLimitKib);
  // Without one (no JIT) it is the machine's stack.
  if (stack_) ::pcre2_jit_stack_assign(context_.get(), nullptr, stack_.get());
}
RegexScratch::RegexScratch(RegexScratch&&) noexcept = default;
RegexScratch& RegexScratch::operator=(RegexScratch&&) noexcept = default;
RegexScratch::~RegexScratch() = default;

void Regex::Free::operator()(pcre2_real_code_8* code) const { ::pcre2_code_free(code); }
Regex::Regex() = default;
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

Result<Regex> Regex::compile(std::string_view pattern) {
  int error = 0;
  PCRE2_SIZE at = 0;
  Regex made;
  made.code_.reset(compiled(pattern, PCRE2_UTF | PCRE2_MATCH_INVALID_UTF, error, at));
  if (!made.code_) {
    PCRE2_UCHAR text[256] = {};
    ::pcre2_get_error_message(error, text, sizeof text);
    return Error{Errc::kInvalidArgument, 0,
                 fmt::format("{} at character {}", reinterpret_cast<const char*>(text), at + 1)};
  }
  // Without a JIT (an architecture that has none) the interpreter gives the same answers.
  (void)::pcre2_jit_compile(made.code_.get(), PCRE2_JIT_COMPLETE);
  // (*UTF) and its like in a pattern, and properties of characters, are left to the other one.
  if (is_ascii(pattern) && pattern.find("(*") == pattern.npos) {
    PCRE2_SIZE ignored = 0;
    made.ascii_.reset(compiled(pattern, PCRE2_NEVER_UTF, error, ignored));
    if (made.ascii_ && ::pcre2_jit_compile(made.ascii_.get(), PCRE2_JIT_COMPLETE) != 0) made.ascii_.reset();
  }
  std::uint32_t groups = 0, names = 0, entry_bytes = 0;
  PCRE2_SPTR table = nullptr;
  ::pcre2_pattern_info(made.code_.get(), PCRE2_INFO_CAPTURECOUNT, &groups);
  ::pcre2_pattern_info(made.code_.get(), PCRE2_INFO_NAMECOUNT, &names);
  ::pcre2_pattern_info(made.code_.get(), PCRE2_INFO_NAMEENTRYSIZE, &entry_bytes);
  ::pcre2_pattern_info(made.code_.get(), PCRE2_INFO_NAMETABLE, &table);
  made.groups_ = groups;
  for (std::uint32_t i = 0; i < names; ++i, table += entry_bytes) {
    const auto group = static_cast<std::size_t>(table[0] << 8 | table[1]);
    made.names_.push_back({reinterpret_cast<const char*>(table + 2), group});
  }
  std::ranges::sort(made.names_, {}, &Name::group);
  return made;
}

bool Regex::is_ascii(std::string_view text) {
  std::uint64_t seen = 0, last = 0;
  std::size_t at = 0;
  std::uint64_t words[4];
  for (; at + sizeof words <= text.size(); at += sizeof words) {
    std::memcpy(words, text.data() + at, sizeof words);
    seen |= words[0] | words[1] | words[2] | words[3];
  }
  for (std::uint64_t word = 0; at + sizeof word <= text.size(); at += sizeof word) {
    std::memcpy(&word, text.data() + at, sizeof word);
    seen |= word;
  }
  if (at < text.size()) std::memcpy(&last, text.data() + at, text.size() - at);
  return ((seen | last) & 0x8080808080808080) == 0;
}

Regex::Answer Regex::search(std::string_view text, RegexScratch& scratch, std::size_t from,
                            bool ascii) const {
  if (scratch.pairs_ < groups_ + 1) {
    scratch.data_.reset(::pcre2_match_data_create(static_cast<std::uint32_t>(groups_ + 1), nullptr));
    if (!scratch.data_) throw std::bad_alloc();
    scratch.pairs_ = groups_ + 1;
  }
  const auto* const bytes = reinterpret_cast<PCRE2_SPTR>(text.data() == nullptr ? "" : text.data());
  const int found = ascii_ && ascii ? ::pcre2_jit_match(ascii_.get(), bytes, text.size(), from, 0,
                                                        scratch.data_.get(), scratch.context_.get())
                                    : ::pcre2_match(code_.get(), bytes, text.size(), from, 0,
                                                    scratch.data_.get(), scratch.context_.get());
  if (found >= 0) return Answer::kYes;
  return found == PCRE2_ERROR_NOMATCH ? Answer::kNo : Answer::kGaveUp;
}

const std::size_t* Regex::places(const RegexScratch& scratch) {
  static_assert(kNowhere == PCRE2_UNSET);
  return ::pcre2_get_ovector_pointer(scratch.data_.get());
}

std::string_view Regex::group(std::string_view text, const RegexScratch& scratch, std::size_t number) {
  const std::size_t* const found = places(scratch);
  if (number >= scratch.pairs_ || found[2 * number] == kNowhere) return {};
  return text.substr(found[2 * number], found[2 * number + 1] - found[2 * number]);
}

}  // namespace logflume
