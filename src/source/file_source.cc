#include "source/file_source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/epoll.h>

#include <deque>
#include <map>
#include <unordered_set>

#include "base/allocator.h"
#include "base/units.h"
#include "source/archive_gate.h"
#include "source/discovery.h"
#include "source/feeder.h"
#include "source/file_catalog.h"
#include "source/file_metrics.h"
#include "source/handle_pool.h"
#include "source/line_reader.h"
#include "source/orphans.h"
#include "source/path_status.h"
#include "source/read_ahead.h"
#include "source/ready_files.h"

namespace logflume {
namespace {

constexpr std::int64_t kQuantumBytes = SlabPool::kSlabBytes;  // of deficit round robin
constexpr std::size_t kPassBytesMax = 1024 * 1024;            // then the loop looks at its descriptors again
constexpr std::size_t kPassFilesMax = 256;
// What is left of `latency` for reading and sending.
constexpr Duration kSendTime = 200us;
// After so many looks in a row that were put off, the next ones are made by the clock.
constexpr unsigned kHeldLooks = 2;
// More changed files a millisecond than this are many: then a look waits for several of them.
constexpr std::int64_t kManyFiles = 4;
constexpr Duration kManyWindow = 10ms;
constexpr int kManyFactor = 4;  // of `coalesce`
constexpr Duration kMemoryRetry = 2ms;
constexpr Duration kForGood = std::chrono::hours(24);  // that nothing is added to a file
constexpr Duration kErrorRetry = 1s;
constexpr Duration kLagRefresh = 1s;
constexpr Duration kLagRefreshSoon = 100ms;  // as long as an archive is verified
// Unused memory goes back to the system after so long without data, and after so long with it.
constexpr Duration kTrimAfter = 2s;
constexpr Duration kTrimBusyAfter = 10s;

class FileSource final : public Source, private DiscoveryListener {
 public:
  FileSource(FileSourceConfig config, SourceContext context)
      : config_(std::move(config)),
        context_(std::move(context)),
        discovery_({config_.include, config_.exclude, config_.rescan_interval}, context_.name, context_.log,
                   *this),
        feeder_(context_, records_, config_.strip_cr),
        metrics_(context_),
        records_(context_.mark_dirty),
        losses_(context_, metrics_, records_) {
    if (config_.rate_limit) rate_ = std::make_unique<TokenBucket>(*config_.rate_limit);
    if (config_.latency) between_looks_ = *config_.latency - std::min(kSendTime, *config_.latency / 4);
  }

  Result<void> open() override;
  std::size_t do_work(TimePoint now) override;
  bool has_input() const override {
    return !stopped_ && (stop_requested_ || feeder_.has_done() || feeder_.room_returned() ||
                         (ahead_ && ahead_->has_news()));
  }
  bool is_idle() const override { return is_idle_; }
  TimePoint deadline() const override { return stopped_ ? kNever : deadline_; }
  void stop_reading() override;
  bool stopped() const override { return stopped_.load(std::memory_order_acquire); }
  bool all_fed() const override { return all_fed_.load(std::memory_order_acquire); }
  bool exhausted() const override { return all_fed() && feeder_.all_acknowledged(); }
  std::uint64_t lag_bytes() const override { return metrics_.lag_bytes(); }
  void pause(const std::string& sink) override;
  void connect(Outlet outlet, const CheckpointContent& stored) override;
  void disconnect(const std::string& sink) override;
  void set_passage(std::unique_ptr<Passage> passage) override;
  void set_limits(std::size_t max_open_files, std::size_t max_held_files) override;
  void in_flight(std::span<const FileRecord> files, std::vector<InFlight>& found) const override {
    catalog_->in_flight(files, found);
  }
  SourceLegacy hand_over() override { return catalog_->hand_over(); }
  bool left_something() const override { return left_something_.load(std::memory_order_relaxed); }
  void collect(CheckpointChanges& changes) override { records_.collect(changes); }

 private:
  // Why a file is not read on now.
  enum class Turn {
    kMore,     // its turn is over, there is more
    kDone,     // read to its end, or nothing to do before it changes
    kWaiting,  // for room in a sink, memory, a rate limit or a retry
  };

  // DiscoveryListener
  bool has_room() override;
  FileToken on_found(const FoundFile& found) override;
  void on_changed(FileToken token) override;
  void on_renamed(FileToken token, const std::string& old_path, const std::string& new_path) override;
  void on_lost(FileToken token, const std::string& path) override;

