// What an expression is computed over, and with: events as rows of columns, and a thread's own memory.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/regex.h"
#include "event/frame.h"
#include "expression/arena.h"
#include "expression/json_reader.h"
#include "expression/value.h"

namespace logflume {

// The events that are meant, by their row; upwards. A null `index`: [first, first + count).
struct Rows {
  const std::uint32_t* index = nullptr;
  std::uint32_t first = 0;
  std::uint32_t count = 0;

  static Rows all(std::size_t count) { return {nullptr, 0, static_cast<std::uint32_t>(count)}; }
  std::uint32_t operator[](std::uint32_t i) const { return index == nullptr ? first + i : index[i]; }
  Rows part(std::uint32_t from, std::uint32_t length) const {
    return {index == nullptr ? nullptr : index + from, first + from, length};
  }
  // Each place and its row; what there is to ask about the index is asked once.
  template <typename Do>
  void each(const Do& what) const {
    if (index == nullptr) {
      for (std::uint32_t i = 0; i < count; ++i) what(i, first + i);
    } else {
      for (std::uint32_t i = 0; i < count; ++i) what(i, index[i]);
    }
  }
};

// Where a field that an expression reads comes from.
struct FieldView {
  const Column* column = nullptr;     // null: no event has it there
  const Columns* columns = nullptr;   // where its texts are
  const FrameField* under = nullptr;  // for events that the column has nothing of
  const Value* constant = nullptr;    // for all that have nothing yet
};

// Threads:   one; reused from batch to batch.
// Ownership: values that were computed view it, columns and the expression, until the next begin().
class Evaluation {
 public:
  // How many rows an operation does before the next one does them: values stay in the cache.
  static constexpr std::uint32_t kRowsMax = 1024;
  static constexpr std::size_t kLocalsMax = 16;

  // `fields`: as many, and in the order, as the expression names them. They, and their columns, stay.
  void begin(std::span<const FieldView> fields, std::int64_t now_ns) {
    fields_ = fields;
    now_ns_ = now_ns;
    texts.reset();
    scratch.reset();
  }
  const FieldView& field(std::size_t index) const { return fields_[index]; }
  std::int64_t now_ns() const { return now_ns_; }

  Arena texts;    // of what is computed
  Arena scratch;  // of what an operation needs while it runs: given back in the reverse order
  RegexScratch regex;
  JsonReader json;
  std::array<Value, kLocalsMax> locals;  // of macros

 private:
  std::span<const FieldView> fields_;
  std::int64_t now_ns_ = 0;
};

// Scratch memory for as long as this stands.
class ScratchScope {
 public:
  explicit ScratchScope(Evaluation& evaluation) : arena_(evaluation.scratch), mark_(arena_.mark()) {}
  ~ScratchScope() { arena_.give_back(mark_); }
  ScratchScope(const ScratchScope&) = delete;
  ScratchScope& operator=(const ScratchScope&) = delete;
  // REQUIRES: at most Evaluation::kRowsMax of at most 16 bytes.
  template <typename T>
  T* array(std::size_t count) {
    T* const room = arena_.array<T>(count);
    if (room == nullptr) throw std::bad_alloc();  // 2,000 nodes of 16 KiB fit
    return room;
  }

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

}  // namespace logflume
