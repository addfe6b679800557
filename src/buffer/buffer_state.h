// How far a buffer is: which positions its sink is done with, and what of it is durable. Kept in the
// checkpoint store as a state of the sink, so that it changes in one transaction with the sources' cursors
// and the sink's own states.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace logflume {

// Positions that are done: all below low(), and ranges above it.
class DonePositions {
 public:
  explicit DonePositions(std::uint64_t low = 0) : low_(low) {}

  std::uint64_t low() const { return low_; }
  const std::map<std::uint64_t, std::uint64_t>& ranges() const { return ranges_; }
  // Behind all that is done.
  std::uint64_t high() const { return ranges_.empty() ? low_ : ranges_.rbegin()->second; }
  bool contains(std::uint64_t position) const;
  void mark(std::uint64_t begin, std::uint64_t end);
  // The parts of [begin, end) that are not, in order.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> missing(std::uint64_t begin, std::uint64_t end) const;

 private:
  std::uint64_t low_;
  std::map<std::uint64_t, std::uint64_t> ranges_;  // begin -> end; disjoint, none touches another or low_
};

struct BufferState {
  // No file that a sink keeps states of has such a name.
  static constexpr std::string_view kKey{"\0buffer", 7};

  DonePositions done;
  std::uint64_t durable_to = 0;  // the log was synced up to here
  // Nothing was written at a position behind it. So what comes back of bytes that a crash had taken, or a
  // removal that was not durable, is always before what a later run gives out.
  std::uint64_t reserved_to = 0;
  // What is in the log and not done.
  std::uint64_t events = 0;
  std::uint64_t bytes = 0;
  // Of them no more: a repair found them gone, and no agent has counted that yet.
  std::uint64_t lost_events = 0;

  std::string encode() const;
  static std::optional<BufferState> decode(std::string_view text);
};

// Whether a state of a sink is its buffer's, not its own.
inline bool is_buffer_state(std::string_view key) { return key == BufferState::kKey; }

}  // namespace logflume
