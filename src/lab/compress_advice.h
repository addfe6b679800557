// Which compression carries the most lines over a link.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "lab/codecs.h"
#include "lab/report.h"
#include "sink/sink_config.h"

namespace logflume {

// What was measured of a codec with blocks of a size.
struct CompressionFigure {
  const CodecKind* codec = nullptr;
  std::uint64_t block_bytes = 0;
  double ratio = 1;  // uncompressed to compressed
  double rate = 0;   // uncompressed bytes a second, of one core
};

// Which sinks could be told so.
enum class SinkFamily { kHttp, kFile, kKafka };
std::string_view family_name(SinkFamily family);
bool can_configure(SinkFamily family, const CodecKind& codec);
// That one sink compresses on, of so many: http on all, file on one thread, kafka by up to four producers.
int compressing_cores(SinkFamily family, int cores);

struct CompressionChoice {
  SinkFamily family = SinkFamily::kHttp;
  const CodecKind* codec = nullptr;  // null: no compression
  std::uint64_t block_bytes = 0;     // 0: it does not matter
  double ratio = 1;
  // Uncompressed bytes a second: the lesser of what the cores compress and what the link carries.
  double carried = 0;
  int cores = 1;  // that compress

  // "compression: zstd, options: {compression.level: \"1\"}, batch.max_bytes: 256KiB"
  std::string settings() const;
};

// The most that goes over `link` (bytes a second) from a machine with so many cores. Of what comes within 3 %
// of that, what costs the least CPU, and then the smallest block: it waits the shortest.
CompressionChoice best_compression(std::span<const CompressionFigure> figures, SinkFamily family, double link,
                                   int cores);

// A link that leaves a choice: "1 Gbit/s".
std::string link_text(double bytes_a_second);

// The figures of a report of `lab compress`, by its rows of one thread.
std::vector<CompressionFigure> compression_figures(const LabReport& report);

// Of `lab compress`; `link` 0: for links of 100 Mbit/s, 1 Gbit/s and 10 Gbit/s.
std::vector<std::string> compress_advice(const LabReport& report, double link);

}  // namespace logflume
