// What an experiment found: rows of figures with their spread, plots, advice; as a table, JSON or a page.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "lab/machine.h"

namespace logflume {

enum class LabUnit {
  kBytesPerSecond,
  kPerSecond,
  kSeconds,       // shown as ns, us, ms or s
  kSecondsPerGB,  // CPU seconds for 10^9 bytes
  kPercentOfCore,
  kPercent,
  kBytes,
  kCount,
  kRatio,  // "3.2x"
};

// A column of figures. The runner computes, from what LabWork and the kernel say, those with these keys:
//   rate          bytes a second            operations    operations a second
//   time          seconds an operation      p50 p99 p999  latency of an operation, seconds
//   cpu           CPU seconds a GB          cpu_percent   CPU, of a core, while it ran
//   cpu_time      CPU seconds an operation  system_calls  of a repetition, made by the case
//   calls_per_mb  system calls a MB         calls_per_operation
//   switches      context switches of a repetition, of either kind; voluntary, involuntary
//   switches_per_gb                         faults        page faults without I/O, of a repetition
//   faults_per_gb                           major_faults  page faults that waited for I/O, of a repetition
//   relative      its rate (or operations), as a ratio to the best row's of its group
// Other keys are LabWork::others'.
struct LabColumn {
  std::string key;
  std::string title;
  LabUnit unit = LabUnit::kCount;
};

// Of the repetitions.
struct LabFigure {
  double median = 0;
  double low = 0;
  double high = 0;
};

struct LabRow {
  std::vector<std::string> settings;
  std::vector<std::optional<LabFigure>> figures;  // in the order of the columns; none where not measured
  std::string note;
  std::string error;  // why the case cannot be run here, as the kernel says it; then no figures
  std::string group;  // as of its case
  int repeats = 0;    // that were measured
};

struct LabPlot {
  struct Series {
    std::string name;
    std::vector<std::optional<double>> values;  // one for each label
  };
  std::string title;
  std::string x_title;
  std::string y_title;
  std::vector<std::string> labels;  // along x
  std::vector<Series> series;
  bool lines = false;        // else bars
  bool logarithmic = false;  // y
};

struct LabReport {
  std::string experiment;
  std::string question;
  LabMachine machine;
  bool thorough = false;
  int repeats = 0;
  double seconds = 0;  // that it all took
  std::vector<std::string> settings;
  std::vector<LabColumn> columns;
  std::vector<LabRow> rows;
  std::vector<LabPlot> plots;
  std::vector<std::string> advice;

  // The figure under this key in row `index`; none where the column or the figure is not there.
  std::optional<LabFigure> figure(std::size_t index, const std::string& key) const;
};

// Half the distance of the slowest from the fastest, as a share of the median.
double lab_spread(const LabFigure& figure);
// "7.1 GB/s", "84 ns", "2.1 %".
std::string lab_value_text(double value, LabUnit unit);
// "256 KiB": of a block or a buffer. REQUIRES: whole KiB.
std::string lab_size_text(std::size_t bytes);
// For a terminal or a file: the machine, the table, the advice. `width`: of the terminal; 0 for no limit.
// Columns that do not fit are left out, the last ones first, and it says so.
std::string lab_text(const LabReport& report, std::size_t width, bool colour);
// One object; its shape is described in docs/lab.md.
std::string lab_json(const LabReport& report);
// One page for all of them, with plots and nothing that it would have to fetch.
std::string lab_html(const std::vector<LabReport>& reports);

}  // namespace logflume
