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
