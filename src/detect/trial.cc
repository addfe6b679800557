#include "detect/trial.h"

#include <fmt/format.h>

#include "base/civil_time.h"

namespace logflume {

void try_parser(Parser& parser, std::string_view text, std::span<const std::string_view> events,
                std::int64_t now_ns, IsOne is_one, Trial& trial) {
  trial.events = events.size();
  trial.columns.begin(text, events.size());
  parser.begin(trial.columns, now_ns);
  FoundFields found;
  for (std::size_t row = 0; row < events.size(); ++row) {
    found.clear();
    if (parser.parse(events[row], found) != ParseFault::kNone) continue;
    found.commit(trial.columns, row);
    if (is_one == nullptr || is_one(trial.columns, row))
      trial.rows.push_back(static_cast<std::uint32_t>(row));
  }
}

std::string value_text(const Columns& columns, const Column& column, std::size_t row) {
  const std::size_t at = column.find(row);
  if (at == Column::kNone) return {};
  const Slot slot = column.slot_at(at);
  switch (column.kind_at(at)) {
    case ValueKind::kNull:
      return "null";
    case ValueKind::kBool:
      return slot.integer != 0 ? "true" : "false";
    case ValueKind::kInt:
      return fmt::format("{}", slot.integer);
    case ValueKind::kDouble:
      return fmt::format("{}", slot.real);
    case ValueKind::kTimestamp:
      return format_rfc3339(slot.integer);
    case ValueKind::kString:
    case ValueKind::kNumber:
    case ValueKind::kJson:
      return std::string(columns.text(slot.text));
    case ValueKind::kMissing:
    case ValueKind::kDuration:
      break;
  }
  return {};
}

}  // namespace logflume
