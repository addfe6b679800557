#include "checkpoint/audit_journal.h"

#include <pthread.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace logflume {
namespace {

constexpr std::size_t kNamesMax = 4096;     // that wait to be written
constexpr std::size_t kKeptNotes = 512;     // capacity that an idle feed keeps
constexpr std::size_t kRecordNotes = 1024;  // of one record: what is damaged with one byte
constexpr std::uint64_t kSegmentsMin = 32;  // of a full log: a start looks through the last one
constexpr std::uint64_t kSegmentBytesMin = 16 * 1024;
constexpr Duration kRetry = 10s;

}  // namespace

void JournalFeed::wake() {
  if (notes_.size() > 1) journal_.hurry_.store(true, std::memory_order_relaxed);
  journal_.wake();
}

AuditJournal::AuditJournal(Disk& disk, const std::string& data_dir, MetricRegistry& metrics, Log& log)
    : disk_(disk),
      log_(log),
      dropped_(metrics.counter("logflume_audit_dropped_total",
                               "What the audit's journal did not keep, being out of room or of disk.")),
      // Above those of earlier runs, without reading what they have left: nobody reads a batch each
      // microsecond.
      next_batch_(static_cast<std::uint64_t>(std::max<std::int64_t>(wall_now_ns() / 1000, 1))) {
  batches_.directory = audit_batches_directory(data_dir);
  former_names_.directory = audit_names_directory(data_dir);
}

AuditJournal::~AuditJournal() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  (void)write();
}

void AuditJournal::configure(const AuditConfig& config) {
  {
    const std::lock_guard lock(mutex_);
    config_ = config;
  }
  enabled_.store(config.enabled, std::memory_order_relaxed);
  if (!config.enabled || thread_.joinable()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) {
    ::pthread_setname_np(::pthread_self(), "audit");
    run(stop);
  });
}

std::shared_ptr<JournalFeed> AuditJournal::feed(BatchStage stage, std::string component) {
  const std::lock_guard lock(mutex_);
  return feeds_.emplace_back(std::make_shared<JournalFeed>(*this, stage, std::move(component)));
}

void AuditJournal::note_name(NameNote note) {
  if (!enabled()) return;
  {
    const std::lock_guard lock(mutex_);
    if (names_.size() == kNamesMax) {
      dropped_.add();
      return;
    }
    names_.push_back(std::move(note));
  }
  wake();
}

void AuditJournal::wake() {
  const bool asleep = !dirty_.exchange(true, std::memory_order_acq_rel);
  if (!asleep && !hurry_.load(std::memory_order_relaxed)) return;
  // So that the thread is not between looking and going to sleep.
  { const std::lock_guard lock(mutex_); }
  wake_.notify_all();
}

bool AuditJournal::flush_within(Duration patience) {
  if (!enabled()) return false;
  std::unique_lock lock(mutex_);
  const std::uint64_t own = ++asked_;
  wake_.notify_all();
  wake_.wait_until(lock, steady_now() + patience, [&] { return answered_ >= own; });
  return answered_well_ >= own;
}

void AuditJournal::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::uint64_t asked = 0;
    {
      std::unique_lock lock(mutex_);
      const auto is_asked = [this] { return asked_ != answered_; };
      wake_.wait(lock, stop, [&] { return dirty_.load(std::memory_order_acquire) || is_asked(); });
      wake_.wait_until(lock, stop, steady_now() + kInterval,
                       [&] { return is_asked() || hurry_.load(std::memory_order_relaxed); });
      asked = asked_;
    }
    if (stop.stop_requested()) return;
    const bool well = write();
    const std::lock_guard lock(mutex_);
    if (answered_ == asked) continue;
    answered_ = asked;
    if (well) answered_well_ = asked;
    wake_.notify_all();
  }
}

