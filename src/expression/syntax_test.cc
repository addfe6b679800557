#include "expression/syntax.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace logflume {
namespace {

using testing::HasSubstr;

std::string parsed(std::string_view text) {
  auto result = parse_expression(text);
  if (const auto* error = std::get_if<ExpressionError>(&result))
    return fmt::format("error: {}", error->message);
  return to_text(*std::get<ExprTreePtr>(result));
}
ExpressionError failed(std::string_view text) {
  auto result = parse_expression(text);
  const auto* error = std::get_if<ExpressionError>(&result);
  EXPECT_NE(error, nullptr) << text;
  return error == nullptr ? ExpressionError{} : *error;
}

TEST(Syntax, BindsAsInCel) {
  EXPECT_EQ(parsed("a || b && c == d"), "(a || (b && (c == d)))");
  EXPECT_EQ(parsed("1 + 2 * 3 - -4"), "((1 + (2 * 3)) - -4)");
  EXPECT_EQ(parsed("a - b - c"), "((a - b) - c)");
  EXPECT_EQ(parsed("a ? b : c ? d : e"), "(a ? b : (c ? d : e))");
  EXPECT_EQ(parsed("!a.b && !(c in d)"), "((!a.b) && (!(c in d)))");
  EXPECT_EQ(parsed("-a.b[0].c"), "(-a.b[0].c)");
  EXPECT_EQ(parsed("a.f(1, x)[2]"), "a.f(1, x)[2]");
  EXPECT_EQ(parsed("size(a) >= 2"), "(size(a) >= 2)");
  EXPECT_EQ(parsed("x in [1, 2,]"), "(x in [1, 2])");
  EXPECT_EQ(parsed("[]"), "[]");
  EXPECT_EQ(parsed("a // why\n + b"), "(a + b)");
  EXPECT_EQ(parsed("a -1"), "(a - 1)");
  EXPECT_EQ(parsed("`user-agent` + @timestamp"), "(user-agent + @timestamp)");
  EXPECT_EQ(parsed("`true` == true"), "(true == true)");
  EXPECT_EQ(parsed("namespace.package"), "namespace.package");  // words that CEL reserves, and logs have
}

TEST(Syntax, ReadsLiterals) {
  EXPECT_EQ(parsed("9223372036854775807"), "9223372036854775807");
  EXPECT_EQ(parsed("-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(parsed("0xff + -0x10"), "(255 + -16)");
  EXPECT_EQ(parsed("1.5 + .5 + 1e3"), "((1.5 + 0.5) + 1000)");
  EXPECT_EQ(parsed(R"("a\n\"\x41\u00e4\U0001F600\101")"), "\"a\n\"A\u00e4\U0001F600A\"");
  EXPECT_EQ(parsed(R"('it\'s')"), "\"it's\"");
  EXPECT_EQ(parsed(R"(r"\d+")"), R"("\d+")");
  EXPECT_EQ(parsed("'''a\n'b''''"), "error: a string that does not end");
  EXPECT_EQ(parsed("'''a\n'b' '''"), "\"a\n'b' \"");
  EXPECT_EQ(parsed("null"), "null");
}

TEST(Syntax, SaysWhatIsWrongAndWhere) {
  EXPECT_EQ(failed("").message, "it ends where a value is expected");
  EXPECT_EQ(failed("a ==").at, 4u);
  EXPECT_EQ(failed("a b").message, "an operator or the end is expected here");
  EXPECT_EQ(failed("a b").at, 2u);
  EXPECT_EQ(failed("f(a").message, "it ends where \",\" or \")\" is expected");
  const ExpressionError assigned = failed("level = 1");
  EXPECT_EQ(assigned.at, 6u);
  EXPECT_EQ(assigned.hint, "== compares");
  EXPECT_THAT(failed("a & b").hint, HasSubstr("&& is the operator"));
  EXPECT_EQ(failed("9223372036854775808").message, "it does not fit 64 bits");
  EXPECT_THAT(failed("99999999999999999999").message, HasSubstr("does not fit 64 bits"));
  EXPECT_THAT(failed("5u").message, HasSubstr("unsigned"));
  EXPECT_THAT(failed("12abc").message, HasSubstr("is no number"));
  EXPECT_THAT(failed("0x").message, HasSubstr("is no number"));
  EXPECT_THAT(failed(R"("\q")").message, HasSubstr("an escape that is none"));
  EXPECT_THAT(failed(R"("\ud800")").message, HasSubstr("an escape that is none"));
  EXPECT_THAT(failed("'a\nb'").hint, HasSubstr("three quotes"));
  EXPECT_THAT(failed("{'a': 1}").message, HasSubstr("maps are not supported"));
  EXPECT_THAT(failed("a.1").message, HasSubstr("expected here"));
  EXPECT_EQ(failed("a \x01 b").message, "unexpected character");
  EXPECT_EQ(failed("in").message, "a value is expected here");
}

TEST(Syntax, HasLimits) {
  EXPECT_THAT(failed(std::string(200, '(')).message, HasSubstr("deep"));
  EXPECT_THAT(failed(std::string(200, '-').append("a")).message, HasSubstr("deep"));
  EXPECT_THAT(failed(std::string(kExprBytesMax + 1, ' ')).message, HasSubstr("longer than"));
  std::string chain = "a", path = "a";
  for (std::size_t i = 0; i < kExprNodesMax; ++i) {
    chain.append("+a");
    path.append(".a");
  }
  EXPECT_THAT(failed(chain).message, HasSubstr("more than 2000"));
  EXPECT_THAT(failed(path).message, HasSubstr("more than 2000"));
}

}  // namespace
}  // namespace logflume
