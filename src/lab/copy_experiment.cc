// `lab copy`: the ways from a file to a socket.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "lab/copy_job.h"
#include "lab/figures.h"
#include "lab/log_files.h"

namespace logflume {
namespace {

constexpr std::uint64_t kFileBytes = 64ULL * 1024 * 1024;
constexpr std::uint64_t kBytesMin = 1024ULL * 1024;
constexpr Duration kQuickTime = 300ms;
constexpr Duration kThoroughTime = 1s;
constexpr std::size_t kKiB = 1024;
constexpr std::size_t kAgentBytes = 256 * kKiB;
constexpr const char* kTcp = "TCP, 127.0.0.1";

class CopyExperiment final : public LabExperiment {
 public:
  std::string name() const override { return "copy"; }
  std::string question() const override { return "What does it cost to send a file to a socket?"; }
  std::vector<std::string> settings() const override { return {"way", "at once"}; }
  std::vector<LabColumn> columns() const override {
    return {
        {"rate", "rate", LabUnit::kBytesPerSecond},      {"cpu", "CPU", LabUnit::kSecondsPerGB},
        {"copies", "copies", LabUnit::kCount},           {"kernel_copied", "says copied", LabUnit::kPercent},
        {"calls_per_mb", "calls/MB", LabUnit::kCount},   {"switches_per_gb", "switches/GB", LabUnit::kCount},
        {"faults_per_gb", "faults/GB", LabUnit::kCount}, {"relative", "relative", LabUnit::kRatio}};
  }
  std::uint64_t disk_bytes(const LabOptions& options) const override { return file_bytes(options); }
  Result<std::vector<LabCase>> cases(const LabOptions& options) override;
  void conclude(LabReport& report) override;

 private:
  static std::uint64_t file_bytes(const LabOptions& options) {
    return std::max(options.bytes > 0 ? options.bytes : kFileBytes, kBytesMin);
  }
  void add(const std::string& way, std::size_t block, bool unix_socket,
           std::function<Result<LabWork>(const CopyJob&)> run);
  void add_all(bool unix_socket, bool thorough);

