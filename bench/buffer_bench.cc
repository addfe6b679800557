// What a disk buffer costs beside the bare machine: lines of 512 B, on the file system of DIR.
//
//   buffer_bench append DIR LINES GROUP_BYTES GROUPS
//     records of LINES lines come in, are written and acknowledged as durable, GROUP_BYTES of text a group;
//     limit: pwrite of as much text to the end of a file, fdatasync. By turns, group by group.
//   buffer_bench ways DIR GROUP_BYTES GROUPS
//     ways to make a group durable at the end of a file: pwrite and fdatasync, as it grows or allocated
//     before; a map of a file that was allocated before, memcpy and msync. By turns.
//   buffer_bench replay DIR LINES BYTES
//     what an earlier run has left, records of LINES lines, is read, checked, handed to a sink and
//     acknowledged; limit: pread of the same files, 256 KiB at once. The files are in the page cache.
//   buffer_bench open DIR BATCHES
//     open() of a buffer with BATCHES records of a line each; the same when its state is not known.
//
// Each prints one JSON object; of groups, the seconds that a tenth of them did not exceed: the least
// disturbed.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "buffer/disk_buffer.h"

namespace logflume {
namespace {

constexpr std::size_t kLineBytes = 512;
constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::uint64_t kFileBytes = 64 * 1024 * 1024;  // as a segment of the buffer
constexpr std::uint64_t kMaxBytes = std::uint64_t{16} << 30;

[[noreturn]] void fail(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

double seconds_since(TimePoint begun) { return std::chrono::duration<double>(steady_now() - begun).count(); }

double cpu_seconds() {
  timespec t;
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

// What a tenth of the groups did not exceed: those that others on the machine disturbed least.
double least_disturbed(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 10];
}

std::string lines(std::size_t bytes) {
  std::string text(bytes, 'x');
  for (std::size_t at = kLineBytes; at <= bytes; at += kLineBytes) text[at - 1] = '\n';
  return text;
}

// One run of an agent's buffer, with the parts around it; what it commits is kept in `states`.
class Run {
 public:
  Run(std::string directory, std::vector<SinkStateRecord>& states)
      : states_(states),
        slabs_(budget_),
        metrics_(registry_, "out"),
        health_(board_, "out.buffer", "buffer", "disk"),
        ledger_("out", 256 * 1024 * 1024, [] {}),
        lanes_(in_.open("app")),
        origin_(std::make_shared<Origin>(Origin{"app", "/var/log/app.log", 1})),
        cursor_(new Cursor(ledger_, 1, 0, Seam{})),
        buffer(DiskBufferConfig{kMaxBytes, WhenFull::kBlock, false, 16 * 1024 * 1024, false},
               {"out", std::move(directory), posix_disk(), ledger_, in_, out_, loop_.parker(), loop_.parker(),
                loop_.parker(), slabs_, metrics_, health_, log_, [this] { return commit(); },
                [this](CheckpointChanges changes) { return store(std::move(changes)); }}) {
    log_.configure(LogLevel::kOff, LogFormat::kText);
  }

  double open() {
    CheckpointContent stored;
    stored.states = states_;
    const TimePoint begun = steady_now();
    if (const auto opened = buffer.open(stored); !opened) fail(opened.error().text());
    return seconds_since(begun);
  }

  // The next `text` of the file, as records of `record_bytes`, which divide a slab.
  void send(std::string_view text, std::size_t record_bytes) {
    SlabRef slab;
    for (std::size_t at = 0; at < text.size(); at += record_bytes) {
      const std::size_t in_slab = at % SlabPool::kSlabBytes;
      if (in_slab == 0) {
        slab = slabs_.try_acquire();
        if (!slab) fail("no slab");
        std::memcpy(slab->data(), text.data() + at, std::min(SlabPool::kSlabBytes, text.size() - at));
      }
      auto* batch = new Batch;
      const BatchRef shared(batch);
      batch->slab = slab;
      batch->data = slab->data() + in_slab;
      batch->bytes = std::min(record_bytes, text.size() - at);
      batch->events = static_cast<std::uint32_t>(batch->bytes / kLineBytes);
      batch->origin = origin_;
      batch->owed = {cursor_->fed_offset, cursor_->fed_offset + batch->bytes};
      batch->seam = Seam::before(batch->data + batch->bytes, batch->bytes);
      batch->wall_ns = wall_now_ns();
      ledger_.charge(batch->charged_bytes());
      cursor_->fed_offset = batch->owed.end;
      lanes_.push({shared, cursor_}, false);
    }
  }
  // Until all that was sent is durable.
  void settle() {
    while (ledger_.inflight_batches() != 0) {
      while (!in_.empty() && buffer.intake().do_work(now_) != 0) {
      }
      buffer.writer().do_work(now_);
      now_ += 20ms;  // no group waits for company
    }
  }
  // Until the sink has had all of it. Returns its bytes.
  std::uint64_t deliver() {
    std::uint64_t bytes = 0;
    std::vector<Delivery> done;
    while (!buffer.empty()) {
      buffer.intake().do_work(now_);
      now_ += 20ms;
      Delivery delivery;
      while (out_.try_pop(delivery)) {
        bytes += delivery.batch->bytes;
        done.push_back(std::move(delivery));
      }
      buffer.acknowledge(done, {});
      done.clear();
    }
    return bytes;
  }
  Result<void> commit() {
    CheckpointChanges changes;
    ledger_.take(changes);
    return store(std::move(changes));
  }

 private:
  Result<void> store(CheckpointChanges changes) {
    for (SinkStateRecord& state : changes.states) {
      std::erase_if(states_, [&](const auto& known) { return known.key == state.key; });
      states_.push_back(std::move(state));
    }
    return {};
  }

  std::vector<SinkStateRecord>& states_;
  MetricRegistry registry_;
  HealthBoard board_;
  Log log_;
  MemoryBudget budget_{1024 * 1024 * 1024};
  SlabPool slabs_;
  ComponentMetrics metrics_;
  HealthEntry health_;
  SinkLedger ledger_;
  EventLoop loop_{"bench"};
  Inbox in_;
  Inbox out_;
  Lanes& lanes_;
  std::shared_ptr<const Origin> origin_;
  CursorRef cursor_;
  TimePoint now_{std::chrono::hours(1)};

 public:
  DiskBuffer buffer;
};

// The end of a file that is followed by another one when it is as large as a segment.
class BareLog {
 public:
  enum class Way { kGrow, kAllocated, kMapped };

  BareLog(std::string directory, Way way) : directory_(std::move(directory)), way_(way) {
    std::filesystem::create_directories(directory_);
  }
  ~BareLog() { unmap(); }

  void append(std::string_view bytes) {
    if (!file_.valid() || offset_ + bytes.size() > kFileBytes) begin_file();
    if (way_ == Way::kMapped) {
      // msync() takes whole pages.
      const std::uint64_t page = offset_ / 4096 * 4096;
      std::memcpy(map_ + offset_, bytes.data(), bytes.size());
      if (::msync(map_ + page, offset_ - page + bytes.size(), MS_SYNC) != 0) fail("msync");
    } else {
      const ssize_t n = ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset_));
      if (n != static_cast<ssize_t>(bytes.size())) fail("pwrite");
      if (::fdatasync(file_.get()) != 0) fail("fdatasync");
    }
    offset_ += bytes.size();
  }

