// The books of one file: what became of each of its bytes, for each sink, and whether the sum is right.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint_store.h"
#include "checkpoint/in_flight.h"
#include "event/batch.h"

namespace logflume {

// Bytes that do not add up.
struct AuditFault {
  enum class Kind { kGap, kOverlap } kind = Kind::kGap;
  FileRange range;
  std::uint64_t bytes = 0;  // of the range
};
std::string text_of(const AuditFault& fault);

struct AuditPart {
  std::uint64_t bytes = 0;
  std::uint64_t events = 0;
  std::vector<FileRange> ranges;
};

// Of one sink in one file. All parts together have `size_bytes`, if there is no fault.
struct SinkAudit {
  std::string sink;
  std::uint64_t acknowledged = 0;  // everything before it is done with
  AuditPart delivered;
  std::map<std::pair<RangeKind, std::string>, AuditPart> exceptions;  // by kind and reason
  AuditPart pending;                                                  // read and not acknowledged; no events
  AuditPart unread;                                                   // no events
  std::vector<AuditFault> faults;
};

struct FileAudit {
  std::uint64_t size_bytes = 0;
  std::vector<SinkAudit> sinks;  // by name
  bool balanced() const;
};

// `size_bytes`: what is known of the size; a file that is shorter than what was acknowledged of it is taken
// as long as that. `cursors`, `ranges` and `in_flight` are those of the file.
FileAudit audit_file(std::uint64_t size_bytes, const std::vector<CursorRecord>& cursors,
                     const std::vector<RangeRecord>& ranges, const std::vector<InFlight>& in_flight);

}  // namespace logflume
