#include "checkpoint/checkpointer.h"

#include <algorithm>
#include <iterator>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace logflume {
namespace {

std::int64_t now_ns() {
  // 0 means "nothing" here.
  return std::max<std::int64_t>(
      1, std::chrono::duration_cast<Duration>(steady_now().time_since_epoch()).count());
}

struct PairHash {
  template <typename A, typename B>
  std::size_t operator()(const std::pair<A, B>& pair) const {
    return std::hash<A>{}(pair.first) * 0x9E3779B97F4A7C15ULL + std::hash<B>{}(pair.second);
  }
};

// Appends each of `newer` to `records`, or replaces the one of the same key.
template <typename Record, typename KeyOf>
void merge(std::vector<Record>& records, std::vector<Record> newer, KeyOf key_of) {
  if (newer.empty()) return;
  if (records.empty()) {
    records = std::move(newer);
    return;
  }
  // Keys view into the records: no record moves while they are used.
  records.reserve(records.size() + newer.size());
  std::unordered_map<decltype(key_of(newer[0])), std::size_t, PairHash> index;
  index.reserve(records.size() + newer.size());
  for (std::size_t i = 0; i < records.size(); ++i) index[key_of(records[i])] = i;
  for (Record& record : newer) {
    const auto known = index.find(key_of(record));
    if (known == index.end()) {
      records.push_back(std::move(record));
      index.emplace(key_of(records.back()), records.size() - 1);
    } else {
      const std::size_t place = known->second;
      index.erase(known);
      records[place] = std::move(record);
      index.emplace(key_of(records[place]), place);
    }
  }
}

template <typename Record>
void append(std::vector<Record>& records, std::vector<Record> newer) {
  std::move(newer.begin(), newer.end(), std::back_inserter(records));
}

}  // namespace

void merge_changes(CheckpointChanges& changes, CheckpointChanges newer) {
  for (std::string& sink : newer.removed_sinks) {
    std::erase_if(changes.cursors, [&](const CursorRecord& cursor) { return cursor.sink == sink; });
    std::erase_if(changes.ranges, [&](const RangeRecord& range) { return range.sink == sink; });
    changes.removed_sinks.push_back(std::move(sink));
  }
  merge(changes.files, std::move(newer.files),
        [](const FileRecord& file) { return std::pair<std::uint64_t, int>(file.id, 0); });
  merge(changes.cursors, std::move(newer.cursors), [](const CursorRecord& cursor) {
    return std::pair<std::uint64_t, std::string_view>(cursor.file_id, cursor.sink);
  });
  merge(changes.states, std::move(newer.states), [](const SinkStateRecord& state) {
    return std::pair<std::string_view, std::string_view>(state.sink, state.key);
  });
  // What was found, or begins anew, was added before it: only the newer ranges hold.
  const std::unordered_set<std::uint64_t> found(newer.found_files.begin(), newer.found_files.end());
  std::erase_if(changes.ranges, [&](const RangeRecord& range) {
    return range.kind == RangeKind::kLost && found.contains(range.file_id);
  });
  for (const CursorReset& reset : newer.resets) {
    std::erase_if(changes.ranges, [&](const RangeRecord& range) {
      return range.file_id == reset.file_id && range.sink == reset.sink;
    });
  }
  append(changes.found_files, std::move(newer.found_files));
  append(changes.resets, std::move(newer.resets));
  append(changes.ranges, std::move(newer.ranges));
  if (newer.removed_files.empty()) return;
  // Ids are not used again, so a removal is the last word on a file.
  append(changes.removed_files, std::move(newer.removed_files));
  const std::unordered_set<std::uint64_t> removed(changes.removed_files.begin(), changes.removed_files.end());
  std::erase_if(changes.files, [&](const FileRecord& file) { return removed.contains(file.id); });
  std::erase_if(changes.cursors,
                [&](const CursorRecord& cursor) { return removed.contains(cursor.file_id); });
  std::erase_if(changes.ranges, [&](const RangeRecord& range) { return removed.contains(range.file_id); });
}

