// Batch: the unit that moves between stages. Some whole events of one file, the slab that they are viewed
// in, where they came from and which bytes of the file are acknowledged with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/intrusive_ptr.h"
#include "event/slab.h"

namespace logflume {

class EventView;

// Where events came from. Immutable; a renamed file gets a new one.
struct Origin {
  static constexpr std::uint64_t kNoFile = 0;  // of events that were made
  std::string source;                          // component name
  std::string path;                            // absolute, as found (bytes; not always UTF-8)
  std::uint64_t file_id = 0;                   // of the checkpoint store; never used again for another file
};

// The last bytes before a position in a file: read again with the next bytes and compared, they tell that
// the file was truncated and has grown past the position with other content.
//
// A value of one pointer: the bytes are never changed, and shared by all who stand at that position. A file
// has two for each sink.
class Seam {
 public:
  static constexpr std::size_t kBytesMax = 64;

  Seam() = default;
  // Of what ends at `end`; fewer than kBytesMax only when the file has no more.
  static Seam before(const char* end, std::size_t available);
  // Of these bytes. REQUIRES: at most kBytesMax.
  explicit Seam(std::string_view bytes);

  std::uint8_t size() const { return shared_ ? shared_->size : std::uint8_t{0}; }
  std::string_view view() const {
    return shared_ ? std::string_view(shared_->bytes(), shared_->size) : std::string_view();
  }

 private:
  // In front of its bytes.
  struct Shared : RefCounted<Shared> {
    static void operator delete(void* memory) { ::operator delete(memory); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    std::uint8_t size = 0;
  };
  IntrusivePtr<const Shared> shared_;
};

// Bytes [begin, end) of a file.
struct FileRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t bytes() const { return end - begin; }
};

// Threads:   immutable once handed on; several sinks may view one batch.
// Invariant: text() holds `events` events, each ended by '\n', the last one perhaps not (`unterminated`).
//            A sink that frames by newline adds the missing one. If there are `event_ends`, one for each.
//
// There is no line index in it: a raw pass-through needs none, and who needs one builds it over text()
// while that is hot (event/newlines.h).
// While it goes through the stages of a pipeline its text stays what it is; what is left of its events, and
// their fields, is in `view`.
class Batch : public RefCounted<Batch> {
 public:
  Batch() = default;
  ~Batch() {
    if (charged_.budget != nullptr) charged_.budget->release(charged_.bytes);
  }
  // What it takes beside its slab, and what its sinks note about it, until it goes.
  void charge(MemoryBudget& budget, std::size_t own_bytes) {
    budget.reserve(own_bytes);
    charged_ = {&budget, own_bytes};
  }

  SlabRef slab;
  const char* data = nullptr;
  std::size_t bytes = 0;
  std::uint32_t events = 0;  // of the view, if there is one
  bool unterminated = false;
  bool truncated = false;  // its one event is the first max_line_bytes of a longer line
  bool strip_cr = false;   // a CR before the newline that ends an event is not part of it
  // Where each event ends (its newline, or the text's end), when they may hold newlines themselves
  // (multi-line events). Empty: each line is one.
  std::vector<std::uint32_t> event_ends;
  // Its events were made of others: no file has its text, and it owes nothing.
  bool made = false;
  // What transforms have left of it. Null: none has seen it, each event of the text is one, its line all that
  // it has.
  std::shared_ptr<const EventView> view;
  std::uint32_t filtered_events = 0;  // of the text, that are not in the view

  std::shared_ptr<const Origin> origin;
  std::uint32_t overhead_bytes = 0;  // beside its text: itself, and what a sink notes about it
  FileRange owed;                    // acknowledged when every event was delivered or counted as discarded
  FileRange in_file;                 // the same of the file; `owed` may be a place in a disk buffer
  std::uint64_t id = 0;              // for the audit's journal; 0: it has none
  // Bytes of text that are acknowledged with it, where these are not its own: a transform that joins events
  // keeps the last ones back, or adds those that it has kept.
  std::optional<std::size_t> owed_bytes;
  // Where text() begins in the file: behind owed.begin where bytes were skipped.
  std::uint64_t text_begin = 0;
  Seam seam;                 // the bytes before owed.end
  Seam seam_before;          // those before in_file.begin; of what was just read only
  std::int64_t wall_ns = 0;  // when it was read: the events' timestamp
  TimePoint read_at{};       // the same moment, for latency

  std::string_view text() const { return {data, bytes}; }
  // Of its events, newlines counted.
  std::size_t event_bytes() const;
  // What a sink's buffer is charged for it: some thousands of small batches cost more than their text.
  std::size_t charged_bytes() const { return bytes + overhead_bytes; }
  // What the bytes of text that it owes are counted as.
  std::size_t acknowledged_bytes() const { return owed_bytes.value_or(bytes); }
  // Where events [first, last) stand in the file, their newlines included; of made ones nowhere, an empty
  // range. Looks for newlines.
  FileRange range_of(std::uint32_t first, std::uint32_t last) const;

 private:
  // A copy of a batch has charged nothing.
  struct Charge {
    Charge() = default;
    Charge(MemoryBudget* from, std::size_t count) : budget(from), bytes(count) {}
    Charge(const Charge& /*other*/) {}
    Charge& operator=(Charge&& other) = default;
    MemoryBudget* budget = nullptr;
    std::size_t bytes = 0;
  };
  Charge charged_;
};

using BatchRef = IntrusivePtr<const Batch>;

}  // namespace logflume
