#include "buffer/buffer_state.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <iterator>

namespace logflume {
namespace {

constexpr char kVersion = '2';
constexpr char kVersionWithoutReserve = '1';

// Takes one number off the front of `text`, and `separator` or the end behind it.
std::optional<std::uint64_t> take_number(std::string_view& text, char separator) {
  std::uint64_t value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
  if (!text.empty()) {
    if (text.front() != separator) return std::nullopt;
    text.remove_prefix(1);
  }
  return value;
}

}  // namespace

bool DonePositions::contains(std::uint64_t position) const {
  if (position < low_) return true;
  const auto behind = ranges_.upper_bound(position);
  return behind != ranges_.begin() && std::prev(behind)->second > position;
}

void DonePositions::mark(std::uint64_t begin, std::uint64_t end) {
  if (end <= low_ || begin >= end) return;
  // What it overlaps or touches becomes one range with it.
  auto first = ranges_.upper_bound(begin);
  if (first != ranges_.begin() && std::prev(first)->second >= begin) --first;
  while (first != ranges_.end() && first->first <= end) {
    begin = std::min(begin, first->first);
    end = std::max(end, first->second);
    first = ranges_.erase(first);
  }
  if (begin <= low_) {
    low_ = end;
  } else {
    ranges_.emplace(begin, end);
  }
}

std::vector<std::pair<std::uint64_t, std::uint64_t>> DonePositions::missing(std::uint64_t begin,
                                                                            std::uint64_t end) const {
  std::vector<std::pair<std::uint64_t, std::uint64_t>> parts;
  begin = std::max(begin, low_);
  auto range = ranges_.upper_bound(begin);
  if (range != ranges_.begin()) --range;
  for (; begin < end && range != ranges_.end() && range->first < end; ++range) {
    if (begin < range->first) parts.emplace_back(begin, range->first);
    begin = std::max(begin, range->second);
  }
  if (begin < end) parts.emplace_back(begin, end);
  return parts;
}

std::string BufferState::encode() const {
  std::string text = fmt::format("{} {} {} {} {} {} {}", kVersion, done.low(), durable_to, reserved_to,
                                 events, bytes, lost_events);
  for (const auto& [begin, end] : done.ranges())
    fmt::format_to(std::back_inserter(text), " {}-{}", begin, end);
  return text;
}

std::optional<BufferState> BufferState::decode(std::string_view text) {
  if (text.size() < 2 || text[1] != ' ') return std::nullopt;
  const bool reserves = text[0] == kVersion;
  if (!reserves && text[0] != kVersionWithoutReserve) return std::nullopt;
  text.remove_prefix(2);
  const auto low = take_number(text, ' ');
  const auto durable_to = take_number(text, ' ');
  const auto reserved_to = reserves ? take_number(text, ' ') : durable_to;
  const auto events = take_number(text, ' ');
  const auto bytes = take_number(text, ' ');
  const auto lost_events = reserves ? take_number(text, ' ') : std::optional<std::uint64_t>(0);
  if (!low || !durable_to || !reserved_to || !events || !bytes || !lost_events) return std::nullopt;
  BufferState state{DonePositions(*low), *durable_to, *reserved_to, *events, *bytes, *lost_events};
  while (!text.empty()) {
    const auto begin = take_number(text, '-');
    const auto end = take_number(text, ' ');
    if (!begin || !end || *end <= *begin) return std::nullopt;
    state.done.mark(*begin, *end);
  }
  return state;
}

}  // namespace logflume
