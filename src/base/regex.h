// Regular expressions over bytes that are mostly UTF-8: PCRE2, by its JIT where there is one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;
struct pcre2_real_jit_stack_8;

namespace logflume {

// What a thread needs to search: the places that were found, the stack of the JIT, and limits, since input is
// hostile: a pattern such as (a+)+b must not hold a thread for seconds.
//
// Threads: one.
class RegexScratch {
 public:
  RegexScratch();
  RegexScratch(RegexScratch&&) noexcept;
  RegexScratch& operator=(RegexScratch&&) noexcept;
  ~RegexScratch();

 private:
  friend class Regex;
  struct Free {
    void operator()(pcre2_real_match_data_8* data) const;
    void operator()(pcre2_real_match_context_8* context) const;
    void operator()(pcre2_real_jit_stack_8* stack) const;
  };
  std::unique_ptr<pcre2_real_jit_stack_8, Free> stack_;
  std::unique_ptr<pcre2_real_match_context_8, Free> context_;
  std::unique_ptr<pcre2_real_match_data_8, Free> data_;
  std::size_t pairs_ = 0;  // that data_ has room for
};

// Threads: any, each with a scratch of its own.
class Regex {
 public:
  enum class Answer { kNo, kYes, kGaveUp };  // kGaveUp: it ran into its limits
  // A named group: its number, 1 for the first.
  struct Name {
    std::string name;
    std::size_t group = 0;
  };

  // Bytes that are not UTF-8 match nothing, and do not stop the search.
  // Errors: kInvalidArgument: what is wrong with the pattern, and where.
  static Result<Regex> compile(std::string_view pattern);
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;
  ~Regex();

  // Whether, and where, it matches in `text`, at `from` or behind it.
  Answer search(std::string_view text, RegexScratch& scratch, std::size_t from = 0) const {
    return search(text, scratch, from, is_ascii(text));
  }
  // The same for one of many searches in a text: whether it is ASCII is looked at once. REQUIRES: it is if
  // `ascii`.
  Answer search(std::string_view text, RegexScratch& scratch, std::size_t from, bool ascii) const;
  static bool is_ascii(std::string_view text);
  // After kYes: where each group begins and ends, two for each from the whole match on; kNowhere where it
  // took no part in the match.
  static constexpr std::size_t kNowhere = SIZE_MAX;
  static const std::size_t* places(const RegexScratch& scratch);
  // After kYes: a group, 0 the whole match. A null view where it took no part in the match.
  static std::string_view group(std::string_view text, const RegexScratch& scratch, std::size_t number);

  std::size_t groups() const { return groups_; }  // without the whole match
  const std::vector<Name>& names() const { return names_; }

 private:
  Regex();
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  std::unique_ptr<pcre2_real_code_8, Free> code_;
  // For texts that are ASCII, which need not be looked through for what is no UTF-8; null where the pattern
  // means characters that are none, or there is no JIT.
  std::unique_ptr<pcre2_real_code_8, Free> ascii_;
  std::size_t groups_ = 0;
  std::vector<Name> names_;
};

}  // namespace logflume
