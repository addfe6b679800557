// What became of one line: from the books of its file, and from the journal when it was read and
// acknowledged.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "checkpoint/audit_history.h"
#include "cli/audit_report.h"

namespace logflume {

// FILE:LINE or FILE:@OFFSET.
struct LineAddress {
  std::string path;
  bool is_offset = false;
  std::uint64_t number = 0;  // of the line, the first one is 1; or the byte
};
// Errors: kInvalidArgument: it is neither.
Result<LineAddress> parse_line_address(const std::string& text);

// Where it is in the file as it is now, decompressed if it is an archive; with its newline. Of an offset that
// byte. Errors: kNotFound: no such file, or fewer lines; kCorrupt; those of reading.
Result<FileRange> locate_line(const LineAddress& address);

struct FoundLine {
  // What became of some of its bytes at one sink.
  struct Fate {
    FileRange range;
    std::string what;    // delivered, pending, unread, skipped, lost, discarded, filtered
    std::string reason;  // empty: none is needed
    bool perhaps =
        false;  // of these and others around them only so many share the fate: see `what` beside it
  };
  struct Sink {
    std::string name;
    std::vector<Fate> fates;
    std::vector<BatchHistory::Step> steps;  // acknowledged, or released by its buffer
  };
  AuditedFile file;
  FileRange range;
  bool beyond_end = false;
  std::vector<BatchHistory::Step> reads;
  std::vector<Sink> sinks;
  bool has_journal = false;
  std::int64_t journal_since_ns = 0;
};
FoundLine find_line(const AuditedFile& file, FileRange range, const BatchHistory& history);

std::string text_of(const FoundLine& found);
std::string json_of(const FoundLine& found);

}  // namespace logflume
