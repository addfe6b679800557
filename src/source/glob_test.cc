#include "source/glob.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "source/glob_model.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

bool matches(std::string_view pattern, std::string_view path) {
  GlobSet globs;
  const Result<void> added = globs.add(pattern, "/here");
  EXPECT_TRUE(added) << added.error().text();
  return globs.matches(path);
}

std::string error_of(std::string_view pattern) {
  GlobSet globs;
  const Result<void> added = globs.add(pattern, "/");
  EXPECT_FALSE(added) << pattern;
  EXPECT_TRUE(globs.empty()) << pattern;
  return added ? "" : added.error().message;
}

TEST(GlobTest, StarStaysInItsName) {
  EXPECT_TRUE(matches("/var/log/*.log", "/var/log/a.log"));
  EXPECT_TRUE(matches("/var/log/*.log", "/var/log/.log"));
  EXPECT_FALSE(matches("/var/log/*.log", "/var/log/a.log.1"));
  EXPECT_FALSE(matches("/var/log/*.log", "/var/log/x/a.log"));
  EXPECT_FALSE(matches("/var/*", "/var/log/a"));
  EXPECT_TRUE(matches("/*/*/*", "/var/log/a"));
  EXPECT_TRUE(matches("/a*b*c", "/abbbcbc"));
  EXPECT_FALSE(matches("/a*b*c", "/abbbcb"));
}

TEST(GlobTest, StarMatchesALeadingDot) {
  EXPECT_TRUE(matches("/log/*", "/log/.hidden"));
  EXPECT_TRUE(matches("/log/?hidden", "/log/.hidden"));
  EXPECT_TRUE(matches("/**/x", "/log/.d/x"));
}

TEST(GlobTest, QuestionMarkTakesOneByte) {
  EXPECT_TRUE(matches("/a?c", "/abc"));
  EXPECT_FALSE(matches("/a?c", "/ac"));
  EXPECT_TRUE(matches("/?\?", "/\xc3\xa4"));  // one character of UTF-8
  EXPECT_TRUE(matches("/?", "/\xff"));
  EXPECT_TRUE(matches("/a?b", "/a\nb"));
}

TEST(GlobTest, Sets) {
  EXPECT_TRUE(matches("/[abc]", "/b"));
  EXPECT_FALSE(matches("/[abc]", "/d"));
  EXPECT_TRUE(matches("/[a-cx-z0]", "/y"));
  EXPECT_FALSE(matches("/[!a-c]", "/b"));
  EXPECT_TRUE(matches("/[^a-c]", "/d"));
  EXPECT_TRUE(matches("/[]]", "/]"));
  EXPECT_TRUE(matches("/[!]]", "/x"));
  EXPECT_TRUE(matches("/[a-]", "/-"));
  EXPECT_TRUE(matches("/[-a]", "/-"));
  EXPECT_TRUE(matches("/[\\]\\\\]", "/\\"));
  EXPECT_TRUE(matches("/[{,}]", "/,"));
  EXPECT_TRUE(matches("/[*?]", "/*"));
  EXPECT_FALSE(matches("/[*?]", "/x"));
  EXPECT_TRUE(matches("/[\x80-\xff]", "/\x9f"));
  EXPECT_TRUE(matches("/x.[[:digit:]]", "/x.7"));
  EXPECT_FALSE(matches("/x.[![:digit:]a]", "/x.7"));
}

