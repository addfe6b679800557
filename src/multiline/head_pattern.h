// What a regular expression says about the first bytes of a line, for most lines all that is asked.
#pragma once

#include <cstddef>
#include <cstdint>
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
  // Nothing is known: look() is not worth its time.
  bool is_void() const { return lanes_ == 0 && sure_ == Answer::kAsk; }
  // kAsk is only answered for lines that begin with bytes beyond ASCII.
  bool decides() const { return sure_ == Answer::kYes; }

 private:
  using Bytes [[gnu::vector_size(kBytes)]] = unsigned char;
  // A byte is a member when one of its lane's ranges has it; a lane with fewer repeats one.
  static constexpr std::size_t kRangesMax = 4;

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

}  // namespace logflume
