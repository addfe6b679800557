// A batch as the payload of a record in a buffer (docs/formats/buffer.md).
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/batch.h"

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

  // Where the text stands in the file. What an event owes beyond it is before it (a hole), or behind it (it
  // was cut).
  FileRange text_range() const;

  // nullopt: this is no such payload, whatever its checksum says. `events`: as the record counts them.
  static std::optional<BufferedBatch> decode(std::string_view payload, std::uint32_t events);
};

// The parts of a payload. They view `batch`, and the part that is not in it, `head`, which is overwritten.
void encode(const Batch& batch, std::string& head, std::vector<iovec>& pieces);
// How long the payload is.
std::uint64_t encoded_bytes(const Batch& batch);

}  // namespace logflume