TEST(GlobTest, DoubleStarIsAnyNumberOfDirectories) {
  for (const char* path : {"/a/x.log", "/a/b/x.log", "/a/b/c/d/x.log"})
    EXPECT_TRUE(matches("/a/**/*.log", path));
  EXPECT_FALSE(matches("/a/**/*.log", "/b/x.log"));
  EXPECT_TRUE(matches("/**/x", "/x"));
  EXPECT_TRUE(matches("/a/**/b/**/c", "/a/b/c"));
  EXPECT_TRUE(matches("/a/**/b/**/c", "/a/1/b/b/2/3/c"));
  EXPECT_FALSE(matches("/a/**/b/**/c", "/a/1/2/c"));
  EXPECT_TRUE(matches("/a/**", "/a/x"));
  EXPECT_TRUE(matches("/a/**", "/a/b/x"));
  EXPECT_FALSE(matches("/a/**", "/a"));
  EXPECT_TRUE(matches("/a/**/**/x", "/a/x"));
  EXPECT_TRUE(matches("/a/x**y", "/a/x1y"));
  EXPECT_FALSE(matches("/a/x**y", "/a/x/y"));
}

TEST(GlobTest, BracesExpand) {
  const auto expanded = expand_braces("a{b,c{d,}}e{1,2}");
  ASSERT_TRUE(expanded);
  EXPECT_THAT(*expanded, ElementsAre("abe1", "abe2", "acde1", "acde2", "ace1", "ace2"));
  EXPECT_TRUE(matches("/log/{app/*,sys/deep}.log", "/log/app/x.log"));
  EXPECT_TRUE(matches("/log/{app/*,sys/deep}.log", "/log/sys/deep.log"));
  EXPECT_FALSE(matches("/log/{app/*,sys/deep}.log", "/log/sys/x.log"));
  EXPECT_TRUE(matches("{/a,b}/x", "/here/b/x"));
  EXPECT_TRUE(matches("/\\{a,b\\}", "/{a,b}"));
}

TEST(GlobTest, BackslashTakesTheNextByteLiterally) {
  EXPECT_TRUE(matches("/\\*", "/*"));
  EXPECT_FALSE(matches("/\\*", "/x"));
  EXPECT_TRUE(matches("/\\[a]", "/[a]"));
}

TEST(GlobTest, RelativePatternsStandInTheWorkingDirectory) {
  EXPECT_TRUE(matches("x/*.log", "/here/x/a.log"));
  EXPECT_TRUE(matches("./*.log", "/here/a.log"));
  EXPECT_TRUE(matches("../*.log", "/a.log"));
  EXPECT_TRUE(matches("/a//b/./../c", "/a/c"));
  GlobSet odd;
  ASSERT_TRUE(odd.add("*.log", "/we[i]rd*{a,b}"));
  EXPECT_TRUE(odd.matches("/we[i]rd*{a,b}/x.log"));
  EXPECT_FALSE(odd.matches("/weird/x.log"));
}

TEST(GlobTest, MalformedPatternsSayWhatIsWrong) {
  EXPECT_THAT(error_of(""), HasSubstr("empty"));
  EXPECT_THAT(error_of("/a/["), HasSubstr("']'"));
  EXPECT_THAT(error_of("/a/[]"), HasSubstr("']'"));
  EXPECT_THAT(error_of("/a[b/c]"), HasSubstr("']'"));
  EXPECT_THAT(error_of("/[z-a]"), HasSubstr("range"));
  EXPECT_THAT(error_of("/[[:nope:]]"), HasSubstr("nope"));
  EXPECT_THAT(error_of("/a{b"), HasSubstr("'}'"));
  EXPECT_THAT(error_of("/a}b"), HasSubstr("'{'"));
  EXPECT_THAT(error_of("/{a}"), HasSubstr("alternatives"));
  EXPECT_THAT(error_of("/a\\"), HasSubstr("'\\'"));
  EXPECT_THAT(error_of("/log/"), HasSubstr("directory"));
  EXPECT_THAT(error_of("/"), HasSubstr("directory"));
  EXPECT_THAT(error_of("/a/.."), HasSubstr("no file"));
  EXPECT_THAT(error_of("/*/../a"), HasSubstr("'..'"));
  EXPECT_THAT(error_of(std::string_view("/a\0b", 4)), HasSubstr("NUL"));
}

