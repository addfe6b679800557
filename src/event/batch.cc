#include "event/batch.h"

#include <algorithm>
#include <cassert>
#include <new>

#include "event/frame.h"

namespace logflume {

Seam::Seam(std::string_view bytes) {
  if (bytes.empty()) return;
  assert(bytes.size() <= kBytesMax);
  auto* shared = ::new (::operator new(sizeof(Shared) + bytes.size())) Shared;
  shared->size = static_cast<std::uint8_t>(bytes.size());
  std::memcpy(shared->bytes(), bytes.data(), bytes.size());
  shared_ = IntrusivePtr<const Shared>(shared);
}

Seam Seam::before(const char* end, std::size_t available) {
  const std::size_t size = std::min(available, kBytesMax);
  return Seam(std::string_view(end - size, size));
}

std::size_t Batch::event_bytes() const { return view ? view->bytes() : bytes + (unterminated ? 1 : 0); }

FileRange Batch::range_of(std::uint32_t first, std::uint32_t last) const {
  assert(first <= last && last <= events);
  if (made) return {text_begin, text_begin};
  if (view) {
    if (first == last) return {text_begin, text_begin};
    const EventIndex& lines = view->lines();
    return {text_begin + lines.begin_of((*view)[first].row),
            text_begin + lines.end_of((*view)[last - 1].row)};
  }
  const auto end_of = [&](std::size_t from, std::uint32_t index, std::uint32_t count) {
    // Where the event `index` ends, `count` events behind `from`.
    if (index == events) return bytes;
    if (!event_ends.empty()) return std::size_t{event_ends[index - 1]} + 1;
    for (; count > 0; --count) from = text().find('\n', from) + 1;
    return from;
  };
  const std::size_t begin = first == 0 ? 0 : end_of(0, first, first);
  const std::size_t end = last == first ? begin : end_of(begin, last, last - first);
  return {text_begin + begin, text_begin + end};
}

}  // namespace logflume
