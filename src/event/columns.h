// Columns: the fields of some events, an array a field instead of a map an event.
//
//   rows              0      1      2      3
//   column "status"   200    -      404    200       present  1 0 1 1   slots  200 404 200
//   column "path"     /a     /b     /c     /d        dense              slots  4 x TextRef
//
// A slot has 8 bytes: a number, or where a text stands. Texts are views: into the text of the events (no byte
// is copied), or into the arena of the columns for those that were made (unescaped, computed). Behind both,
// 64 bytes may be read.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace logflume {

enum class ValueKind : std::uint8_t {
  kMissing,  // the event has no such field
  kNull,
  kBool,
  kInt,  // 64 bits, signed
  kDouble,
  kTimestamp,  // nanoseconds since 1970, UTC
  kDuration,   // nanoseconds
  kString,     // bytes; not always UTF-8
  kNumber,     // a number of JSON that nobody has computed with: its text
  kJson,       // an object or array of JSON: its text
};

constexpr bool is_text(ValueKind kind) { return kind >= ValueKind::kString; }

// Where a text of a column stands.
struct TextRef {
  static constexpr std::uint32_t kArena = std::uint32_t{1} << 31;  // in the arena, else in the events' text
  static constexpr std::size_t kOffsetMax = kArena - 1;

  std::uint32_t at = 0;  // offset, and kArena
  std::uint32_t bytes = 0;
};

// What a slot holds, by the kind of its value.
union Slot {
  TextRef text = {};
  std::int64_t integer;  // kInt, kTimestamp, kDuration; kBool: 0 or 1
  double real;

  static Slot of(TextRef ref) { return Slot{.text = ref}; }
  static Slot of(std::int64_t value) { return Slot{.integer = value}; }
  static Slot of(double value) { return Slot{.real = value}; }
  static Slot of(bool value) { return Slot{.integer = value ? 1 : 0}; }
  static Slot null() { return Slot{.integer = 0}; }
};
static_assert(sizeof(Slot) == 8);

// One field of all events. Filled once, row by row, upwards.
//
// Threads:   one fills it; immutable afterwards, and read by any.
// Invariant: as many slots as present rows. Without a gap so far there is no bitmap (dense), and while all
//            values are of one kind there is no array of kinds (uniform).
class Column {
 public:
  static constexpr std::size_t kNone = SIZE_MAX;

  explicit Column(std::string name) : name_(std::move(name)) {}

  const std::string& name() const { return name_; }
  // Of a row: where its slot is, or kNone when it has none.
  std::size_t find(std::size_t row) const {
    if (bits_.empty()) return row < used_ ? row : kNone;
    const std::size_t word = row / 64;
    if (word >= bits_.size()) return kNone;
    const std::uint64_t bit = std::uint64_t{1} << (row % 64);
    if ((bits_[word] & bit) == 0) return kNone;
    return before_[word] + static_cast<std::size_t>(std::popcount(bits_[word] & (bit - 1)));
  }
  ValueKind kind(std::size_t row) const {
    const std::size_t at = find(row);
    return at == kNone ? ValueKind::kMissing : kind_at(at);
  }
  ValueKind kind_at(std::size_t slot) const { return kinds_.empty() ? uniform_ : kinds_[slot]; }
  Slot slot_at(std::size_t slot) const { return slots_[slot]; }

  std::size_t present() const { return used_; }
  // Whether rows [0, rows) all have a value.
  bool dense(std::size_t rows) const { return bits_.empty() && used_ >= rows; }
  bool uniform() const { return kinds_.empty(); }
  // REQUIRES: uniform(). kMissing when nothing is present.
  ValueKind kind() const { return uniform_; }
  // Of the present rows, in their order.
  const Slot* slots() const { return slots_.get(); }

