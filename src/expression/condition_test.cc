// Goal: what is asked of a whole column is what is asked of each value. Method: columns of many kinds and of
// random values, with and without gaps; each question twice, the second time so that neither side is a
// constant or a field to the checker.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "expression/constant_set.h"
#include "expression/expression.h"
#include "expression/functions.h"
#include "expression/text_test.h"

namespace logflume {
namespace {

constexpr std::size_t kRows = 1500;  // more than are computed at once

class ConditionTest : public testing::Test {
 protected:
  void SetUp() override {
    columns_.begin("", kRows);
    add(
        "words", [this] { return text(word()); }, false);
    add(
        "lines", [this] { return text(long_text()); }, false);
    add(
        "gaps", [this] { return text(word()); }, true);
    add(
        "ints", [this] { return std::pair(ValueKind::kInt, Slot::of(number())); }, false);
    add(
        "numbers", [this] { return text(digits(), ValueKind::kNumber); }, false);
    add(
        "doubles",
        [this] {
          return std::pair(ValueKind::kDouble,
                           Slot::of(static_cast<double>(number()) + half_[random_() % 3]));
        },
        false);
    add(
        "mixed",
        [this] {
          switch (random_() % 6) {
            case 0:
              return text(word());
            case 1:
              return std::pair(ValueKind::kInt, Slot::of(number()));
            case 2:
              return std::pair(ValueKind::kNull, Slot::null());
            case 3:
              return std::pair(ValueKind::kBool, Slot::of(random_() % 2 == 0));
            case 4:
              return text("[1, \"ab\"]", ValueKind::kJson);
            default:
              return text(digits(), ValueKind::kNumber);
          }
        },
        true);
  }

  std::string word() {
    static const std::vector<std::string> words = {"",
                                                   "a",
                                                   "b",
                                                   "ab",
                                                   "aa",
                                                   "ERR",
                                                   "ERROR",
                                                   "ERRORS",
                                                   "FATAL",
                                                   "WARN",
                                                   "/api/v1",
                                                   "/api/v1/a",
                                                   "\n",
                                                   "a\nb",
                                                   "abcdefgh",
                                                   "abcdefghi",
                                                   "sixteen bytes...",
                                                   "sixteen bytes...,",
                                                   "\xc3\xa9",
                                                   "\xff",
                                                   "quite a long text that ends in ab",
                                                   "quite a long text that ends in ac"};
    return words[random_() % words.size()];
  }
  std::string long_text() {
    std::string made;
    for (std::uint64_t n = random_() % 12; n > 0; --n) made += random_() % 3 == 0 ? "a" : word();
    return made;
  }
  std::int64_t number() {
    static constexpr std::int64_t kNumbers[] = {0,   1,   -1,        2,         200,      404,
                                                500, 503, INT64_MIN, INT64_MAX, 1'000'000};
    return random_() % 2 == 0 ? kNumbers[random_() % std::size(kNumbers)]
                              : static_cast<std::int64_t>(random_() % 600);
  }
  std::string digits() {
    static const std::vector<std::string> texts = {"1.0", "1e999", "-0.0", "5e2", "0.5", "9007199254740993"};
    return random_() % 2 == 0 ? texts[random_() % texts.size()] : fmt::format("{}", number());
  }
  std::pair<ValueKind, Slot> text(const std::string& value, ValueKind kind = ValueKind::kString) {
    TextRef ref;
    EXPECT_TRUE(columns_.copy(value, ref));
    return {kind, Slot::of(ref)};
  }
  template <typename Make>
  void add(const std::string& name, const Make& make, bool gaps) {
    Column& column = columns_.at(columns_.index_of(name));
    for (std::size_t row = 0; row < kRows; ++row) {
      if (gaps && random_() % 5 == 0) continue;
      const auto [kind, slot] = make();
      column.add(row, kind, slot);
    }
  }

