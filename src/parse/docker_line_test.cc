#include "parse/docker_line.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "parse/container_parsers.h"
#include "parse/parse_test_fixture.h"

namespace logflume {
namespace {

std::string unescaped(std::string_view text, std::size_t bytes_max) {
  std::string out(bytes_max + kUnescapeSlack, '?');
  out.resize(static_cast<std::size_t>(unescape_json(text, out.data(), bytes_max) - out.data()));
  return out;
}
std::string message_of(const DockerLine& line) { return unescaped(line.message, line.message.size()); }

std::string with_log(std::string_view log) {
  return fmt::format(R"({{"log":"{}","stream":"stdout","time":"2026-01-02T03:04:05Z"}})", log);
}

TEST(DockerLineTest, HasItsParts) {
  const auto whole = docker_line(R"({"log":"say \"hi\"\n","stream":"stderr","time":"2026-01-02T03:04:05Z"})");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->message, R"(say \"hi\")");
  EXPECT_TRUE(whole->has_escapes);
  EXPECT_TRUE(whole->is_stderr);
  EXPECT_FALSE(whole->partial);
  const std::string first = with_log("the first part");
  const auto part = docker_line(first);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->message, "the first part");
  EXPECT_FALSE(part->has_escapes);
  EXPECT_FALSE(part->is_stderr);
  EXPECT_TRUE(part->partial);
  EXPECT_FALSE(docker_line(with_log(R"(plain\n)"))->has_escapes) << "the newline is no part of the message";
}

TEST(DockerLineTest, ALineEndsWithANewlineHoweverThatIsWritten) {
  for (const char* log : {R"(\n)", R"(a\n)", R"(a\\\n)", R"(a\u000a)", R"(a\u000A)", R"(\n\n)", R"(é\n)"})
    EXPECT_FALSE(docker_line(with_log(log))->partial) << log;
  for (const char* log : {"", "a", R"(a\\n)", R"(\nn)", R"(\\u000a)", R"(\n )", R"(\u000d)", R"(é)"})
    EXPECT_TRUE(docker_line(with_log(log))->partial) << log;
  EXPECT_EQ(message_of(*docker_line(with_log(R"(a\u000a)"))), "a");
  EXPECT_EQ(message_of(*docker_line(with_log(R"(\n\n)"))), "\n");
}

TEST(DockerLineTest, AnyObjectWithItsMembersIsOne) {
  for (
      const char* line :
      {R"( { "time" : "" , "stream"	:"stdout","log" : "x"  }  )",
       R"({"attrs":{"a":[1,-2.5e3,true,null,{"b":"}"}],"c":{}},"log":"x","stream":"stdout","time":"t","n":[]})",
       R"({"log":"no","stream":"stderr","log":"x","time":"t","stream":"stdout"})",
       R"({"log":1,"log":"x","stream":"stdout","time":"t"})",
       R"({"l\u006fg":"x","stream":"\u0073tdout","time":"t"})",
       "{\"log\":\"x\",\"stream\":\"stdout\",\"time\":\"t\"}\r"}) {
    const auto found = docker_line(line);
    ASSERT_TRUE(found) << line;
    EXPECT_EQ(found->message, "x") << line;
    EXPECT_FALSE(found->is_stderr) << line;
  }
}

TEST(DockerLineTest, OthersAreNone) {
  for (const char* line : {"",
                           " ",
                           "x",
                           "{",
                           "{}",
                           "[]",
                           R"({"log":"x","stream":"stdout"})",
                           R"({"log":"x","time":"t"})",
                           R"({"stream":"stdout","time":"t"})",
                           R"({"log":"x","stream":"stdin","time":"t"})",
                           R"({"log":"x","stream":"","time":"t"})",
                           R"({"log":"x","stream":null,"time":"t"})",
                           R"({"log":"x","log":1,"stream":"stdout","time":"t"})",
                           R"({"log":"x","stream":"stdout","time":"t"} x)",
                           R"({"log":"x","stream":"stdout","time":"t"}})",
                           R"({"log":"x","stream":"stdout","time":"t",})",
                           R"({"log":"x","stream":"stdout","time":"t")",
                           R"({"log":"x" "stream":"stdout","time":"t"})",
                           R"({"log" "x","stream":"stdout","time":"t"})",
                           R"({log:"x","stream":"stdout","time":"t"})",
                           R"({"log":"x\q","stream":"stdout","time":"t"})",
                           R"({"log":"x\u12","stream":"stdout","time":"t"})",
                           R"({"log":"x\u12g4","stream":"stdout","time":"t"})",
                           R"({"log":"x\ud800","stream":"stdout","time":"t"})",
                           R"({"log":"x\ud800\ud800","stream":"stdout","time":"t"})",
                           R"({"log":"x\udc00","stream":"stdout","time":"t"})",
                           R"({"log":"x","stream":"stdout","time":"t","n":01})",
                           R"({"log":"x","stream":"stdout","time":"t","n":tru})",
                           R"({"log":"x","stream":"stdout","time":"t","n":[1,]})",
                           R"({"log":"x","stream":"stdout","time":"t","n":{"a"}})",
                           "{\"log\":\"\t\",\"stream\":\"stdout\",\"time\":\"t\"}",
                           "{\"log\":\"\xff\",\"stream\":\"stdout\",\"time\":\"t\"}"})
    EXPECT_FALSE(docker_line(line)) << line;
  const auto nested = [](std::size_t depth) {
    return R"({"log":"x","stream":"stdout","time":"t","n":)" + std::string(depth, '[') +
           std::string(depth, ']') + "}";
  };
  EXPECT_TRUE(docker_line(nested(63)));
  EXPECT_FALSE(docker_line(nested(64)));
}

