// Writes marked lines to files: as fast as the disk takes them, or at a rate, with rotation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "generate/line_source.h"
#include "generate/rotated_file.h"

namespace logflume {

// An amount in bytes or in lines.
struct Amount {
  std::uint64_t count = 0;
  bool in_bytes = false;
};

// "10MB" is bytes, "1000" lines; a rate may end in "/s". Errors: kInvalidArgument.
Result<Amount> parse_amount(std::string_view text);

// Everything counts for each output by itself.
struct GenerateOptions {
  LineFormat format = LineFormat::kNginx;
  std::vector<std::string> outputs;  // "-" is standard output
  std::vector<std::string> streams;  // names, one an output, all of one length; distinct
  std::uint64_t lines = UINT64_MAX;
  std::uint64_t bytes = UINT64_MAX;  // stops with the line that reaches it
  std::optional<Duration> duration;
  std::optional<Amount> rate;  // a second
  Rotation rotation = Rotation::kNone;
  Amount rotate_every;
  std::uint32_t keep = 5;
  std::size_t line_bytes = 0;  // 0: natural
  std::uint64_t seed = 0;
  bool split_writes = false;  // each append ends within a line, completed by the next one
};

struct StreamSummary {
  std::string stream;
  std::string path;
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
  std::uint32_t rotations = 0;
};

struct GenerateCalls {
  // Asked between writes; true ends the run after whole lines.
  std::function<bool()> stop_requested;
  // Bytes written so far and, where known, how much of the work is done (0 to 1).
  std::function<void(std::uint64_t bytes, std::optional<double> done)> progress;
};

// Runs to the end of lines, bytes or duration, whichever comes first. Blocks.
Result<std::vector<StreamSummary>> generate(const GenerateOptions& options, const GenerateCalls& calls);

}  // namespace logflume
