// Blocks of files that are far behind, read by helpers before their turn comes.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "source/read_helpers.h"
#include "source/tailed_file.h"

namespace logflume {

// A window for each file that is far behind: the next blocks, behind what was read of it last. They are taken
// strictly in order. Each was read with the 64 bytes before it, which must equal the end of the one before:
// what a seam is for a read. Whatever is not as expected (a short block, other bytes, another position, an
// unfinished line that is too long) ends the window, and the file is read as if there was none: so every case
// but the usual one is decided in one place, LineReader.
//
// Threads: the source's. It waits for a helper only where a window with a block in reading ends.
class ReadAhead {
 public:
  // `owner` is woken when a block is done. `marker`: marks the lines of blocks.
  ReadAhead(ReadHelpers& helpers, SlabPool& slabs, Parker& owner, std::optional<LineMarker> marker = {})
      : helpers_(helpers), slabs_(slabs), owner_(owner), marker_(marker) {}
  ~ReadAhead();

  // Text as one read would have given it, in a slab of its own.
  struct Text {
    SlabRef slab;
    char* data = nullptr;
    std::size_t bytes = 0;
    std::size_t newlines = 0;  // in the last `block_bytes` of it
    std::size_t block_bytes = 0;
    LineMarks lines;  // of these bytes, if they were marked
  };
  enum class Answer {
    kNone,     // read it yourself
    kText,     // here it is
    kPending,  // a helper is at it; has_news() once it is done
  };
  // The text that begins `seam_bytes` before `position` and does not pass `limit`.
  Answer take(const TailedFile& file, std::uint64_t position, std::size_t seam_bytes, std::uint64_t limit,
              Text& text);
  // `text`, which a read or take() gave, ends at `end`, and what follows it is wanted next, not beyond
  // `limit`.
  void go_on(const TailedFile& file, std::uint64_t end, std::uint64_t limit, const Text& text);

  // A file for which kPending was answered can go on.
  bool has_news() const;
  // Its token; 0: none.
  std::uint64_t take_news();

  // `fd` is about to be closed, or the file is read on in another way.
  void drop(int fd);
  void drop_all();

 private:
  struct Window {
    std::uint64_t token = 0;
    std::uint64_t content = 0;
    int fd = -1;
    Text last;                                       // what was taken last
    std::uint64_t end = 0;                           // of it
    std::vector<std::unique_ptr<ReadBlock>> blocks;  // from `end` on
    std::uint64_t asked_to = 0;                      // where the last of them ends
    std::uint64_t closed_to = 0;                     // there is no reading ahead before this position
    unsigned passed_by = 0;                          // reads of the file elsewhere, since one was here
    bool pending = false;  // kPending was answered, and take_news() has not told of it
    bool has_news() const { return pending && (blocks.empty() || blocks.front()->done()); }
  };
  Window* find(const TailedFile& file);
  Window& add(const TailedFile& file);
  void fill(Window& window, std::uint64_t limit);
  bool wait_for_first(Window& window);
  void empty(Window& window);

  ReadHelpers& helpers_;
  SlabPool& slabs_;
  Parker& owner_;
  const std::optional<LineMarker> marker_;
  std::vector<Window> windows_;
  std::vector<std::uint64_t> ended_;  // the windows of these files, while they were pending
};

}  // namespace logflume