  // What it is for each row, faults too.
  std::vector<std::string> answers(const std::string& condition, const Rows& rows) {
    auto compiled = Expression::compile(condition, {});
    if (const auto* error = std::get_if<ExpressionError>(&compiled)) {
      ADD_FAILURE() << condition << ": " << error->message;
      return {};
    }
    const auto& expression = std::get<Expression>(compiled);
    std::vector<FieldView> views;
    for (const std::string& name : expression.fields())
      views.push_back({.column = columns_.find(name), .columns = &columns_});
    Evaluation evaluation;
    evaluation.begin(views, 0);
    std::vector<Value> values(rows.count);
    expression.values(evaluation, rows, values.data());
    std::vector<std::string> texts;
    for (const Value& value : values) texts.push_back(to_text(value));
    return texts;
  }
  void expect_same(const std::string& fast, const std::string& slow) {
    std::vector<std::uint32_t> some;
    for (std::uint32_t row = 0; row < kRows; ++row) {
      if (random_() % 3 == 0) some.push_back(row);
    }
    for (const Rows& rows :
         {Rows::all(kRows), Rows{some.data(), 0, static_cast<std::uint32_t>(some.size())}}) {
      const auto found = answers(fast, rows), expected = answers(slow, rows);
      ASSERT_EQ(found.size(), expected.size());
      for (std::size_t i = 0; i < found.size(); ++i)
        ASSERT_EQ(found[i], expected[i]) << fast << ", row " << rows[static_cast<std::uint32_t>(i)];
    }
  }