Checkpointer::Checkpointer(CheckpointStore& store, MetricRegistry& metrics, HealthEntry& health, Log& log,
                           CheckpointerConfig config)
    : Checkpointer([&store](const CheckpointChanges& changes) { return store.commit(changes); }, metrics,
                   health, log, config) {}

Checkpointer::Checkpointer(Commit commit, MetricRegistry& metrics, HealthEntry& health, Log& log,
                           CheckpointerConfig config)
    : commit_(std::move(commit)),
      config_(config),
      health_(health),
      log_(log),
      commits_(metrics.counter("logflume_checkpoint_commits_total", "Checkpoint transactions made durable.")),
      errors_(metrics.counter("logflume_component_errors_total", "Errors of a component, by reason.",
                              {{"component", "checkpoints"}, {"reason", "commit"}})),
      commit_seconds_(metrics.histogram("logflume_checkpoint_commit_seconds",
                                        "Time that a checkpoint transaction took, its fsync included.",
                                        {0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10})),
      collector_(metrics.collect([this](MetricPage& page) {
        page.gauge("logflume_checkpoint_age_seconds",
                   "Age of the oldest acknowledgement that is not in a durable checkpoint yet.", {},
                   std::chrono::duration<double>(age()).count());
      })) {}

Checkpointer::~Checkpointer() {
  collector_.reset();
  if (thread_.joinable()) (void)stop();  // reported in the log and the health
}

void Checkpointer::start() {
  thread_ = std::jthread([this](std::stop_token stop) { run(std::move(stop)); });
}

Result<void> Checkpointer::stop() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  return commit_now();
}

void Checkpointer::add_ledger(SinkLedger& ledger) {
  const std::lock_guard lock(commit_mutex_);
  ledgers_.push_back(&ledger);
}

void Checkpointer::remove_ledger(SinkLedger& ledger) {
  {
    const std::lock_guard lock(commit_mutex_);
    if (std::erase(ledgers_, &ledger) == 0) return;
    CheckpointChanges rest;
    ledger.take(rest);
    merge_changes(pending_, std::move(rest));
  }
  mark_dirty();
}

Checkpointer::SourceId Checkpointer::add_source(RecordSource source) {
  const std::lock_guard lock(commit_mutex_);
  sources_.emplace(next_source_, std::move(source));
  return next_source_++;
}

void Checkpointer::remove_source(SourceId id) {
  {
    const std::lock_guard lock(commit_mutex_);
    const auto source = sources_.find(id);
    if (source == sources_.end()) return;
    CheckpointChanges rest;
    source->second(rest);
    sources_.erase(source);
    merge_changes(pending_, std::move(rest));
  }
  mark_dirty();
}

void Checkpointer::mark_dirty() {
  // A read-modify-write even when it is set: it comes before the exchange in commit_locked(), which then
  // takes the caller's change, or after it, and then it is false.
  if (dirty_.exchange(true, std::memory_order_acq_rel)) return;
  dirty_since_ns_.store(now_ns(), std::memory_order_relaxed);
  // So that the thread is not between looking at dirty_ and going to sleep.
  { const std::lock_guard lock(wake_mutex_); }
  wake_.notify_all();
}

Result<void> Checkpointer::commit_now() {
  const std::lock_guard lock(commit_mutex_);
  auto committed = commit_locked();
  report(committed);
  return committed;
}

Result<void> Checkpointer::commit_now(CheckpointChanges changes) {
  const std::lock_guard lock(commit_mutex_);
  merge_changes(pending_, std::move(changes));
  auto committed = commit_locked();
  report(committed);
  return committed;
}

