// What a regular expression says about the first bytes of a line, for most lines all that is asked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace logflume {

// Of a pattern that begins at the beginning of a line, such as ^\d{4}-\d\d or ^(?:[A-Z]+|\[), what each of
// the first bytes may be. All of them are looked at at once: sixteen comparisons with a range in one
// instruction.
//
// Threads:   any.
// Invariant: kNo and kYes are what PCRE2 answers for the whole pattern. What of its syntax is not known here
//            is never guessed: kAsk.
class HeadPattern {
 public:
  static constexpr std::size_t kBytes = 16;
  enum class Answer : std::uint8_t { kNo, kYes, kAsk };

  // Knows nothing.
  HeadPattern() = default;
  static HeadPattern of(std::string_view pattern);

  // `line` without its newline.
  Answer look(std::string_view line) const;
  // The line that begins here and has a newline behind it. REQUIRES: kBytes bytes may be read.
  Answer look_ahead(const char* line) const;
  // The same of a text that may have newlines in it.
  Answer look_at_text(std::string_view text) const;
  // ... behind the beginning of which kBytes bytes may be read.
  Answer look_at_text_ahead(std::string_view text) const;
  // Nothing is known: look() is not worth its time.
  bool is_void() const { return lanes_ == 0 && sure_ == Answer::kAsk; }
  // kAsk is only answered for lines that begin with bytes beyond ASCII.
  bool decides() const { return sure_ == Answer::kYes; }

 private:
  using Bytes [[gnu::vector_size(kBytes)]] = unsigned char;
  // A byte is a member when one of its lane's ranges has it; a lane with fewer repeats one.
  static constexpr std::size_t kRangesMax = 4;

  static bool any(Bytes bytes) {
    std::uint64_t halves[2];
    static_assert(sizeof halves == sizeof bytes);
    std::memcpy(halves, &bytes, sizeof halves);
    return (halves[0] | halves[1]) != 0;
  }
  Answer judge(Bytes bytes) const;
  Answer look_slowly(Bytes fails, Bytes beyond) const;

  Bytes low_[kRangesMax] = {};
  Bytes width_[kRangesMax] = {};  // the last one of a range less its first
  std::size_t ranges_ = 0;        // of the lane that has the most
  std::size_t lanes_ = 0;
  Bytes used_{};  // all ones in the lanes that say something
  Bytes wide_{};  // ... in lanes at which a character of several bytes may stand
  bool has_wide_ = false;
  Answer sure_ = Answer::kAsk;  // when every lane agrees: kYes if nothing else is asked for
};

inline HeadPattern::Answer HeadPattern::judge(Bytes bytes) const {
  Bytes members = reinterpret_cast<Bytes>(bytes - low_[0] <= width_[0]);
  for (std::size_t i = 1; i < ranges_; ++i) members |= reinterpret_cast<Bytes>(bytes - low_[i] <= width_[i]);
  const Bytes fails = ~members & used_;
  if (has_wide_) {
    const Bytes beyond = reinterpret_cast<Bytes>(bytes >= 0x80) & wide_;
    if (any(beyond)) [[unlikely]]
      return look_slowly(fails, beyond);
  }
  return any(fails) ? Answer::kNo : sure_;
}

inline HeadPattern::Answer HeadPattern::look_ahead(const char* line) const {
  Bytes bytes;
  std::memcpy(&bytes, line, kBytes);
  return judge(bytes);
}

inline HeadPattern::Answer HeadPattern::look_at_text_ahead(std::string_view text) const {
  constexpr Bytes kLanes{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  constexpr unsigned char kNewline = '\n';
  const auto size = static_cast<unsigned char>(text.size() < kBytes ? text.size() : kBytes);
  Bytes bytes;
  std::memcpy(&bytes, text.data(), kBytes);
  const auto behind = reinterpret_cast<Bytes>(kLanes >= size);
  const Bytes newlines = reinterpret_cast<Bytes>(bytes == kNewline) & ~behind;
  const Answer answer = judge((bytes & ~behind) | (kNewline & behind));
  // That a newline is a member of nothing holds for lines.
  return answer == Answer::kNo && any(newlines & used_) ? Answer::kAsk : answer;
}

inline HeadPattern::Answer HeadPattern::look_at_text(std::string_view text) const {
  if (text.size() >= kBytes) return look_at_text_ahead(text);
  char padded[kBytes] = {};
  if (!text.empty()) std::memcpy(padded, text.data(), text.size());
  return look_at_text_ahead({padded, text.size()});
}

inline HeadPattern::Answer HeadPattern::look(std::string_view line) const {
  if (line.size() >= kBytes) [[likely]]
    return look_ahead(line.data());
  // A newline is a member of nothing.
  char padded[kBytes];
  std::memset(padded, '\n', kBytes);
  if (!line.empty()) std::memcpy(padded, line.data(), line.size());
  return look_ahead(padded);
}

}  // namespace logflume
