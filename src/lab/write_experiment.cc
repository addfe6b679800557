// `lab write`: what a line costs that is written to a file, by how it is written and when it is durable.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "lab/compare.h"
#include "lab/figures.h"
#include "lab/log_files.h"
#include "lab/write_job.h"

namespace logflume {
namespace {

constexpr std::uint64_t kQuickBytes = 256ULL * 1024 * 1024;
constexpr std::uint64_t kThoroughBytes = 1024ULL * 1024 * 1024;
constexpr std::uint64_t kBytesMin = 4ULL * 1024 * 1024;
constexpr Duration kQuickTime = 150ms;
constexpr Duration kThoroughTime = 500ms;
constexpr std::size_t kKiB = 1024;
constexpr const char* kCached = "into the page cache";
constexpr const char* kDurable = "durable";

class WriteExperiment final : public LabExperiment {
 public:
  std::string name() const override { return "write"; }
  std::string question() const override { return "What does it cost to write a line to a file?"; }
  std::vector<std::string> settings() const override { return {"way", "at once"}; }
  std::vector<LabColumn> columns() const override {
    return {{"rate", "rate", LabUnit::kBytesPerSecond},
            {"relative", "relative", LabUnit::kRatio},
            {"operations", "lines", LabUnit::kPerSecond},
            {"calls_per_operation", "calls/line", LabUnit::kCount},
            {"system_calls", "calls", LabUnit::kCount},
            {"cpu", "CPU", LabUnit::kSecondsPerGB},
            {"p50", "call p50", LabUnit::kSeconds},
            {"p99", "call p99", LabUnit::kSeconds},
            {"switches_per_gb", "switches/GB", LabUnit::kCount},
            {"faults_per_gb", "faults/GB", LabUnit::kCount}};
  }
  std::uint64_t disk_bytes(const LabOptions& options) const override { return file_bytes(options); }
  Result<std::vector<LabCase>> cases(const LabOptions& options) override;
  void conclude(LabReport& report) override;

 private:
  static std::uint64_t file_bytes(const LabOptions& options) {
    const std::uint64_t chosen = options.thorough ? kThoroughBytes : kQuickBytes;
    return std::max(options.bytes > 0 ? options.bytes : chosen, kBytesMin);
  }
  void add(const char* group, const std::string& way, const std::string& at_once,
           std::function<Result<LabWork>(const WriteJob&)> run, int open_flags = 0);

