#include "source/read_ahead.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace logflume {
namespace {

// In front of a block, in its slab: for the unfinished line before it, and the seam.
constexpr std::size_t kHeadroomBytes = 32 * 1024;
constexpr std::size_t kBlockBytes = SlabPool::kSlabBytes - kHeadroomBytes;
constexpr std::size_t kLeadBytes = Seam::kBytesMax;
// A file is far behind when so much is there to be read. Less is read before a helper has woken up.
constexpr std::uint64_t kFarBehindBytes = 4 * 1024 * 1024;
// Lines are too long for the headroom: how far to go before it is tried again.
constexpr std::uint64_t kClosedBytes = 64 * 1024 * 1024;
constexpr unsigned kPassedByMax = 8;
// Of one file, for each helper: one that is read, one that is next.
constexpr std::size_t kBlocksPerHelper = 2;
constexpr std::size_t kMemoryShare = 8;  // of memory_limit, blocks take at most one part in so many

}  // namespace

ReadAhead::~ReadAhead() {
  drop_all();
  helpers_.leave(owner_);
}

ReadAhead::Window* ReadAhead::find(const TailedFile& file) {
  const auto it = std::find_if(windows_.begin(), windows_.end(), [&](const Window& window) {
    return window.token == file.token && window.content == file.content->id && window.fd == file.fd.get();
  });
  return it == windows_.end() ? nullptr : &*it;
}

ReadAhead::Answer ReadAhead::take(const TailedFile& file, std::uint64_t position, std::size_t seam_bytes,
                                  std::uint64_t limit, Text& text) {
  Window* const window = find(file);
  if (window == nullptr || window->blocks.empty() || position > window->end ||
      position + window->last.bytes < window->end + seam_bytes)
    return Answer::kNone;
  const auto carried = static_cast<std::size_t>(window->end - position) + seam_bytes;
  if (carried > kHeadroomBytes || window->end + kBlockBytes > limit) {
    empty(*window);
    if (carried > kHeadroomBytes) window->closed_to = window->end + kClosedBytes;
    return Answer::kNone;
  }
  if (!wait_for_first(*window)) {
    window->pending = true;
    return Answer::kPending;
  }
  ReadBlock& block = *window->blocks.front();
  const char* const last_end = window->last.data + window->last.bytes;
  if (block.got_bytes < block.bytes ||
      block.lead() != std::string_view(last_end - block.lead_bytes, block.lead_bytes)) {
    empty(*window);
    return Answer::kNone;
  }
  char* const begin = block.to + block.lead_bytes - carried;
  std::memcpy(begin, last_end - carried, carried);
  text = {block.slab, begin, carried + kBlockBytes, block.newlines, kBlockBytes, {}};
  window->last = text;
  text.lines = std::move(block.lines);
  window->end += kBlockBytes;
  window->passed_by = 0;
  window->blocks.erase(window->blocks.begin());
  helpers_.release_place();
  return Answer::kText;
}

// The helpers' work is shared: what none of them has begun is read here, the first block before others.
bool ReadAhead::wait_for_first(Window& window) {
  for (const auto& block : window.blocks) {
    if (window.blocks.front()->done()) return true;
    if (!block->done() && helpers_.take_back(*block)) block->run();
  }
  return window.blocks.front()->done();
}

void ReadAhead::go_on(const TailedFile& file, std::uint64_t end, std::uint64_t limit, const Text& text) {
  const std::uint64_t known = std::min(file.size_known, limit);
  Window* window = find(file);
  if (window == nullptr || window->blocks.empty()) {
    const bool far_behind = known >= end + kFarBehindBytes && text.bytes >= kLeadBytes;
    if (!far_behind || (window != nullptr && end < window->closed_to)) {
      if (window != nullptr) window->last = {};
      return;
    }
    if (window == nullptr) window = &add(file);
    window->last = text;
    window->end = window->asked_to = end;
  } else if (window->end != end) {
    // Another sink's position. It gets the window when nobody goes on with it.
    if (++window->passed_by >= kPassedByMax) empty(*window);
    return;
  }
  fill(*window, known);
}

ReadAhead::Window& ReadAhead::add(const TailedFile& file) {
  std::erase_if(windows_, [&](Window& old) {  // of an earlier content
    if (old.token != file.token && old.fd != file.fd.get()) return false;
    empty(old);
    return true;
  });
  windows_.push_back({});
  windows_.back().token = file.token;
  windows_.back().content = file.content->id;
  windows_.back().fd = file.fd.get();
  return windows_.back();
}

void ReadAhead::fill(Window& window, std::uint64_t limit) {
  const std::size_t blocks_max =
      std::max<std::size_t>(1, std::min<std::size_t>(helpers_.threads() * kBlocksPerHelper + 1,
                                                     ReadHelpers::kBlocksMax / windows_.size()));
  const std::size_t memory = slabs_.budget().limit_bytes() / kMemoryShare;
  while (window.blocks.size() < blocks_max && window.asked_to + kBlockBytes <= limit) {
    if (!helpers_.try_place(memory)) return;
    SlabRef slab = slabs_.try_acquire();
    if (!slab) return helpers_.release_place();
    auto block = std::make_unique<ReadBlock>();
    block->fd = window.fd;
    block->offset = window.asked_to - kLeadBytes;
    block->lead_bytes = kLeadBytes;
    block->to = slab->data() + kHeadroomBytes - kLeadBytes;
    block->slab = std::move(slab);
    block->bytes = kLeadBytes + kBlockBytes;
    block->reader = &owner_;
    block->marker = marker_ ? &*marker_ : nullptr;
    window.asked_to += kBlockBytes;
    helpers_.submit(*block);
    window.blocks.push_back(std::move(block));
  }
}

bool ReadAhead::has_news() const {
  return !ended_.empty() || std::any_of(windows_.begin(), windows_.end(),
                                        [](const Window& window) { return window.has_news(); });
}

std::uint64_t ReadAhead::take_news() {
  if (!ended_.empty()) {
    const std::uint64_t token = ended_.back();
    ended_.pop_back();
    return token;
  }
  for (Window& window : windows_) {
    if (!window.has_news()) continue;
    window.pending = false;
    return window.token;
  }
  return 0;
}

void ReadAhead::empty(Window& window) {
  for (const auto& block : window.blocks) {
    helpers_.reclaim(*block);
    helpers_.release_place();
  }
  window.blocks.clear();
  window.last = {};
  window.passed_by = 0;
  if (std::exchange(window.pending, false)) ended_.push_back(window.token);
}

void ReadAhead::drop(int fd) {
  std::erase_if(windows_, [&](Window& window) {
    if (window.fd != fd) return false;
    empty(window);
    return true;
  });
}

void ReadAhead::drop_all() {
  for (Window& window : windows_) empty(window);
  windows_.clear();
}

}  // namespace logflume