TEST(DockerLineTest, TextsAreUnescapedUpToALimit) {
  EXPECT_EQ(unescaped(R"(\t\"\\\/\b\f\n\r\u0041\u00e9\u20ac\ud83d\ude00)", 99),
            "\t\"\\/\b\f\n\rA\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(unescaped("plain", 99), "plain");
  EXPECT_EQ(unescaped("", 99), "");
  EXPECT_EQ(unescaped("plain", 3), "pla");
  EXPECT_EQ(unescaped(R"(a\tbc\td)", 3), "a\tb");
  EXPECT_EQ(unescaped(R"(ab\ud83d\ude00c)", 3), "ab\xf0\x9f\x98\x80");
}

TEST(DockerLineTest, OfALineThatWasCutOffTheMessageIsKnown) {
  const std::string line = with_log(R"(a\tb\u0041)");
  for (std::size_t bytes = 0; bytes <= line.size(); ++bytes) {
    const auto message = cut_docker_message(std::string_view(line).substr(0, bytes));
    const bool within = bytes >= 8 && bytes < 8 + 10 + 1;
    ASSERT_EQ(message.has_value(), within) << bytes;
    if (message) {
      EXPECT_TRUE(std::string("a\tbA").starts_with(unescaped(*message, 99))) << bytes;
    }
  }
  EXPECT_FALSE(cut_docker_message("{\"log\":\"a\tb"));
  EXPECT_FALSE(cut_docker_message(R"({"log":"a\q and so on, for long)"));
}

// Goal: whether a line is one, and what it says, is what the parser answers, whatever the line. Method: lines
// that are nearly of Docker's, put together from pieces at random, some with bytes changed.
TEST(DockerLineTest, AgreesWithTheParser) {
  const std::vector<std::string> members = {R"("log":"text")",
                                            R"("log":"a\n")",
                                            R"("log" : "\t\u000a")",
                                            R"("log":"\\n")",
                                            R"("log":"é\u00e9\ud83d\ude00\n")",
                                            R"("log":"\ud800\u0041\n")",
                                            R"("log":"\ud800x\n")",
                                            R"("log":"\udc00\n")",
                                            R"("log":7)",
                                            R"("l\u006fg":"x")",
                                            R"("stream":"stdout")",
                                            R"("stream":"stderr")",
                                            R"("stream":"std\u006fut")",
                                            R"("stream":"other")",
                                            R"("time":"2026-01-02T03:04:05Z")",
                                            R"("time":"2026-01-02T03:04:05Z")",
                                            R"("time":"no")",
                                            R"("attrs":{"a":[1,2,{"b":null}]})",
                                            R"("n":-1.5e3)",
                                            R"("n":00)",
                                            R"("":"")"};
  const std::string changes = "\"\\{}[]:,nu0x \t\r\xc3";
  const auto parser = make_docker_json_parser({});
  std::mt19937_64 random(11);
  int accepted = 0;
  for (int round = 0; round < 30'000; ++round) {
    std::string line = "{";
    if (random() % 2 == 0) {
      line +=
          R"("log":"some text that is longer than sixteen bytes\n","stream":"stdout","time":"2026-01-02T03:04:05Z")";
    }
    for (std::uint64_t n = random() % 5; n > 0; --n)
      line += (line.size() > 1 ? "," : "") + members[random() % members.size()];
    line += "}";
    if (random() % 3 == 0) line[random() % line.size()] = changes[random() % changes.size()];
    const auto found = docker_line(line);
    const auto fields = parse_line(*parser, line);
    const auto fault = fields.find("fault");
    const std::string stream = fault == fields.end() ? fields.at("stream") : "";
    if (fault != fields.end() && fault->second == to_text(ParseFault::kTime)) continue;  // not looked at
    ASSERT_EQ(found.has_value(), stream == "\"stdout\"" || stream == "\"stderr\"") << line;
    if (!found) continue;
    ++accepted;
    ASSERT_EQ(found->is_stderr, stream == "\"stderr\"") << line;
    ASSERT_EQ(found->partial, fields.at("partial") == "true") << line;
    ASSERT_EQ('"' + message_of(*found) + '"', fields.at("message")) << line;
  }
  EXPECT_GT(accepted, 5000);
}

}  // namespace
}  // namespace logflume
