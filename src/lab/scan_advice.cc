#include "lab/scan_advice.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "lab/compare.h"
#include "lab/layouts.h"
#include "lab/scanners.h"

namespace logflume {
namespace {

std::string rate_text(const LabFigure& figure) {
  return lab_value_text(figure.median, LabUnit::kBytesPerSecond);
}

void advise_kernel(const LabRows& rows, const char* work, std::vector<std::string>& advice) {
  // What logflume takes is the first: the best that the processor has.
  const std::vector<std::string> ways = rows.values("by", {{"work", work}});
  if (ways.empty()) return;
  const auto at = [&](const std::string& by, const char* lines) {
    return rows.figure({{"work", work}, {"by", by}, {"of", lines}}, "rate");
  };
  const std::optional<LabFigure> own = at(ways[0], "200 B lines");
  const std::optional<LabFigure> naive = at("byte by byte", "200 B lines");
  if (!own) return;
  std::string text = fmt::format("To {}, logflume takes {} here: {}", work, ways[0], rate_text(*own));
  if (naive && naive->median > 0 && times(*own, *naive)) {
    text += fmt::format(", {:.0f}x as fast as byte by byte", own->median / naive->median);
  }
  std::string faster;
  for (const std::string& by : ways) {
    const std::optional<LabFigure> other = at(by, "200 B lines");
    const std::optional<double> ratio = other ? times(*other, *own) : std::nullopt;
    if (ratio && *ratio > 1.05) faster = fmt::format("; {} is {:.1f}x as fast on 200-byte lines", by, *ratio);
  }
  advice.push_back(text + faster + ".");
}

void advise_alignment(const LabRows& rows, std::vector<std::string>& advice) {
  const std::vector<std::string> ways = rows.values("by", {{"work", kCountWork}});
  if (ways.empty()) return;
  const auto at = [&](const char* lines) {
    return rows.figure({{"work", kCountWork}, {"by", ways[0]}, {"of", lines}}, "rate");
  };
  const std::optional<LabFigure> aligned = at("200 B lines");
  const std::optional<LabFigure> not_aligned = at("200 B lines, unaligned");
  if (!aligned || !not_aligned) return;
  const std::optional<double> ratio = times(*not_aligned, *aligned);
  advice.push_back(
      ratio && *ratio < 1
          ? fmt::format("Text that does not begin at a cache line is counted {:.0f} % slower by {}: a "
                        "slab begins at one.",
                        (1 - *ratio) * 100, ways[0])
          : "Where text begins makes no difference beyond the spread: lines are never moved to be "
            "aligned.");
}

void advise_sharing(const LabRows& rows, std::vector<std::string>& advice) {
  const std::vector<std::string> threads = rows.values("of", {{"work", kCounterWork}});
  if (threads.size() < 2) return;
  const auto at = [&](const char* by) {
    return rows.figure({{"work", kCounterWork}, {"by", by}, {"of", threads.back()}}, "operations");
  };
  const auto padded = at(kPaddedCounters);
  const auto packed = at(kPackedCounters);
  const auto shared = at(kSharedCounter);
  if (!padded) return;
  if (packed && times(*padded, *packed).value_or(0) > 1) {
    std::string text = fmt::format(
        "False sharing: with {}, counters in one cache line are {:.1f}x slower than counters with a "
        "line each",
        threads.back(), padded->median / packed->median);
    if (shared && times(*padded, *shared).value_or(0) > 1) {
      text += fmt::format(", and one atomic counter for all {:.0f}x", padded->median / shared->median);
    }
    advice.push_back(text + ": each thread of logflume counts in lines of its own.");
  }
}

void advise_records(const LabRows& rows, std::vector<std::string>& advice) {
  const auto at = [&](const char* by) {
    return rows.figure({{"work", kRecordWork}, {"by", by}, {"of", "1 thread"}}, "operations");
  };
  const auto padded = at(kPaddedRecords);
  const auto packed = at(kPackedRecords);
  const auto column = at(kColumnRecords);
  if (!padded || !packed || !column) return;
  if (times(*packed, *padded).value_or(0) <= 1) return;
  std::string text =
      fmt::format("Records that one thread walks are better packed: {:.1f}x as many a second as padded",
                  packed->median / padded->median);
  if (times(*column, *packed).value_or(0) > 1) {
    text += fmt::format(", {:.1f}x as a column", column->median / padded->median);
  }
  advice.push_back(text + ". Pad what several threads write, nothing else.");
}

}  // namespace

std::vector<std::string> scan_advice(const LabReport& report) {
  const LabRows rows(report);
  std::vector<std::string> advice;
  advise_kernel(rows, kCountWork, advice);
  advise_kernel(rows, kIndexWork, advice);
  advise_alignment(rows, advice);
  advise_sharing(rows, advice);
  advise_records(rows, advice);
  return advice;
}

}  // namespace logflume
