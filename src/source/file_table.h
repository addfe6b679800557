// The files of a source by their tokens: a look-up for each change of a file touches one place in memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "source/discovery.h"
#include "source/tailed_file.h"

namespace logflume {

// A token is the place of a file and how many others had that place before it: it is never given again, but
// after four thousand millions of them.
//
// Threads: one.
class FileTable {
 public:
  // Owns it from here on, and gives it its token.
  TailedFile& add(std::unique_ptr<TailedFile> file) {
    std::uint32_t place = 0;
    if (free_.empty()) {
      place = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    } else {
      place = free_.back();
      free_.pop_back();
    }
    Slot& slot = slots_[place];
    slot.file = std::move(file);
    slot.file->token = std::uint64_t{slot.uses++} << 32 | (place + 1);
    return *slot.file;
  }
  // Null: it is no more.
  TailedFile* get(FileToken token) const {
    const std::uint64_t place = (token & UINT32_MAX) - 1;  // of 0, the token of none: far behind the end
    if (place >= slots_.size()) return nullptr;
    TailedFile* const file = slots_[place].file.get();
    return file != nullptr && file->token == token ? file : nullptr;
  }
  // REQUIRES: it is there.
  void remove(FileToken token) {
    const auto place = static_cast<std::uint32_t>((token & UINT32_MAX) - 1);
    slots_[place].file.reset();
    free_.push_back(place);
  }
  std::size_t size() const { return slots_.size() - free_.size(); }

  template <typename Visit>
  void for_each(Visit visit) const {
    for (const Slot& slot : slots_) {
      if (slot.file) visit(*slot.file);
    }
  }
  template <typename Predicate>
  bool any_of(Predicate predicate) const {
    for (const Slot& slot : slots_) {
      if (slot.file && predicate(*slot.file)) return true;
    }
    return false;
  }

 private:
  struct Slot {
    std::unique_ptr<TailedFile> file;
    std::uint32_t uses = 0;
  };
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_;
};

}  // namespace logflume
