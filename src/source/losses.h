// Bytes that may be lost: their file was truncated, replaced or deleted before they were read. A copy that is
// found soon after (copytruncate, compression) has them; otherwise they are counted.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "source/file_metrics.h"
#include "source/file_records.h"
#include "source/source.h"

namespace logflume {

struct Loss {
  std::uint64_t file_id = 0;
  std::string path;
  FileRange range;                  // what the sink that is most behind has not got
  std::uint64_t partial_bytes = 0;  // of it, behind the last whole event
  std::string reason;
  std::vector<Unread> unread;  // of each sink
};

// Threads: the source's.
class Losses {
 public:
  static constexpr Duration kGrace = std::chrono::seconds(5);  // as long as a copy may be held (semantics 4)

  Losses(SourceContext& context, FileMetrics& metrics, FileRecords& records)
      : context_(context), metrics_(metrics), records_(records) {}

  void suspect(Loss loss, TimePoint now);
  // Nobody can have it: counted at once.
  void certain(const Loss& loss);
  // For the audit: nobody gets the bytes before `end` that were not read. Counts nothing.
  void note(std::uint64_t file_id, const std::vector<Unread>& unread, std::uint64_t end,
            std::string_view reason);
  // The content of this file goes on elsewhere: nothing of it is lost.
  void found(std::uint64_t file_id);
  // Counts and logs what was not found in time; with `all`, everything.
  void settle(TimePoint now, bool all);
  TimePoint next_due() const { return pending_.empty() ? kNever : pending_.front().due; }

 private:
  struct Pending {
    Loss loss;
    TimePoint due;
  };
  SourceContext& context_;
  FileMetrics& metrics_;
  FileRecords& records_;
  std::vector<Pending> pending_;  // in the order of their due times
};

}  // namespace logflume