  // REQUIRES: `row` is above all that were added. kMissing adds nothing.
  void add(std::size_t row, ValueKind kind, Slot slot) {
    if (row == used_ && kind == steady_ && used_ < capacity_) [[likely]] {
      slots_[used_++] = slot;
    } else {
      add_unsteady(row, kind, slot);
    }
  }
  // The slots, if all rows before `row` have a value, of one kind; else, and for the first row, null. One
  // more of that kind may be written to index `row` before it is known whether it stays: add_steady() adds
  // it. There is place for room() more, at least for one.
  Slot* steady_slots(std::size_t row);
  std::size_t room() const { return capacity_ - used_; }
  void add_steady() { ++used_; }
  // The row that was added last gets another value. REQUIRES: there is one.
  void replace_last(ValueKind kind, Slot slot);

  // As if nothing had been added; memory is kept.
  void clear();
  std::size_t memory_bytes() const;

 private:
  static constexpr auto kUnsteady = static_cast<ValueKind>(0xFF);
  void add_unsteady(std::size_t row, ValueKind kind, Slot slot);
  void grow();
  void mark(std::size_t row);
  void note_kind(ValueKind kind);
  void note_steadiness() { steady_ = bits_.empty() && kinds_.empty() && used_ > 0 ? uniform_ : kUnsteady; }

  std::string name_;
  std::unique_ptr<Slot[]> slots_;
  std::size_t used_ = 0;
  std::size_t capacity_ = 0;
  ValueKind steady_ = kUnsteady;       // of all values, while the column is dense and uniform
  std::vector<std::uint64_t> bits_;    // which rows are present; empty: dense
  std::vector<std::uint32_t> before_;  // for each word of bits_: slots before it
  std::vector<ValueKind> kinds_;       // empty: uniform
  ValueKind uniform_ = ValueKind::kMissing;
};

// Threads:   one fills it; immutable afterwards, and read by any.
// Ownership: does not own the text of the events, which stays as long as it.
class Columns {
 public:
  // `text`: of the events. REQUIRES: at most TextRef::kOffsetMax.
  void begin(std::string_view text, std::size_t rows);
  std::size_t rows() const { return rows_; }
  std::string_view events_text() const { return text_; }
  std::size_t size() const { return columns_.size(); }
  Column& at(std::size_t index) { return *columns_[index]; }
  const Column& at(std::size_t index) const { return *columns_[index]; }
  // By name, null when there is none.
  const Column* find(std::string_view name) const;
  // The index of the column with this name, made if it is not there. `guess`: an index that is looked at
  // first.
  std::size_t index_of(std::string_view name, std::size_t guess = SIZE_MAX);
  bool has(std::string_view name) const { return find(name) != nullptr; }

  // Of a view that lies in the events' text, or in the arena and does not move while it is looked at:
  // reserve().
  TextRef ref(std::string_view view) const {
    const auto bytes = static_cast<std::uint32_t>(view.size());
    const auto at = static_cast<std::size_t>(view.data() - text_.data());
    if (at <= text_.size()) return {static_cast<std::uint32_t>(at), bytes};
    return {static_cast<std::uint32_t>(view.data() - arena_.get()) | TextRef::kArena, bytes};
  }
  // Room in the arena for texts of so many bytes together: until they are there, what is there stays where it
  // is. False when it would be more than 2 GiB.
  bool reserve(std::size_t bytes) { return arena_capacity_ - arena_used_ >= bytes || grow_arena(bytes); }
  // A copy in the arena. False, and nothing, when the arena is full (2 GiB).
  bool copy(std::string_view text, TextRef& ref);
  // Room for a text of at most `bytes`, to be written at once; finish_text() makes it one. Null when the
  // arena is full.
  char* begin_text(std::size_t bytes);
  TextRef finish_text(std::size_t bytes);
  std::string_view text(TextRef ref) const {
    const char* const base = (ref.at & TextRef::kArena) != 0 ? arena_.get() : text_.data();
    return {base + (ref.at & ~TextRef::kArena), ref.bytes};
  }

  // Beside the events' text.
  std::size_t memory_bytes() const;

 private:
  bool grow_arena(std::size_t bytes);

  std::string_view text_;
  std::size_t rows_ = 0;
  std::vector<std::unique_ptr<Column>> columns_;
  std::unordered_map<std::string_view, std::size_t> by_name_;  // views of the columns' names
  std::unique_ptr<char[]> arena_;
  std::size_t arena_used_ = 0;
  std::size_t arena_capacity_ = 0;
};

}  // namespace logflume
