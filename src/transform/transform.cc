#include "transform/transform.h"

#include <algorithm>

#include "transform/gathering.h"

namespace logflume {

namespace {

void count_error(StageReport& report, std::string_view reason, std::uint64_t count) {
  auto& errors = report.errors;
  const auto known = std::ranges::find(errors, reason, &std::pair<std::string_view, std::uint64_t>::first);
  if (known == errors.end()) {
    errors.emplace_back(reason, count);
  } else {
    known->second += count;
  }
}

}  // namespace

void StageReport::error(std::string_view reason, std::string_view line) {
  if (sample_reason.empty()) {
    sample = line;
    sample_reason = reason;
  }
  count_error(*this, reason, 1);
}

void StageReport::errors_of(const FaultCounts& faults) {
  for (std::size_t i = 1; i < faults.size(); ++i) {
    if (faults[i] > 0) count_error(*this, to_text(static_cast<ExprFault>(i)), faults[i]);
  }
}

std::unique_ptr<Gathering> Transform::make_gathering() const { return nullptr; }

TransformError error_of(std::string key, const ExpressionError& error) {
  return {std::move(key), error.at, error.message, error.hint};
}

}  // namespace logflume
