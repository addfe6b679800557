#include "multiline/line_pattern.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace logflume {
namespace {

using Answer = HeadPattern::Answer;

TEST(HeadPatternTest, FixedBeginningsAreDecidedWithoutTheRegularExpression) {
  for (const char* pattern :
       {R"(^\d{4}-\d{2}-\d{2})", R"(^\[)", "^[A-Z][a-z]{2} ", R"(^\s)", R"(^\S)", "^[^ \\t]",
        R"(^(?:\d{4})-)", R"(^(?<year>\d\d))", R"(^(a|b|[0-9]))", "^", R"(^\t+)", "^a*", "^ab+", R"(\AINFO)",
        "^[[:space:]]", "^[]x]", "^é", R"(^\d+)", "^a|^b"}) {
    EXPECT_TRUE(HeadPattern::of(pattern).decides()) << pattern;
  }
}

TEST(HeadPatternTest, OthersAreDecidedForLinesThatBeginOtherwise) {
  for (const char* pattern :
       {R"(^\d+-)", R"(^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d)", "^(INFO|WARN) ", R"(^\s*at )", "^a?bc",
        R"(^\[\w+\])", "^ab$", R"(^a\b)", "^(?=a)a", "^a.c", "^(?>ab|a)c"}) {
    const HeadPattern head = HeadPattern::of(pattern);
    EXPECT_FALSE(head.is_void()) << pattern;
    EXPECT_FALSE(head.decides()) << pattern;
    EXPECT_EQ(head.look("~ something else"), Answer::kNo) << pattern;
  }
}

TEST(HeadPatternTest, WhatIsNotUnderstoodIsLeftToTheRegularExpression) {
  for (const char* pattern :
       {"ERROR", R"(\d{4}-)", "(?i)^info", "^a|b", R"(^\x41)", R"(^\p{Lu})", "(?m)^a", "^a{,3}", "(*UTF)^a",
        R"(^\Qa\E)", "(?#c)^a", R"(^(a)\1)", "^[[.a.]]", "^[[:^digit:]]", "^a{x", "(^a)?b", "^(?1)(a)"}) {
    EXPECT_TRUE(HeadPattern::of(pattern).is_void()) << pattern;
  }
}

TEST(HeadPatternTest, LooksAtTheLineAndNotBehindIt) {
  const HeadPattern head = HeadPattern::of(R"(^\d{4}-)");
  const std::string text = "2026-01-02 03:04:05";
  for (std::size_t size = 0; size <= text.size(); ++size) {
    EXPECT_EQ(head.look(std::string_view(text).substr(0, size)), size < 5 ? Answer::kNo : Answer::kYes);
  }
  EXPECT_EQ(head.look({}), Answer::kNo);
  EXPECT_EQ(HeadPattern::of("^[^a]").look(""), Answer::kNo);
  EXPECT_EQ(HeadPattern::of(R"(^[^a][^b])").look("x\n"), Answer::kNo);
}

TEST(HeadPatternTest, BytesBeyondAsciiAreLeftToTheRegularExpression) {
  EXPECT_EQ(HeadPattern::of("^[^a]b").look("\xc3\xa9ZZZ"), Answer::kAsk);
  EXPECT_EQ(HeadPattern::of("^[^a]b").look("a\xc3\xa9"), Answer::kNo);
  EXPECT_EQ(HeadPattern::of("^[^a]b").look("xb\xc3\xa9"), Answer::kYes);
  EXPECT_EQ(HeadPattern::of(R"(^\d)").look("\xc3\xa9"), Answer::kNo);
}

// Goal: what is answered without PCRE2 is what PCRE2 answers. Method: patterns and lines put together of
// pieces that matter, some of them at odds with each other.
TEST(LinePatternTest, AgreesWithTheRegularExpression) {
  const std::vector<std::string> atoms = {
      "a",     "b",     "-",         R"(\d)",        R"(\w)",       R"(\s)",  R"(\S)",  R"(\D)",
      ".",     "[ab]",  "[^a]",      "[0-9a]",       R"([\w-])",    "(?:ab)", "(a|b)",  "(?:a|bc)",
      "é",     "[é-ü]", "(?:)",      R"(\[)",        R"(\h)",       "(?=a)",  "(?!a)",  "[]a]",
      "$",     R"(\b)", "(?>a|ab)",  "(?:a|)",       "[[:alpha:]]", "(?:^a)", "(?<!a)", R"(\W)",
      R"(\A)", "^",     "(?:a*|b)c", "(?:\\d{2}|x)", "[^\\n]",      "\\n",    R"(\t)",  "\\."};
  const std::vector<std::string> counts = {"",    "",      "",    "",     "*",  "+", "?",
                                           "{2}", "{1,2}", "{0}", "{2,}", "+?", "*+"};
  const std::vector<std::string> pieces = {"a",    "b",    "c", "0", "9",  "-",
                                           " ",    "\t",   "[", ".", "é",  "ü",
                                           "\xff", "\x80", "Z", "_", "\r", std::string(1, '\0'),
                                           "aab",  "2026", "]", "x"};
  std::mt19937_64 random(1);
  int decided = 0, compiled = 0;
  for (int round = 0; round < 20'000; ++round) {
    std::string pattern = random() % 8 == 0 ? "" : "^";
    for (std::uint64_t i = random() % 6; i > 0; --i) {
      if (random() % 12 == 0) pattern += "|^";
      pattern += atoms[random() % atoms.size()] + counts[random() % counts.size()];
    }
    const Result<Regex> regex = Regex::compile(pattern);
    if (!regex) continue;
    ++compiled;
    const HeadPattern head = HeadPattern::of(pattern);
    RegexScratch scratch;
    for (int i = 0; i < 40; ++i) {
      const bool of_lines = random() % 4 == 0;
      std::string text;
      for (std::uint64_t n = random() % 24; n > 0; --n)
        text += of_lines && random() % 6 == 0 ? "\n" : pieces[random() % pieces.size()];
      const Answer answer = of_lines ? head.look_at_text(text) : head.look(text);
      if (answer == Answer::kAsk) continue;
      ++decided;
      ASSERT_EQ(answer == Answer::kYes, regex->search(text, scratch) == Regex::Answer::kYes)
          << pattern << " in \"" << text << '"';
    }
  }
  EXPECT_GT(compiled, 10'000);
  EXPECT_GT(decided, 100'000);
}

TEST(LinePatternTest, IsSearchedForInBytesThatNeedNotBeText) {
  auto pattern = LinePattern::compile(R"(^\d{4}-)");
  ASSERT_TRUE(pattern.has_value());
  EXPECT_TRUE(pattern->matches("2026-01-02 x"));
  EXPECT_TRUE(pattern->matches("2026-\xff\xfe"));
  EXPECT_FALSE(pattern->matches(" 2026-01-02"));
  EXPECT_FALSE(pattern->matches(""));
  EXPECT_FALSE(LinePattern::compile("(").has_value());
}

TEST(LinePatternTest, AHostileLineRunsIntoTheLimitsAndIsNoMatch) {
  auto pattern = LinePattern::compile("^(a+)+$");
  ASSERT_TRUE(pattern.has_value());
  std::string line(5000, 'a');
  line += 'b';
  EXPECT_FALSE(pattern->matches(line));
  EXPECT_EQ(pattern->take_gave_up(), 1u);
  EXPECT_EQ(pattern->take_gave_up(), 0u);
}

TEST(LinePatternTest, ALineIsJudgedByItsFirstBytes) {
  auto pattern = LinePattern::compile("x");
  ASSERT_TRUE(pattern.has_value());
  std::string line(LinePattern::kHeadBytesMax, 'a');
  EXPECT_FALSE(pattern->matches(line + "x"));
  line.back() = 'x';
  EXPECT_TRUE(pattern->matches(line + "a"));
}

}  // namespace
}  // namespace logflume