  std::string text_;
  std::vector<std::uint32_t> latencies_ns_;
  WriteJob job_;
  std::vector<LabCase> cases_;
};

void WriteExperiment::add(const char* group, const std::string& way, const std::string& at_once,
                          std::function<Result<LabWork>(const WriteJob&)> run, int open_flags) {
  LabCase subject;
  subject.settings = {way, at_once};
  subject.group = group;
  subject.run = [this, run = std::move(run), open_flags] {
    WriteJob job = job_;
    job.open_flags = open_flags;
    return run(job);
  };
  cases_.push_back(std::move(subject));
}

Result<std::vector<LabCase>> WriteExperiment::cases(const LabOptions& options) {
  text_ = log_text(1);
  latencies_ns_.reserve(256 * kKiB);
  job_.path = options.directory + "/lines";
  job_.bytes_max = file_bytes(options);
  job_.time = lab_time(options, kQuickTime, kThoroughTime);
  job_.latencies_ns = &latencies_ns_;
  for (std::size_t at = 0; at < text_.size();) {
    const std::size_t end = text_.find('\n', at) + 1;
    job_.lines.push_back(std::string_view(text_).substr(at, end - at));
    at = end;
  }

  add(kCached, "write", "1 line", [](const WriteJob& job) { return write_each_line(job, false); });
  for (const std::size_t bytes : {4 * kKiB, 16 * kKiB, 64 * kKiB, 256 * kKiB, 1024 * kKiB}) {
    add(kCached, "buffer, write", lab_size_text(bytes),
        [bytes](const WriteJob& job) { return write_buffered(job, bytes, false); });
  }
  for (const std::size_t lines : {16UL, 128UL, 1024UL}) {
    add(kCached, "writev", fmt::format("{} lines", lines),
        [lines](const WriteJob& job) { return write_vectors(job, lines); });
  }

  add(
      kDurable, "write, O_DSYNC", "1 line", [](const WriteJob& job) { return write_each_line(job, false); },
      O_DSYNC);
  add(kDurable, "write, fdatasync", "1 line", [](const WriteJob& job) { return write_each_line(job, true); });
  for (const std::size_t bytes : {4 * kKiB, 64 * kKiB, 1024 * kKiB, 8 * 1024 * kKiB}) {
    if (bytes > job_.bytes_max / 2) continue;
    add(
        kDurable, "buffer, O_DSYNC", lab_size_text(bytes),
        [bytes](const WriteJob& job) { return write_buffered(job, bytes, false); }, O_DSYNC);
    add(kDurable, "buffer, fdatasync", lab_size_text(bytes),
        [bytes](const WriteJob& job) { return write_buffered(job, bytes, true); });
    add(kDurable, "mmap, msync", lab_size_text(bytes),
        [bytes](const WriteJob& job) { return write_mapped(job, bytes); });
  }
  return std::move(cases_);
}

// The smallest buffer that no larger one beats, beyond what chance does.
std::optional<std::size_t> enough(const LabReport& report, const std::string& way) {
  std::optional<std::size_t> found;
  for (std::size_t index = 0; index < report.rows.size(); ++index) {
    const auto rate = report.figure(index, "rate");
    if (report.rows[index].settings[0] != way || !rate) continue;
    if (!found || lab_above(*rate, *report.figure(*found, "rate"))) found = index;
  }
  return found;
}

void advise_buffer(LabReport& report) {
  const LabRows rows(report);
  const auto line = [&rows](const char* key) {
    return rows.figure({{"way", "write"}, {"at once", "1 line"}}, key);
  };
  const auto best = enough(report, "buffer, write");
  if (!best) return;
  const auto slow = line("rate");
  const auto fast = report.figure(*best, "rate");
  if (!slow || !fast || !lab_above(*fast, *slow)) return;
  std::string saved;
  const auto slow_cpu = line("cpu");
  const auto fast_cpu = report.figure(*best, "cpu");
  if (slow_cpu && fast_cpu && lab_above(*slow_cpu, *fast_cpu)) {
    saved = fmt::format(" and {:.2f} instead of {:.2f} CPU seconds a GB", fast_cpu->median, slow_cpu->median);
  }
  report.advice.push_back(fmt::format(
      "What writes logs should gather them: a buffer of {} is {}{}; more is not measurably faster. What is "
      "in the buffer when "
      "the program crashes is lost, so flush it with each error and each second.",
      report.rows[*best].settings[1],
      lab_faster_text(fast->median, slow->median, "one write() for each line"), saved));
}

void advise_commit(LabReport& report) {
  const LabRows rows(report);
  const auto each = [&rows](const char* key) {
    return rows.figure({{"way", "write, fdatasync"}, {"at once", "1 line"}}, key);
  };
  const auto group = enough(report, "buffer, fdatasync");
  if (!group) return;
  const auto sync = each("p50");
  const auto slow = each("operations");
  const auto fast = report.figure(*group, "operations");
  const auto rate = report.figure(*group, "rate");
  if (!sync || !slow || !fast || !rate || !lab_above(*fast, *slow)) return;
  const auto linger_ms = static_cast<std::uint64_t>(std::max(sync->median * 10 * 1000, 1.0) + 0.5);
  report.advice.push_back(fmt::format(
      "A line that must be durable takes {} by itself, so {} a second at most; with an fdatasync for each {} "
      "it is {}. "
      "The file sink syncs once a batch: give it a batch.linger of {}ms or more, so that it waits for the "
      "disk a tenth "
      "of the time at most.",
      lab_value_text(sync->median, LabUnit::kSeconds), lab_value_text(slow->median, LabUnit::kCount),
      report.rows[*group].settings[1], lab_value_text(fast->median, LabUnit::kCount), linger_ms));
  report.advice.push_back(
      fmt::format("A buffer of type: disk takes no more than {} here; buffer.overflow: 64MiB keeps short "
                  "outages in memory, "
                  "without the disk.",
                  lab_value_text(rate->median, LabUnit::kBytesPerSecond)));
}

LabPlot plot_of(const LabReport& report, const std::string& group) {
  LabPlot plot;
  plot.title = "Throughput, " + group;
  plot.y_title = "MB/s";
  plot.logarithmic = true;
  LabPlot::Series series{"rate", {}};
  for (std::size_t index = 0; index < report.rows.size(); ++index) {
    const auto rate = report.figure(index, "rate");
    if (report.rows[index].group != group || !rate) continue;
    plot.labels.push_back(
        fmt::format("{}, {}", report.rows[index].settings[0], report.rows[index].settings[1]));
    series.values.push_back(rate->median / 1e6);
  }
  plot.series.push_back(std::move(series));
  return plot;
}

void WriteExperiment::conclude(LabReport& report) {
  advise_buffer(report);
  advise_commit(report);
  report.plots.push_back(plot_of(report, kCached));
  report.plots.push_back(plot_of(report, kDurable));
}

}  // namespace

std::unique_ptr<LabExperiment> make_write_experiment() { return std::make_unique<WriteExperiment>(); }

}  // namespace logflume
