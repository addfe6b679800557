#include "redact/redactor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<Detector> kAll = {Detector::kCreditCard, Detector::kEmail, Detector::kIpv4,
                                    Detector::kIpv6,       Detector::kToken, Detector::kKey};
constexpr const char* kTestKey = "0123456789abcdef0123456789abcdef";

RedactorConfig config(RedactAction action) {
  RedactorConfig made;
  made.detect = kAll;
  made.action = action;
  made.hash_key = kTestKey;
  return made;
}

std::string redacted(const RedactorConfig& config, const std::string& text) {
  const auto redactor = Redactor::compile(config);
  EXPECT_TRUE(redactor) << redactor.error().message;
  RedactScratch scratch;
  std::string out;
  return redactor->redact(text, out, scratch) ? out : text;
}

TEST(Redactor, Replaces) {
  RedactorConfig made = config(RedactAction::kReplace);
  const std::string text = "ann@example.com paid with 4111 1111 1111 1111 from 10.0.0.1, password=x";
  EXPECT_EQ(redacted(made, text), "[email] paid with [credit_card] from [ipv4], password=[key]");
  made.replacement = "<gone>";
  EXPECT_EQ(redacted(made, text), "<gone> paid with <gone> from <gone>, password=<gone>");
  made.replacement = "";
  EXPECT_EQ(redacted(made, "a 10.0.0.1 b"), "a  b");
}

TEST(Redactor, Masks) {
  const RedactorConfig made = config(RedactAction::kMask);
  EXPECT_EQ(redacted(made, "4111-1111-1111-1111!"), "****-****-****-1111!");
  EXPECT_EQ(redacted(made, "j\u00fcrgen@example.com"), "******@example.com");
  EXPECT_EQ(redacted(made, "john%40example.com"), "****%40example.com");
  EXPECT_EQ(redacted(made, "192.0.2.17"), "192.0.*.**");
  EXPECT_EQ(redacted(made, "2001:db8::8a2e:370:7334"), "2001:db8::****:***:****");
  EXPECT_EQ(redacted(made, "::1"), "::*");
  EXPECT_EQ(redacted(made, "password=hunter2-and-more"), "password=********");
  EXPECT_EQ(redacted(made, "Bearer abcdefgh12345678"), "Bearer ********");
}

TEST(Redactor, LeavesWhatItHasWritten) {
  for (const RedactAction action : {RedactAction::kReplace, RedactAction::kMask}) {
    const std::string once =
        redacted(config(action),
                 "ann@example.com 4111111111111111 192.0.2.1 fe80::1 Bearer abcdefgh1234 \"secret\":\"x\"");
    EXPECT_EQ(redacted(config(action), once), once);
  }
}

TEST(Redactor, HashesEqualValuesAlike) {
  const RedactorConfig made = config(RedactAction::kHash);
  // What `openssl mac -digest SHA256 -macopt key:0123... HMAC` begins with.
  EXPECT_EQ(redacted(made, "a 4111111111111111"), "a 7b7e6cb2715c7b1c");
  EXPECT_EQ(redacted(made, "4111 1111 1111 1111"), redacted(made, "4111111111111111"));
  EXPECT_EQ(redacted(made, "Ann@Example.com"), redacted(made, "ann@example.com"));
  EXPECT_EQ(redacted(made, "ann+x@example.com"), redacted(made, "ann%2Bx%40example.com"));
  EXPECT_EQ(redacted(made, "2001:db8::1"), redacted(made, "2001:DB8:0:0:0:0:0:1"));
  EXPECT_NE(redacted(made, "10.0.0.1"), redacted(made, "10.0.0.2"));
  RedactorConfig other = made;
  other.hash_key.back() = 'x';
  EXPECT_NE(redacted(made, "10.0.0.1"), redacted(other, "10.0.0.1"));
}

TEST(Redactor, OneScratchServesSeveral) {
  const auto one = Redactor::compile(config(RedactAction::kHash));
  RedactorConfig made = config(RedactAction::kHash);
  made.hash_key = "another key, also long enough";
  const auto two = Redactor::compile(made);
  RedactScratch scratch, fresh;
  std::string first, second, third;
  EXPECT_TRUE(one->redact("10.0.0.1", first, scratch));
  EXPECT_TRUE(two->redact("10.0.0.1", second, scratch));
  EXPECT_TRUE(two->redact("10.0.0.1", third, fresh));
  EXPECT_EQ(second, third);
  EXPECT_NE(first, second);
  EXPECT_EQ(first.size(), 16u);
}

