#include "event/columns.h"

#include <algorithm>
#include <cstring>

#include "event/slab.h"

namespace logflume {

// -- A column ---------------------------------------------------------------------------------------------

void Column::add_unsteady(std::size_t row, ValueKind kind, Slot slot) {
  if (kind == ValueKind::kMissing) return;
  if (row == used_ && bits_.empty() && !kinds_.empty() && used_ < capacity_) {  // dense, of several kinds
    kinds_.push_back(kind);
    slots_[used_++] = slot;
    return;
  }
  if (row != used_ || !bits_.empty()) mark(row);
  if (kind != uniform_ || !kinds_.empty()) note_kind(kind);
  if (used_ == capacity_) grow();
  slots_[used_++] = slot;
  note_steadiness();
}

Slot* Column::steady_slots(std::size_t row) {
  if (row != used_ || steady_ == kUnsteady) return nullptr;
  if (used_ == capacity_) grow();
  return slots_.get();
}

void Column::grow() {
  const std::size_t capacity = std::max<std::size_t>(16, 2 * capacity_);
  auto slots = std::make_unique_for_overwrite<Slot[]>(capacity);
  std::copy_n(slots_.get(), used_, slots.get());
  slots_ = std::move(slots);
  capacity_ = capacity;
}

// The first gap makes a bitmap of what was dense.
void Column::mark(std::size_t row) {
  if (bits_.empty()) {
    const std::size_t present = used_;
    bits_.assign(present / 64 + 1, ~std::uint64_t{0});
    bits_.back() = (std::uint64_t{1} << (present % 64)) - 1;
    before_.resize(bits_.size());
    for (std::size_t word = 0; word < before_.size(); ++word)
      before_[word] = static_cast<std::uint32_t>(word * 64);
  }
  const std::size_t word = row / 64;
  if (word >= bits_.size()) {
    bits_.resize(word + 1);
    before_.resize(word + 1, static_cast<std::uint32_t>(used_));
  }
  bits_[word] |= std::uint64_t{1} << (row % 64);
}

void Column::note_kind(ValueKind kind) {
  if (used_ == 0) {
    uniform_ = kind;
    return;
  }
  if (kinds_.empty()) kinds_.assign(used_, uniform_);
  kinds_.push_back(kind);
}

void Column::replace_last(ValueKind kind, Slot slot) {
  slots_[used_ - 1] = slot;
  if (kinds_.empty() && kind == uniform_) return;
  if (kinds_.empty() && used_ == 1) {
    uniform_ = kind;
  } else {
    if (kinds_.empty()) kinds_.assign(used_, uniform_);
    kinds_.back() = kind;
  }
  note_steadiness();
}

void Column::clear() {
  used_ = 0;
  bits_.clear();
  before_.clear();
  kinds_.clear();
  uniform_ = ValueKind::kMissing;
  steady_ = kUnsteady;
}

std::size_t Column::memory_bytes() const {
  return sizeof(Column) + name_.capacity() + capacity_ * sizeof(Slot) +
         bits_.capacity() * sizeof(std::uint64_t) + before_.capacity() * sizeof(std::uint32_t) +
         kinds_.capacity();
}

// -- All of them ------------------------------------------------------------------------------------------

void Columns::begin(std::string_view text, std::size_t rows) {
  text_ = text;
  rows_ = rows;
  arena_used_ = 0;
  // A schema stays what it is from batch to batch: its columns are kept, but for those that nobody used.
  const bool some_unused = std::any_of(columns_.begin(), columns_.end(),
                                       [](const auto& column) { return column->present() == 0; });
  if (some_unused) {
    std::erase_if(columns_, [](const auto& column) { return column->present() == 0; });
    by_name_.clear();
    for (std::size_t i = 0; i < columns_.size(); ++i) by_name_.emplace(columns_[i]->name(), i);
  }
  for (const auto& column : columns_) column->clear();
}

const Column* Columns::find(std::string_view name) const {
  const auto found = by_name_.find(name);
  return found == by_name_.end() ? nullptr : columns_[found->second].get();
}

std::size_t Columns::index_of(std::string_view name, std::size_t guess) {
  if (guess < columns_.size() && columns_[guess]->name() == name) return guess;
  const auto found = by_name_.find(name);
  if (found != by_name_.end()) return found->second;
  columns_.push_back(std::make_unique<Column>(std::string(name)));
  by_name_.emplace(columns_.back()->name(), columns_.size() - 1);
  return columns_.size() - 1;
}

bool Columns::grow_arena(std::size_t bytes) {
  const std::size_t wanted = arena_used_ + bytes;
  if (wanted > TextRef::kOffsetMax) return false;
  const std::size_t capacity =
      std::min(std::max({wanted, arena_capacity_ * 2, std::size_t{4096}}), TextRef::kOffsetMax);
  std::unique_ptr<char[]> larger(new char[capacity + Slab::kPadBytes]);
  if (arena_used_ > 0) std::memcpy(larger.get(), arena_.get(), arena_used_);
  arena_ = std::move(larger);
  arena_capacity_ = capacity;
  return true;
}

char* Columns::begin_text(std::size_t bytes) {
  if (!reserve(bytes)) return nullptr;
  if (arena_ == nullptr && !grow_arena(bytes)) return nullptr;  // for an empty text, whose place is no null
  return arena_.get() + arena_used_;
}

TextRef Columns::finish_text(std::size_t bytes) {
  const TextRef ref{static_cast<std::uint32_t>(arena_used_) | TextRef::kArena,
                    static_cast<std::uint32_t>(bytes)};
  arena_used_ += bytes;
  return ref;
}

bool Columns::copy(std::string_view text, TextRef& ref) {
  char* const room = begin_text(text.size());
  if (room == nullptr) return false;
  if (!text.empty()) std::memcpy(room, text.data(), text.size());
  ref = finish_text(text.size());
  return true;
}

std::size_t Columns::memory_bytes() const {
  std::size_t bytes = sizeof(Columns) + arena_capacity_;
  for (const auto& column : columns_) bytes += column->memory_bytes() + 64;  // 64: its place in the map
  return bytes;
}

}  // namespace logflume
