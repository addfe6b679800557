// What the audit's journal tells, read from disk, whether an agent runs or not.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "checkpoint/audit_record.h"
#include "disk/disk.h"

namespace logflume {

// Former names of files, oldest first.
using FormerNames = std::unordered_map<std::uint64_t, std::vector<NameNote>>;

// Of each file the last kFormerNamesMax that are known, each path once.
// Errors: those of Disk; kUnsupported: a newer version wrote it. No journal: nothing.
constexpr std::size_t kFormerNamesMax = 16;
Result<FormerNames> read_former_names(Disk& disk, const std::string& data_dir);

struct BatchHistory {
  struct Step {
    BatchStage stage = BatchStage::kRead;
    std::string component;
    BatchNote note;
  };
  std::vector<Step> steps;    // as they were noted; the last kStepsMax
  bool has_journal = false;   // there is one, whatever it tells of these bytes
  std::int64_t since_ns = 0;  // the first moment that it knows of
  std::uint64_t damaged = 0;  // records that could not be read
  static constexpr std::size_t kStepsMax = 1000;
};

// All that is known of batches that hold some of `range` of the file.
Result<BatchHistory> read_batch_history(Disk& disk, const std::string& data_dir, std::uint64_t file_id,
                                        FileRange range);

}  // namespace logflume