TEST(Redactor, FindsOwnPatterns) {
  RedactorConfig made;
  made.patterns = {{"user_id", R"(user[ =](?<redact>\d+))"}, {"plate", R"(\b[A-Z]{2}-\d{3}\b)"}};
  EXPECT_EQ(redacted(made, "user=17 user 18 in AB-123"), "user=[user_id] user [user_id] in [plate]");
  made.action = RedactAction::kMask;
  EXPECT_EQ(redacted(made, "\u00fc user=17 in AB-123"), "\u00fc user=** in ******");
  made.patterns = {{"empty", "x*"}};
  EXPECT_EQ(redacted(made, "\u00fcxx\u00fcy"), "\u00fc**\u00fcy");
}

TEST(Redactor, OwnPatternsStayInTheirLine) {
  RedactorConfig made;
  made.patterns = {{"rest", "a[^b]*"}};
  const auto redactor = Redactor::compile(made);
  RedactScratch scratch;
  std::vector<Finding> found;
  EXPECT_TRUE(redactor->find_in_lines("1a2\n3a4", found, scratch));
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].begin, 1u);
  EXPECT_EQ(found[0].end, 3u);
  EXPECT_EQ(found[1].begin, 5u);
  EXPECT_TRUE(redactor->find("1a2\n3a4", found, scratch));
  EXPECT_EQ(found.size(), 1u);
}

TEST(Redactor, CountsPatternsThatGaveUp) {
  RedactorConfig made;
  made.patterns = {{"slow", "^(a+)+$"}};
  const auto redactor = Redactor::compile(made);
  RedactScratch scratch;
  std::string out;
  EXPECT_FALSE(redactor->redact(std::string(60, 'a').append("b"), out, scratch));
  EXPECT_EQ(scratch.gave_up, 1u);
}

TEST(Redactor, TheEarliestAndLongestFindingCounts) {
  RedactorConfig made = config(RedactAction::kReplace);
  made.patterns = {{"word", "host \\d+"}};
  EXPECT_EQ(redacted(made, "password=ann@example.com!"), "password=[key]");
  EXPECT_EQ(redacted(made, "password=ann@example.com"), "password=[email]");
  EXPECT_EQ(redacted(made, "4111111111111111@example.com"), "[email]");
  EXPECT_EQ(redacted(made, "::ffff:192.0.2.1"), "[ipv6]");
  EXPECT_EQ(redacted(made, "host 10.0.0.1"), "[word].0.0.1");
  EXPECT_EQ(redacted(made, "Authorization: Bearer abcdefgh1234"), "Authorization: Bearer [token]");
}

TEST(Redactor, CountsByName) {
  RedactorConfig made = config(RedactAction::kReplace);
  made.detect = {Detector::kIpv4, Detector::kEmail};
  const auto redactor = Redactor::compile(made);
  EXPECT_THAT(redactor->names(), ElementsAre("email", "ipv4"));
  RedactScratch scratch;
  std::string out = "> ";
  EXPECT_FALSE(redactor->redact("nothing, password=x", out, scratch));
  EXPECT_EQ(out, "> ");
  EXPECT_TRUE(redactor->redact("10.0.0.1 10.0.0.2 a@b.com", out, scratch));
  EXPECT_EQ(out, "> [ipv4] [ipv4] [email]");
  EXPECT_THAT(scratch.redacted, ElementsAre(1, 2));
}

TEST(Redactor, SaysWhatIsWrong) {
  const auto message = [](const RedactorConfig& config) { return Redactor::compile(config).error().message; };
  EXPECT_THAT(message({}), HasSubstr("nothing to look for"));
  RedactorConfig made = config(RedactAction::kHash);
  made.hash_key = "short";
  EXPECT_THAT(message(made), HasSubstr("at least 16 bytes"));
  made = {};
  made.patterns = {{"x", "("}};
  EXPECT_THAT(message(made), HasSubstr("x: missing closing parenthesis"));
  made.patterns = {{"ipv4", "a"}};
  EXPECT_THAT(message(made), HasSubstr("\"ipv4\" is the name of something else"));
  made.patterns = {{"x", "a"}, {"x", "b"}};
  EXPECT_THAT(message(made), HasSubstr("\"x\" is the name of something else"));
  made.patterns = {{"", "a"}};
  EXPECT_THAT(message(made), HasSubstr("without a name"));
  made.patterns = {{"x", "a"}};
  made.replacement = std::string(300, 'x');
  EXPECT_THAT(message(made), HasSubstr("more than 256 bytes"));
}

TEST(Redactor, ItsNamesAreThoseOfTheConfiguration) {
  for (const Detector detector : kAll) EXPECT_EQ(parse_detector(detector_name(detector)), detector);
  EXPECT_EQ(parse_detector("ip"), std::nullopt);
  EXPECT_EQ(parse_redact_action("mask"), RedactAction::kMask);
  EXPECT_EQ(parse_redact_action("delete"), std::nullopt);
}

}  // namespace
}  // namespace logflume
