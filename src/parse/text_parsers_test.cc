// The parsers whose fields are texts with types: regular expressions, key=value, CSV.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parse/csv_parser.h"
#include "parse/key_value_parser.h"
#include "parse/parse_test_fixture.h"
#include "parse/regex_parser.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

const ParsedLines::Fields kSyntax = {{"fault", "syntax"}};

TEST(RegexParser, MakesNamedGroupsFields) {
  auto made = make_regex_parser(
      {R"(^(?<level>\w+)(?: (?<code>-?\d+))? (?<text>.*)$)", {{"code", FieldType::kInt}}, {}});
  ASSERT_TRUE(made);
  EXPECT_THAT(
      parse_line(**made, "ERROR 17 it broke"),
      UnorderedElementsAre(Pair("level", "\"ERROR\""), Pair("code", "17"), Pair("text", "\"it broke\"")));
  EXPECT_THAT(parse_line(**made, "ERROR it broke"),
              UnorderedElementsAre(Pair("level", "\"ERROR\""), Pair("text", "\"it broke\"")));
  EXPECT_THAT(parse_line(**made, "E 12345678901234567890 x").at("code"), "#12345678901234567890");
  EXPECT_EQ(parse_line(**made, "- x"), kSyntax);
}

TEST(RegexParser, FaultsDoNotDependOnWhatIsWanted) {
  auto made = make_regex_parser({"(?<a>.*) (?<b>.*)", {{"a", FieldType::kInt}}, {false, {"b"}}});
  ASSERT_TRUE(made);
  EXPECT_THAT(parse_line(**made, "1 2"), ElementsAre(Pair("b", "\"2\"")));
  EXPECT_THAT(parse_line(**made, "x 2"), ElementsAre(Pair("fault", "not_a_number")));
}

TEST(RegexParser, GivesUpOnHostileLines) {
  auto made = make_regex_parser({"^(?<a>(a+)+)$", {}, {}});
  ASSERT_TRUE(made);
  std::string line(60, 'a');
  line.push_back('b');
  EXPECT_THAT(parse_line(**made, line), ElementsAre(Pair("fault", "match_limit")));
}

TEST(RegexParser, SaysWhatIsWrongWithThePattern) {
  EXPECT_THAT(make_regex_parser({"(", {}, {}}).error().message, HasSubstr("missing closing parenthesis"));
  EXPECT_THAT(make_regex_parser({"(a)", {}, {}}).error().message, HasSubstr("no named group"));
  EXPECT_THAT(make_regex_parser({"(?<level>a)", {{"lvel", FieldType::kInt}}, {}}).error().message,
              HasSubstr("did you mean level?"));
}

TEST(FieldValue, KeepsTheTextOfNumbers) {
  auto made = make_regex_parser({"^(?<i>[^|]*)\\|(?<d>[^|]*)\\|(?<b>[^|]*)\\|(?<t>.*)$",
                                 {{"i", FieldType::kInt},
                                  {"d", FieldType::kDouble},
                                  {"b", FieldType::kBool},
                                  {"t", FieldType::kTimestamp}},
                                 {}});
  ASSERT_TRUE(made);
  const auto with = [&](const std::string& i, const std::string& d) {
    return parse_line(**made, fmt::format("{}|{}|yes|2026-01-02T03:04:05Z", i, d));
  };
  EXPECT_THAT(with("0", "1e3"), UnorderedElementsAre(Pair("i", "0"), Pair("d", "#1e3"), Pair("b", "true"),
                                                     Pair("t", "2026-01-02T03:04:05Z")));
  EXPECT_EQ(with("-9223372036854775808", "-0.10").at("i"), "-9223372036854775808");
  EXPECT_EQ(with("-9223372036854775809", "-0.10").at("i"), "#-9223372036854775809");
  EXPECT_EQ(with("007", ".5").at("i"), "7");
  EXPECT_EQ(with("+5", "+.5").at("d"), "0.5");
  EXPECT_EQ(with("-0", "1").at("i"), "0");
  for (const char* wrong : {"", "-", "+", "1.0", "1e3", "0x1", " 1", "1 "})
    EXPECT_EQ(with(wrong, "1").count("fault"), 1u) << wrong;
  for (const char* wrong : {"", "-", "nan", "inf", ".5e999", "x", "+-1"})
    EXPECT_EQ(with("1", wrong).count("fault"), 1u) << wrong;
}

