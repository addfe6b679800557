// The books of all files: what the checkpoint store, the files themselves and, if it runs, the agent say.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "checkpoint/audit.h"
#include "checkpoint/audit_history.h"

namespace logflume {

// What stands at the path of a file now.
enum class FilePlace { kThere, kGone, kMissing, kReplaced };

struct AuditedFile {
  FileRecord record;
  FilePlace place = FilePlace::kThere;
  std::vector<NameNote> former_names;  // oldest first
  FileAudit audit;
};

class AuditBooks {
 public:
  // `names` outlives it.
  AuditBooks(CheckpointContent content, std::vector<InFlight> in_flight, const FormerNames& names);

  // In the order of their ids.
  const std::vector<FileRecord>& files() const { return files_; }
  const std::vector<NameNote>& former_names(std::uint64_t file_id) const;
  // Looks at the file.
  AuditedFile audit(const FileRecord& file) const;

 private:
  struct Account {
    std::vector<CursorRecord> cursors;
    std::vector<RangeRecord> ranges;
    std::vector<InFlight> in_flight;
  };
  const FormerNames& names_;
  std::vector<FileRecord> files_;
  std::unordered_map<std::uint64_t, Account> accounts_;  // by file id
};

// Which file it is, and the names that it had: whole lines, and the members of a JSON object.
std::string identity_text(const AuditedFile& file);
std::string identity_json(const AuditedFile& file);

std::string text_of(const AuditedFile& file);
std::string json_of(const AuditedFile& file);

}  // namespace logflume
