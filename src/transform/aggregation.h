// Groups of events in windows of time, and what is computed of them.
#pragma once

#include <xxhash.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "transform/event_time.h"
#include "transform/gathering.h"
#include "transform/made_events.h"
#include "transform/value_reader.h"

namespace logflume {

enum class AggregateFunction {
  kCount,
  kSum,
  kMin,
  kMax,
  kAvg,
  kFirst,
  kLast,
  kDistinct,
  kAtMost,  // how many numbers are not above a bound
};

// What is computed of which events: as a configuration says. Immutable once it is where it stays.
struct Aggregating {
  // Events with the same values are a group.
  struct By {
    std::string name;  // as in the configuration: "status", "user.id"
    std::size_t dot;   // in it, where it is a key of an object; npos: it is none
    SharedExpression value;
  };
  struct Computed {
    std::string name;
    std::size_t dot;  // the same
    AggregateFunction function;
    SharedExpression value{};  // null: of AggregateFunction::kCount, which counts all events
    double bound = 0;          // of AggregateFunction::kAtMost
  };
  std::vector<By> by;            // those of one object one behind the other
  std::vector<Computed> fields;  // the same
  std::int64_t window_ns = 1;
  SharedExpression time;      // of EventTimes
  std::int64_t grace_ns = 0;  // that windows stay open, where there is `time`
  std::size_t groups_max = 1;
  std::size_t values_max = 1;  // different ones, all groups together

  // The fields of the made events: the window's begin, then `by`, then `fields`. They view this.
  std::vector<MadeEvents::Field> made() const;
};

// What is known of the events of a frame.
//
// Threads: one.
class AggregateInput {
 public:
  struct Event {
    std::int64_t window;  // its begin
    XXH128_hash_t key;    // of its group in that window
  };
  AggregateInput(const Aggregating& what, const std::string& host);
  // Counts what cannot be computed. All stays until the next begin().
  void begin(const Frame& frame, StageReport& report);

  const std::vector<Event>& events() const { return events_; }  // by row
  std::int64_t read_ns() const { return read_ns_; }
  const Value& by(std::size_t index, std::size_t row) const { return (*by_[index])[row]; }
  // REQUIRES: the function has a value.
  const Value& value(std::size_t field, std::size_t row) const { return (*values_[field])[row]; }
  std::size_t memory_bytes() const;

 private:
  const Aggregating& what_;
  std::vector<std::unique_ptr<ValueReader>> by_;
  std::vector<std::unique_ptr<ValueReader>> values_;  // null where there is none
  EventTimes times_;
  std::vector<Event> events_;
  std::string key_;
  std::int64_t read_ns_ = 0;
};

// Threads:   one.
// Invariant: at most `groups_max` groups are open: then the oldest window but that of the new one is closed.
class Aggregation final : public Gathering {
 public:
  // `what` outlives it.
  explicit Aggregation(const Aggregating& what) : what_(what), heads_(kHeadsMin, kNone) {}
  // An event; what is wrong with it, with its line, goes into `report`.
  void add(const AggregateInput& input, std::size_t row, std::string_view line, StageReport& report);

  std::unique_ptr<Gathering> copy() const override { return std::make_unique<Aggregation>(*this); }
  bool empty() const override { return open_.empty() && closed_.empty(); }
  std::int64_t due_ns() const override;
  void close(std::int64_t now_ns) override;
  bool has_closed() const override { return !closed_.empty(); }
  void make(MadeEvents& made) override;
  std::size_t memory_bytes() const override;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  static constexpr std::size_t kHeadsMin = 64;
  static constexpr std::size_t kWindowsRemembered = 1024;

  // A value that outlasts its event.
  struct Kept {
    ValueKind kind = ValueKind::kMissing;
    std::int64_t number = 0;  // the bits of a double, too
    std::string text;
    Value value() const;
  };
  // Different values by their hashes.
  struct HashSet {
    std::vector<std::uint64_t> slots;  // 0: free; a power of two
    std::size_t size = 0;
    bool contains(std::uint64_t hash) const;
    void add(std::uint64_t hash);
  };
  // What is known of a function's values.
  struct Cell {
    std::uint64_t events = 0;
    std::int64_t integer = 0;  // the sum of integers
    double real = 0;           // the sum of all else, and of all for an average; the rank of what is kept
    bool is_real = false;
    Kept kept;
    HashSet values;
  };
  struct Group {
    XXH128_hash_t key{};
    std::uint32_t next = kNone;  // in the chain of its place
    std::vector<Kept> by;
    std::vector<Cell> cells;
  };
  struct Window {
    std::int64_t begin = 0;
    std::int64_t touched_ns = 0;  // when the last event came
    bool again = false;           // it was closed before
    std::vector<std::uint32_t> groups;
  };

  Window& window(std::int64_t begin);
  Group* find(const XXH128_hash_t& key);
  Group& make_group(const XXH128_hash_t& key, Window& window);
  void give_back(std::uint32_t group);
  void grow();
  void forget_groups();
  bool is_over(const Window& window, std::int64_t now_ns) const;
  std::int64_t due_ns(const Window& window) const;
  void close(std::size_t index);
  bool make_room(std::int64_t for_window);
  // What is wrong, or nothing.
  std::string_view count(Cell& cell, const Aggregating::Computed& computed, const Value& value);
  std::string_view rank(Cell& cell, bool largest, const Value& value);
  void keep(Kept& kept, const Value& value);
  static Value result(const Cell& cell, AggregateFunction function);
  std::size_t place_of(const XXH128_hash_t& key) const { return key.low64 & (heads_.size() - 1); }

  const Aggregating& what_;
  std::vector<Group> groups_;
  std::vector<std::uint32_t> free_;   // of them
  std::vector<std::uint32_t> heads_;  // of the chains: a power of two
  std::vector<Window> open_;
  std::vector<Window> closed_;
  std::vector<Window> unused_;             // for their memory
  std::vector<std::int64_t> were_closed_;  // the windows that were closed last
  std::size_t next_closed_ = 0;            // its oldest one
  std::size_t open_groups_ = 0;
  std::size_t values_ = 0;       // in all sets
  std::size_t text_bytes_ = 0;   // of what is kept
  std::size_t value_bytes_ = 0;  // of the sets
};

}  // namespace logflume