  Result<void> make_block_reader(const std::optional<EventRules>& rules);
  std::optional<std::size_t> outlet_of(const std::string& sink) const;
  void wake_read_ahead();
  std::size_t look_at_events(TimePoint now);
  void count_changed_files(TimePoint now);
  std::size_t serve_some(TimePoint now);
  Turn serve(TailedFile& file, TimePoint now, std::size_t& bytes);
  Turn read_once(TailedFile& file, const Feeder::Group& group, TimePoint now, std::size_t& bytes);
  std::optional<Turn> turn_of(ArchiveGate::Answer answer, TailedFile& file, TimePoint now);
  void keep_one_group(TailedFile& file, Feeder::Groups& groups, TimePoint now);
  Turn failed(TailedFile& file, const Error& error, TimePoint now);
  void recovered(const TailedFile& file);
  void truncated(TailedFile& file);
  std::array<TokenBucket*, 3> buckets(const TailedFile& file) const;
  bool rate_allows(TailedFile& file, TimePoint now);
  bool is_old(std::int64_t modified_ns) const;
  bool still_ignored(TailedFile& file) const;
  void look_after_held(TimePoint now);
  void look_after_open_events(TimePoint now);
  void watch_open_event(TailedFile& file, TimePoint due);
  void tell_quiet(TailedFile& file, TimePoint now);
  void look_after_left_contents(TimePoint now);
  void close_nameless();
  bool open_event_is_over(const TailedFile& file, const Feeder::Group& group, TimePoint now) const;
  void refresh_lag(TimePoint now);
  bool reserve_for_files();
  void tell_who_waits(std::size_t waiting);
  void plan(TimePoint now);

  FileSourceConfig config_;
  SourceContext context_;
  std::unique_ptr<BlockReader> blocks_;
  std::unique_ptr<HandlePool> handles_;
  std::unique_ptr<FileCatalog> catalog_;
  std::unique_ptr<ArchiveGate> gate_;
  std::unique_ptr<ReadAhead> ahead_;  // null: nothing is read ahead. Goes before the files that it reads
  std::unique_ptr<LineReader> reader_;
  std::unique_ptr<ReadyFiles> ready_;
  std::unique_ptr<Orphans> orphans_;
  Discovery discovery_;
  Feeder feeder_;
  Feeder::Groups groups_;  // of the file that is served; kept for its capacity
  FileMetrics metrics_;
  FileRecords records_;
  Losses losses_;
  std::unique_ptr<TokenBucket> rate_;

