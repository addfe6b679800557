#include "event/columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <optional>
#include <random>

namespace logflume {
namespace {

TEST(Column, IsDenseAndUniformUntilItIsNot) {
  Column column("status");
  for (std::size_t row = 0; row < 100; ++row) column.add(row, ValueKind::kInt, Slot::of(std::int64_t{200}));
  EXPECT_TRUE(column.dense(100));
  EXPECT_TRUE(column.uniform());
  EXPECT_EQ(column.kind(), ValueKind::kInt);
  column.add(101, ValueKind::kInt, Slot::of(std::int64_t{404}));
  EXPECT_FALSE(column.dense(102));
  EXPECT_EQ(column.find(100), Column::kNone);
  EXPECT_EQ(column.kind(100), ValueKind::kMissing);
  EXPECT_EQ(column.slot_at(column.find(101)).integer, 404);
  EXPECT_TRUE(column.uniform());
  column.add(102, ValueKind::kNull, Slot::null());
  EXPECT_FALSE(column.uniform());
  EXPECT_EQ(column.kind(0), ValueKind::kInt);
  EXPECT_EQ(column.kind(102), ValueKind::kNull);
  EXPECT_EQ(column.kind(103), ValueKind::kMissing);
}

TEST(Column, GivesTheLastRowAnotherValue) {
  Column column("a");
  column.add(0, ValueKind::kInt, Slot::of(std::int64_t{1}));
  column.replace_last(ValueKind::kBool, Slot::of(true));
  EXPECT_TRUE(column.uniform());
  EXPECT_EQ(column.kind(0), ValueKind::kBool);
  column.add(1, ValueKind::kBool, Slot::of(false));
  column.replace_last(ValueKind::kDouble, Slot::of(1.5));
  EXPECT_EQ(column.kind(0), ValueKind::kBool);
  EXPECT_EQ(column.kind(1), ValueKind::kDouble);
  EXPECT_EQ(column.slot_at(1).real, 1.5);
}

// Goal: a column says what a map of rows would say, whatever gaps and kinds there are.
TEST(Column, IsAsAMapOfRows) {
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    Column column("x");
    for (int again = 0; again < 2; ++again) {  // memory is used once more
      column.clear();
      std::map<std::size_t, std::pair<ValueKind, std::int64_t>> model;
      const std::size_t rows = random() % 300;
      const std::size_t gaps = random() % 4, kinds = random() % 3;
      for (std::size_t row = 0; row < rows; ++row) {
        if (gaps > 0 && random() % (gaps * 40) == 0) row += random() % 130;
        if (row >= rows) break;
        const auto kind = kinds > 0 && random() % (kinds * 30) == 0 ? ValueKind::kTimestamp : ValueKind::kInt;
        const auto value = static_cast<std::int64_t>(random());
        column.add(row, kind, Slot::of(value));
        model[row] = {kind, value};
      }
      ASSERT_EQ(column.present(), model.size());
      ASSERT_TRUE(!column.dense(rows) || model.size() == rows);
      for (std::size_t row = 0; row < rows + 200; ++row) {
        const auto found = model.find(row);
        const std::size_t at = column.find(row);
        ASSERT_EQ(at != Column::kNone, found != model.end()) << row;
        if (at == Column::kNone) continue;
        ASSERT_EQ(column.kind_at(at), found->second.first) << row;
        ASSERT_EQ(column.slot_at(at).integer, found->second.second) << row;
      }
    }
  }
}

TEST(Columns, ViewTheEventsAndCopyWhatIsMade) {
  const std::string text = "GET /a 200";
  Columns columns;
  columns.begin(text, 1);
  const TextRef path = columns.ref(std::string_view(text).substr(4, 2));
  TextRef made;
  ASSERT_TRUE(columns.copy("made", made));
  std::vector<TextRef> many;
  for (int i = 0; i < 10'000; ++i) {  // the arena moves; what stands in it does not change
    many.emplace_back();
    ASSERT_TRUE(columns.copy(std::to_string(i), many.back()));
  }
  EXPECT_EQ(columns.text(path), "/a");
  EXPECT_EQ(columns.text(made), "made");
  for (int i = 0; i < 10'000; ++i)
    ASSERT_EQ(columns.text(many[static_cast<std::size_t>(i)]), std::to_string(i));
  char* const room = columns.begin_text(100);
  room[0] = 'x';
  EXPECT_EQ(columns.text(columns.finish_text(1)), "x");
  TextRef empty;
  ASSERT_TRUE(columns.copy({}, empty));
  EXPECT_EQ(columns.text(empty), "");
}

TEST(Columns, AnEmptyTextMayBeTheFirstThatIsMade) {
  Columns columns;
  columns.begin("", 1);
  TextRef ref;
  ASSERT_TRUE(columns.copy("", ref));
  EXPECT_EQ(columns.text(ref), "");
}

TEST(Columns, AreFoundByNameAndKeptFromBatchToBatchWhileTheyAreUsed) {
  Columns columns;
  columns.begin("", 1);
  const std::size_t a = columns.index_of("a");
  const std::size_t b = columns.index_of("b", a);
  EXPECT_NE(a, b);
  EXPECT_EQ(columns.index_of("b", b), b);
  EXPECT_EQ(columns.index_of("b", 77), b);
  columns.at(b).add(0, ValueKind::kBool, Slot::of(true));
  EXPECT_EQ(columns.find("c"), nullptr);

  columns.begin("", 1);  // nobody used a
  EXPECT_EQ(columns.size(), 1u);
  EXPECT_EQ(columns.find("a"), nullptr);
  ASSERT_NE(columns.find("b"), nullptr);
  EXPECT_EQ(columns.find("b")->present(), 0u);
  EXPECT_EQ(columns.index_of("b"), 0u);
}

}  // namespace
}  // namespace logflume
