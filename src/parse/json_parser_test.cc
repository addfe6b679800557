#include "parse/json_parser.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parse/parse_test_fixture.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::Pair;
using testing::UnorderedElementsAre;

const ParsedLines::Fields kSyntax = {{"fault", "syntax"}};

TEST(JsonParser, MakesMembersFields) {
  const auto parser = make_json_parser({});
  EXPECT_THAT(
      parse_line(*parser,
                 R"({"level": "ERROR", "status":500,"ok":true,"no" : false , "n": null, "t": "a\tb\u00e4",)"
                 R"( "id": 12345678901234567890, "f": -1.50e+3, "o": {"a": [1, {"b": "]"}]} , "l":[] })"),
      UnorderedElementsAre(Pair("level", "\"ERROR\""), Pair("status", "#500"), Pair("ok", "true"),
                           Pair("no", "false"), Pair("n", "null"), Pair("t", "\"a\tb\u00e4\""),
                           Pair("id", "#12345678901234567890"), Pair("f", "#-1.50e+3"),
                           Pair("o", R"({"a": [1, {"b": "]"}]})"), Pair("l", "[]")));
  EXPECT_THAT(parse_line(*parser, "{}"), testing::IsEmpty());
  EXPECT_THAT(parse_line(*parser, "  {\"a\": 1}\r"), ElementsAre(Pair("a", "#1")));
}

TEST(JsonParser, TakesTheLastOfAMemberThatComesTwice) {
  const auto parser = make_json_parser({});
  EXPECT_THAT(parse_line(*parser, R"({"a": 1, "b": 2, "a": "x", "\u0061": "y"})"),
              UnorderedElementsAre(Pair("a", "\"y\""), Pair("b", "#2")));
}

TEST(JsonParser, AcceptsNothingElse) {
  const auto parser = make_json_parser({});
  for (const char* line : {"",
                           " ",
                           "x",
                           "1",
                           "[1]",
                           "\"a\"",
                           "null",
                           "{",
                           "}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\":1 \"b\":2}",
                           "{a:1}",
                           "{\"a\":01}",
                           "{\"a\":1.}",
                           "{\"a\":.5}",
                           "{\"a\":+1}",
                           "{\"a\":1e}",
                           "{\"a\":--1}",
                           "{\"a\":tru}",
                           "{\"a\":truex}",
                           "{\"a\":nul}",
                           "{\"a\":\"x}",
                           "{\"a\":\"\\q\"}",
                           "{\"a\":\"\\u12\"}",
                           "{\"\\q\":1}",
                           "{\"a\":1} x",
                           "{\"a\":1}{\"b\":2}",
                           "{\"a\":[1,]}",
                           "{\"a\":[1}",
                           "{\"a\":{\"b\":tru}}",
                           "{\"a\":[\"\\q\"]}",
                           "{\"a\":{\"b\" 1}}",
                           "{\"a\":[01]}",
                           "{\"a\":\"\xff\"}",
                           "{\"a\":\"\x01\"}",
                           "{\"a\": \"b\"",
                           "{,}",
                           "{\"a\"::1}",
                           "{\"a\":\"b\":1}",
                           "{\"a\":1:2}",
                           "{\"a\":[1:2]}",
                           "{\"a\":1]"}) {
    EXPECT_EQ(parse_line(*parser, line), kSyntax) << line;
  }
}

TEST(JsonParser, LimitsItsDepth) {
  const auto parser = make_json_parser({});
  const auto nested = [](std::size_t depth) {
    std::string text = "{\"a\":";
    return text.append(depth, '[').append(depth, ']').append("}");
  };
  EXPECT_THAT(parse_line(*parser, nested(60)), testing::SizeIs(1));
  EXPECT_THAT(parse_line(*parser, nested(70)), ElementsAre(Pair("fault", "too_deep")));
  EXPECT_THAT(parse_line(*parser, nested(5000)),
              ElementsAre(Pair("fault", testing::AnyOf("too_deep", "syntax"))));
  EXPECT_EQ(parse_line(*parser, std::string(10'000, '[')), kSyntax);
}

TEST(JsonParser, KeepsWhatIsBeyondItsColumns) {
  JsonParserConfig config;
  config.fields_max = 2;
  const auto parser = make_json_parser(std::move(config));
  const ParsedLines parsed(
      *parser, {R"({"a": 1, "b": "x", "c": "\n", "d" : {"e": []}})", R"({"d": 1e3, "a": 2})", R"({"b": 1})"});
  EXPECT_THAT(parsed.fields(0), UnorderedElementsAre(Pair("a", "#1"), Pair("b", "\"x\""),
                                                     Pair("_rest", R"({"c": "\n","d" : {"e": []}})")));
  EXPECT_THAT(parsed.fields(1), UnorderedElementsAre(Pair("a", "#2"), Pair("_rest", R"({"d": 1e3})")));
  EXPECT_THAT(parsed.fields(2), UnorderedElementsAre(Pair("b", "#1")));
}

TEST(JsonParser, MaterialisesWhatIsWantedAndValidatesTheRest) {
  JsonParserConfig config;
  config.wanted = {false, {"b"}};
  const auto parser = make_json_parser(std::move(config));
  const ParsedLines parsed(*parser, {R"({"a": "\t", "b": 1, "c": {"d": 1}})", R"({"a": "\q", "b": 1})",
                                     R"({"b": 2, "c": [tru]})", R"({"c": 1})"});
  EXPECT_THAT(parsed.fields(0), ElementsAre(Pair("b", "#1")));
  EXPECT_EQ(parsed.fault(1), ParseFault::kSyntax);
  EXPECT_EQ(parsed.fault(2), ParseFault::kSyntax);
  EXPECT_EQ(parsed.fault(3), ParseFault::kNone);
  EXPECT_EQ(parsed.columns().size(), 1u);
}

TEST(JsonParser, TakesLinesWhoseKeysDiffer) {
  const auto parser = make_json_parser({});
  std::vector<std::string> lines;
  for (int i = 0; i < 2000; ++i)
    lines.push_back(fmt::format(R"({{"a": {}, "k{}": "v{}", "z": true}})", i, i % 300, i));
  const ParsedLines parsed(*parser, lines);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    ASSERT_EQ(parsed.fault(i), ParseFault::kNone);
    const auto fields = parsed.fields(i);
    ASSERT_EQ(fields.at("a"), fmt::format("#{}", i));
    ASSERT_EQ(fields.at("z"), "true");
    if (i % 300 < 250) {
      ASSERT_EQ(fields.at(fmt::format("k{}", i % 300)), fmt::format("\"v{}\"", i)) << i;
    }
    if (i % 300 > 260) {
      ASSERT_EQ(fields.at("_rest"), fmt::format(R"({{"k{}": "v{}"}})", i % 300, i)) << i;
    }
  }
}

}  // namespace
}  // namespace logflume