  std::mt19937_64 random_{5};
  const double half_[3] = {0, 0.5, 1e300};
  Columns columns_;
};

const std::vector<std::string> kFields = {"words",   "lines",   "gaps",  "ints",
                                          "numbers", "doubles", "mixed", "none"};

std::string in_quotes(std::string_view text) {
  std::string made = "\"";
  for (const char c : text) made += c == '\n' ? "\\n" : std::string(1, c);
  return made + "\"";
}

TEST_F(ConditionTest, ATextIsComparedInAColumnAsByItself) {
  const std::vector<std::string> wanted = {"",
                                           "a",
                                           "b",
                                           "ab",
                                           "aa",
                                           "ERR",
                                           "ERROR",
                                           "/api/v1",
                                           "abcdefgh",
                                           "abcdefghi",
                                           "sixteen bytes...",
                                           "sixteen bytes...,",
                                           "a\nb",
                                           "\xc3\xa9",
                                           "quite a long text that ends in ab",
                                           "aaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  for (const std::string& field : kFields) {
    for (const std::string& text : wanted) {
      const std::string constant = in_quotes(text);
      for (const char* function : {"startsWith", "endsWith", "contains"})
        expect_same(fmt::format("{}.{}({})", field, function, constant),
                    fmt::format("{}.{}([{}][0])", field, function, constant));
      for (const char* comparison : {"==", "!=", "<", ">="})
        expect_same(fmt::format("{} {} {}", field, comparison, constant),
                    fmt::format("{} {} [{}][0]", field, comparison, constant));
    }
  }
}

TEST_F(ConditionTest, ANumberIsComparedInAColumnAsByItself) {
  for (const std::string& field : kFields) {
    for (const char* wanted : {"0", "-1", "500", "9007199254740993", "9007199254740992.0", "0.5", "-0.0",
                               "1e300", "null", "true", "timestamp(0)", "(0.0 / 0.0)"}) {
      for (const char* comparison : {"==", "!=", "<", "<=", ">", ">="}) {
        const bool ordered = comparison[0] != '=' && comparison[0] != '!';
        if (ordered && wanted == std::string("null")) continue;  // there is no such operator
        expect_same(fmt::format("{} {} {}", field, comparison, wanted),
                    fmt::format("{} {} [{}][0]", field, comparison, wanted));
      }
    }
  }
}

TEST_F(ConditionTest, AListOfConstantsIsLookedUpInAColumnAsElementByElement) {
  const std::vector<std::string> elements = {"\"a\"",
                                             "\"\"",
                                             "\"ERROR\"",
                                             "\"ab\"",
                                             "\"/api/v1\"",
                                             "\"abcdefghi\"",
                                             "\"sixteen bytes...\"",
                                             "\"quite a long text that ends in ab\"",
                                             "0",
                                             "1",
                                             "-1",
                                             "500",
                                             "503",
                                             "9223372036854775807",
                                             "1.0",
                                             "0.5",
                                             "-0.0",
                                             "1e300",
                                             "9223372036854775808.0",
                                             "null",
                                             "true",
                                             "1000000",
                                             "(0.0 / 0.0)",
                                             "[1, \"ab\"]",
                                             "timestamp(0)",
                                             "9007199254740993"};
  for (int round = 0; round < 200; ++round) {
    std::string list, slow;
    for (std::uint64_t n = random_() % (round % 4 == 0 ? 25 : 5); n > 0; --n)
      list += (list.empty() ? "" : ", ") + elements[random_() % elements.size()];
    const std::string& field = kFields[random_() % kFields.size()];
    expect_same(fmt::format("{} in [{}]", field, list), fmt::format("{} in [[{}]][0]", field, list));
    if (list.empty()) continue;  // then nobody asks whether there is such a field
    expect_same(fmt::format("{} in [{}]", field, list), fmt::format("[{}].exists(x, x == {})", list, field));
  }
}

TEST_F(ConditionTest, APatternIsSearchedForInAColumnAsByItself) {
  const std::vector<std::string> patterns = {
      "^(ERR|FATAL)", "^ERR",  "^a",  "^[^a]",          "^[^b]b",      "^/api/v1/", "^$",
      "^a$",          "ab",    "a b", "^\\\\w+$",       "(?m)^b",      "^.",        "^\\\\s",
      "^\xc3\xa9",    "ERROR", "-",   "^sixteen bytes", "^(?:a|ab)+$", "[ab]{3}",   ""};
  for (const std::string& field : kFields) {
    for (const std::string& pattern : patterns) {
      expect_same(fmt::format("{}.matches(\"{}\")", field, pattern),
                  fmt::format("[{}].map(x, x)[0].matches(\"(?-i){}\")", field, pattern));
    }
  }
}

TEST(TextTestTest, FindsATextWhereverItStands) {
  std::mt19937_64 random(6);
  Columns columns;
  for (int round = 0; round < 300; ++round) {
    std::string wanted;
    for (std::uint64_t n = 1 + random() % (round % 5 == 0 ? 60 : 5); n > 0; --n) wanted += "ab"[random() % 2];
    columns.begin("", 50);
    Column& column = columns.at(columns.index_of("text"));
    std::vector<bool> expected;
    for (std::size_t row = 0; row < 50; ++row) {
      std::string text;
      // Some are made so that nearly each place of them has its first and last byte.
      for (std::uint64_t n = random() % (row % 10 == 0 ? 3000 : 80); n > 0; --n)
        text += row % 7 == 0 ? wanted[n % wanted.size()] : "abc"[random() % 3];
      if (random() % 2 == 0) text += wanted;
      TextRef ref;
      ASSERT_TRUE(columns.copy(text, ref));
      column.add(row, ValueKind::kString, Slot::of(ref));
      expected.push_back(text.find(wanted) != text.npos);
    }
    std::vector<Truth> found(50);
    const TextTest test(TextRelation::kContains, wanted);
    test.ask({&columns, column.slots(), ValueKind::kString}, Rows::all(50), found.data());
    for (std::size_t row = 0; row < 50; ++row) ASSERT_EQ(found[row] == kTrue, expected[row]) << wanted;
  }
}

TEST(ConstantSetTest, HasItsElementsAndNoOthers) {
  std::deque<std::string> texts;
  std::vector<Value> items;
  for (int i = 0; i < 2000; ++i) {
    const std::string number = fmt::format("{}", i * 2);
    texts.push_back(std::string(static_cast<std::size_t>(i) % 30, 'x') + number +
                    std::string(static_cast<std::size_t>(i) % 7, 'y'));
    items.push_back(Value::of(std::string_view(texts.back())));
    items.push_back(Value::of(std::int64_t{i} * i * i * 1'000'003));
  }
  const ConstantSet set(items);
  for (const Value& item : items) {
    EXPECT_EQ(set.has(item), kTrue);
    if (item.is(Value::Tag::kInt)) {
      EXPECT_EQ(set.has(Value::of(item.integer + 1)), kFalse);
      continue;
    }
    const std::string other = std::string(item.text()) + "z";
    EXPECT_EQ(set.has(Value::of(std::string_view(other))), kFalse);
    EXPECT_EQ(set.has(Value::of(std::string_view(other).substr(0, other.size() - 2))),
              std::find(texts.begin(), texts.end(), other.substr(0, other.size() - 2)) == texts.end()
                  ? kFalse
                  : kTrue);
  }
}

}  // namespace
}  // namespace logflume