 private:
  void begin_file() {
    unmap();
    const std::string path = directory_ + "/" + std::to_string(files_++);
    file_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!file_.valid()) fail(path);
    offset_ = 0;
    if (way_ == Way::kGrow) return;
    if (::posix_fallocate(file_.get(), 0, static_cast<off_t>(kFileBytes)) != 0 || ::fsync(file_.get()) != 0)
      fail("fallocate");
    if (way_ != Way::kMapped) return;
    void* map = ::mmap(nullptr, kFileBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (map == MAP_FAILED) fail("mmap");
    map_ = static_cast<char*>(map);
  }
  void unmap() {
    if (map_ != nullptr) ::munmap(map_, kFileBytes);
    map_ = nullptr;
  }

  const std::string directory_;
  const Way way_;
  UniqueFd file_;
  char* map_ = nullptr;
  std::uint64_t offset_ = 0;
  int files_ = 0;
};

int append(const std::string& directory, std::size_t lines_a_record, std::size_t group_bytes, int groups) {
  std::vector<SinkStateRecord> states;
  Run run(directory + "/buffer", states);
  run.open();
  BareLog bare(directory + "/bare", BareLog::Way::kGrow);
  const std::string text = lines(group_bytes);
  std::vector<double> ours;
  std::vector<double> limit;
  for (int i = -1; i < groups; ++i) {  // the first one makes directory and file
    run.send(text, lines_a_record * kLineBytes);
    for (const bool bare_one : {i % 2 == 0, i % 2 != 0}) {
      const TimePoint begun = steady_now();
      if (bare_one) {
        bare.append(text);
      } else {
        run.settle();
      }
      if (i >= 0) (bare_one ? limit : ours).push_back(seconds_since(begun));
    }
  }
  fmt::print("{{\"group_bytes\": {}, \"seconds\": {}, \"limit_seconds\": {}}}\n", group_bytes,
             least_disturbed(ours), least_disturbed(limit));
  return 0;
}

int ways(const std::string& directory, std::size_t group_bytes, int groups) {
  const std::string text = lines(group_bytes);
  std::vector<std::unique_ptr<BareLog>> logs;
  logs.push_back(std::make_unique<BareLog>(directory + "/grow", BareLog::Way::kGrow));
  logs.push_back(std::make_unique<BareLog>(directory + "/allocated", BareLog::Way::kAllocated));
  logs.push_back(std::make_unique<BareLog>(directory + "/mapped", BareLog::Way::kMapped));
  std::vector<double> seconds[3];
  for (int i = -1; i < groups; ++i) {
    for (std::size_t way = 0; way < logs.size(); ++way) {
      const TimePoint begun = steady_now();
      logs[way]->append(text);
      if (i >= 0) seconds[way].push_back(seconds_since(begun));
    }
  }
  fmt::print(
      "{{\"group_bytes\": {}, \"grow_seconds\": {}, \"allocated_seconds\": {}, "
      "\"mapped_seconds\": {}}}\n",
      group_bytes, least_disturbed(seconds[0]), least_disturbed(seconds[1]), least_disturbed(seconds[2]));
  return 0;
}

// Leaves `bytes` of text in the buffer.
void fill(const std::string& directory, std::vector<SinkStateRecord>& states, std::size_t record_bytes,
          std::uint64_t bytes) {
  Run run(directory, states);
  run.open();
  const std::string text = lines(std::min<std::size_t>(8 * 1024 * 1024, record_bytes * 4096));
  for (std::uint64_t sent = 0; sent < bytes; sent += text.size()) {
    run.send(std::string_view(text).substr(0, std::min<std::uint64_t>(text.size(), bytes - sent)),
             record_bytes);
    run.settle();
  }
  if (!run.commit()) fail("commit");
}

int replay(const std::string& directory, std::size_t lines_a_record, std::uint64_t bytes) {
  std::vector<SinkStateRecord> states;
  fill(directory, states, lines_a_record * kLineBytes, bytes);
  std::vector<char> block(kBlockBytes);
  TimePoint begun = steady_now();
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const UniqueFd file(::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC));
    for (off_t at = 0;;) {
      const ssize_t n = ::pread(file.get(), block.data(), block.size(), at);
      if (n <= 0) break;
      at += n;
    }
  }
  const double limit = seconds_since(begun);
  Run run(directory, states);
  run.open();
  begun = steady_now();
  const double cpu_begun = cpu_seconds();
  const std::uint64_t delivered = run.deliver();
  const double cpu = cpu_seconds() - cpu_begun;
  const double ours = seconds_since(begun);
  fmt::print(
      "{{\"bytes\": {}, \"delivered\": {}, \"seconds\": {}, \"cpu_seconds\": {}, \"limit_seconds\": {}}}\n",
      bytes, delivered, ours, cpu, limit);
  return delivered == bytes ? 0 : 1;
}