  Duration time_{};
  std::optional<LogFiles> file_;
  std::vector<LabCase> cases_;
};

void CopyExperiment::add(const std::string& way, std::size_t block, bool unix_socket,
                         std::function<Result<LabWork>(const CopyJob&)> run) {
  LabCase subject;
  subject.settings = {way, lab_size_text(block)};
  subject.group = unix_socket ? "Unix socket" : kTcp;
  subject.prepare = [this] { return file_->warm(); };
  CopyJob job;
  job.file = file_->fds().front();
  job.file_bytes = file_->file_bytes();
  job.block_bytes = block;
  job.time = time_;
  job.unix_socket = unix_socket;
  subject.run = [run = std::move(run), job] { return run(job); };
  cases_.push_back(std::move(subject));
}

void CopyExperiment::add_all(bool unix_socket, bool thorough) {
  for (const std::size_t block : {64 * kKiB, kAgentBytes, 1024 * kKiB}) {
    // Quick: all ways at the agent's block, the others' by the two that matter.
    const bool all = thorough || block == kAgentBytes;
    add("read, send", block, unix_socket, copy_by_read);
    if (all) add("mmap, send", block, unix_socket, copy_by_mmap);
    add("sendfile", block, unix_socket, copy_by_sendfile);
    if (!all) continue;
    add("splice", block, unix_socket, copy_by_splice);
    add("read, MSG_ZEROCOPY", block, unix_socket,
        [](const CopyJob& job) { return copy_by_zerocopy(job, true); });
    add("mmap, MSG_ZEROCOPY", block, unix_socket,
        [](const CopyJob& job) { return copy_by_zerocopy(job, false); });
  }
}

Result<std::vector<LabCase>> CopyExperiment::cases(const LabOptions& options) {
  time_ = lab_time(options, kQuickTime, kThoroughTime);
  Result<LogFiles> file = LogFiles::make(options.directory, "file", 1, file_bytes(options), options.stop);
  if (!file) return std::move(file).error();
  file_.emplace(std::move(*file));
  add_all(false, options.thorough);
  if (options.thorough) add_all(true, true);
  return std::move(cases_);
}

// The row of a way at the agent's block, over TCP.
std::optional<std::size_t> row_of(const LabReport& report, const std::string& way) {
  for (std::size_t index = 0; index < report.rows.size(); ++index) {
    const LabRow& row = report.rows[index];
    if (row.group == kTcp && row.settings[0] == way && row.settings[1] == lab_size_text(kAgentBytes))
      return index;
  }
  return std::nullopt;
}

void advise_sendfile(LabReport& report) {
  const auto copy = row_of(report, "read, send");
  const auto direct = row_of(report, "sendfile");
  if (!copy || !direct) return;
  const auto slow = report.figure(*copy, "rate");
  const auto fast = report.figure(*direct, "rate");
  const auto slow_cpu = report.figure(*copy, "cpu");
  const auto fast_cpu = report.figure(*direct, "cpu");
  if (!slow || !fast || !slow_cpu || !fast_cpu) return;
  if (lab_above(*slow_cpu, *fast_cpu)) {
    report.advice.push_back(fmt::format(
        "sendfile takes {:.2f} CPU seconds a GB where read and send take {:.2f}{}.", fast_cpu->median,
        slow_cpu->median,
        lab_above(*fast, *slow) ? ", and is " + lab_faster_text(fast->median, slow->median, "they are")
                                : ""));
  } else if (lab_above(*fast_cpu, *slow_cpu)) {
    report.advice.push_back(
        fmt::format("sendfile costs more here than read and send: {:.2f} CPU seconds a GB instead of "
                    "{:.2f}. Copying is not what this machine spends its time with.",
                    fast_cpu->median, slow_cpu->median));
  } else {
    report.advice.push_back("sendfile costs no less CPU here than read and send.");
  }
}

void advise_zerocopy(LabReport& report) {
  const auto row = row_of(report, "mmap, MSG_ZEROCOPY");
  if (!row) return;
  const auto copied = report.figure(*row, "kernel_copied");
  if (!report.rows[*row].error.empty()) {
    report.advice.push_back("MSG_ZEROCOPY cannot be had here: " + report.rows[*row].error + ".");
  } else if (copied && copied->median >= 50) {
    report.advice.push_back(fmt::format(
        "MSG_ZEROCOPY: the kernel says that it copied {:.0f} % all the same, as it does where the receiver "
        "is on the same machine. Its figures here say nothing of a network card.",
        copied->median));
  }
}

void CopyExperiment::conclude(LabReport& report) {
  advise_sendfile(report);
  advise_zerocopy(report);
  LabPlot plot;
  plot.title = "CPU of the sender";
  plot.y_title = "seconds a GB";
  LabPlot rates;
  rates.title = "Throughput";
  rates.y_title = "MB/s";
  plot.series.push_back({"CPU", {}});
  rates.series.push_back({"rate", {}});
  for (std::size_t index = 0; index < report.rows.size(); ++index) {
    const auto cpu = report.figure(index, "cpu");
    const auto rate = report.figure(index, "rate");
    const LabRow& row = report.rows[index];
    if (!cpu || !rate) continue;
    const std::string label =
        fmt::format("{}, {}{}", row.settings[0], row.settings[1], row.group == kTcp ? "" : ", " + row.group);
    plot.labels.push_back(label);
    rates.labels.push_back(label);
    plot.series[0].values.push_back(cpu->median);
    rates.series[0].values.push_back(rate->median / 1e6);
  }
  report.plots.push_back(std::move(rates));
  report.plots.push_back(std::move(plot));
}

}  // namespace

std::unique_ptr<LabExperiment> make_copy_experiment() { return std::make_unique<CopyExperiment>(); }

}  // namespace logflume
