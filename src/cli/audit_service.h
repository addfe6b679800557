// Answers of an audit: from the store and the journal in a data_dir, and from the agent itself while it runs.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "checkpoint/audit_history.h"
#include "checkpoint/checkpointer.h"
#include "checkpoint/in_flight.h"
#include "cli/audit_report.h"

namespace logflume {

// What is asked for, and how it is written in a URL behind "/audit".
struct AuditRequest {
  std::vector<std::string> files;  // absolute paths; none: all
  bool text = false;               // for people; otherwise JSON
  std::uint64_t after = 0;         // of file ids: where the page before ended
  std::optional<FileRange> find;   // what became of these bytes of the one file

  std::string target() const;
  // nullopt: it is none.
  static std::optional<AuditRequest> from_query(std::string_view query);
};

struct AuditAnswer {
  std::uint64_t next = 0;  // ask for what is after it; 0: that was all
  std::size_t shown = 0;   // files
  std::size_t faulty = 0;
  std::vector<std::string> notes;  // what makes it less than it could be
  std::string body;                // text, or JSON objects separated by commas

  std::string json(bool text) const;
};

// Threads: any, one answer at a time.
class AuditService {
 public:
  // What runs can be asked. Null members: nothing does.
  struct Running {
    Checkpointer* checkpointer = nullptr;
    InFlightBoard* in_flight = nullptr;
    AuditJournal* journal = nullptr;
  };
  explicit AuditService(std::string data_dir) : AuditService(std::move(data_dir), Running{}) {}
  AuditService(std::string data_dir, Running running) : data_dir_(std::move(data_dir)), running_(running) {}

  // The books of a page of files, or what became of a line. Of an agent that runs: as of this moment, a page
  // holds few files, and no thread that moves events is held up for more than those.
  // Errors: those of CheckpointStore::read().
  Result<AuditAnswer> answer(const AuditRequest& request);

 private:
  Result<AuditBooks> books(const AuditRequest& request, AuditAnswer& answer);

  const std::string data_dir_;
  const Running running_;
  std::mutex mutex_;
  FormerNames names_;  // guarded by mutex_; as of the first page
};

}  // namespace logflume
