#include "expression/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "expression/functions.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// Some events; each a field's values, as they are in JSON. A text that is no JSON is a string.
class ExpressionTest : public testing::Test {
 protected:
  void SetUp() override { columns.begin("", 0); }

  void field(const std::string& name, const std::vector<std::string>& values) {
    Column& column = columns.at(columns.index_of(name));
    for (std::size_t row = 0; row < values.size(); ++row) {
      const std::string& text = values[row];
      if (text == "-") continue;
      if (text == "null") {
        column.add(row, ValueKind::kNull, Slot::null());
      } else if (text == "true" || text == "false") {
        column.add(row, ValueKind::kBool, Slot::of(text == "true"));
      } else {
        TextRef ref;
        ASSERT_TRUE(columns.copy(text, ref));
        ValueKind kind = ValueKind::kString;
        if (text.starts_with('{') || text.starts_with('[')) kind = ValueKind::kJson;
        if (text.find_first_not_of("0123456789.e-") == std::string::npos) kind = ValueKind::kNumber;
        column.add(row, kind, Slot::of(ref));
      }
    }
    rows = std::max(rows, values.size());
  }
  void ints(const std::string& name, const std::vector<std::int64_t>& values) {
    Column& column = columns.at(columns.index_of(name));
    for (std::size_t row = 0; row < values.size(); ++row)
      column.add(row, ValueKind::kInt, Slot::of(values[row]));
    rows = std::max(rows, values.size());
  }

  Expression compiled(std::string_view text, const FieldSchema& schema = {}) {
    auto result = Expression::compile(text, schema);
    if (const auto* error = std::get_if<ExpressionError>(&result)) {
      ADD_FAILURE() << text << ": " << error->message << " at " << error->at;
      return std::get<Expression>(Expression::compile("null", {}));
    }
    return std::move(std::get<Expression>(result));
  }
  ExpressionError failed(std::string_view text, const FieldSchema& schema = {}) {
    auto result = Expression::compile_condition(text, schema);
    const auto* error = std::get_if<ExpressionError>(&result);
    EXPECT_NE(error, nullptr) << text;
    return error == nullptr ? ExpressionError{} : *error;
  }
  void begin(const Expression& expression) {
    views.clear();
    for (const std::string& name : expression.fields())
      views.push_back({.column = columns.find(name), .columns = &columns});
    evaluation.begin(views, 1767323045678000000);
  }
  std::vector<std::string> values(std::string_view text) {
    const Expression expression = compiled(text);
    begin(expression);
    std::vector<Value> out(rows);
    expression.values(evaluation, Rows::all(rows), out.data());
    std::vector<std::string> texts;
    for (const Value& value : out) texts.push_back(to_text(value));
    return texts;
  }
  std::string value(std::string_view text) {
    rows = std::max<std::size_t>(rows, 1);
    return values(text)[0];
  }
  std::vector<std::uint32_t> selected(std::string_view text) {
    const Expression expression = compiled(text);
    begin(expression);
    std::vector<std::uint32_t> out(rows);
    faults = {};
    out.resize(expression.select(evaluation, Rows::all(rows), out.data(), faults));
    return out;
  }
  std::uint64_t count(ExprFault fault) const { return faults[static_cast<std::size_t>(fault)]; }

  Columns columns;
  std::size_t rows = 0;
  std::vector<FieldView> views;
  Evaluation evaluation;
  FaultCounts faults{};
};

