// `lab io`: reading log files in every way that Linux has.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "lab/figures.h"
#include "lab/fio.h"
#include "lab/io_advice.h"
#include "lab/io_job.h"
#include "lab/io_ways.h"
#include "lab/log_files.h"

namespace logflume {
namespace {

constexpr std::uint64_t kQuickBytes = 128ULL * 1024 * 1024;
constexpr std::uint64_t kThoroughBytes = 512ULL * 1024 * 1024;
constexpr std::uint64_t kBytesMin = 16ULL * 1024 * 1024;
constexpr Duration kQuickTime = 80ms;
constexpr Duration kThoroughTime = 250ms;
constexpr int kFioTurns = 3;  // of what it takes for itself
constexpr std::size_t kKiB = 1024;
constexpr std::size_t kRandomBytes = 4 * kKiB;
constexpr std::size_t kStreamBytes = 64 * kKiB;
constexpr std::size_t kBufferBytes = 64 * kIoAgentBytes;
constexpr std::array<std::size_t, 3> kFileCounts{1, 4, 64};
constexpr std::array<std::size_t, 4> kBlocks{4 * kKiB, 64 * kKiB, 256 * kKiB, 1024 * kKiB};

// What the files hold is in memory, is not, or goes past it.
enum class Cache { kWarm, kCold, kDirect };

std::string group_name(bool random, Cache cache) {
  const char* const from = cache == Cache::kWarm ? "warm" : cache == Cache::kCold ? "cold" : "O_DIRECT";
  return std::string(random ? "random, " : "sequential, ") + from;
}

class IoExperiment final : public LabExperiment {
 public:
  std::string name() const override { return "io"; }
  std::string question() const override {
    return "By which way are log files read fastest, and what does it cost?";
  }
  std::vector<std::string> settings() const override { return {"way", "block", "files"}; }
  std::vector<LabColumn> columns() const override {
    std::vector<LabColumn> columns{{"rate", "rate", LabUnit::kBytesPerSecond},
                                   {"cpu", "CPU", LabUnit::kSecondsPerGB},
                                   {"p50", "p50", LabUnit::kSeconds},
                                   {"p99", "p99", LabUnit::kSeconds},
                                   {"calls_per_mb", "calls/MB", LabUnit::kCount},
                                   {"switches_per_gb", "switches/GB", LabUnit::kCount},
                                   {"faults_per_gb", "faults/GB", LabUnit::kCount},
                                   {"operations", "reads", LabUnit::kPerSecond}};
    if (beside_fio_) columns.insert(columns.begin() + 1, {"to_fio", "to fio", LabUnit::kRatio});
    return columns;
  }
  std::uint64_t disk_bytes(const LabOptions& options) const override { return 3 * set_bytes(options); }
  Result<std::vector<LabCase>> cases(const LabOptions& options) override;
  void conclude(LabReport& report) override {
    if (beside_fio_) compare_with_fio(report);
    conclude_io(report);
  }

 private:
  static std::uint64_t set_bytes(const LabOptions& options) {
    const std::uint64_t chosen = options.thorough ? kThoroughBytes : kQuickBytes;
    return std::bit_floor(std::max(options.bytes > 0 ? options.bytes : chosen, kBytesMin));
  }

  Result<void> measure_fio();
  void add_quick();
  void add_all();
  void add_streams(bool thorough);
  void add(const IoWay& way, std::size_t block, std::size_t files, bool random, Cache cache);
  void add_fio(const IoWay& way, const LabCase& twin, const IoJob& job, std::size_t files, Cache cache);
  void add_stream(const std::string& way, std::size_t count,
                  std::function<Result<LabWork>(const IoJob&)> run);
  void compare_with_fio(LabReport& report) const;