int open_it(const std::string& directory, std::uint64_t batches) {
  std::vector<SinkStateRecord> states;
  fill(directory, states, kLineBytes, batches * kLineBytes);
  std::vector<SinkStateRecord> none;
  const double unknown = std::make_unique<Run>(directory, none)->open();
  const double known = std::make_unique<Run>(directory, states)->open();
  fmt::print("{{\"batches\": {}, \"seconds\": {}, \"unknown_state_seconds\": {}}}\n", batches, known,
             unknown);
  return 0;
}

std::uint64_t number(const char* text) { return std::strtoull(text, nullptr, 10); }

}  // namespace
}  // namespace logflume

int main(int argc, char** argv) {
  using namespace logflume;
  const std::string_view what = argc > 2 ? argv[1] : "";
  if (what == "append" && argc == 6)
    return append(argv[2], number(argv[3]), number(argv[4]), static_cast<int>(number(argv[5])));
  if (what == "ways" && argc == 5) return ways(argv[2], number(argv[3]), static_cast<int>(number(argv[4])));
  if (what == "replay" && argc == 5) return replay(argv[2], number(argv[3]), number(argv[4]));
  if (what == "open" && argc == 4) return open_it(argv[2], number(argv[3]));
  std::fprintf(stderr, "buffer_bench: see the head of bench/buffer_bench.cc for the calls\n");
  return 2;
}
