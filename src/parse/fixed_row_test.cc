#include "parse/fixed_row.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

namespace logflume {
namespace {

// Goal: columns that are filled by rows are as if each value had been added to its column. Method: random
// rows, most of which have all fields, of one kind; some are not accepted. Each round stands for a schema:
// from all the same to all mixed up.
TEST(FixedRow, FillsColumnsAsAddingDoes) {
  constexpr std::size_t kFields = 5;
  std::mt19937 random(11);
  for (int round = 0; round < 400; ++round) {
    Columns columns, expected;
    FixedRow row;
    for (int batch = 0; batch < 3; ++batch) {  // memory is used once more
      const std::size_t rows = random() % 200;
      columns.begin("", rows);
      expected.begin("", rows);
      std::vector<std::size_t> indexes;
      std::vector<std::size_t> oddity;  // of a field: how often it is another kind, or missing
      for (std::size_t field = 0; field < kFields; ++field) {
        const std::string name(1, static_cast<char>('a' + field));
        ASSERT_EQ(expected.index_of(name), columns.index_of(name));
        indexes.push_back(columns.index_of(name));
        oddity.push_back(random() % 3 == 0 ? 3 : random() % 200);
      }
      row.begin(columns, kFields);
      std::vector<FixedRow::Field*> places;
      for (const std::size_t index : indexes) places.push_back(row.add_field(index));
      const std::size_t refusals = random() % 2 == 0 ? 0 : 2 + random() % 50;
      for (std::size_t at = 0; at < rows; ++at) {
        row.clear();
        const bool refused = refusals > 0 && random() % refusals == 0;
        const std::size_t fields = refused ? random() % kFields : kFields;
        for (std::size_t field = 0; field < fields; ++field) {
          const bool is_odd = oddity[field] > 0 && random() % oddity[field] == 0;
          const ValueKind kind = !is_odd             ? ValueKind::kInt
                                 : random() % 2 == 0 ? ValueKind::kMissing
                                                     : ValueKind::kTimestamp;
          const Slot slot = Slot::of(static_cast<std::int64_t>(random()));
          row.set(*places[field], kind, slot);
          if (!refused) expected.at(indexes[field]).add(at, kind, slot);
        }
        if (!refused) row.commit(at);
        for (const std::size_t index : indexes)  // at any time
          ASSERT_EQ(columns.at(index).present(), expected.at(index).present());
      }
      for (const std::size_t index : indexes) {
        const Column& column = columns.at(index);
        const Column& model = expected.at(index);
        EXPECT_EQ(column.dense(rows), model.dense(rows));
        EXPECT_EQ(column.uniform(), model.uniform());
        for (std::size_t at = 0; at < rows; ++at) {
          ASSERT_EQ(column.kind(at), model.kind(at)) << "round " << round << ", row " << at;
          ASSERT_EQ(column.find(at), model.find(at));
          if (column.find(at) == Column::kNone) continue;
          ASSERT_EQ(column.slot_at(column.find(at)).integer, model.slot_at(model.find(at)).integer);
        }
      }
    }
  }
}

}  // namespace
}  // namespace logflume