  std::size_t told_bytes_ = 0;  // reserved for files, when files_changed() was last called
  std::size_t waiting_files_ = 0;
  std::unordered_set<FileToken> failing_;
  // Files with a multi-line event that may go on, by the time when it is over.
  std::multimap<TimePoint, FileToken> open_events_;
  // Contents that have left their file, and of which transforms may keep something back that a copy goes on
  // with.
  struct LeftContent {
    TimePoint due;
    std::weak_ptr<LogContent> content;
  };
  std::deque<LeftContent> left_contents_;
  TimePoint now_{};
  TimePoint deadline_ = kNever;
  bool is_idle_ = false;
  // Kernel events are not looked at more often, so that one look takes many.
  Duration between_looks_ = config_.coalesce;
  bool waits_first_ = config_.latency.has_value();  // that long also before the first look
  std::size_t changed_files_ = 0;                   // found so since counted_at_
  TimePoint counted_at_{};
  TimePoint next_poll_{};    // not before
  bool told_ = false;        // that there are some, since do_work()
  unsigned held_looks_ = 0;  // looks in a row that were put off
  bool look_is_held_ = false;
  bool by_clock_ = false;  // the next look comes by itself: the kernel need not wake anybody
  TimePoint next_lag_refresh_{};
  TimePoint next_close_ = kNever;
  TimePoint trim_at_ = kNever;
  TimePoint trimmed_at_{};
  std::uint64_t refusals_seen_ = 0;
  bool events_pending_ = false;
  bool first_scan_ = true;
  bool starting_ = true;  // not every file that was there has been looked at
  std::atomic<bool> stopped_{false};
  std::atomic<bool> stop_requested_{false};
  std::atomic<bool> all_fed_{false};
  std::atomic<bool> left_something_{false};
};

// -- Start and stop ---------------------------------------------------------------------------------------

Result<void> FileSource::make_block_reader(const std::optional<EventRules>& rules) {
  ReadMode mode = config_.read_mode;
  if (mode == ReadMode::kIoUring) {
    if (auto ring = make_io_uring_reader()) {
      blocks_ = std::move(*ring);
    } else {
      context_.log.warn(context_.name, "{}: reading with pread instead", ring.error().text());
      mode = ReadMode::kPread;
    }
  }
  if (mode == ReadMode::kMmap) {
    blocks_ = make_mmap_reader([this](const Error& why) {
      context_.log.warn(context_.name,
                        "read_mode: mmap: {}: it, and others that cannot be mapped, are read with pread",
                        why.text());
    });
  }
  // pread won every case that was measured: backlog, live tail, many files (docs/benchmarks.md).
  if (!blocks_) blocks_ = make_pread_reader();
  if (blocks_->name() == "pread" && context_.read_helpers != nullptr) {
    ahead_ = std::make_unique<ReadAhead>(*context_.read_helpers, context_.slabs, context_.loop.parker(),
                                         rules ? rules->marker() : std::optional<LineMarker>());
  }
  context_.log.info(context_.name, "reading with {}{}", blocks_->name(),
                    config_.read_mode == ReadMode::kAuto ? " (read_mode: auto)" : "");
  return {};
}

Result<void> FileSource::open() {
  std::optional<EventRules> rules;
  if (config_.multiline.enabled()) {
    Result<EventRules> compiled = EventRules::compile(config_.multiline);
    if (!compiled) return std::move(compiled).error();
    rules = std::move(*compiled);
  }
  if (auto made = make_block_reader(rules); !made) return made;
  handles_ = std::make_unique<HandlePool>(context_.max_open_files, *blocks_, ahead_.get());
  catalog_ = std::make_unique<FileCatalog>(config_, context_, *handles_, records_, losses_);
  gate_ = std::make_unique<ArchiveGate>(context_, *catalog_, *handles_);
  ready_ = std::make_unique<ReadyFiles>(*catalog_);
  orphans_ = std::make_unique<Orphans>(config_, context_, *catalog_, *handles_, discovery_, metrics_, losses_,
                                       *ready_);
  reader_ = std::make_unique<LineReader>(*blocks_, context_.slabs, config_.max_line_bytes, std::move(rules),
                                         ahead_.get());
  feeder_.open();
  catalog_->restore(context_.checkpoint);

  now_ = steady_now();
  discovery_.open();
  first_scan_ = false;
  if (context_.legacy != nullptr) {
    for (TailedFile* file : catalog_->inherit(*context_.legacy, now_)) orphans_->add(*file, now_);
    context_.legacy = nullptr;  // it goes when the reload is over
  }
  for (TailedFile* file : catalog_->find_rotated(now_)) orphans_->add(*file, now_);
  if (discovery_.fd() >= 0) {
    auto watched = context_.loop.watch(discovery_.fd(), EPOLLIN | EPOLLET,
                                       [this](std::uint32_t) { events_pending_ = told_ = true; });
    if (!watched) return watched;
  }
  events_pending_ = true;  // what came between the scan and the watch
  plan(now_);
  context_.log.info(context_.name, "{} files found, {} directories watched", catalog_->size(),
                    discovery_.watched_directories());
  return {};
}

void FileSource::stop_reading() {
  stop_requested_.store(true, std::memory_order_release);
  context_.loop.parker().wake();
}

// -- Sinks that come and go -------------------------------------------------------------------------------

std::optional<std::size_t> FileSource::outlet_of(const std::string& sink) const {
  const auto it = std::find_if(context_.outlets.begin(), context_.outlets.end(),
                               [&](const Outlet& outlet) { return outlet.sink == sink; });
  if (it == context_.outlets.end()) return std::nullopt;
  return static_cast<std::size_t>(it - context_.outlets.begin());
}

void FileSource::pause(const std::string& sink) {
  feeder_.finish(sink);
  catalog_->sink_ended(sink);
  if (const auto index = outlet_of(sink)) feeder_.pause(*index);
}

void FileSource::connect(Outlet outlet, const CheckpointContent& stored) {
  // By its former name, or, when a change is undone before it got there, still by its own.
  auto paused = outlet_of(outlet.formerly.empty() ? outlet.sink : outlet.formerly);
  if (!paused) paused = outlet_of(outlet.sink);
  if (paused) {
    feeder_.disconnect(*paused);
    context_.outlets[*paused] = std::move(outlet);
    catalog_->outlet_replaced(*paused);
    feeder_.connect(*paused);
  } else {
    context_.outlets.push_back(std::move(outlet));
    catalog_->outlet_added(stored);
    feeder_.connect(context_.outlets.size() - 1);
  }
  metrics_.outlets_changed();
  // Somewhere there may be something for it.
  catalog_->for_each([this](TailedFile& file) { ready_->enqueue(file); });
}

void FileSource::disconnect(const std::string& sink) {
  const auto index = outlet_of(sink);
  if (!index) return;
  const bool ended = feeder_.paused(*index);
  feeder_.disconnect(*index);
  catalog_->outlet_removed(*index);
  if (ended) catalog_->sink_ended(sink);
  feeder_.erase(*index);
  context_.outlets.erase(context_.outlets.begin() + static_cast<std::ptrdiff_t>(*index));
  metrics_.outlets_changed();
}

void FileSource::set_passage(std::unique_ptr<Passage> passage) {
  const bool kept_back = feeder_.holds_for().has_value();
  look_after_left_contents(TimePoint::max());  // there is no file that they could be read of again
  feeder_.set_passage(std::move(passage));
  ready_->wake_waiting();
  // What is kept back no more is read again, and what still is waits for its file to be quiet.
  if (kept_back) catalog_->for_each([this](TailedFile& file) { ready_->enqueue(file); });
}

void FileSource::set_limits(std::size_t max_open_files, std::size_t max_held_files) {
  handles_->set_open_max(max_open_files);
  context_.max_open_files = max_open_files;
  context_.max_held_files = max_held_files;
}

// -- Discovery's news -------------------------------------------------------------------------------------

FileToken FileSource::on_found(const FoundFile& found) {
  TailedFile& file = catalog_->found(found, first_scan_, now_);
  file.ignored = !file.content && is_old(found.modified_ns) && !catalog_->is_remembered(file);
  if (!file.ignored && catalog_->looks_settled(file)) {
    ready_->enqueue_settled(file);
  } else if (!file.ignored) {
    ready_->enqueue(file);
  }
  return file.token;
}

bool FileSource::is_old(std::int64_t modified_ns) const {
  return config_.ignore_older && modified_ns < wall_now_ns() - config_.ignore_older->count();
}

// A new name, other permissions and a full queue of the kernel are told as changes too.
bool FileSource::still_ignored(TailedFile& file) const {
  PathStatus status;
  const int error = file.fd.valid() || file.names.empty()
                        ? stat_path(file.fd.get(), "", true, status)
                        : stat_path(AT_FDCWD, file.names.first().c_str(), true, status);
  if (error != 0) return true;  // discovery will tell what became of it
  if (status.device != file.key.device || status.inode != file.key.inode) return true;
  return status.size_bytes == file.found_bytes && is_old(status.modified_ns);
}

void FileSource::on_changed(FileToken token) {
  TailedFile* file = catalog_->get(token);
  if (file == nullptr) return;
  if (file->ignored && still_ignored(*file)) return;
  file->ignored = false;
  file->changed = true;
  ++changed_files_;
  ready_->enqueue(*file);
}

void FileSource::on_renamed(FileToken token, const std::string& old_path, const std::string& new_path) {
  if (TailedFile* file = catalog_->get(token)) catalog_->renamed(*file, old_path, new_path);
}

void FileSource::on_lost(FileToken token, const std::string& path) {
  TailedFile* file = catalog_->get(token);
  if (file == nullptr || catalog_->lost(*file, path, discovery_.departure_of(path), now_)) return;
  if (!file->fd.valid() && file->place == TailedFile::Place::kDeleted) {
    // Deleted while its handle was lent to another file: what was not read of it cannot be had any more.
    const std::uint64_t fed = file->content ? file->content->fed_min() : 0;
    const bool is_told = !file->content && catalog_->is_remembered(*file);  // by the catalog, when it forgets
    if (file->size_known > fed && !file->ignored && !is_told) {
      metrics_.lost_bytes("deleted", file->size_known - fed);
      if (file->content) {
        catalog_->keep_record(*file);
        losses_.note(file->content->id, unread_of(*file->content), file->size_known, "deleted");
      }
      context_.log.limited(LogLevel::kWarn, context_.name, "deleted",
                           fmt::format("{} was deleted before it was read: bytes {} to {} are lost (raise "
                                       "max_open_files to keep more files open)",
                                       path, fed, file->size_known));
    }
    catalog_->forget(*file);
    return;
  }
  orphans_->add(*file, now_);
}

// -- Scheduling -------------------------------------------------------------------------------------------

std::size_t FileSource::do_work(TimePoint now) {
  now_ = now;
  if (stopped_) return 0;
  if (stop_requested_.load(std::memory_order_acquire)) {
    close_nameless();
    feeder_.finish();
    feeder_.wake_sinks();
    reader_->release();
    losses_.settle(now, true);
    catalog_->record_unread();
    if (discovery_.fd() >= 0) context_.loop.unwatch(discovery_.fd());
    stopped_.store(true, std::memory_order_release);
    return 1;
  }
  std::size_t work = feeder_.hand_on();
  if (events_pending_) work += look_at_events(now);
  if (now >= discovery_.next_rescan()) {
    discovery_.rescan(now);
    ++work;
  }
  catalog_->names_settled();
  if (now >= orphans_->next_check()) orphans_->look_after(now);
  if (!catalog_->held().empty()) look_after_held(now);
  if (!open_events_.empty() && now >= open_events_.begin()->first) look_after_open_events(now);
  if (!left_contents_.empty() && now >= left_contents_.front().due) look_after_left_contents(now);
  if (now >= losses_.next_due()) losses_.settle(now, false);
  if (feeder_.take_room_returned(now) || now >= ready_->retry_at()) ready_->wake_waiting();
  if (ahead_) wake_read_ahead();
  if (config_.close_inactive && now >= next_close_) handles_->close_unused(now - *config_.close_inactive);
  work += serve_some(now);
  reserve_for_files();
  work += feeder_.hand_on();
  feeder_.wake_sinks();
  if (now >= trim_at_) {
    trim_at_ = feeder_.all_acknowledged() ? kNever : now + kTrimAfter;  // what sinks hold will be free too
    trimmed_at_ = now;
    reader_->release();
    context_.slabs.trim();
    return_freed_memory();
  }
  if (now >= next_lag_refresh_) refresh_lag(now);
  plan(now);
  return work;
}

void FileSource::wake_read_ahead() {
  while (const FileToken token = ahead_->take_news()) {
    if (TailedFile* file = catalog_->get(token)) ready_->wake(*file);
  }
}

// Events that come while a look is put off wake the loop for nothing. So when looks are put off again and
// again, the kernel is asked not to tell, and a look follows each `between_looks_` until one finds nothing.
std::size_t FileSource::look_at_events(TimePoint now) {
  // From the first of what is told: news that come without end must not put the look off for ever.
  if (std::exchange(told_, false) && waits_first_ && !look_is_held_) {
    next_poll_ = std::max(next_poll_, now + between_looks_);
  }
  if (now < next_poll_) {
    look_is_held_ = true;
    return 0;
  }
  events_pending_ = false;
  const std::size_t count = discovery_.poll();
  if (!config_.latency) count_changed_files(now);
  next_poll_ = now + between_looks_;
  held_looks_ = std::exchange(look_is_held_, false) && count > 0 ? held_looks_ + 1 : 0;
  const bool by_clock = held_looks_ >= kHeldLooks;
  if (by_clock != by_clock_ && context_.loop.rewatch(discovery_.fd(), by_clock ? 0 : EPOLLIN | EPOLLET)) {
    by_clock_ = by_clock;
  }
  if (by_clock_) events_pending_ = look_is_held_ = true;
  return count;
}

// Of many files each look would find few. What a wake-up and a send cost is then shared by more of them, and
// a line waits as long as it would behind the others.
void FileSource::count_changed_files(TimePoint now) {
  const Duration span = now - counted_at_;
  if (span < kManyWindow) return;
  const bool many = static_cast<std::int64_t>(changed_files_) * 1ms > kManyFiles * span;
  waits_first_ = many;
  between_looks_ = config_.coalesce * (many ? kManyFactor : 1);
  changed_files_ = 0;
  counted_at_ = now;
}

std::size_t FileSource::serve_some(TimePoint now) {
  std::size_t bytes = 0;
  std::size_t files = 0;
  for (std::size_t turn = 0; bytes < kPassBytesMax && files < kPassFilesMax && !ready_->empty(); ++turn) {
    TailedFile* file = ready_->next(turn);
    if (file == nullptr) continue;
    ++files;
    switch (serve(*file, now, bytes)) {
      case Turn::kMore:
        ready_->enqueue(*file);
        break;
      case Turn::kDone:
        file->deficit = 0;
        break;
      case Turn::kWaiting:
        break;
    }
  }
  return bytes + files;
}

// The limits that apply; null where there is none.
std::array<TokenBucket*, 3> FileSource::buckets(const TailedFile& file) const {
  return {rate_.get(), &context_.global_rate, file.rate.get()};
}

bool FileSource::rate_allows(TailedFile& file, TimePoint now) {
  TimePoint at = now;
  for (TokenBucket* bucket : buckets(file)) {
    if (bucket != nullptr) at = std::max(at, bucket->ready_at(now));
  }
  if (at <= now) return true;
  ready_->wait(file, at);
  return false;
}

// One turn of deficit round robin: up to its deficit, at each position where sinks stand.
FileSource::Turn FileSource::serve(TailedFile& file, TimePoint now, std::size_t& bytes) {
  if (file.ignored) return Turn::kDone;
  if (now < file.retry_at) {
    ready_->wait(file, file.retry_at);
    return Turn::kWaiting;
  }
  if (file.archive_name) {
    if (const auto turn = turn_of(gate_->look(file, now, bytes), file, now)) return *turn;
  }
  std::optional<Error> error;
  switch (catalog_->identify(file, now, error)) {
    case FileCatalog::Identity::kKnown:
      break;
    case FileCatalog::Identity::kEmpty:
      if (file.archive && file.place == TailedFile::Place::kNamed) handles_->close(file);
      return Turn::kDone;
    case FileCatalog::Identity::kHeld:
      return Turn::kDone;
    case FileCatalog::Identity::kUnknown:
      return failed(file, *error, now);
    case FileCatalog::Identity::kNoRoom:
      ready_->wait(file, now + kErrorRetry);
      return Turn::kWaiting;
    case FileCatalog::Identity::kVerify:
      gate_->verify_again(file);
      return Turn::kMore;
  }
  if (!file.fd.valid() && file.size_known == 0 && file.place == TailedFile::Place::kNamed &&
      file.first_scan && !file.changed) {
    file.first_scan = false;
    return Turn::kDone;  // an empty file needs no handle before it changes
  }
  if (const auto opened = handles_->open(file); !opened) return failed(file, opened.error(), now);

  file.deficit += kQuantumBytes;
  while (file.deficit > 0) {
    if (file.finished_archive()) {
      tell_quiet(file, now);
      gate_->leave(file);
      file.behind = false;
      if (file.place == TailedFile::Place::kNamed) handles_->close(file);
      return Turn::kDone;
    }
    Feeder::Groups& groups = groups_;
    const bool blocked = feeder_.plan(file, now, groups);
    if (file.archive) {
      std::erase_if(groups, [&](const auto& group) { return group.position >= file.archive->size_bytes(); });
    }
    if (groups.empty()) {
      if (!blocked) return Turn::kDone;
      ready_->wait(file, feeder_.retry_at(now));
      return Turn::kWaiting;
    }
    if (file.archive) {
      keep_one_group(file, groups, now);
      if (groups.empty()) return Turn::kWaiting;
    }
    bool more = false;
    for (const Feeder::Group& group : groups) {
      if (!rate_allows(file, now)) return Turn::kWaiting;
      std::size_t read = 0;
      const std::shared_ptr<LogContent> content = file.content;
      const Turn turn = read_once(file, group, now, read);
      bytes += read;
      file.deficit -= static_cast<std::int64_t>(read);
      if (turn == Turn::kWaiting) return turn;
      more |= turn == Turn::kMore;
      if (file.content != content) break;  // truncated: its groups are no more
    }
    if (!file.content) return Turn::kMore;  // to be identified
    if (more) continue;
    if (!blocked) return Turn::kDone;
    ready_->wait(file, feeder_.retry_at(now));
    return Turn::kWaiting;
  }
  return Turn::kMore;
}

FileSource::Turn FileSource::read_once(TailedFile& file, const Feeder::Group& group, TimePoint now,
                                       std::size_t& bytes) {
  if (file.finished_copy && group.position >= file.size_known) return Turn::kDone;
  if (file.archive) {
    if (const auto turn =
            turn_of(gate_->go_to(file, group.position, group.seam.size(), now, bytes), file, now))
      return *turn;
  }
  ReadRequest request;
  request.position = group.position;
  request.seam = group.seam;
  request.limit = group.limit;
  request.may_read_ahead = true;
  for (const TokenBucket* bucket : buckets(file)) {
    if (bucket == nullptr || bucket->unlimited()) continue;
    request.bytes_max = std::min(request.bytes_max, bucket->read_bytes_max());
    request.may_read_ahead = false;
  }
  request.flush_partial = file.flush_partial || file.archive || context_.until_eof;
  if (open_event_is_over(file, group, now)) request.quiet_bytes = file.partial_bytes;
  catalog_->about_to_feed(file);
  feeder_.begin(file, group, now);
  const ReadReport report = reader_->read(file, request, feeder_);
  bytes = report.bytes_read;
  if (report.bytes_read > 0) {
    for (TokenBucket* bucket : buckets(file)) {
      if (bucket != nullptr) bucket->take(report.bytes_read);
    }
  }
  if (const auto gave_up = reader_->take_gave_up()) {
    context_.metrics.error(fmt::format("{}_limit", gave_up->pattern), gave_up->lines);
    context_.log.limited(LogLevel::kWarn, context_.name, gave_up->pattern,
                         fmt::format("{}: {} takes too long on some lines, which count as not matching: make "
                                     "it simpler",
                                     file.path(), gave_up->pattern));
  }
  if (report.nuls_skipped > 0) metrics_.skipped_bytes("leading_nul", report.nuls_skipped);
  if (feeder_.fed_range().bytes() > 0) {
    trim_at_ = std::max(now, std::min(now + kTrimAfter, trimmed_at_ + kTrimBusyAfter));
    catalog_->fed(file, feeder_.fed_range());
    file.last_growth = now;
    file.size_known = std::max(file.size_known, feeder_.fed_range().end);
  }
  switch (report.status) {
    case ReadStatus::kMore:
      file.behind = true;
      return Turn::kMore;
    case ReadStatus::kEnd: {
      const std::uint64_t end = file.content->fed_max() + report.partial_bytes;
      if (report.partial_bytes != file.partial_bytes && report.partial_bytes > 0) file.last_growth = now;
      if (file.size_known > end && group.limit == UINT64_MAX && !file.archive) {
        // No range of it in the audit: other bytes may come to stand there.
        losses_.certain({file.content->id, file.path(), {end, file.size_known}, 0, "truncated", {}});
      }
      file.partial_bytes = report.partial_bytes;
      file.size_known = end;
      file.caught_up_at = now;
      file.behind = false;
      file.retry_at = {};
      if (report.partial_bytes == 0) file.flush_partial = false;
      if (report.open_event) watch_open_event(file, file.last_growth + config_.multiline.timeout);
      if (group.limit == UINT64_MAX) tell_quiet(file, now);
      if (!failing_.empty()) recovered(file);
      if (!file.archive) return Turn::kDone;
      gate_->leave(file);
      return Turn::kMore;  // another sink's position, or none: then it is closed
    }
    case ReadStatus::kTruncated:
      // The kernel may have told of a copy already: it must be known before what was not read counts as lost.
      if (!std::exchange(file.cut_seen, true) && discovery_.has_news()) {
        events_pending_ = true;
        ready_->wait(file, std::max(now, next_poll_));
        return Turn::kWaiting;
      }
      truncated(file);
      return Turn::kMore;
    case ReadStatus::kPending:
      ready_->wait(file, kNever);
      return Turn::kWaiting;
    case ReadStatus::kNoMemory:
      ready_->wait(file, now + kMemoryRetry);
      return Turn::kWaiting;
    case ReadStatus::kError:
      if (file.archive && report.error->code == Errc::kCorrupt) {
        gate_->verify_again(file);
        return Turn::kMore;
      }
      return failed(file, *report.error, now);
  }
  return Turn::kDone;
}

void FileSource::truncated(TailedFile& file) {
  context_.log.info(context_.name,
                    "{} was truncated or rewritten after byte {}: reading it from the beginning", file.path(),
                    file.content->fed_max());
  if (feeder_.holds_for()) left_contents_.push_back({steady_now() + Losses::kGrace, file.content});
  catalog_->truncated(file);
  if (file.archive) file.size_known = file.archive->size_bytes();
}

// None: the archive may be read.
std::optional<FileSource::Turn> FileSource::turn_of(ArchiveGate::Answer answer, TailedFile& file,
                                                    TimePoint now) {
  switch (answer) {
    case ArchiveGate::Answer::kOpen:
      return std::nullopt;
    case ArchiveGate::Answer::kMore:
      return Turn::kMore;
    case ArchiveGate::Answer::kWait:
      ready_->wait(file, gate_->retry_at());
      return Turn::kWaiting;
    case ArchiveGate::Answer::kNothing:
      if (file.place == TailedFile::Place::kNamed) handles_->close(file);
      return Turn::kDone;
    case ArchiveGate::Answer::kChanged:
      truncated(file);
      return Turn::kMore;
    case ArchiveGate::Answer::kFailed:
      return failed(file, gate_->error(), now);
  }
  return std::nullopt;
}

// A decoder has one position. Who stands near it is served before anybody for whom it must start again.
void FileSource::keep_one_group(TailedFile& file, Feeder::Groups& groups, TimePoint now) {
  const auto elsewhere = [&](const Feeder::Group& group) {
    return ArchiveGate::busy_elsewhere(file, group.position, group.seam.size(), now);
  };
  const auto chosen = std::find_if_not(groups.begin(), groups.end(), elsewhere);
  if (chosen == groups.end()) {
    groups.clear();
    ready_->wait(file, now + kErrorRetry);
    return;
  }
  groups.erase(chosen + 1, groups.end());
  groups.erase(groups.begin(), chosen);
}

FileSource::Turn FileSource::failed(TailedFile& file, const Error& error, TimePoint now) {
  if (error.code == Errc::kNotFound) return Turn::kDone;  // discovery is about to say so
  context_.metrics.error(error.code == Errc::kPermission ? "permission" : "read");
  const std::string message = fmt::format("{}: {}", file.path(), error.text());
  context_.log.limited(LogLevel::kWarn, context_.name, file.path(), message + " (tried again each second)");
  context_.health.degraded(message);
  failing_.insert(file.token);
  if (context_.until_eof) {
    left_something_.store(true, std::memory_order_relaxed);
    return Turn::kDone;
  }
  file.retry_at = now + kErrorRetry;
  ready_->wait(file, file.retry_at);
  return Turn::kWaiting;
}

void FileSource::recovered(const TailedFile& file) {
  failing_.erase(file.token);
  std::erase_if(failing_, [&](FileToken token) { return catalog_->get(token) == nullptr; });
  if (failing_.empty() && waiting_files_ == 0) context_.health.ok();
}

// -- What time brings -------------------------------------------------------------------------------------

void FileSource::look_after_held(TimePoint now) {
  std::erase_if(catalog_->held(), [&](FileToken token) {
    TailedFile* file = catalog_->get(token);
    if (file == nullptr) return true;
    if (catalog_->holds_on(*file, now)) return false;
    ready_->enqueue(*file);
    return true;
  });
}

void FileSource::watch_open_event(TailedFile& file, TimePoint due) {
  if (std::exchange(file.open_event, true)) return;
  open_events_.emplace(due, file.token);
}

void FileSource::look_after_open_events(TimePoint now) {
  while (!open_events_.empty() && now >= open_events_.begin()->first) {
    TailedFile* file = catalog_->get(open_events_.begin()->second);
    open_events_.erase(open_events_.begin());
    if (file == nullptr) continue;
    file->open_event = false;  // still there if it has grown meanwhile: the read will tell
    ready_->enqueue(*file);
  }
}

// All of the file was read: what transforms keep back of it goes on when it has been quiet for long enough.
void FileSource::tell_quiet(TailedFile& file, TimePoint now) {
  if (!feeder_.holds_for()) return;
  if (const auto next = feeder_.quiet(*file.content, now - file.last_growth))
    watch_open_event(file, file.last_growth + *next);
}

void FileSource::look_after_left_contents(TimePoint now) {
  while (!left_contents_.empty() && now >= left_contents_.front().due) {
    const LeftContent left = std::move(left_contents_.front());
    left_contents_.pop_front();
    const auto content = left.content.lock();
    if (content && feeder_.quiet(*content, kForGood) && now != TimePoint::max())
      left_contents_.push_back({now + kMemoryRetry, left.content});
  }
}

// The next start will not find what is in no file that has a name.
void FileSource::close_nameless() {
  if (!feeder_.holds_for()) return;
  look_after_left_contents(TimePoint::max());
  catalog_->for_each([this](TailedFile& file) {
    if (file.place == TailedFile::Place::kDeleted && file.content)
      (void)feeder_.quiet(*file.content, kForGood);
  });
}

// Nothing was added to what follows the last whole event for long enough.
bool FileSource::open_event_is_over(const TailedFile& file, const Feeder::Group& group, TimePoint now) const {
  return config_.multiline.enabled() && file.partial_bytes > 0 && group.limit == UINT64_MAX &&
         now - file.last_growth >= config_.multiline.timeout;
}

void FileSource::refresh_lag(TimePoint now) {
  next_lag_refresh_ = now + kLagRefresh;
  if (const std::uint64_t refusals = memory_refusals(); std::exchange(refusals_seen_, refusals) != refusals) {
    context_.log.limited(
        LogLevel::kWarn, context_.name, "memory",
        "the system has no more memory for the agent (ulimit -v, overcommit): it goes on with "
        "what it has, and waits for more");
  }
  metrics_.begin_lag(now);
  const bool full = !reserve_for_files();
  std::size_t waiting = discovery_.waiting_names();
  ready_->for_each([&](TailedFile& file) {
    if (!file.content) {
      waiting += full && file.waiting ? 1 : 0;
      if (file.archive && file.archive->decoding()) next_lag_refresh_ = now + kLagRefreshSoon;
      return;
    }
    if (file.fd.valid() && !file.archive) {
      if (const auto status = file_status(file.fd.get()))
        file.size_known = std::max(file.size_known, status->size_bytes);
    }
    metrics_.add_lag(file);
  });
  tell_who_waits(waiting);
  metrics_.end_lag(catalog_->size(), waiting, handles_->open_count(), discovery_.watched_directories(),
                   discovery_.polled_directories());
}

bool FileSource::has_room() {
  return reserve_for_files() || context_.until_eof;  // in a run to the end nothing would ever make room
}

bool FileSource::reserve_for_files() {
  const bool has_room = catalog_->reserve_memory(discovery_.known_names());
  const std::size_t bytes = catalog_->reserved_bytes();
  const std::size_t step = context_.files.limit_bytes() / 32;
  if (bytes > told_bytes_ + step || told_bytes_ > bytes + step) {
    told_bytes_ = bytes;
    context_.files_changed();
  }
  return has_room;
}

void FileSource::tell_who_waits(std::size_t waiting) {
  if (waiting > 0 && waiting_files_ == 0) {
    const std::string message = fmt::format(
        "{} files and more wait: what is known of {} others takes half of memory_limit, {}; raise "
        "it, or narrow the globs",
        waiting, catalog_->size(), format_bytes(context_.files.limit_bytes() * 2));
    context_.log.limited(LogLevel::kWarn, context_.name, "waiting files", message);
    context_.health.degraded(message);
  } else if (waiting == 0 && waiting_files_ > 0 && failing_.empty()) {
    context_.health.ok();
  }
  waiting_files_ = waiting;
}

// When to run next without being woken, and whether everything is fed.
void FileSource::plan(TimePoint now) {
  const bool reading = !ready_->empty();
  bool all_fed = !reading && !events_pending_ && ready_->nobody_waits() && catalog_->held().empty() &&
                 feeder_.nothing_on_its_way();
  if (all_fed && std::exchange(starting_, false))
    trim_at_ = now + kTrimAfter;  // what the last run left is gone
  TimePoint retry_at = kNever;
  if (all_fed && context_.until_eof) {
    losses_.settle(now, true);
    if (feeder_.close_all()) {
      feeder_.finish();
    } else {
      all_fed = false;
      retry_at = now + kMemoryRetry;
    }
  }
  TimePoint at = std::min({discovery_.next_rescan(), ready_->retry_at(), trim_at_, losses_.next_due(),
                           orphans_->next_check(), feeder_.hand_on_at(now), retry_at});
  if (events_pending_) at = std::min(at, next_poll_);
  if (!open_events_.empty()) at = std::min(at, open_events_.begin()->first);
  if (!left_contents_.empty()) at = std::min(at, left_contents_.front().due);
  for (const FileToken token : catalog_->held()) {
    if (const TailedFile* file = catalog_->get(token)) at = std::min(at, file->held_until);
  }
  if (config_.close_inactive) {
    next_close_ = handles_->open_count() > 0 ? now + *config_.close_inactive / 2 : kNever;
    at = std::min(at, next_close_);
  }
  if (!ready_->nobody_waits() || metrics_.lagging()) at = std::min(at, next_lag_refresh_);
  deadline_ = reading ? now : at;
  is_idle_ = deadline_ > now;
  all_fed_.store(all_fed, std::memory_order_release);
}

}  // namespace

std::unique_ptr<Source> make_file_source(FileSourceConfig config, SourceContext context) {
  return std::make_unique<FileSource>(std::move(config), std::move(context));
}

}  // namespace logflume
