// The books of all files: what the checkpoint store, the files themselves and, if it runs, the agent say.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "checkpoint/audit.h"

namespace logflume {

// What stands at the path of a file now.
enum class FilePlace { kThere, kGone, kMissing, kReplaced };

struct AuditedFile {
  FileRecord record;
  FilePlace place = FilePlace::kThere;
  FileAudit audit;
};

class AuditBooks {
 public:
  AuditBooks(CheckpointContent content, std::vector<InFlight> in_flight);

  // In the order of their ids.
  const std::vector<FileRecord>& files() const { return files_; }
  // Looks at the file.
  AuditedFile audit(const FileRecord& file) const;

 private:
  struct Account {
    std::vector<CursorRecord> cursors;
    std::vector<RangeRecord> ranges;
    std::vector<InFlight> in_flight;
  };
  std::vector<FileRecord> files_;
  std::unordered_map<std::uint64_t, Account> accounts_;  // by file id
};

std::string text_of(const AuditedFile& file);
std::string json_of(const AuditedFile& file);

}  // namespace logflume
