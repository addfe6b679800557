#include "transform/lookup_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace logflume {
namespace {

using testing::HasSubstr;
using Format = LookupTableConfig::Format;

// Rows as "column=value ...", by key.
using Rows = std::map<std::string, std::string>;

std::string text_of(const LookupTable& table, const LookupTable::Cell& cell) {
  switch (cell.kind) {
    case ValueKind::kBool:
      return cell.slot.integer != 0 ? "true" : "false";
    case ValueKind::kInt:
      return std::to_string(cell.slot.integer);
    case ValueKind::kDouble:
      return std::to_string(cell.slot.real);
    case ValueKind::kNull:
      return "null";
    default:
      return std::string(table.text().substr(cell.slot.text.at, cell.slot.text.bytes));
  }
}

Rows rows_of(const LookupTable& table, const std::vector<std::string>& keys) {
  Rows rows;
  for (const std::string& key : keys) {
    const LookupTable::Row* const row = table.find(key);
    if (row == nullptr) continue;
    std::string& text = rows[key];
    for (const LookupTable::Cell& cell : table.cells(*row))
      text += (text.empty() ? "" : " ") + table.columns()[cell.column] + "=" + text_of(table, cell);
  }
  return rows;
}

std::shared_ptr<const LookupTable> parsed(std::string_view content, LookupTableConfig config) {
  auto table = LookupTable::parse(content, config);
  if (table) return *table;
  ADD_FAILURE() << table.error().message;
  return nullptr;
}

std::string refused(std::string_view content, LookupTableConfig config) {
  auto table = LookupTable::parse(content, config);
  return table ? std::string("accepted") : table.error().message;
}

TEST(LookupTableTest, ReadsCsv) {
  const LookupTableConfig csv{.format = Format::kCsv};
  const auto table = parsed(
      "\xEF\xBB\xBFid,name,\"the \"\"team\"\"\"\r\n1,one,a\r\n\"2\",\"two, "
      "or\nmore\",\"b\"\"\"\n\n3,,\n4,\"\"\n"
      ",nobody,x\n1,again,c",
      csv);
  EXPECT_EQ(table->columns(), (std::vector<std::string>{"name", "the \"team\""}));
  EXPECT_EQ(table->keys(), 4U);
  EXPECT_EQ(rows_of(*table, {"1", "2", "3", "4", "", "5"}),
            (Rows{{"1", "name=again the \"team\"=c"},
                  {"2", "name=two, or\nmore the \"team\"=b\""},
                  {"3", ""},
                  {"4", "name="}}));
}

TEST(LookupTableTest, HasTheColumnsThatAreAskedFor) {
  const LookupTableConfig config{
      .format = Format::kCsv, .delimiter = ';', .key_column = "b", .columns = {"c", "b"}};
  EXPECT_EQ(rows_of(*parsed("a;b;c\n1;2;3\n", config), {"1", "2"}), (Rows{{"2", "b=2 c=3"}}));
  EXPECT_EQ(refused("a;b\n", config), "it has no column \"c\"");
  EXPECT_EQ(refused("c;a\n", {.format = Format::kCsv, .delimiter = ';', .key_column = "b"}),
            "it has no column \"b\"");
}

TEST(LookupTableTest, SaysWhereCsvIsWrong) {
  const LookupTableConfig csv{.format = Format::kCsv};
  EXPECT_EQ(refused("a,b\n\"x\ny\",1\n1,2,3\n", csv), "line 4: there are more values than columns (2)");
  EXPECT_EQ(refused("a,b\n1,2\n3,\"4\n\n", csv), "line 3: a quote has no end");
  EXPECT_EQ(refused("a,\"", csv), "line 1: a quote has no end");
  EXPECT_EQ(refused("a,a\n", csv), "line 1: two columns have the name \"a\"");
  EXPECT_THAT(refused("", csv), HasSubstr("it is empty"));
  EXPECT_EQ(refused(std::string(1000, ','), csv), "line 1: two columns have the name \"\"");
}

TEST(LookupTableTest, ReadsJson) {
  const std::string_view array =
      R"([{"id":7,"name":"a \u00e4","on":true,"x":null,"n":[1, {"a": 2}]},{"name":"b","id":"k","name":"c","f":0.5}])";
  const auto of_array = parsed(array, {.format = Format::kJson, .key_column = "id"});
  EXPECT_EQ(rows_of(*of_array, {"7", "k"}),
            (Rows{{"7", "name=a ä on=true x=null n=[1,{\"a\":2}]"}, {"k", "name=c f=0.500000"}}));

  const auto of_object =
      parsed(R"({"a":{"x":1},"b":{},"c":{"y":18446744073709551615,"x":"t"}})", {.format = Format::kJson});
  EXPECT_EQ(rows_of(*of_object, {"a", "b", "c", "x"}),
            (Rows{{"a", "x=1"}, {"b", ""}, {"c", "y=18446744073709551615 x=t"}}));
}

TEST(LookupTableTest, SaysWhatIsWrongWithJson) {
  const LookupTableConfig json{.format = Format::kJson, .key_column = "id"};
  EXPECT_THAT(refused("[{]", json), HasSubstr("it is no JSON"));
  EXPECT_EQ(refused("7", json), "it is neither an array nor an object");
  EXPECT_EQ(refused(R"([{"id":1},{"x":2}])", json), "element 2 has no text or number \"id\"");
  EXPECT_EQ(refused(R"([{"id":null}])", json), "element 1 has no text or number \"id\"");
  EXPECT_EQ(refused(R"({"a":1})", json), "\"a\" is no object");
  EXPECT_THAT(refused("[{}]", {.format = Format::kJson}), HasSubstr("which is the column of the key"));
  EXPECT_EQ(refused(R"([{"id":1}])", {.format = Format::kJson, .key_column = "id", .columns = {"x"}}),
            "it has no column \"x\"");
  std::string wide = R"([{"id":1)";
  for (int i = 0; i < 300; ++i) wide += ",\"c" + std::to_string(i) + "\":1";
  EXPECT_EQ(refused(wide + "}]", json), "it has more than 256 columns");
  EXPECT_THAT(refused(std::string(5000, '['), json), HasSubstr("it is no JSON"));
}

// Goal: whatever the file holds, it is read or refused. Method: damaged files; sanitizers look on.
TEST(LookupTableTest, SurvivesAnything) {
  std::mt19937 random(7);
  const std::vector<std::string> whole{"a,b\n1,\"x\"\"y\"\n2,z\r\n",
                                       R"([{"id":1,"b":"c\u1234"},{"id":"2","d":[1]}])",
                                       R"({"a":{"x":1.5},"b":{"x":"y"}})"};
  const std::string_view bytes = "\"\",\r\n{}[]:\\u0aF\0\xff";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = whole[random() % whole.size()];
    for (std::size_t changes = random() % 6; changes > 0; --changes) {
      const std::size_t at = random() % (text.size() + 1);
      text.insert(at, 1, bytes[random() % bytes.size()]);
      if (random() % 2 == 0) text.erase(random() % text.size(), 1);
    }
    for (const Format format : {Format::kCsv, Format::kJson}) {
      const auto table = LookupTable::parse(text, {.format = format, .key_column = i % 2 == 0 ? "" : "id"});
      if (table) (void)rows_of(**table, {"1", "2", "a", "b"});
    }
  }
}

}  // namespace
}  // namespace logflume
