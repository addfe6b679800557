// `lab scan`: how fast lines are found, and what the layout of shared memory costs.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "lab/compare.h"
#include "lab/experiment.h"
#include "lab/layouts.h"
#include "lab/processors.h"
#include "lab/scan_advice.h"
#include "lab/scanners.h"

namespace logflume {
namespace {

class ScanExperiment final : public LabExperiment {
 public:
  std::string name() const override { return "scan"; }
  std::string question() const override {
    return "How fast are the ends of lines found, and what does the layout of memory cost that threads "
           "share?";
  }
  std::vector<std::string> settings() const override { return {"work", "by", "of"}; }
  std::vector<LabColumn> columns() const override {
    return {{"time", "each", LabUnit::kSeconds},
            {"rate", "rate", LabUnit::kBytesPerSecond},
            {"operations", "operations", LabUnit::kPerSecond},
            {"relative", "of best", LabUnit::kRatio}};
  }

  Result<std::vector<LabCase>> cases(const LabOptions& options) override {
    const Duration time = lab_time(options, 15ms, 100ms);
    std::vector<LabCase> cases;
    const std::vector<std::size_t> lengths = {20, 200};
    for (const std::size_t length : lengths) texts_.push_back(std::make_unique<ScanText>(length));
    for (const Scanner& scanner : scanners()) {
      for (std::size_t i = 0; i < lengths.size(); ++i) {
        for (const bool aligned : {true, false}) {
          // Where the text lies was asked of the plain lines only.
          if (!aligned && lengths[i] != 200) continue;
          cases.push_back(
              {.settings = {scanner.work, scanner.by,
                            fmt::format("{} B lines{}", lengths[i], aligned ? "" : ", unaligned")},
               .prepare = {},
               .run = [&scanner, text = texts_[i].get(), aligned,
                       time] { return scan(scanner, *text, aligned, time); },
               .note = {},
               .group = scanner.work});
        }
      }
    }
    const std::vector<Processor> processors = usable_processors();
    for (const Layout& layout : layouts()) {
      for (std::size_t threads = 1;; threads = std::min(threads * 2, processors.size())) {
        std::vector<int> on;
        for (std::size_t i = 0; i < threads; ++i) on.push_back(processors[i].number);
        cases.push_back({.settings = {layout.work, layout.name,
                                      fmt::format("{} thread{}", threads, threads == 1 ? "" : "s")},
                         .prepare = {},
                         .run = [&layout, on, time] { return layout.run(on, time); },
                         .note = {},
                         .group = layout.work});
        if (threads >= processors.size()) break;
      }
    }
    return cases;
  }

  void conclude(LabReport& report) override {
    report.advice = scan_advice(report);
    for (const char* work : {kCountWork, kIndexWork}) {
      LabPlot plot = plot_of(report, "rate", "by", "of", {{"work", work}});
      plot.title = fmt::format("To {} of 256 KiB in the cache", work);
      plot.y_title = "bytes a second";
      plot.logarithmic = true;
      report.plots.push_back(std::move(plot));
    }
    for (const char* work : {kCounterWork, kRecordWork}) {
      LabPlot plot = plot_of(report, "operations", "of", "by", {{"work", work}});
      plot.title = fmt::format("To {}, all threads together", work);
      plot.y_title = "operations a second";
      plot.lines = true;
      report.plots.push_back(std::move(plot));
    }
  }

 private:
  std::vector<std::unique_ptr<ScanText>> texts_;
};

}  // namespace

std::unique_ptr<LabExperiment> make_scan_experiment() { return std::make_unique<ScanExperiment>(); }

}  // namespace logflume