TEST_F(ExpressionTest, SelectsTheEventsForWhichItIsTrue) {
  field("level", {"ERROR", "INFO", "ERROR", "-", "null"});
  ints("status", {500, 500, 200, 503, 500});
  EXPECT_THAT(selected(R"(level == "ERROR" && status >= 500)"), ElementsAre(0));
  EXPECT_THAT(selected(R"(500 <= status)"), ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(selected(R"(level != "ERROR")"), ElementsAre(1, 4));
  EXPECT_EQ(count(ExprFault::kNoField), 1u);
  EXPECT_THAT(selected(R"(has(level) && level == null)"), ElementsAre(4));
  EXPECT_THAT(selected(R"(!has(level))"), ElementsAre(3));
  EXPECT_THAT(selected("nowhere == 1"), ElementsAre());
  EXPECT_EQ(count(ExprFault::kNoField), 5u);
}

TEST_F(ExpressionTest, AbsorbsAFaultWhereTheOtherSideDecides) {
  field("a", {"true", "false", "-"});
  EXPECT_THAT(values("a || nowhere"), ElementsAre("true", "no_such_field", "no_such_field"));
  EXPECT_THAT(values("nowhere || a"), ElementsAre("true", "no_such_field", "no_such_field"));
  EXPECT_THAT(values("a && nowhere"), ElementsAre("no_such_field", "false", "no_such_field"));
  EXPECT_THAT(values("nowhere && a"), ElementsAre("no_such_field", "false", "no_such_field"));
  EXPECT_THAT(values("a ? 1 : nowhere"), ElementsAre("1", "no_such_field", "no_such_field"));
  EXPECT_THAT(values("a == 1 || a"), ElementsAre("true", "false", "no_such_field"));
}

TEST_F(ExpressionTest, ComparesNumbersWhateverTheyAre) {
  field("n", {"1", "1.0", "1e0", "9007199254740993", "x", "2"});
  EXPECT_THAT(selected("n == 1"), ElementsAre(0, 1, 2));
  EXPECT_THAT(selected("n == 1.0"), ElementsAre(0, 1, 2));
  EXPECT_THAT(selected("n == 9007199254740993"), ElementsAre(3));
  EXPECT_THAT(selected("n == 9007199254740992.0"), ElementsAre());  // not every int is a double
  EXPECT_THAT(selected("n > 1.5"), ElementsAre(3, 5));
  EXPECT_EQ(count(ExprFault::kType), 1u);
  EXPECT_THAT(selected("n in [2, 1]"), ElementsAre(0, 1, 2, 5));
  EXPECT_EQ(value("9223372036854775807 < 9223372036854775808.0"), "true");
  EXPECT_EQ(value("-9223372036854775808 == -9223372036854775808.0"), "true");
  EXPECT_EQ(value("0.0 / 0.0 == 0.0 / 0.0"), "false");
  EXPECT_EQ(value("1 < 0.0 / 0.0"), "false");
}

TEST_F(ExpressionTest, ComputesAsCelDoes) {
  EXPECT_EQ(value("7 / 2"), "3");
  EXPECT_EQ(value("-7 / 2"), "-3");
  EXPECT_EQ(value("-7 % 3"), "-1");
  EXPECT_EQ(value("7.0 / 2.0"), "3.5");
  EXPECT_EQ(value("'a' + \"b\""), "ab");
  EXPECT_EQ(value("[1] + [2]"), "[1, 2]");
  EXPECT_EQ(value("timestamp('2026-01-01T00:00:00Z') + duration('36h')"), "2026-01-02T12:00:00Z");
  EXPECT_EQ(value("timestamp('2026-01-02T00:00:00Z') - timestamp('2026-01-01T00:00:00Z')"), "86400s");
  EXPECT_EQ(value("-duration('1m30.5s')"), "-90.5s");
  EXPECT_EQ(value("now()"), "2026-01-02T03:04:05.678Z");
  field("big", {"9223372036854775807"});
  field("zero", {"0"});
  EXPECT_EQ(value("big + 1"), "overflow");
  EXPECT_EQ(value("-big - 2"), "overflow");
  EXPECT_EQ(value("(-big - 1) / -1"), "overflow");
  EXPECT_EQ(value("(-big - 1) % -1"), "0");
  EXPECT_EQ(value("1 / zero"), "division_by_zero");
  EXPECT_EQ(value("1 % zero"), "division_by_zero");
  EXPECT_EQ(value("zero + 'a'"), "wrong_type");
}

TEST_F(ExpressionTest, ANumberOfJsonIsWhatTheOtherOneWantsItToBe) {
  field("n", {"1", "0.25"});
  EXPECT_THAT(values("n * 1000"), ElementsAre("1000", "250"));
  EXPECT_THAT(values("n * 1000.0"), ElementsAre("1000", "250"));
  EXPECT_THAT(values("n"), ElementsAre("1", "0.25"));
  EXPECT_THAT(values("n / 2"), ElementsAre("0", "0.125"));
  field("odd", {"12345678901234567890", "1e2"});
  EXPECT_THAT(values("odd"), ElementsAre("12345678901234567890", "1e2"));  // as it was written
  EXPECT_THAT(values("odd + 0"), ElementsAre("1.2345678901234567e+19", "100"));
}

TEST_F(ExpressionTest, LooksIntoJson) {
  field("user", {R"({"id": 7, "name": "J\u00f6", "tags": ["a", 2, {"b": null}], "x": 1e3})", "[1, [2]]",
                 R"({"id":)", "plain", "{}"});
  EXPECT_THAT(values("user.id"), ElementsAre("7", "wrong_type", "conversion", "wrong_type", "no_such_field"));
  EXPECT_THAT(values("has(user.id)"), ElementsAre("true", "false", "conversion", "false", "false"));
  EXPECT_EQ(value("user.id in [1, 7]"), "true");
  EXPECT_EQ(value("user.name == 'J\\u00f6'"), "true");
  EXPECT_EQ(value("user['na' + 'me'].size()"), "2");
  EXPECT_EQ(value("user.tags[2]"), R"({"b": null})");
  EXPECT_EQ(value("user.tags[2].b == null"), "true");
  EXPECT_EQ(value("user.tags[3]"), "out_of_range");
  EXPECT_EQ(value("user.tags[-1]"), "out_of_range");
  EXPECT_EQ(value("'a' in user.tags && 2 in user.tags && !('c' in user.tags)"), "true");
  EXPECT_EQ(value("'id' in user && !('ID' in user)"), "true");
  EXPECT_EQ(value("size(user)"), "4");
  EXPECT_EQ(value("size(user.tags)"), "3");
  EXPECT_EQ(value("user.x"), "1e3");
  EXPECT_EQ(value("user.tags.exists(t, t == 2)"), "true");
  EXPECT_EQ(value("user.map(k, k.size())"), "[2, 4, 4, 1]");
  EXPECT_EQ(values("user[1][0]")[1], "2");
}

TEST_F(ExpressionTest, GoesThroughLists) {
  EXPECT_EQ(value("[1, 2, 3].all(x, x > 0)"), "true");
  EXPECT_EQ(value("[[1], [2, 3]].map(x, x.map(y, y * 2))"), "[[2], [4, 6]]");
  EXPECT_EQ(value("[1, 'a'].exists(x, x > 0)"), "true");
  EXPECT_EQ(value("['a', 1].exists(x, x > 0)"), "true");  // a fault is absorbed
  EXPECT_EQ(value("['a'].exists(x, x > 0)"), "wrong_type");
  EXPECT_EQ(value("['a', 1].all(x, x > 1)"), "false");
  EXPECT_EQ(value("[1, 'a'].filter(x, x > 0)"), "wrong_type");
  EXPECT_EQ(value("[1, 2].map(x, [3].map(x, x)[0] + x)"), "[4, 5]");  // the inner one hides the outer one
  EXPECT_EQ(value("[].exists_one(x, true)"), "false");
}

TEST_F(ExpressionTest, TakesTheFirstThatIsThere) {
  field("a", {"x", "-", "null", "-"});
  field("b", {"y", "z", "-", "-"});
  EXPECT_THAT(values("coalesce(a, b, 'none')"), ElementsAre("x", "z", "none", "none"));
  EXPECT_THAT(values("coalesce(a, b)"), ElementsAre("x", "z", "null", "null"));
  EXPECT_THAT(values("coalesce(a + 1, b)"), ElementsAre("wrong_type", "z", "wrong_type", "null"));
}

TEST_F(ExpressionTest, MatchesWithLimits) {
  std::string hostile(60, 'a');
  hostile.push_back('b');
  field("s", {"took 17 ms", "took long", hostile, "5"});
  EXPECT_THAT(values(R"(s.matches("\\d+ ms$"))"), ElementsAre("true", "false", "false", "wrong_type"));
  EXPECT_THAT(values(R"(matches(s, "^(a+)+$"))"), ElementsAre("false", "false", "match_limit", "wrong_type"));
}

// Method: each function's example gives what the table says that it does, which the documentation shows.
TEST_F(ExpressionTest, FunctionsDoWhatTheirExamplesSay) {
  for (const ExprFunction& function : expression_functions()) {
    EXPECT_EQ(value(function.example), value(function.result)) << function.example;
    EXPECT_FALSE(function.doc.empty() || function.cost.empty()) << function.name;
    EXPECT_THAT(std::string(function.example), HasSubstr(std::string(function.name)));
  }
}

TEST_F(ExpressionTest, FunctionsKnowTheirEdges) {
  EXPECT_EQ(value("''.size() + 'größe'.size()"), "5");
  EXPECT_EQ(value("'größe'.substring(2, 4)"), "öß");
  EXPECT_EQ(value("'größe'.indexOf('ß')"), "3");
  EXPECT_EQ(value("'abc'.substring(3)"), "");
  field("s", {"abc"});
  EXPECT_EQ(value("s.substring(4)"), "out_of_range");
  EXPECT_EQ(value("s.substring(2, 1)"), "out_of_range");
  EXPECT_EQ(value("s.replace('', '-')"), "-a-b-c-");
  EXPECT_EQ(value("s.replace('b', '')"), "ac");
  EXPECT_EQ(value("s.replace('x', 'y')"), "abc");
  EXPECT_EQ(value("'öa'.split('')"), "[\"ö\", \"a\"]");
  EXPECT_EQ(value("''.split(',')"), "[\"\"]");
  EXPECT_EQ(value("s.split(',', 0)"), "[]");
  EXPECT_EQ(value("'   '.trim()"), "");
  EXPECT_EQ(value("int(1e30 * double(s.size()))"), "overflow");
  EXPECT_EQ(value("int(-1.9)"), "-1");
  EXPECT_EQ(value("int(s)"), "conversion");
  EXPECT_EQ(value("double(s)"), "conversion");
  EXPECT_EQ(value("int(timestamp('1969-12-31T23:59:59.5Z'))"), "-1");
  EXPECT_EQ(value("duration(s)"), "conversion");
  EXPECT_EQ(value("duration('-1h0.5ms')"), "-3600.0005s");
  EXPECT_EQ(value("ip_in_cidr('::ffff:10.0.0.1', '10.0.0.0/8')"), "true");
  EXPECT_EQ(value("ip_in_cidr('10.0.0.129', '10.0.0.128/25')"), "true");
  EXPECT_EQ(value("ip_in_cidr('10.0.0.127', '10.0.0.128/25')"), "false");
  EXPECT_EQ(value("ip_in_cidr('2001:db8::1', '2001:db8::/33')"), "true");
  EXPECT_EQ(value("ip_in_cidr('2001:db8:8000::1', '2001:db8::/33')"), "false");
  EXPECT_EQ(value("ip_in_cidr('1.2.3.4', '0.0.0.0/0')"), "true");
  EXPECT_EQ(value("ip_in_cidr(s, '10.0.0.0/8')"), "conversion");
  EXPECT_EQ(value("string(null == null)"), "true");
  EXPECT_EQ(value("type(now())"), "timestamp");
}

TEST_F(ExpressionTest, IsCheckedWhenItIsLoaded) {
  EXPECT_EQ(failed("1 + 1").message, "a condition is expected, this is of type int");
  EXPECT_EQ(failed("size(5) > 1").message, "size is not defined for (int)");
  EXPECT_THAT(failed("size(5) > 1").hint, HasSubstr("string.size() -> int"));
  const ExpressionError mixed = failed("true && 1 + 1.0 > 2.0");
  EXPECT_EQ(mixed.at, 8u);
  EXPECT_EQ(mixed.bytes, 7u);
  EXPECT_EQ(mixed.message, "+ is not defined for (int, double)");
  EXPECT_THAT(mixed.hint, HasSubstr("double(...)"));
  EXPECT_EQ(failed("'a' == 1").message, "== is not defined for (string, int)");
  EXPECT_EQ(failed("x.startWith('a')").hint, "did you mean startsWith?");
  EXPECT_EQ(failed("_x('a')").message, "there is no function \"_x\"");
  EXPECT_THAT(failed("contains(x, 'a')").message, HasSubstr("is called on a value"));
  EXPECT_THAT(failed("x.now() > x").message, HasSubstr("is no method"));
  EXPECT_THAT(failed("x.matches(y)").message, HasSubstr("a text in quotes"));
  EXPECT_THAT(failed("x.matches('(')").message, HasSubstr("missing closing parenthesis"));
  EXPECT_THAT(failed("x > timestamp('yesterday')").message, HasSubstr("always fails: conversion"));
  EXPECT_THAT(failed("x > 1 / 0").message, HasSubstr("always fails: division_by_zero"));
  EXPECT_THAT(failed("has(1 + 1)").message, HasSubstr("has() takes a field"));
  EXPECT_THAT(failed("[1].all(1, true)").message, HasSubstr("takes a variable"));
  EXPECT_THAT(failed("'abc'.size == 3").hint, HasSubstr("call it: .size()"));
  EXPECT_THAT(failed("null < 1").message, HasSubstr("< is not defined"));
  EXPECT_THAT(failed("x in 5").message, HasSubstr("in is not defined"));

  const FieldSchema schema{{{"status", ExprType::kInt}, {"path", ExprType::kString}}, {}, false};
  EXPECT_EQ(failed("stauts > 1", schema).message, "there is no field \"stauts\"");
  EXPECT_EQ(failed("stauts > 1", schema).hint, "did you mean status?");
  EXPECT_EQ(failed("status == 'x'", schema).message, "== is not defined for (int, string)");
  EXPECT_EQ(compiled("status + 1", schema).type(), ExprType::kInt);
  EXPECT_EQ(compiled("path.split('/')", schema).type(), ExprType::kList);
  EXPECT_THAT(compiled("path + path + string(status)", schema).fields(), ElementsAre("path", "status"));
  EXPECT_TRUE(compiled("path", schema).is_field());
  EXPECT_FALSE(compiled("path + ''", schema).is_field());
}

// Goal: what looks at the array of a column gives what single values give. Method: the same comparison with
// the constant computed, row by row, of columns with and without gaps.
TEST_F(ExpressionTest, TheFastWaysAreAsTheSlowOne) {
  std::mt19937 random(3);
  std::vector<std::string> texts;
  std::vector<std::int64_t> numbers;
  const std::vector<std::string> words = {"", "a", "ab", "b", "ERROR", "ERRORS"};
  for (int i = 0; i < 3000; ++i) {
    texts.push_back(words[random() % words.size()]);
    numbers.push_back(static_cast<std::int64_t>(random() % 5) - 2);
  }
  field("s", texts);
  ints("n", numbers);
  texts[1500] = "-";
  field("gaps", texts);
  field("t", {"true"});
  for (const char* comparison : {"==", "!=", "<", "<=", ">", ">="}) {
    for (const char* pair : {"s %s 'ab'", "'ab' %s s", "n %s 1", "0 %s n", "gaps %s 'ERROR'"}) {
      std::string fast = pair, slow;
      fast.replace(fast.find("%s"), 2, comparison);
      slow = fast;
      // Neither side is a constant to the checker.
      if (const auto at = slow.find('\''); at != std::string::npos) {
        slow.replace(at, slow.rfind('\'') + 1 - at,
                     "(['" + slow.substr(at + 1, slow.rfind('\'') - at - 1) + "'][0])");
      } else {
        const auto digit = slow.find_first_of("01");
        slow.replace(digit, 1, std::string("([") + slow[digit] + "][0])");
      }
      EXPECT_EQ(selected(fast), selected(slow)) << fast << " and " << slow;
      const std::vector<std::uint32_t> part = selected("n > 0 && " + fast);
      EXPECT_EQ(part, selected("n > 0 && " + slow)) << fast;
    }
  }
}

TEST_F(ExpressionTest, AFieldMayHaveAnyName) {
  field("http-status", {"200"});
  field("user", {R"({"id":{"a b":7}})"});
  field("app.x.y", {"deep"});
  FieldSchema schema;
  schema.objects.insert("app.x");
  const auto read = [&](std::string_view name) {
    auto made = Expression::of_field(name, schema);
    const auto* const expression = std::get_if<Expression>(&made);
    if (expression == nullptr) return std::get<ExpressionError>(made).message;
    begin(*expression);
    Value out;
    expression->values(evaluation, Rows::all(1), &out);
    return to_text(out);
  };
  EXPECT_EQ(read("http-status"), "200");
  EXPECT_EQ(read("user.id.a b"), "7");
  EXPECT_EQ(read("true"), "no_such_field");
  EXPECT_EQ(read("user.name"), "no_such_field");
  schema.fields["app.x.y"] = ExprType::kString;
  EXPECT_EQ(read("app.x.y"), "deep");
  schema.open = false;
  EXPECT_THAT(read("app.x.z"), HasSubstr("there is no field \"app\""));
  EXPECT_EQ(read(std::string(1000, '.')), "has too many dots");
}

TEST_F(ExpressionTest, ReusesItsMemory) {
  field("s", {"abc"});
  const Expression expression = compiled("(s + s).upperAscii()");
  for (int i = 0; i < 100'000; ++i) {  // far more than an arena holds
    begin(expression);
    Value out;
    expression.values(evaluation, Rows::all(1), &out);
    ASSERT_EQ(out.text(), "ABCABC");
  }
}

TEST_F(ExpressionTest, MakesNothingThatIsTooLarge) {
  field("s", {std::string(1 << 20, 'x')});
  std::string doubled = "s";
  for (int i = 0; i < 8; ++i) doubled = "(" + doubled + " + " + doubled + ")";
  EXPECT_EQ(value(doubled + " == s"), "too_large");
  EXPECT_EQ(value("s.split('').map(x, s).join()"), "too_large");
}

}  // namespace
}  // namespace logflume