TEST(KeyValueParser, ReadsLogfmt) {
  KeyValueParserConfig config;
  config.types = {{"status", FieldType::kInt}, {"took", FieldType::kDouble}};
  const auto parser = make_key_value_parser(std::move(config));
  EXPECT_THAT(
      parse_line(*parser,
                 R"(level=info msg="it \"works\"\n" status=200  took=1.50 debug empty= q="" path=/a=b)"),
      UnorderedElementsAre(Pair("level", "\"info\""), Pair("msg", "\"it \"works\"\n\""),
                           Pair("status", "200"), Pair("took", "#1.50"), Pair("debug", "true"),
                           Pair("empty", "\"\""), Pair("q", "\"\""), Pair("path", "\"/a=b\"")));
  EXPECT_THAT(parse_line(*parser, "a=\"\\u00e4\\u20ac\\t\" a=2 \r"), ElementsAre(Pair("a", "\"2\"")));
  EXPECT_THAT(parse_line(*parser, "a=\"\\u00e4\\u20ac\\t\"\r"), ElementsAre(Pair("a", "\"\u00e4\u20ac\t\"")));
  EXPECT_THAT(parse_line(*parser, "a=b\r"), ElementsAre(Pair("a", "\"b\"")));
  for (const char* line : {"", " ", "just words", "=x", "a=\"x", "a=\"x\"y", "a=x\"y", "a=\"\\q\"",
                           "a=\"\\u12\"", "a=\"\\ud800\"", "a=\"\\", "\"a\"=b", "a\"b=c"}) {
    EXPECT_EQ(parse_line(*parser, line), kSyntax) << line;
  }
  EXPECT_THAT(parse_line(*parser, "status=x"), ElementsAre(Pair("fault", "not_a_number")));
}

TEST(KeyValueParser, TakesOtherSeparators) {
  KeyValueParserConfig config;
  config.pair_separator = ';';
  config.key_separator = ':';
  config.bare_keys = false;
  const auto parser = make_key_value_parser(std::move(config));
  EXPECT_THAT(parse_line(*parser, "a:1 2;b:\"x;y\";"),
              UnorderedElementsAre(Pair("a", "\"1 2\""), Pair("b", "\"x;y\"")));
  EXPECT_EQ(parse_line(*parser, "a:1;b"), kSyntax);
}

TEST(KeyValueParser, KeepsWhatIsBeyondItsColumns) {
  KeyValueParserConfig config;
  config.fields_max = 1;
  const auto parser = make_key_value_parser(std::move(config));
  EXPECT_THAT(parse_line(*parser, R"(a=1 b="x y" c d=2)"),
              UnorderedElementsAre(Pair("a", "\"1\""), Pair("_rest", R"("b="x y" c d=2")")));
}

TEST(KeyValueParser, MaterialisesWhatIsWanted) {
  KeyValueParserConfig config;
  config.wanted = {false, {"b"}};
  const auto parser = make_key_value_parser(std::move(config));
  const ParsedLines parsed(*parser, {"a=1 b=2 c=3", "c=1 b=3", "a=\"\\q\" b=1", "a=1"});
  EXPECT_THAT(parsed.fields(0), ElementsAre(Pair("b", "\"2\"")));
  EXPECT_THAT(parsed.fields(1), ElementsAre(Pair("b", "\"3\"")));
  EXPECT_EQ(parsed.fault(2), ParseFault::kSyntax);
  EXPECT_THAT(parsed.fields(3), IsEmpty());
  EXPECT_EQ(parsed.columns().size(), 1u);
}

TEST(CsvParser, ReadsRecords) {
  const auto parser = make_csv_parser({{"name", "n", "note"}, ',', {{"n", FieldType::kInt}}, {}});
  EXPECT_THAT(
      parse_line(*parser, R"(ann,5,"says ""hi"", twice")"),
      UnorderedElementsAre(Pair("name", "\"ann\""), Pair("n", "5"), Pair("note", R"("says "hi", twice")")));
  EXPECT_THAT(parse_line(*parser, R"("",,)"),
              UnorderedElementsAre(Pair("name", "\"\""), Pair("n", "null"), Pair("note", "null")));
  EXPECT_THAT(parse_line(*parser, "ann\r"), ElementsAre(Pair("name", "\"ann\"")));
  for (const char* line : {"", "a,1,b,c", "a\"b", "\"a", "\"a\"b,1", "a,\"1", "\"\"\""})
    EXPECT_EQ(parse_line(*parser, line), kSyntax) << line;
  EXPECT_THAT(parse_line(*parser, "a,x"), ElementsAre(Pair("fault", "not_a_number")));
  EXPECT_THAT(parse_line(*make_csv_parser({{"a", "b"}, '\t', {}, {}}), "1,2\t3"),
              UnorderedElementsAre(Pair("a", "\"1,2\""), Pair("b", "\"3\"")));
}

}  // namespace
}  // namespace logflume
