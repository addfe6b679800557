// A batch as the payload of a record in a buffer (docs/formats/buffer.md).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/batch.h"
#include "event/frame.h"

namespace logflume {

// What a payload says, viewed in place.
struct BufferedBatch {
  std::uint64_t file_id = 0;
  FileRange owed;
  Seam seam;
  std::int64_t wall_ns = 0;
  bool unterminated = false;
  bool truncated = false;
  bool strip_cr = false;
  std::string_view source;
  std::string_view path;
  std::vector<std::uint32_t> event_ends;
  std::string_view text;
  // Behind transforms the text is the lines that were left, and this is what they had to say; `file_bytes` is
  // what they, and those that were dropped, take in the file. Empty: the text is as it was read.
  std::string_view view;
  std::uint64_t file_bytes = 0;

  // Where the text stands in the file. What an event owes beyond it is before it (a hole), or behind it (it
  // was cut).
  FileRange text_range() const;

  // nullopt: this is no such payload, whatever its checksum says. `events`: as the record counts them.
  static std::optional<BufferedBatch> decode(std::string_view payload, std::uint32_t events);
};

// Of the text that is stored.
inline std::uint64_t text_bytes(const Batch& batch) { return batch.view ? batch.view->bytes() : batch.bytes; }

// The parts of a payload. They view `batch`, and the part that is not in it, `head`, which is overwritten.
void encode(const Batch& batch, std::string& head, std::vector<iovec>& pieces);
// How long the payload is.
std::uint64_t encoded_bytes(const Batch& batch);

}  // namespace logflume