bool AuditJournal::write() {
  hurry_.store(false, std::memory_order_relaxed);
  dirty_.exchange(false, std::memory_order_acq_rel);  // before anything is taken
  std::vector<std::shared_ptr<JournalFeed>> feeds;
  std::vector<NameNote> names;
  {
    const std::lock_guard lock(mutex_);
    std::uint64_t bytes = std::max(config_.max_bytes, kMaxBytesMin);
    former_names_.max_bytes = bytes / 8;
    batches_.max_bytes = bytes - former_names_.max_bytes;
    feeds = feeds_;
    names.swap(names_);
    // Its component has gone: with what is taken now it ends.
    std::erase_if(feeds_, [](const auto& feed) { return feed.use_count() == 2; });
  }
  std::vector<Payload> payloads;
  for (const auto& feed : feeds) {
    taken_.clear();
    std::uint64_t dropped = 0;
    {
      const std::lock_guard lock(feed->mutex_);
      taken_.swap(feed->notes_);
      dropped = std::exchange(feed->dropped_, 0);
    }
    dropped_.add(dropped);
    for (std::size_t at = 0; at < taken_.size(); at += kRecordNotes) {
      const std::size_t count = std::min(kRecordNotes, taken_.size() - at);
      Payload& payload = payloads.emplace_back();
      payload.notes = static_cast<std::uint32_t>(count);
      encode_batch_notes(feed->stage_, feed->component_, std::span(taken_).subspan(at, count), payload.bytes);
    }
    if (taken_.size() < kKeptNotes && taken_.capacity() > 2 * kKeptNotes) taken_ = {};
  }
  const bool batches_written = append(batches_, payloads);
  payloads.clear();
  if (!names.empty()) {
    Payload& payload = payloads.emplace_back();
    payload.notes = static_cast<std::uint32_t>(names.size());
    encode_name_notes(names, payload.bytes);
  }
  return append(former_names_, payloads) && batches_written;
}

bool AuditJournal::append(Written& to, const std::vector<Payload>& payloads) {
  if (payloads.empty()) return true;
  const auto written = [&]() -> Result<void> {
    if (!to.log) {
      // Not durably, as the log would: a short run must not wait for that.
      for (const std::string& path : {parent_directory(to.directory), to.directory}) {
        if (auto made = disk_.make_directory(path); !made) return made;
      }
      const SegmentLogOptions options{
          std::clamp<std::uint64_t>(to.max_bytes / kSegmentsMin, kSegmentBytesMin, 16 * 1024 * 1024), 0};
      auto log = SegmentLog::open(disk_, to.directory, options, 0);
      if (!log) return std::move(log).error();
      to.log = std::move(*log);
    }
    std::vector<iovec> pieces;
    pieces.reserve(payloads.size());  // records refer to them
    std::vector<SegmentLog::Record> records;
    for (const Payload& payload : payloads) {
      pieces.push_back({const_cast<char*>(payload.bytes.data()), payload.bytes.size()});
      records.push_back({payload.notes, {&pieces.back(), 1}});
    }
    if (auto appended = to.log->append(records); !appended) return appended;
    while (to.log->size_bytes() > to.max_bytes) {
      const auto oldest = to.log->oldest_end();
      if (!oldest) break;
      if (auto dropped = to.log->drop_before(*oldest); !dropped) return dropped;
    }
    return {};
  };
  const TimePoint now = steady_now();
  if (now >= to.retry_at) {
    const Result<void> done = written();
    if (done) return true;
    log_.limited(LogLevel::kWarn, "audit", to.directory,
                 "the audit's journal cannot be written: " + done.error().text() +
                     "; what it misses is counted in logflume_audit_dropped_total");
    to.log.reset();
    to.retry_at = now + kRetry;
  }
  for (const Payload& payload : payloads) dropped_.add(payload.notes);
  return false;
}

std::string audit_batches_directory(const std::string& data_dir) { return data_dir + "/audit/batches"; }
std::string audit_names_directory(const std::string& data_dir) { return data_dir + "/audit/names"; }

}  // namespace logflume
