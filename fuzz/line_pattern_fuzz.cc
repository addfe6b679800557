// Goal: what is told from a line's first bytes is what PCRE2 finds, whatever the pattern, and no pattern or
// line breaks either. Input: the pattern, a zero byte, and lines.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "base/regex.h"
#include "check.h"
#include "multiline/head_pattern.h"

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
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    const HeadPattern::Answer answer = head.look(line);
    if (answer == HeadPattern::Answer::kAsk) continue;
    const Regex::Answer found = regex->search(line, scratch);
    if (found == Regex::Answer::kGaveUp) continue;
    FUZZ_CHECK((answer == HeadPattern::Answer::kYes) == (found == Regex::Answer::kYes));
  }
  return 0;
}