  std::string directory_;
  bool beside_fio_ = false;
  std::map<bool, double> fio_overhead_seconds_;  // of one of its reads, by whether it is random
  Duration time_{};
  std::map<std::size_t, LogFiles> sets_;  // by the number of files
  std::unique_ptr<IoBuffers> buffers_;
  std::vector<LabCase> cases_;
};

Result<std::vector<LabCase>> IoExperiment::cases(const LabOptions& options) {
  beside_fio_ = (options.fio || options.thorough) && fio_installed();
  if (options.fio && !beside_fio_) return Error{Errc::kNotFound, 0, "fio is not installed"};
  directory_ = options.directory;
  // fio counts milliseconds: its runs are long enough for that.
  time_ = lab_time(options, beside_fio_ ? kThoroughTime : kQuickTime, kThoroughTime);
  for (const std::size_t count : kFileCounts) {
    Result<LogFiles> set =
        LogFiles::make(directory_, fmt::format("files{}", count), count, set_bytes(options), options.stop);
    if (!set) return std::move(set).error();
    sets_.emplace(count, std::move(*set));
  }
  Result<std::unique_ptr<IoBuffers>> buffers = IoBuffers::make(kBlocks.back(), kBufferBytes);
  if (!buffers) return std::move(buffers).error();
  buffers_ = std::move(*buffers);
  if (beside_fio_) {
    if (Result<void> known = measure_fio(); !known) return std::move(known).error();
  }
  if (options.thorough) {
    add_all();
  } else {
    add_quick();
  }
  add_streams(options.thorough);
  return std::move(cases_);
}

// What fio takes for a read beside the reading: some 200 ns, which is much where 4 KiB come from the cache.
Result<void> IoExperiment::measure_fio() {
  for (const bool random : {false, true}) {
    const FioJob nothing{"null", {}, 1,    sets_.at(1).file_bytes(), kRandomBytes, random, false,
                         true,   1,  time_};
    std::vector<double> each;
    for (int turn = 0; turn < kFioTurns; ++turn) {
      const Result<LabWork> work = run_fio(nothing, directory_, "files1");
      if (!work) return work.error();
      if (work->operations == 0) return Error{Errc::kCorrupt, 0, "fio's null engine read nothing"};
      each.push_back(work->usage->seconds / static_cast<double>(work->operations));
    }
    fio_overhead_seconds_[random] = lab_figure(std::move(each)).median;
  }
  return {};
}

void IoExperiment::add(const IoWay& way, std::size_t block, std::size_t files, bool random, Cache cache) {
  LogFiles& set = sets_.at(files);
  IoJob job;
  job.file_bytes = set.file_bytes();
  job.block_bytes = block;
  job.random = random;
  // A reader of logs sees each page of a map once: a second pass, which takes no faults, would flatter it.
  job.again = cache != Cache::kCold && !way.maps;
  job.in_flight = way.several ? static_cast<unsigned>(files) : 1;
  job.time = time_;
  job.buffers = buffers_.get();

  LabCase subject;
  subject.settings = {way.name, lab_size_text(block), std::to_string(files)};
  subject.group = group_name(random, cache);
  if (cache != Cache::kDirect) {
    subject.prepare = [&set, cache] { return cache == Cache::kWarm ? set.warm() : set.evict(); };
  }
  const int flags = way.open_flags | (cache == Cache::kDirect ? O_DIRECT : 0);
  subject.run = [&set, &way, job, flags]() -> Result<LabWork> {
    // Opened anew: what the kernel learnt of the last reader's ways goes with its descriptor.
    const Result<std::vector<UniqueFd>> opened = set.open_again(flags);
    if (!opened) return opened.error();
    IoJob own = job;
    for (const UniqueFd& fd : *opened) own.fds.push_back(fd.get());
    return way.run(own);
  };
  if (way.fio_engine.empty()) {
    cases_.push_back(std::move(subject));
    return;
  }
  add_fio(way, subject, job, files, cache);
}

// The case, with the command of its equivalent, and where it is wanted that one beside it.
void IoExperiment::add_fio(const IoWay& way, const LabCase& twin, const IoJob& job, std::size_t files,
                           Cache cache) {
  FioJob fio{way.fio_engine, way.fio_options,         files,     job.file_bytes, job.block_bytes,
             job.random,     cache == Cache::kDirect, job.again, job.in_flight,  job.time};
  cases_.push_back(twin);
  cases_.back().note = fio_command(fio);
  if (!beside_fio_) return;
  LabCase beside = twin;
  beside.settings[0] = kIoFioPrefix + way.name;
  const std::string set_name = fmt::format("files{}", files);
  beside.run = [fio, set_name, this] { return run_fio(fio, directory_, set_name); };
  cases_.push_back(std::move(beside));
}

void IoExperiment::add_quick() {
  const std::size_t agent = kIoAgentBytes;
  const auto sequential = [this](Cache cache, std::size_t files, std::size_t block,
                                 std::initializer_list<const char*> names) {
    for (const char* name : names) add(io_way(name), block, files, false, cache);
  };
  const auto random = [this](Cache cache, std::size_t files, std::initializer_list<const char*> names) {
    for (const char* name : names) add(io_way(name), kRandomBytes, files, true, cache);
  };
  for (const std::size_t block : kBlocks) sequential(Cache::kWarm, 1, block, {"pread"});
  sequential(
      Cache::kWarm, 1, agent,
      {"read", "read O_NONBLOCK", "epoll ET, a file", "preadv2 NOWAIT", "POSIX AIO", "libaio", "io_uring",
       "io_uring registered", "io_uring SQPOLL", "mmap", "mmap populate", "mmap sequential", "agent, pread",
       "agent, mmap", "agent, io_uring", "pread, counted", "mmap, counted"});
  sequential(Cache::kWarm, 64, agent, {"pread", "io_uring"});
  sequential(Cache::kCold, 1, agent,
             {"pread", "preadv2 NOWAIT", "libaio", "io_uring", "mmap", "mmap sequential", "mmap willneed",
              "agent, pread", "agent, mmap", "agent, io_uring"});
  sequential(Cache::kCold, 64, agent, {"pread", "io_uring"});
  sequential(Cache::kDirect, 1, agent, {"pread", "io_uring"});
  sequential(Cache::kDirect, 4, agent, {"libaio", "io_uring registered"});
  random(Cache::kWarm, 1, {"pread", "io_uring", "mmap"});
  random(Cache::kCold, 1, {"pread", "io_uring", "mmap", "mmap random"});
  random(Cache::kCold, 64, {"io_uring"});
  random(Cache::kDirect, 1, {"pread"});
  random(Cache::kDirect, 64, {"POSIX AIO", "libaio", "io_uring", "io_uring registered"});
}

// Each way with each block on one file, and with each number of files at the agent's block.
void IoExperiment::add_all() {
  for (const bool random : {false, true}) {
    for (const Cache cache : {Cache::kWarm, Cache::kCold, Cache::kDirect}) {
      for (const IoWay& way : io_ways()) {
        if ((random && !way.seeks) || (cache == Cache::kDirect && !way.direct)) continue;
        if (!way.everywhere && (random || cache != Cache::kWarm)) continue;
        for (const std::size_t files : kFileCounts) {
          for (const std::size_t block : kBlocks) {
            if (random ? block == kRandomBytes : files == 1 || block == kIoAgentBytes) {
              add(way, block, files, random, cache);
            }
          }
        }
      }
    }
  }
}

void IoExperiment::add_stream(const std::string& way, std::size_t count,
                              std::function<Result<LabWork>(const IoJob&)> run) {
  IoJob job;
  job.block_bytes = kStreamBytes;
  job.time = time_;
  job.buffers = buffers_.get();
  LabCase subject;
  subject.settings = {way, lab_size_text(kStreamBytes), std::to_string(count)};
  subject.group = "pipes and sockets";
  subject.run = [run = std::move(run), job] { return run(job); };
  cases_.push_back(std::move(subject));
}

void IoExperiment::add_streams(bool thorough) {
  for (const auto& [kind, name] : {std::pair{StreamKind::kPipe, "pipe"}, {StreamKind::kSocket, "socket"}}) {
    add_stream(fmt::format("read, {}", name), 1,
               [kind = kind](const IoJob& job) { return read_stream(job, kind); });
    for (const std::size_t count : kFileCounts) {
      if (count == 4 && !thorough) continue;
      add_stream(fmt::format("epoll ET, {}", name), count,
                 [kind = kind, count](const IoJob& job) { return read_streams_by_epoll(job, kind, count); });
    }
  }
}

void IoExperiment::compare_with_fio(LabReport& report) const {
  const auto to_fio = std::find_if(report.columns.begin(), report.columns.end(),
                                   [](const LabColumn& column) { return column.key == "to_fio"; });
  const auto column = static_cast<std::size_t>(to_fio - report.columns.begin());
  for (std::size_t index = 0; index + 1 < report.rows.size(); ++index) {
    LabRow& row = report.rows[index];
    if (!report.rows[index + 1].settings[0].starts_with(kIoFioPrefix)) continue;
    const auto own = report.figure(index, "operations");
    const auto other = report.figure(index + 1, "operations");
    if (!own || !other) continue;
    // With several reads in flight its overhead is no time that the disk would wait.
    const bool alone = row.settings[2] == "1";
    const double overhead = alone ? fio_overhead_seconds_.at(row.group.starts_with("random")) : 0;
    row.figures[column] = fio_ratio(*own, *other, overhead);
  }
}

}  // namespace

std::unique_ptr<LabExperiment> make_io_experiment() { return std::make_unique<IoExperiment>(); }

}  // namespace logflume
