// What the audit's journal notes, as the payload of a record of its logs (docs/formats/audit.md). No I/O
// here.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "event/batch.h"

namespace logflume {

enum class BatchStage : std::uint8_t {
  kRead = 1,          // by a source
  kAcknowledged = 2,  // by a sink, or given up by it: the ranges of the store tell which
  kReleased = 3,      // a sink's disk buffer has it, or gave it up: its source need not keep it
};
constexpr BatchStage kBatchStageMax = BatchStage::kReleased;

struct BatchNote {
  std::uint64_t batch = 0;  // 0: not known, it comes from a disk buffer that was written by an earlier run
  std::uint64_t file_id = 0;
  FileRange range;         // of the file
  std::int64_t at_ns = 0;  // wall clock; kept in whole microseconds
  std::uint32_t events = 0;
};

// What happened to batches at one component.
struct BatchNotes {
  BatchStage stage = BatchStage::kRead;
  std::string component;
  std::vector<BatchNote> notes;
};

// A name that a file had.
struct NameNote {
  std::uint64_t file_id = 0;
  std::string path;
  std::int64_t until_ns = 0;  // wall clock: when it got another; kept in whole microseconds
};

// Appends the payload of one record to `out`.
void encode_batch_notes(BatchStage stage, std::string_view component, std::span<const BatchNote> notes,
                        std::string& out);
void encode_name_notes(std::span<const NameNote> notes, std::string& out);

// nullopt: this is no such payload, whatever its checksum says. `count`: as the record counts the notes.
std::optional<BatchNotes> decode_batch_notes(std::string_view payload, std::uint32_t count);
std::optional<std::vector<NameNote>> decode_name_notes(std::string_view payload, std::uint32_t count);

}  // namespace logflume
