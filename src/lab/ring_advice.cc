#include "lab/ring_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "lab/compare.h"
#include "lab/hand_over.h"

namespace logflume {
namespace {

using Settings = std::vector<std::pair<std::string, std::string>>;

constexpr const char* kBase = "1024";  // the capacity that all were measured with

std::string duration(const LabFigure& figure) { return lab_value_text(figure.median, LabUnit::kSeconds); }

void advise_hop(const LabRows& rows, std::vector<std::string>& advice) {
  const auto own = rows.figure({{"queue", kSpscRing}, {"where", kOneThread}}, "time");
  const auto lock = rows.figure({{"queue", kMutexDeque}, {"where", kOneThread}}, "time");
  if (!own || !lock) return;
  const std::optional<double> ratio = times(*lock, *own);
  if (!ratio || *ratio <= 1) return;
  advice.push_back(fmt::format(
      "A push and a pop on one thread take {} with the SPSC ring and {} with a mutex and a deque, "
      "although nobody contends: logflume hands batches over by SPSC rings.",
      duration(*own), duration(*lock)));
}

void advise_batch(const LabRows& rows, const std::string& apart, std::vector<std::string>& advice) {
  const Settings base = {{"queue", kSpscRing}, {"where", apart}, {"capacity", kBase}};
  Settings one = base;
  one.emplace_back("batch", "1");
  const std::optional<LabFigure> single = rows.figure(one, "operations");
  std::string best;
  double most = 1;
  for (const std::string& batch : rows.values("batch", base)) {
    Settings many = base;
    many.emplace_back("batch", batch);
    const std::optional<LabFigure> figure = rows.figure(many, "operations");
    const std::optional<double> ratio = single && figure ? times(*figure, *single) : std::nullopt;
    if (ratio && *ratio > most) {
      most = *ratio;
      best = batch;
    }
  }
  if (best.empty()) return;
  advice.push_back(fmt::format(
      "Between {}, {} elements at a time carry {}: logflume pushes and pops all that there is in one go, and "
      "what it pushes is a batch of lines, never a line.",
      apart, best, ratio_text(most)));
}

void advise_padding(const LabRows& rows, const std::string& apart, std::vector<std::string>& advice) {
  for (const char* batch : {"1", "16"}) {
    const auto at = [&](const char* queue) {
      return rows.figure({{"queue", queue}, {"where", apart}, {"capacity", kBase}, {"batch", batch}},
                         "operations");
    };
    const auto padded = at(kSpscRing);
    const auto unpadded = at(kSpscUnpadded);
    const auto ratio = padded && unpadded ? times(*unpadded, *padded) : std::nullopt;
    if (!ratio) continue;
    advice.push_back(
        fmt::format("False sharing: the SPSC ring without padding carries {} between {} in batches of {}{}",
                    ratio_text(*ratio), apart, batch,
                    *ratio < 1 ? ": each side's position has a cache line of its own."
                               : "; the padding does not pay here, and costs 128 bytes a ring."));
    return;
  }
}

void advise_capacity(const LabRows& rows, const std::string& apart, std::vector<std::string>& advice) {
  const Settings base = {{"queue", kSpscRing}, {"where", apart}, {"batch", "16"}};
  const auto at = [&](const std::string& capacity) {
    Settings settings = base;
    settings.emplace_back("capacity", capacity);
    return rows.figure(settings, "operations");
  };
  std::optional<LabFigure> best;
  std::vector<std::size_t> capacities;
  for (const std::string& capacity : rows.values("capacity", base)) {
    capacities.push_back(std::stoul(capacity));
    const std::optional<LabFigure> figure = at(capacity);
    if (figure && (!best || figure->median > best->median)) best = figure;
  }
  if (!best || capacities.size() < 2 || lab_spread(*best) > 0.25) return;  // too noisy to tell
  std::sort(capacities.begin(), capacities.end());
  for (const std::size_t capacity : capacities) {
    const std::optional<LabFigure> figure = at(std::to_string(capacity));
    if (!figure || figure->median < best->median * 0.9) continue;
    advice.push_back(
        fmt::format("A ring of {} slots carries 90 % of the most that any size carried: more would only add "
                    "latency, so buffer.max_bytes bounds what is in flight, not the ring.",
                    capacity));
    return;
  }
}

void advise_rival(const LabRows& rows, const std::string& apart, std::vector<std::string>& advice) {
  for (const char* batch : {"16", "1"}) {
    const auto at = [&](const std::string& queue) {
      return rows.figure({{"queue", queue}, {"where", apart}, {"capacity", kBase}, {"batch", batch}},
                         "operations");
    };
    const std::optional<LabFigure> own = at(kSpscRing);
    if (!own) continue;
    std::string faster;
    double most = 1;
    for (const std::string& queue : rows.values("queue", {{"where", apart}})) {
      const std::optional<LabFigure> figure = at(queue);
      if (queue.find("unpadded") != std::string::npos || !figure) continue;
      const std::optional<double> ratio = times(*figure, *own);
      if (ratio && *ratio > most) {
        most = *ratio;
        faster = queue;
      }
    }
    advice.push_back(faster.empty()
                         ? fmt::format("In batches of {} no queue here is faster between {} than the SPSC "
                                       "ring, beyond the spread.",
                                       batch, apart)
                         : fmt::format("In batches of {}, {} carries {:.1f}x as much as the SPSC ring "
                                       "between {}.",
                                       batch, faster, most, apart));
  }
}

void advise_sleep(const LabRows& rows, const std::string& apart, std::vector<std::string>& advice) {
  const auto slept = rows.figure({{"queue", "sleep: eventfd"}, {"where", apart}}, "p50");
  const auto hop = rows.figure({{"queue", kSpscRing}, {"where", kOneThread}}, "time");
  if (!slept || !hop || hop->median <= 0) return;
  const auto futex = rows.figure({{"queue", "sleep: futex"}, {"where", apart}}, "p50");
  std::string beside;
  if (futex && times(*slept, *futex)) beside = fmt::format(" ({} by futex)", duration(*futex));
  advice.push_back(
      fmt::format("Waking a thread that sleeps takes {}{}, as long as {} hops: logflume wakes by "
                  "eventfd, which a thread can "
                  "wait for together with its files and sockets, makes the call only when the other side "
                  "sleeps, and lets a "
                  "fast sink share its source's thread.",
                  duration(*slept), beside, lab_value_text(slept->median / hop->median, LabUnit::kCount)));
}

}  // namespace

std::vector<std::string> ring_advice(const LabReport& report, const std::string& apart) {
  const LabRows rows(report);
  std::vector<std::string> advice;
  advise_hop(rows, advice);
  advise_batch(rows, apart, advice);
  advise_padding(rows, apart, advice);
  advise_capacity(rows, apart, advice);
  advise_rival(rows, apart, advice);
  advise_sleep(rows, apart, advice);
  return advice;
}

}  // namespace logflume
