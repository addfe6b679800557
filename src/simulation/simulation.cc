#include "simulation/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "simulation/simulated_agent.h"

namespace logflume {
namespace {

constexpr std::uint64_t kStepsToDrainMax = 100'000;
// Without faults a start works at once.
constexpr int kStartsMax = 20;

class Simulation {
 public:
  explicit Simulation(const SimulationOptions& options)
      : options_(options),
        random_(options.seed),
        disk_(random_.next(), model_of(options, random_)),
        logs_(random_, random_.between(1, 4)),
        world_{random_, disk_, logs_, server_, {}, 256, {}, 0, {}, {}, {}, {}, options.talks} {
    sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, 1 + static_cast<int>(options.seed & 0xFFFFFF), nullptr);
    if (options_.trace) disk_.set_trace([this](std::string_view line) { say(line); });
    by_file_ = random_.chance(0.5);
    world_.output_path = by_file_ ? "/out/logs/{{ file_name }}" : "/out/all.log";
    world_.max_open_files = random_.chance(0.3) ? 2 : 256;
    world_.inflight_bytes_max = random_.between(1, 40'000);
    world_.remote.in_order = random_.chance(0.5);
    world_.remote.fails = some(0.3);
    world_.remote.loses_answer = some(0.1);
    world_.remote.refuses = some(0.05);
    world_.remote.hangs = some(0.1);
    world_.on_committed = [this](const CheckpointChanges& changes) { committed(changes); };
    world_.on_output_at_risk = [this] {
      // What is written from here on may be repeated after a crash, and a torn line may stay, as the sink
      // says.
      if (!disk_.stopped()) repeats_allowed_ = true;
    };
    if (!options_.buffered) return;
    world_.file_sink_buffer = some_buffer();
    if (!world_.file_sink_buffer || random_.chance(0.5)) world_.remote_sink_buffer = some_buffer();
  }

  SimulationReport run() {
    const std::uint64_t lives = random_.between(1, 6);
    for (std::uint64_t life = 0; life < lives && !report_.failure; ++life) live();
    finish();
    if (!report_.failure) check_server();
    if (!report_.failure) check_outputs();
    report_.disk_operations = disk_.operations();
    for (const auto& file : logs_.files()) report_.lines += file->lines;
    return report_;
  }