void Checkpointer::complete(CheckpointContent& content) {
  const std::lock_guard lock(commit_mutex_);
  if (pending_.empty()) return;
  CheckpointChanges all;
  all.files = std::move(content.files);
  all.cursors = std::move(content.cursors);
  all.states = std::move(content.states);
  all.ranges = std::move(content.ranges);
  merge_changes(all, pending_);
  std::erase_if(all.states, [](const SinkStateRecord& state) { return state.value.empty(); });
  content = {std::move(all.files), std::move(all.cursors), std::move(all.states), std::move(all.ranges)};
}

Result<void> Checkpointer::commit_locked() {
  dirty_.exchange(false, std::memory_order_acq_rel);
  const std::int64_t since = dirty_since_ns_.exchange(0, std::memory_order_relaxed);
  CheckpointChanges fresh;
  for (SinkLedger* ledger : ledgers_) ledger->take(fresh);
  for (const auto& [id, source] : sources_) source(fresh);
  merge_changes(pending_, std::move(fresh));
  if (pending_.empty()) return {};

  if (pending_since_ns_.load(std::memory_order_relaxed) == 0) {
    pending_since_ns_.store(since != 0 ? since : now_ns(), std::memory_order_relaxed);
  }
  const TimePoint begun = steady_now();
  auto committed = commit_(pending_);
  commit_seconds_.observe(std::chrono::duration<double>(steady_now() - begun).count());
  if (!committed) return committed;
  commits_.add();
  pending_ = {};
  pending_since_ns_.store(0, std::memory_order_relaxed);
  return {};
}

void Checkpointer::report(const Result<void>& committed) {
  if (committed) {
    if (failures_ > 0) log_.info("checkpoints", "stored again after {} failed attempts", failures_);
    failures_ = 0;
    health_.ok();
    return;
  }
  ++failures_;
  errors_.add();
  const std::string message = "cannot store checkpoints: " + committed.error().text() +
                              "; delivery goes on and it is tried again, but a crash now would repeat events";
  health_.degraded(message);
  log_.limited(LogLevel::kError, "checkpoints", "commit", message);
}

void Checkpointer::run(std::stop_token stop) {
  TimePoint next = steady_now();  // no commit before
  bool retry = false;
  std::uint64_t asked = 0;
  while (!stop.stop_requested()) {
    {
      std::unique_lock lock(wake_mutex_);
      const auto is_asked = [this] { return asked_ != answered_; };
      if (!retry) {
        wake_.wait(lock, stop, [&] { return dirty_.load(std::memory_order_acquire) || is_asked(); });
      }
      wake_.wait_until(lock, stop, next, is_asked);
      asked = asked_;
    }
    if (stop.stop_requested()) return;  // stop() commits
    const std::lock_guard lock(commit_mutex_);
    next = steady_now() + config_.interval;
    const auto committed = commit_locked();
    report(committed);
    retry = !committed;
    answer(asked, committed.has_value());
    if (retry) {
      const auto factor = std::uint32_t{1} << std::min<std::uint32_t>(failures_ - 1, 16);
      next =
          steady_now() + std::max(config_.interval, std::min(config_.interval * factor, config_.retry_max));
    }
  }
}

void Checkpointer::answer(std::uint64_t asked, bool well) {
  {
    const std::lock_guard lock(wake_mutex_);
    if (answered_ == asked) return;
    answered_ = asked;
    if (well) answered_well_ = asked;
  }
  wake_.notify_all();
}

bool Checkpointer::commit_within(Duration patience) {
  std::unique_lock lock(wake_mutex_);
  const std::uint64_t own = ++asked_;
  wake_.notify_all();
  wake_.wait_until(lock, steady_now() + patience, [&] { return answered_ >= own; });
  return answered_well_ >= own;
}

Duration Checkpointer::age() const {
  const std::int64_t pending = pending_since_ns_.load(std::memory_order_relaxed);
  const std::int64_t since = pending != 0 ? pending : dirty_since_ns_.load(std::memory_order_relaxed);
  return since == 0 ? Duration(0) : std::max(Duration(0), Duration(now_ns() - since));
}

}  // namespace logflume
