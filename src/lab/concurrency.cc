// `lab concurrency`: what it takes to wait for thousands of connections at a time.
#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "lab/concurrency_advice.h"
#include "lab/experiment.h"
#include "lab/waiting_readers.h"

namespace logflume {
namespace {

constexpr std::size_t kReaders = 10'000;
constexpr std::size_t kReadersMin = 16;

struct Way {
  const char* name;
  ReaderKind kind;
  const char* note;
};
constexpr std::array kWays = {
    Way{kThreadsWay, ReaderKind::kThreads, "std::thread, blocking recv()"},
    Way{kCoroutinesWay, ReaderKind::kCoroutines, "co_await on one thread's epoll"},
    Way{kAsioWay, ReaderKind::kAsioCoroutines, "boost::asio::awaitable, one thread"},
    Way{kEventLoopWay, ReaderKind::kEventLoop, "logflume's own: callbacks on one thread's epoll"},
};

class ConcurrencyExperiment final : public LabExperiment {
 public:
  std::string name() const override { return "concurrency"; }
  std::string question() const override {
    return "What does it take to wait for 10,000 connections at a time: a thread each, a coroutine each, or "
           "one "
           "event loop?";
  }
  std::vector<std::string> settings() const override { return {"way", "wanted"}; }
  std::vector<LabColumn> columns() const override {
    return {{"p50", "wake p50", LabUnit::kSeconds},      {"p99", "p99", LabUnit::kSeconds},
            {"cpu_wake", "CPU each", LabUnit::kSeconds}, {"resident", "RSS each", LabUnit::kBytes},
            {"kernel", "kernel each", LabUnit::kBytes},  {"socket", "connection", LabUnit::kBytes},
            {"readers", "readers", LabUnit::kCount}};
  }

  Result<std::vector<LabCase>> cases(const LabOptions& options) override {
    const std::size_t wake_ups = options.thorough ? 20'000 : 2'000;
    limit_ = reader_limit(kReaders);
    if (limit_.readers < kReadersMin) {
      return Error{Errc::kUnsupported, 0,
                   "no more than " + std::to_string(limit_.readers) + " readers: " + limit_.reason};
    }
    std::vector<std::size_t> counts = {limit_.readers};
    if (options.thorough) counts = {100, 1'000, limit_.readers};
    std::vector<LabCase> cases;
    for (const std::size_t count : counts) {
      if (count > limit_.readers) continue;
      for (const Way& way : kWays) {
        cases.push_back({.settings = {way.name, std::to_string(count)},
                         .prepare = {},
                         .run = [&way, count, wake_ups] { return run(way.kind, count, wake_ups); },
                         .note = way.note,
                         .group = fmt::format("{} readers", count)});
      }
    }
    return cases;
  }

  void conclude(LabReport& report) override {
    report.advice = concurrency_advice(report);
    report.advice.push_back(
        "RSS is that of the readers' process, beside its sockets; kernel is what Slab, KernelStack and "
        "PageTables of "
        "/proc/meminfo grew by, the whole machine's, a reader; connection is the same for both of its "
        "sockets.");
    if (!limit_.reason.empty()) {
      report.advice.push_back(
          fmt::format("Measured with {} readers, not {}: {}.", limit_.readers, kReaders, limit_.reason));
    }
    for (const auto& [keys, title, y] :
         {std::tuple{std::array{"resident", "kernel"}, "Memory of a waiting reader", "bytes"},
          std::tuple{std::array{"p50", "p99"}, "From a write until its reader has it", "seconds"}}) {
      LabPlot plot;
      plot.title = title;
      plot.y_title = y;
      plot.logarithmic = true;
      for (const LabRow& row : report.rows) plot.labels.push_back(row.settings[0] + ", " + row.settings[1]);
      for (const char* key : keys) {
        LabPlot::Series series{.name = key, .values = {}};
        for (std::size_t i = 0; i < report.rows.size(); ++i) {
          const std::optional<LabFigure> figure = report.figure(i, key);
          series.values.push_back(figure ? std::optional(figure->median) : std::nullopt);
        }
        plot.series.push_back(std::move(series));
      }
      report.plots.push_back(std::move(plot));
    }
  }

 private:
  static Result<LabWork> run(ReaderKind kind, std::size_t readers, std::size_t wake_ups) {
    Result<WaitingFigures> figures = measure_waiting(kind, readers, wake_ups);
    if (!figures) return std::move(figures).error();
    LabWork work;
    work.operations = wake_ups;
    work.latencies_ns = std::move(figures->latencies_ns);
    work.others = {{"readers", static_cast<double>(figures->readers)},
                   {"resident", figures->resident_bytes},
                   {"kernel", figures->kernel_bytes},
                   {"socket", figures->socket_bytes},
                   {"cpu_wake", figures->cpu_seconds}};
    return work;
  }

  ReaderLimit limit_;
};

}  // namespace

std::unique_ptr<LabExperiment> make_concurrency_experiment() {
  return std::make_unique<ConcurrencyExperiment>();
}

}  // namespace logflume
