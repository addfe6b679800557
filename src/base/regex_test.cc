#include "base/regex.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

Regex compiled(std::string_view pattern) {
  auto regex = Regex::compile(pattern);
  EXPECT_TRUE(regex) << pattern;
  return std::move(*regex);
}

TEST(Regex, SearchesAndSaysWhatItsGroupsTook) {
  const Regex regex = compiled(R"((?<level>\w+): (?:(?<code>\d+)|none)(x)?)");
  RegexScratch scratch;
  const std::string_view line = "-- warn: 17";
  ASSERT_EQ(regex.search(line, scratch), Regex::Answer::kYes);
  EXPECT_EQ(Regex::group(line, scratch, 0), "warn: 17");
  EXPECT_EQ(Regex::group(line, scratch, 2), "17");
  EXPECT_EQ(Regex::group(line, scratch, 3).data(), nullptr);
  EXPECT_EQ(regex.groups(), 3u);
  ASSERT_EQ(regex.names().size(), 2u);
  EXPECT_EQ(regex.names()[0].name, "level");
  EXPECT_EQ(regex.names()[1].name, "code");
  EXPECT_EQ(regex.names()[1].group, 2u);
  ASSERT_EQ(regex.search("warn: none", scratch), Regex::Answer::kYes);
  EXPECT_EQ(Regex::group("warn: none", scratch, 2).data(), nullptr);
}

TEST(Regex, GoesOnBehindAMatch) {
  const Regex regex = compiled("^a|b");
  RegexScratch scratch;
  EXPECT_EQ(regex.search("aab", scratch, 1), Regex::Answer::kYes);
  EXPECT_EQ(Regex::group("aab", scratch, 0).data(), std::string_view("aab").data() + 2);
}

TEST(Regex, TakesAScratchThatServedASmallerOne) {
  RegexScratch scratch;
  EXPECT_EQ(compiled("a").search("a", scratch), Regex::Answer::kYes);
  EXPECT_EQ(compiled("(a)(b)(c)").search("abc", scratch), Regex::Answer::kYes);
  EXPECT_EQ(Regex::group("abc", scratch, 3), "c");
  EXPECT_EQ(compiled("b").search("abc", scratch), Regex::Answer::kYes);
  EXPECT_EQ(Regex::group("abc", scratch, 0), "b");
}

TEST(Regex, PassesOverBytesThatAreNoText) {
  RegexScratch scratch;
  EXPECT_EQ(compiled("b$").search("a\xff"
                                  "b",
                                  scratch),
            Regex::Answer::kYes);
  EXPECT_EQ(compiled("a.b").search("a\xff"
                                   "b",
                                   scratch),
            Regex::Answer::kNo);
  EXPECT_EQ(compiled("").search({}, scratch), Regex::Answer::kYes);
}

// Goal: a text that is ASCII, which is searched by a pattern compiled for that, gives what it would give
// otherwise.
TEST(Regex, IsTheSameForAsciiTexts) {
  RegexScratch scratch;
  for (const char* pattern :
       {"a.c", "[^b]+$", "\\w+", "(?i)K", "\\x{e4}|b", "\\p{Lu}", "(*UTF)a", "^$", "\\bb", "\\s"}) {
    const Regex regex = compiled(pattern);
    for (const char* text : {"", "abc", "xx abc", "k", "B", "a b", "no"}) {
      const std::string with = std::string(text).append(" \u00e4");
      const Regex::Answer alone = regex.search(text, scratch);
      std::string found;
      if (alone == Regex::Answer::kYes) found = Regex::group(text, scratch, 0);
      // The same text as a part of one that is not: up to its end nothing may differ, but for what looks at
      // the end.
      if (std::string_view(pattern).find('$') != std::string_view::npos || alone == Regex::Answer::kNo)
        continue;
      ASSERT_EQ(regex.search(with, scratch), Regex::Answer::kYes) << pattern << " in " << text;
      EXPECT_EQ(Regex::group(with, scratch, 0).substr(0, found.size()), found) << pattern << " in " << text;
    }
  }
  EXPECT_EQ(compiled("\\x{e4}").search("\u00e4", scratch), Regex::Answer::kYes);
  EXPECT_EQ(compiled("\u00e4").search("x\u00e4", scratch), Regex::Answer::kYes);
}

TEST(Regex, GivesUpOnHostileText) {
  RegexScratch scratch;
  std::string text(40, 'a');
  text.push_back('b');
  EXPECT_EQ(compiled("^(a+)+$").search(text, scratch), Regex::Answer::kGaveUp);
}

TEST(Regex, SaysWhereAPatternIsWrong) {
  const auto regex = Regex::compile("ab(c");
  ASSERT_FALSE(regex);
  EXPECT_EQ(regex.error().message, "missing closing parenthesis at character 5");
}

}  // namespace
}  // namespace logflume
