// What a parser makes of a sample.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "event/columns.h"
#include "parse/parser.h"

namespace logflume {

struct Trial {
  Columns columns;                  // a row for each event
  std::vector<std::uint32_t> rows;  // that were accepted
  std::size_t events = 0;

  double share() const {
    return events == 0 ? 0 : static_cast<double>(rows.size()) / static_cast<double>(events);
  }
};

// Whether a row that a parser accepts is one of its format: some accept nearly everything.
using IsOne = bool (*)(const Columns& columns, std::size_t row);

// `events` lie in `text`; the columns view it. `trial` is a new one.
void try_parser(Parser& parser, std::string_view text, std::span<const std::string_view> events,
                std::int64_t now_ns, IsOne is_one, Trial& trial);

// A value as a line of a report has it; empty where the row has none.
std::string value_text(const Columns& columns, const Column& column, std::size_t row);

}  // namespace logflume
