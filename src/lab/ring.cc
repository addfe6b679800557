// `lab ring`: what a hand-over between two stages costs.
#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "lab/compare.h"
#include "lab/experiment.h"
#include "lab/hand_over.h"
#include "lab/processors.h"
#include "lab/ring_advice.h"

namespace logflume {
namespace {

constexpr std::size_t kCapacity = 1024;
constexpr std::size_t kBatch = 16;
constexpr const char* kSpreadOut = "2 to 2 threads";

class RingExperiment final : public LabExperiment {
 public:
  std::string name() const override { return "ring"; }
  std::string question() const override {
    return "What does it cost to hand an element from one stage to the next?";
  }
  std::vector<std::string> settings() const override { return {"queue", "where", "capacity", "batch"}; }
  std::vector<LabColumn> columns() const override {
    return {{"operations", "elements", LabUnit::kPerSecond},
            {"time", "each", LabUnit::kSeconds},
            {"cpu_time", "CPU each", LabUnit::kSeconds},
            {"relative", "of best", LabUnit::kRatio},
            {"p50", "p50", LabUnit::kSeconds},
            {"p99", "p99", LabUnit::kSeconds},
            {"switches", "switches", LabUnit::kCount}};
  }

  Result<std::vector<LabCase>> cases(const LabOptions& options) override {
    time_ = lab_time(options, 30ms, 200ms);
    std::vector<LabCase> cases;
    for (const QueueKind& kind : queue_kinds()) {
      add(cases, kind, kOneThread, kOneThread, {.capacity = kCapacity, .batch = 1});
    }
    const std::vector<Processor> processors = usable_processors();
    const std::vector<ProcessorPair> pairs = processor_pairs(processors);
    for (const ProcessorPair& pair : pairs) {
      for (const std::size_t batch : {std::size_t{1}, kBatch}) {
        for (const QueueKind& kind : queue_kinds()) {
          if (batch > 1 && !kind.batches) continue;
          add(cases, kind, pair.name, fmt::format("{}, batches of {}", pair.name, batch),
              between(pair, kCapacity, batch));
        }
      }
    }
    if (pairs.size() > 1) sweep(cases, pairs.back());
    if (processors.size() > 1) {
      const auto at = [&](std::size_t i) { return processors[i % processors.size()].number; };
      for (const QueueKind& kind : queue_kinds()) {
        if (!kind.many) continue;
        add(cases, kind, kSpreadOut, kSpreadOut,
            {.capacity = kCapacity, .batch = 1, .producers = {at(0), at(1)}, .consumers = {at(2), at(3)}});
      }
    }
    for (const ProcessorPair& pair : pairs) {
      for (const WakeKind& kind : wake_kinds()) {
        cases.push_back(
            {.settings = {kind.name, pair.name, "", ""},
             .prepare = {},
             .run = [&kind, pair, time = time_] { return kind.run(pair.first, pair.second, time); },
             .note = {},
             .group = "sleep, " + pair.name});
      }
    }
    if (!pairs.empty()) apart_ = pairs.back().name;
    return cases;
  }

  void conclude(LabReport& report) override {
    LabPlot queues = plot_of(report, "operations", "queue", "batch",
                             {{"where", apart_}, {"capacity", std::to_string(kCapacity)}});
    queues.title = "Throughput between " + apart_ + ", by batch size";
    queues.y_title = "elements a second";
    queues.logarithmic = true;
    // Of a sweep over logflume's own.
    std::erase_if(queues.series, [](const LabPlot::Series& series) {
      return series.name != "1" && series.name != std::to_string(kBatch);
    });
    report.plots.push_back(std::move(queues));
    for (const auto& [along, fixed, value] :
         {std::tuple{"capacity", "batch", kBatch}, std::tuple{"batch", "capacity", kCapacity}}) {
      LabPlot plot =
          plot_of(report, "operations", along, "queue", {{"where", apart_}, {fixed, std::to_string(value)}});
      // The others were measured at one point only.
      std::erase_if(plot.series, [](const LabPlot::Series& series) {
        return series.name != kSpscRing && series.name != kMpmcRing;
      });
      if (plot.labels.size() < 2) continue;
      plot.title = fmt::format("Throughput between {} against {}", apart_, along);
      plot.y_title = "elements a second";
      plot.lines = true;
      report.plots.push_back(std::move(plot));
    }
    report.advice = ring_advice(report, apart_);
  }

 private:
  static HandOver between(const ProcessorPair& pair, std::size_t capacity, std::size_t batch) {
    return {.capacity = capacity, .batch = batch, .producers = {pair.first}, .consumers = {pair.second}};
  }

  void add(std::vector<LabCase>& cases, const QueueKind& kind, const std::string& where, std::string group,
           HandOver how) {
    how.time = time_;
    cases.push_back({.settings = {kind.name, where, std::to_string(how.capacity), std::to_string(how.batch)},
                     .prepare = {},
                     .run = [&kind, how] { return kind.run(how); },
                     .note = {},
                     .group = std::move(group)});
  }

  // logflume's own rings against capacity and batch size, between the two processors that are farthest apart.
  void sweep(std::vector<LabCase>& cases, const ProcessorPair& pair) {
    for (const QueueKind& kind : queue_kinds()) {
      if (kind.name != kSpscRing && kind.name != kMpmcRing) continue;
      for (const std::size_t capacity : {16U, 64U, 256U, 4096U, 16384U}) {  // 1024 is above
        add(cases, kind, pair.name, kind.name + " by capacity", between(pair, capacity, kBatch));
      }
      for (const std::size_t batch : {4U, 64U, 256U}) {  // 1 and 16 are above
        add(cases, kind, pair.name, kind.name + " by batch", between(pair, kCapacity, batch));
      }
    }
  }

  Duration time_{};
  std::string apart_ = "one processor";
};

}  // namespace

std::unique_ptr<LabExperiment> make_ring_experiment() { return std::make_unique<RingExperiment>(); }

}  // namespace logflume