TEST(GlobTest, LimitsAreErrors) {
  EXPECT_THAT(error_of("/" + std::string(kGlobBytesMax, 'a')), HasSubstr("longer"));
  std::string many = "/";
  for (int i = 0; i < 11; ++i) many += "{a,b}";
  EXPECT_THAT(error_of(many), HasSubstr("more than 1024"));
  std::string deep = "/a";
  for (int i = 0; i < 20; ++i) deep = "/{a," + deep + "}";
  EXPECT_THAT(error_of(deep), HasSubstr("nested"));
}

TEST(GlobTest, StatesTellWhatADirectoryIsGoodFor) {
  GlobSet globs;
  ASSERT_TRUE(globs.add("/var/log/*.log", "/"));
  ASSERT_TRUE(globs.add("/var/lib/app/{one,two}", "/"));
  const GlobSet::State root = globs.start();
  EXPECT_THAT(*globs.literals(root), ElementsAre("var"));
  EXPECT_FALSE(globs.accepts_files(root));
  EXPECT_TRUE(globs.enter(root, "home").empty());
  const GlobSet::State var = globs.enter(root, "var");
  EXPECT_THAT(*globs.literals(var), ElementsAre("lib", "log"));
  const GlobSet::State log = globs.enter(var, "log");
  EXPECT_FALSE(globs.literals(log));
  EXPECT_TRUE(globs.accepts(log, "a.log"));
  const GlobSet::State app = globs.enter(globs.enter(var, "lib"), "app");
  EXPECT_THAT(*globs.literals(app), ElementsAre("one", "two"));
  EXPECT_TRUE(globs.accepts_files(app));
  EXPECT_FALSE(globs.accepts_everything(app));
  GlobSet below;
  ASSERT_TRUE(below.add("/var/**", "/"));
  EXPECT_TRUE(below.accepts_everything(below.enter(below.start(), "var")));
  EXPECT_FALSE(below.accepts_everything(below.start()));
}

// A matcher that backtracks for every star needs more than a lifetime here.
TEST(GlobTest, ManyStarsTakeBoundedTime) {
  std::string pattern = "/";
  for (int i = 0; i < 100; ++i) pattern += "*a";
  EXPECT_FALSE(matches(pattern + "b", "/" + std::string(250, 'a')));
  std::string deep;
  std::string path;
  for (int i = 0; i < 100; ++i) deep += "/**/a";
  for (int i = 0; i < 1000; ++i) path += "/a";
  EXPECT_FALSE(matches(deep + "/b", path));
  EXPECT_TRUE(matches(deep, path));
}

// Goal: the automaton means what the naive model means.
// Method: random patterns and paths of few letters, so that they often nearly match.
TEST(GlobTest, AgreesWithTheModel) {
  std::mt19937 random(1);
  const auto pick = [&](std::string_view from) { return from[random() % from.size()]; };
  int matched = 0;
  for (int i = 0; i < 200'000; ++i) {
    std::string pattern = "/";
    for (std::size_t n = 1 + random() % 8; n > 0; --n) {
      switch (random() % 8) {
        case 0:
          pattern += "[!a]";
          break;
        case 1:
          pattern += "/**/";
          break;
        default:
          pattern += pick("ab*?/.");
      }
    }
    GlobSet globs;
    if (!globs.add(pattern, "/")) continue;
    std::string path;
    for (std::size_t n = 1 + random() % 4; n > 0; --n) {
      path += '/';
      for (std::size_t m = 1 + random() % 3; m > 0; --m) path += pick("ab.");
    }
    const bool is_normal = path.find("/./") == std::string::npos && path.find("/../") == std::string::npos &&
                           !path.ends_with("/.") && !path.ends_with("/..");
    if (!is_normal) continue;
    const bool expected = glob_model::matches(pattern, path);
    matched += expected ? 1 : 0;
    ASSERT_EQ(globs.matches(path), expected) << pattern << " on " << path;
  }
  EXPECT_GT(matched, 1'000);
}

}  // namespace
}  // namespace logflume
