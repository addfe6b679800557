#include "lab/io_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "lab/figures.h"
#include "lab/io_ways.h"

namespace logflume {
namespace {

// The rows by what they are.
class IoRows {
 public:
  explicit IoRows(const LabReport& report) : report_(report) {}

  std::optional<LabFigure> rate(const std::string& group, const std::string& way, std::size_t block,
                                const std::string& files = "1") const {
    const std::vector<std::string> settings{way, lab_size_text(block), files};
    for (std::size_t index = 0; index < report_.rows.size(); ++index) {
      if (report_.rows[index].group == group && report_.rows[index].settings == settings) {
        return report_.figure(index, "rate");
      }
    }
    return std::nullopt;
  }

 private:
  const LabReport& report_;
};

std::string rate_text(const LabFigure& rate) { return lab_value_text(rate.median, LabUnit::kBytesPerSecond); }

// Which read_mode to configure, by what the agent's own readers did.
void advise_read_mode(const IoRows& rows, const std::string& cache, std::vector<std::string>& advice) {
  const std::string group = "sequential, " + cache;
  const auto pread = rows.rate(group, agent_way_name("pread"), kIoAgentBytes);
  if (!pread) return;
  std::string best = "pread";
  LabFigure best_rate = *pread;
  std::vector<std::string> others;
  for (const std::string mode : {"mmap", "io_uring"}) {
    const auto rate = rows.rate(group, agent_way_name(mode), kIoAgentBytes);
    if (!rate) {
      if (cache == "warm") others.push_back(mode + " cannot be had here");
    } else if (lab_above(*rate, *pread)) {
      if (rate->median > best_rate.median) {
        best = mode;
        best_rate = *rate;
      }
    } else if (lab_above(*pread, *rate)) {
      others.push_back(fmt::format("{} is {}", mode, lab_faster_text(rate->median, pread->median, "that")));
    } else {
      others.push_back(mode + " is not measurably different");
    }
  }
  if (best != "pread") {
    advice.push_back(fmt::format(
        "If most of what the agent reads is {}, set read_mode: {}. On this machine it reads {} files at "
        "{}, {}.",
        cache, best, cache, rate_text(best_rate), lab_faster_text(best_rate.median, pread->median, "pread")));
  } else if (!others.empty()) {
    advice.push_back(
        fmt::format("For {} files leave read_mode at auto, which is pread and reads them at {}: {}.", cache,
                    rate_text(*pread), fmt::join(others, ", ")));
  }
}

void advise_block(const IoRows& rows, std::vector<std::string>& advice) {
  const auto small = rows.rate("sequential, warm", "pread", 4096);
  const auto agent = rows.rate("sequential, warm", "pread", kIoAgentBytes);
  if (!small || !agent) return;
  if (lab_above(*agent, *small)) {
    advice.push_back(fmt::format("pread with 256 KiB, as the agent does it, is {}.",
                                 lab_faster_text(agent->median, small->median, "with 4 KiB")));
  }
  for (const std::size_t block : {std::size_t{64} << 10, std::size_t{1} << 20}) {
    const auto rate = rows.rate("sequential, warm", "pread", block);
    if (rate && lab_above(*rate, *agent)) {
      advice.push_back(fmt::format("pread with {} is {}.", lab_size_text(block),
                                   lab_faster_text(rate->median, agent->median,
                                                   "with 256 KiB, which is what the "
                                                   "agent does")));
    }
  }
}

void advise_cache(const IoRows& rows, std::vector<std::string>& advice) {
  const auto warm = rows.rate("sequential, warm", "pread", kIoAgentBytes);
  const auto cold = rows.rate("sequential, cold", "pread", kIoAgentBytes);
  const auto direct = rows.rate("sequential, O_DIRECT", "pread", kIoAgentBytes);
  if (warm && cold && lab_above(*warm, *cold)) {
    advice.push_back(
        fmt::format("A file that is in the page cache comes at {}, one that is not at {}: a collector "
                    "that keeps up with what is written never waits for the disk.",
                    rate_text(*warm), rate_text(*cold)));
  }
  if (cold && direct && lab_above(*cold, *direct)) {
    advice.push_back(fmt::format("O_DIRECT is {}, which reads ahead: there is nothing to gain by it.",
                                 lab_faster_text(direct->median, cold->median,
                                                 "reading cold files through the page "
                                                 "cache")));
  }
}

// Random reads with one and with many in flight: what the disk can do that a single reader does not ask for.
void advise_depth(const IoRows& rows, std::vector<std::string>& advice) {
  const auto one = rows.rate("random, O_DIRECT", "pread", 4096);
  const auto many = rows.rate("random, O_DIRECT", "io_uring", 4096, "64");
  if (!one || !many || !lab_above(*many, *one)) return;
  advice.push_back(fmt::format(
      "With 64 random reads in flight this disk is {}: a backlog is worth several readers at a time.",
      lab_faster_text(many->median, one->median, "with one")));
}

void advise_streams(const LabReport& report, std::vector<std::string>& advice) {
  for (const LabRow& row : report.rows) {
    if (row.error.empty() || row.settings[0] != "epoll ET, a file") continue;
    advice.push_back("epoll says of a file: \"" + row.error +
                     "\". What waits for lines in a file must use inotify, as the agent does.");
    return;
  }
}

// Rates of one group at the agent's block (or the only one), a bar for each way.
void plot_group(LabReport& report, const std::string& group, const std::string& title) {
  LabPlot plot;
  plot.title = title;
  plot.y_title = "MB/s";
  std::vector<std::string> counts;
  for (std::size_t index = 0; index < report.rows.size(); ++index) {
    const LabRow& row = report.rows[index];
    if (row.group != group || !report.figure(index, "rate")) continue;
    const std::string label = row.settings[0] + ", " + row.settings[1];
    if (std::find(plot.labels.begin(), plot.labels.end(), label) == plot.labels.end())
      plot.labels.push_back(label);
    if (std::find(counts.begin(), counts.end(), row.settings[2]) == counts.end())
      counts.push_back(row.settings[2]);
  }
  if (plot.labels.empty()) return;
  for (const std::string& count : counts) {
    LabPlot::Series series{count + (count == "1" ? " file" : " files"), {}};
    series.values.resize(plot.labels.size());
    for (std::size_t index = 0; index < report.rows.size(); ++index) {
      const LabRow& row = report.rows[index];
      const auto rate = report.figure(index, "rate");
      if (row.group != group || row.settings[2] != count || !rate) continue;
      const auto label =
          std::find(plot.labels.begin(), plot.labels.end(), row.settings[0] + ", " + row.settings[1]);
      series.values[static_cast<std::size_t>(label - plot.labels.begin())] = rate->median / 1e6;
    }
    plot.series.push_back(std::move(series));
  }
  report.plots.push_back(std::move(plot));
}

}  // namespace

void conclude_io(LabReport& report) {
  const IoRows rows(report);
  advise_read_mode(rows, "warm", report.advice);
  advise_read_mode(rows, "cold", report.advice);
  advise_block(rows, report.advice);
  advise_cache(rows, report.advice);
  advise_depth(rows, report.advice);
  advise_streams(report, report.advice);
  std::vector<std::string> groups;
  for (const LabRow& row : report.rows) {
    if (groups.empty() || groups.back() != row.group) groups.push_back(row.group);
  }
  for (const std::string& group : groups) plot_group(report, group, "Throughput, " + group);
}

}  // namespace logflume
