#include "lab/concurrency_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "lab/compare.h"

namespace logflume {
namespace {

// Of the row with the most readers, which is the last one of its way.
std::optional<LabFigure> figure(const LabReport& report, const std::string& way, const std::string& key) {
  std::optional<LabFigure> found;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    if (report.rows[i].settings[0] != way) continue;
    if (const std::optional<LabFigure> here = report.figure(i, key)) found = here;
  }
  return found;
}

// What all readers of a way take together, bytes.
std::optional<double> memory(const LabReport& report, const std::string& way) {
  const auto readers = figure(report, way, "readers");
  const auto resident = figure(report, way, "resident");
  const auto kernel = figure(report, way, "kernel");
  if (!readers || !resident || !kernel) return std::nullopt;
  return readers->median * (resident->median + std::max(kernel->median, 0.0));
}

}  // namespace

std::vector<std::string> concurrency_advice(const LabReport& report) {
  std::vector<std::string> advice;
  const auto threads = memory(report, kThreadsWay);
  const auto loop = memory(report, kEventLoopWay);
  if (threads && loop && *loop > 0 && *threads > *loop * 1.5) {
    advice.push_back(fmt::format(
        "{:.0f} waiting readers take {} as threads and {} in one event loop, user and kernel memory "
        "together: "
        "logflume watches files and connections with event loops, one thread a source and a sink.",
        figure(report, kThreadsWay, "readers")->median, lab_value_text(*threads, LabUnit::kBytes),
        lab_value_text(*loop, LabUnit::kBytes)));
  }
  const auto wake = [&](const char* way) { return figure(report, way, "p50"); };
  if (const auto slow = wake(kThreadsWay), fast = wake(kEventLoopWay); slow && fast) {
    const auto text = [](const LabFigure& of) { return lab_value_text(of.median, LabUnit::kSeconds); };
    const std::optional<double> ratio = times(*slow, *fast);
    advice.push_back(
        ratio ? fmt::format("A write reaches its reader after {} with threads and {} with the event "
                            "loop (p50): {}.",
                            text(*slow), text(*fast),
                            *ratio > 1 ? "the loop costs no latency, it saves some"
                                       : "the scheduler wakes the one that is meant, the loop has to "
                                         "look it up; many writes at a time turn that round")
              : fmt::format("A write reaches its reader after about {} either way: the choice is one "
                            "of memory, not of latency.",
                            text(*fast)));
  }
  const auto frame = memory(report, kCoroutinesWay);
  const auto asio = memory(report, kAsioWay);
  if (loop && frame && asio && *loop > 0) {
    advice.push_back(
        fmt::format("A coroutine is a state machine that the compiler writes: {} bare and {} by Boost.Asio "
                    "for all readers, "
                    "beside {} with callbacks. It is a matter of style, not of what the machine can do.",
                    lab_value_text(*frame, LabUnit::kBytes), lab_value_text(*asio, LabUnit::kBytes),
                    lab_value_text(*loop, LabUnit::kBytes)));
  }
  return advice;
}

}  // namespace logflume
