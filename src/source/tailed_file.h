// One file that is read: where its bytes are now, and how far each sink has been fed with them.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "checkpoint/cursor.h"
#include "event/batch.h"
#include "multiline/event_rules.h"
#include "source/archive.h"
#include "source/file_identity.h"
#include "source/file_names.h"
#include "source/token_bucket.h"

namespace logflume {

// The content of a file from its creation, or its last truncation, on. It outlives its place: a copy made
// by copytruncate takes the content over, cursors and all, so that what is in flight is acknowledged where it
// belongs and the rest is read from the copy.
struct LogContent {
  std::uint64_t id = 0;
  Prefix prefix;
  std::vector<CursorRef> cursors;  // in the order of the source's outlets
  std::uint64_t received_to =
      0;                  // events before it were counted as received: a sink that reads again, does not
  bool recorded = false;  // the checkpoint store has been told of it
  std::unique_ptr<const std::string> recorded_as;  // under which name; null: not known, or nobody asks
  bool revived = false;                            // it was known to the checkpoint store at the start
  std::int64_t gone_ns = 0;    // wall clock: since when it is no longer where it was; 0: it is
  std::uint64_t cut_from = 0;  // the token of the file that was truncated, which is no copy of it
  bool nuls_may_lead = false;  // it began by a truncation: a writer without O_APPEND leaves a hole
  std::uint64_t nuls_to = 0;   // [0, nuls_to) is known to be NUL bytes only

  std::uint64_t fed_max() const;
  std::uint64_t fed_min() const;
  const Seam& fed_max_seam() const;
  bool all_acknowledged() const;
};

// Where what each sink was not fed begins.
struct Unread {
  std::string sink;
  std::uint64_t begin = 0;
};
std::vector<Unread> unread_of(const LogContent& content);

// An inode with at least one matching name, or that is still followed after it lost its names.
//
// Threads: the source's.
struct TailedFile {
  enum class Place {
    kNamed,    // a name in the globs leads to it
    kMoved,    // renamed to where no glob matches
    kDeleted,  // no name left at all
  };

  std::uint64_t token = 0;
  FileKey key;
  std::int64_t birth_ns = 0;
  FileNames names;
  Place place = Place::kNamed;
  std::shared_ptr<LogContent> content;
  // Of a compressed file: offsets and sizes are those of what it holds. Null as long as it may be plain.
  std::unique_ptr<Archive> archive;

  UniqueFd fd;
  std::uint64_t size_known = 0;     // the largest size seen; of an archive, once it is verified
  std::uint64_t partial_bytes = 0;  // behind the last whole event, at the last look
  // The event at `begin` does not end in [begin, to): one that is longer than a read is not scanned twice.
  struct LongEvent {
    bool exists = false;
    std::uint64_t begin = 0;
    std::uint64_t text_begin = 0;  // behind bytes that are skipped
    std::uint64_t to = 0;
    std::string head;      // its first bytes: they tell whether it was rewritten meanwhile
    bool in_line = false;  // `to` is inside a line of it; otherwise a line begins there
    // Of several lines: what was judged of them.
    EventRules::Open open;
    std::uint64_t line_begin = 0;  // in_line: where the line begins
    bool ends_with_line = false;   // in_line: the event does
    EventRules::Cut cut = EventRules::Cut::kNone;
    bool is_at(std::uint64_t position) const { return exists && begin == position; }
  };
  struct LongEvents {
    LongEvent current;
    // Those at which other sinks stand: without a place for each, two sinks would make each other begin anew
    // for ever. At most as many as there are sinks; none of an archive, which cannot go back.
    std::vector<LongEvent> aside;
  };
  std::unique_ptr<LongEvents> long_events;  // null: none
  // The one that begins at `position`, if there is one, is the current one from now on.
  void turn_to_long_event(std::uint64_t position);
  bool in_long_event(std::uint64_t position) const {
    return long_events && long_events->current.is_at(position);
  }
  // The current one is over, or void.
  void end_long_event();
  std::int64_t deficit = 0;           // of deficit round robin, bytes
  std::unique_ptr<TokenBucket> rate;  // file_rate_limit
  TimePoint last_growth{};            // when it last had new bytes
  TimePoint caught_up_at{};           // when it was last read to its end
  TimePoint lost_names_at{};
  std::int64_t deleted_ns = 0;    // wall clock, as exactly as can be told; 0: it is not deleted
  TimePoint retry_at{};           // not opened before, after a failure
  TimePoint last_use{};           // of the handle
  std::uint64_t found_bytes = 0;  // its size when it was found

  // Its first bytes equal those of another file that is being read: it waits, until `held_until`, whether
  // that one is truncated or deleted, which makes this one its copy (semantics 4).
  std::uint64_t held_for = 0;  // the other's token; 0: not held
  TimePoint held_until{};
  std::uint64_t verified_to = 0;  // as far as it was seen equal

  bool archive_name = false;   // to be looked at before it is read: its bytes tell whether it is an archive
  bool first_scan = false;     // found by the first scan: start_at applies
  bool changed = false;        // since it was found
  bool truncated = false;      // it has held another content before
  bool cut_seen = false;       // it was truncated; what the kernel told until then is looked at first
  bool behind = false;         // the last read filled the slab: there is a backlog
  bool queued = false;         // in the ready queue
  bool settled = false;        // ... behind all others: nothing new is expected in it
  bool waiting = false;        // among those that wait for room or time
  bool orphan = false;         // among those whose end is watched by time
  bool followed = false;       // discovery watches the inode itself
  bool ignored = false;        // ignore_older: until it changes
  bool flush_partial = false;  // what stands behind the last whole event is one now
  bool open_event = false;     // among those whose multi-line event may be over by time
  bool is_local = false;       // valid while fd is open: on a file system whose short reads end at the end
  bool finished_copy = false;  // a copy that holds less than was read of the original: nothing to read in it

  std::list<TailedFile*>::iterator lru;  // valid while fd is open
  const std::string& path() const { return names.path(); }
  // What its events bear; made when it is asked for. `source`: the component's name.
  const std::shared_ptr<const Origin>& origin(const std::string& source);
  // Its path or its content is another one, or there will be no events of it for a while.
  void drop_origin() { origin_.reset(); }
  // Every sink was fed with all that the archive holds, and it does not grow.
  bool finished_archive() const { return archive && content && content->fed_min() >= archive->size_bytes(); }
  // Every sink was fed with what is known to be in it, and has it.
  bool all_done() const {
    if (!content) return size_known == 0;
    return partial_bytes == 0 && content->fed_min() >= size_known && content->all_acknowledged();
  }
  // Another content stands in this place from now on; null: it is not known yet which.
  void set_content(std::shared_ptr<LogContent> next);

 private:
  std::shared_ptr<const Origin> origin_;
};

}  // namespace logflume
