// Goal: what is told from a line's first bytes is what PCRE2 finds, whatever the pattern, and no pattern or
// line breaks either. Input: the pattern, a zero byte, and lines, which are a text together, too.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/head_pattern.h"
#include "base/regex.h"
#include "check.h"

using namespace logflume;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::size_t zero = text.find('\0');
  if (zero == text.npos || zero > 64) return 0;
  const std::string_view pattern = text.substr(0, zero);
  text.remove_prefix(zero + 1);
  const HeadPattern head = HeadPattern::of(pattern);
  if (head.is_void()) return 0;
  const Result<Regex> regex = Regex::compile(pattern);
  if (!regex) return 0;
  RegexScratch scratch;
  const auto check = [&](HeadPattern::Answer answer, std::string_view looked_at) {
    if (answer == HeadPattern::Answer::kAsk) return;
    const Regex::Answer found = regex->search(looked_at, scratch);
    if (found == Regex::Answer::kGaveUp) return;
    FUZZ_CHECK((answer == HeadPattern::Answer::kYes) == (found == Regex::Answer::kYes));
  };
  check(head.look_at_text(text), text);
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    check(head.look(line), line);
  }
  return 0;
}