 private:
  static DiskModel model_of(const SimulationOptions& options, Random& random) {
    DiskModel model = options.disk;
    model.garbage = random.chance(0.3);
    model.birth_times = random.chance(0.8);
    return model;
  }
  std::optional<DiskBufferConfig> some_buffer() {
    if (random_.chance(0.2)) return std::nullopt;
    DiskBufferConfig config;
    config.max_bytes = random_.between(20'000, 2'000'000);
    config.overflow = random_.chance(0.5);
    config.memory_bytes = random_.between(1'000, 100'000);
    return config;
  }
  // Often nothing.
  double some(double most) {
    return random_.chance(0.5) ? 0 : most * static_cast<double>(random_.below(1000)) / 1000;
  }
  void say(std::string_view line) {
    if (options_.trace)
      options_.trace(fmt::format("{:>12} {}", now_.time_since_epoch().count() / 1000, line));
  }
  void fail(std::string what) {
    if (report_.failure) return;
    say("FAILS: " + what);
    report_.failure = std::move(what);
  }

  void set_faults() {
    DiskFaults faults;
    if (random_.chance(0.5)) {
      faults.read = some(0.02);
      faults.write = some(0.1);
      faults.short_write = some(0.3);
      faults.sync = some(0.1);
      faults.names = some(0.05);
      if (random_.chance(0.3)) faults.capacity_bytes = random_.between(20'000, 400'000);
      if (random_.chance(0.7)) faults.spared = "/data/checkpoints";
    }
    disk_.set_faults(std::move(faults));
  }

  std::unique_ptr<SimulatedAgent> start() {
    say("starts");
    auto agent = SimulatedAgent::start(world_, now_);
    if (agent) return std::move(*agent);
    say("does not start: " + agent.error().text());
    ++report_.failed_starts;
    return nullptr;
  }

  void crash() {
    const bool power = random_.chance(0.5);
    say(power ? "power loss" : "kill -9");
    ++(power ? report_.power_losses : report_.kills);
    disk_.restart(power ? Crash::kPower : Crash::kKill);
  }

  // From a start to a stop or a crash.
  void live() {
    set_faults();
    // Sometimes in the middle of the start.
    disk_.stop_after(random_.chance(0.7) ? random_.between(1, random_.chance(0.3) ? 60 : 1500) : 0);
    auto agent = start();
    if (!agent) {
      if (disk_.stopped() || random_.chance(0.3)) crash();
      return;
    }
    const std::uint64_t steps = random_.between(1, 400);
    for (std::uint64_t i = 0; i < steps && !disk_.stopped() && !report_.failure; ++i) {
      change_world();
      step(*agent);
    }
    if (report_.failure) return;
    if (!disk_.stopped() && random_.chance(0.4)) {
      say("stops");
      agent->stop(now_);
      if (auto wrong = agent->wrong()) fail(*wrong);
      if (!disk_.stopped()) {
        ++report_.clean_stops;
        agent.reset();
        // The plug may be pulled afterwards.
        if (disk_.stopped() || random_.chance(0.5)) crash();
        return;
      }
    }
    // The disk does nothing any more, whatever the destructors try.
    disk_.stop_now();
    agent.reset();
    crash();
  }

  void step(SimulatedAgent& agent) {
    ++report_.steps;
    now_ += Duration(random_.below(2'000'000));
    if (agent.step(now_) == 0) {
      if (++idle_steps_ > 20) {
        const TimePoint at = agent.deadline();
        if (at != kNever) now_ = std::max(now_, at);
        idle_steps_ = 0;
      }
    } else {
      idle_steps_ = 0;
    }
    if (auto wrong = agent.wrong()) fail(*wrong);
  }

  void change_world() {
    const std::uint64_t what = random_.below(100);
    if (what < 15) {
      logs_.write();
    } else if (what < 17) {
      logs_.rotate();
    } else if (what < 19) {
      rotate_output();
    } else if (what < 24) {
      delete_log();
    }
  }

  // Somebody renames an output of the file sink.
  void rotate_output() {
    const std::string path = by_file_ ? fmt::format("/out/logs/{}.log", random_.below(4)) : "/out/all.log";
    if (!disk_.content(path)) return;
    auto& rotated = rotated_[path];
    rotated.push_back(fmt::format("{}.{}", path, rotated.size() + 1));
    disk_.rename_from_outside(path, rotated.back());
  }

  // A file of which the source was told, durably, that all is delivered may go.
  void delete_log() {
    for (const auto& file : logs_.files()) {
      if (file->deleted || file->current || !random_.chance(0.5)) continue;
      const auto all = [&](const char* sink) {
        const auto known = offsets_.find({sink, file->number});
        return known != offsets_.end() && known->second >= file->bytes.size();
      };
      if (!all(SimulatedAgent::kFileSink) || !all(SimulatedAgent::kRemoteSink)) continue;
      say(fmt::format("file {} is deleted", file->number));
      file->deleted = true;
    }
  }

  void committed(const CheckpointChanges& changes) {
    for (const FileRecord& file : changes.files) numbers_[file.id] = file.inode;
    for (const CursorRecord& cursor : changes.cursors) {
      const auto known = numbers_.find(cursor.file_id);
      if (known == numbers_.end()) continue;
      std::uint64_t& offset = offsets_[{cursor.sink, known->second}];
      if (options_.trace)
        say(fmt::format("stored: {} has file {} up to {}", cursor.sink, known->second, cursor.offset));
      if (cursor.offset < offset) {
        fail(fmt::format("{}: the cursor in file {} goes back from {} to {}", cursor.sink, known->second,
                         offset, cursor.offset));
      }
      offset = cursor.offset;
    }
  }

  // Faults cease: everything that was written is delivered.
  void finish() {
    if (report_.failure) return;
    disk_.set_faults({});
    disk_.stop_after(0);
    world_.remote = {};
    logs_.finish();
    std::unique_ptr<SimulatedAgent> agent;
    for (int i = 0; i < kStartsMax && !agent; ++i) agent = start();
    if (!agent) return fail("it does not start although nothing is wrong");
    for (std::uint64_t i = 0; !agent->idle() && !report_.failure; ++i) {
      if (i == kStepsToDrainMax) return fail("it is not done although nothing is wrong");
      step(*agent);
    }
    agent->stop(now_);
    if (auto wrong = agent->wrong()) fail(*wrong);
  }

  void check_server() {
    for (const auto& file : logs_.files()) {
      for (std::uint64_t i = 0; i < file->lines; ++i) {
        if (!server_.has(file->number, i)) {
          return fail(fmt::format("line {} of file {} never reached the server", i, file->number));
        }
      }
    }
  }

  void check_outputs() {
    std::vector<std::string> paths;
    if (by_file_) {
      for (int i = 0; i < 4; ++i) paths.push_back(fmt::format("/out/logs/{}.log", i));
    } else {
      paths.push_back("/out/all.log");
    }
    for (const std::string& path : paths) {
      std::vector<std::string> names = rotated_[path];
      names.push_back(path);
      for (const std::string& name : names) {
        if (const auto content = disk_.content(name)) check_output(name, *content);
      }
    }
    for (const auto& file : logs_.files()) {
      for (std::uint64_t i = 0; i < file->lines; ++i) {
        if (!in_outputs_.contains({file->number, i})) {
          return fail(fmt::format("line {} of file {} is in no output", i, file->number));
        }
      }
    }
  }

  void check_output(const std::string& path, std::string_view content) {
    for (std::size_t at = 0; at < content.size() && !report_.failure;) {
      const std::size_t end = std::min(content.find('\n', at), content.size() - 1) + 1;
      check_line(path, at, content.substr(at, end - at));
      at = end;
    }
  }

  void check_line(const std::string& path, std::size_t at, std::string_view text) {
    std::uint64_t number = 0;
    std::uint64_t index = 0;
    const auto is_line = [&](std::string_view line) {
      return LogFiles::parse(line, number, index) && number >= 1 && number <= logs_.files().size() &&
             LogFiles::line(number, index) == line;
    };
    std::size_t torn = 0;
    while (torn < text.size() && !is_line(text.substr(torn))) ++torn;
    if (torn != 0 && !repeats_allowed_) return fail(fmt::format("{}: a torn line at byte {}", path, at));
    if (torn == text.size()) return;
    const bool fresh = in_outputs_.insert({number, index}).second;
    if (!fresh) ++report_.repeated;
    if (repeats_allowed_) return;
    if (!fresh)
      return fail(fmt::format("{}: line {} of file {} at byte {} is a repetition", path, index, number, at));
    // In order, so that the one before it must be there.
    if (index != 0 && !in_outputs_.contains({number, index - 1})) {
      fail(fmt::format("{}: line {} of file {} at byte {}, but not the one before it", path, index, number,
                       at));
    }
  }

  const SimulationOptions& options_;
  Random random_;
  SimulatedDisk disk_;
  LogFiles logs_;
  RemoteServer server_;
  SimulatedWorld world_;
  bool by_file_ = false;
  TimePoint now_{std::chrono::hours(1000)};
  std::uint64_t idle_steps_ = 0;
  bool repeats_allowed_ = false;
  std::map<std::string, std::vector<std::string>> rotated_;       // outputs, in the order of their writing
  std::set<std::pair<std::uint64_t, std::uint64_t>> in_outputs_;  // lines: file, index
  std::map<std::uint64_t, std::uint64_t> numbers_;                // of log files, by id in the store
  std::map<std::pair<std::string, std::uint64_t>, std::uint64_t> offsets_;  // committed
  SimulationReport report_;
};

}  // namespace

SimulationCounts& SimulationCounts::operator+=(const SimulationCounts& other) {
  steps += other.steps;
  kills += other.kills;
  power_losses += other.power_losses;
  clean_stops += other.clean_stops;
  failed_starts += other.failed_starts;
  lines += other.lines;
  repeated += other.repeated;
  disk_operations += other.disk_operations;
  return *this;
}

SimulationReport simulate(const SimulationOptions& options) { return Simulation(options).run(); }

}  // namespace logflume
