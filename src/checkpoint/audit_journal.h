// The audit's journal: when each batch was read, and when each sink acknowledged it. Bounded, and written
// behind the agent's back: what it holds is for people, and no promise hangs on it (docs/audit.md).
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "checkpoint/audit_config.h"
#include "checkpoint/audit_record.h"
#include "disk/disk.h"
#include "disk/segment_log.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace logflume {

class AuditJournal;

// Where a component notes its batches.
//
// Threads: note() from the component's; the journal takes from it.
class JournalFeed {
 public:
  static constexpr std::size_t kNotesMax =
      16 * 1024;  // that wait; what comes beyond is counted, and not kept

  JournalFeed(AuditJournal& journal, BatchStage stage, std::string component)
      : journal_(journal), stage_(stage), component_(std::move(component)) {}

  bool on() const;
  // The id of a batch that is made now; 0 when the journal is off.
  std::uint64_t next_batch();
  void note(const BatchNote& note) {
    const std::lock_guard lock(mutex_);
    note_locked(note);
  }
  // Several at once: `each` is called with a function that takes the notes.
  template <typename Each>
  void note_all(Each each) {
    const std::lock_guard lock(mutex_);
    each([this](const BatchNote& note) { note_locked(note); });
  }

 private:
  friend class AuditJournal;
  void note_locked(const BatchNote& note) {
    if (notes_.size() == kNotesMax) {
      ++dropped_;
      return;
    }
    notes_.push_back(note);
    if (notes_.size() == 1 || notes_.size() == kNotesMax / 2) wake();
  }
  void wake();

  AuditJournal& journal_;
  const BatchStage stage_;
  const std::string component_;
  std::mutex mutex_;
  std::vector<BatchNote> notes_;  // guarded by mutex_
  std::uint64_t dropped_ = 0;     // the same
};

// Two logs below data_dir/audit: of batches, and of the names that files had before (an eighth of the space).
//
// Threads: any.
// Errors:  none that anybody must see to: what could not be written is counted
//          (logflume_audit_dropped_total), said once in a while, and tried again.
class AuditJournal {
 public:
  static constexpr Duration kInterval = 500ms;  // from the first note to its write
  static constexpr std::uint64_t kMaxBytesMin = 1024 * 1024;

  AuditJournal(Disk& disk, const std::string& data_dir, MetricRegistry& metrics, Log& log);
  ~AuditJournal();  // writes what is left
  AuditJournal(const AuditJournal&) = delete;
  AuditJournal& operator=(const AuditJournal&) = delete;

  // From one thread. Off until it is called. What is on disk stays when it is switched off.
  void configure(const AuditConfig& config);
  bool enabled() const { return enabled_.load(std::memory_order_relaxed); }
  std::shared_ptr<JournalFeed> feed(BatchStage stage, std::string component);
  void note_name(NameNote note);
  // All that was noted until now is written, where readers find it. False: it failed, or took longer.
  bool flush_within(Duration patience);

 private:
  friend class JournalFeed;
  struct Written {
    std::string directory;
    std::uint64_t max_bytes = 0;
    std::unique_ptr<SegmentLog> log;  // null: to be opened
    TimePoint retry_at{};
  };
  struct Payload {
    std::string bytes;
    std::uint32_t notes = 0;
  };
  void wake();
  void run(const std::stop_token& stop);
  bool write();
  bool append(Written& to, const std::vector<Payload>& payloads);

  Disk& disk_;
  Log& log_;
  Counter& dropped_;
  std::atomic<bool> enabled_{false};
  std::atomic<std::uint64_t> next_batch_;
  std::atomic<bool> dirty_{false};  // something waits
  std::atomic<bool> hurry_{false};  // a feed is half full

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any wake_;
  std::vector<std::shared_ptr<JournalFeed>> feeds_;
  std::vector<NameNote> names_;
  AuditConfig config_;
  std::uint64_t asked_ = 0;  // of flush_within()
  std::uint64_t answered_ = 0;
  std::uint64_t answered_well_ = 0;

  // Of the journal's thread.
  Written batches_;
  Written former_names_;
  std::vector<BatchNote> taken_;
  std::jthread thread_;
};

inline bool JournalFeed::on() const { return journal_.enabled(); }
inline std::uint64_t JournalFeed::next_batch() {
  return on() ? journal_.next_batch_.fetch_add(1, std::memory_order_relaxed) : 0;
}

// Where the logs are.
std::string audit_batches_directory(const std::string& data_dir);
std::string audit_names_directory(const std::string& data_dir);

}  // namespace logflume
