#include "transform/aggregation.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/characters.h"
#include "transform/json_value.h"

namespace logflume {
namespace {

constexpr std::size_t kTextBytesMax = 1024;     // of a value that is kept
constexpr std::size_t kBytesKept = 256 * 1024;  // for groups to come, while there is none

// Exactly, where it is one.
std::optional<std::int64_t> integer_of(const Value& value) {
  switch (value.tag) {
    case Value::Tag::kBool:
    case Value::Tag::kInt:
      return value.integer;
    case Value::Tag::kString:
    case Value::Tag::kNumber: {
      const std::string_view text = value.text();
      std::int64_t number = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
      if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
      return number;
    }
    default:
      return std::nullopt;
  }
}

// Not through the middle of a character.
std::string_view cut(std::string_view text) {
  std::size_t bytes = kTextBytesMax;
  while (bytes > kTextBytesMax - 4 && continues_character(text[bytes])) --bytes;
  return text.substr(0, bytes);
}

std::uint64_t hash_of(const Value& value) {
  if (is_text(kind_of(value.tag)) && !value.is(Value::Tag::kList)) {
    const std::string_view text = value.text();
    // A number is the same whether it has been computed with or not.
    const auto number = value.is(Value::Tag::kNumber) ? integer_of(value) : std::nullopt;
    if (!number) return XXH3_64bits_withSeed(text.data(), text.size(), value.is(Value::Tag::kString) ? 1 : 2);
    return XXH3_64bits_withSeed(&*number, sizeof *number, 3);
  }
  if (value.is(Value::Tag::kList)) {
    std::string text;
    append_json(value, text);
    return XXH3_64bits_withSeed(text.data(), text.size(), 2);
  }
  const auto seed = static_cast<std::uint64_t>(value.tag);
  return XXH3_64bits_withSeed(&value.integer, sizeof value.integer,
                              value.is(Value::Tag::kInt) ? 3 : 16 + seed);
}

}  // namespace

std::vector<MadeEvents::Field> Aggregating::made() const {
  std::vector<MadeEvents::Field> made{{{}, "timestamp", "timestamp"}};
  const auto add = [&](std::string_view name, std::size_t dot) {
    if (dot == std::string::npos) {
      made.push_back({{}, name, name});
    } else {
      made.push_back({name.substr(0, dot), name.substr(dot + 1), name});
    }
  };
  for (const By& one : by) add(one.name, one.dot);
  for (const Computed& one : fields) add(one.name, one.dot);
  return made;
}

// -- What is known of events ------------------------------------------------------------------------------

AggregateInput::AggregateInput(const Aggregating& what, const std::string& host)
    : what_(what), times_(what.time, host) {
  for (const Aggregating::By& by : what_.by) by_.push_back(std::make_unique<ValueReader>(by.value, host));
  for (const Aggregating::Computed& field : what_.fields)
    values_.push_back(field.value ? std::make_unique<ValueReader>(field.value, host) : nullptr);
}

void AggregateInput::begin(const Frame& frame, StageReport& report) {
  read_ns_ = frame.batch->wall_ns;
  for (const auto& by : by_) by->begin(frame);
  times_.begin(frame);
  FaultCounts faults{};
  for (const auto& value : values_) {
    if (!value) continue;
    value->begin(frame);
    for (std::size_t row = 0; row < frame.rows.size(); ++row) {
      if ((*value)[row].is_fault()) ++faults[static_cast<std::size_t>((*value)[row].fault)];
    }
  }
  report.errors_of(faults);
  events_.resize(frame.rows.size());
  for (std::size_t row = 0; row < events_.size(); ++row) {
    const std::int64_t at = times_[row];
    const std::int64_t behind = at % what_.window_ns;
    events_[row].window = at - behind - (behind < 0 ? what_.window_ns : 0);
    key_.clear();
    for (const auto& by : by_) by->append_key(row, key_);
    events_[row].key =
        XXH3_128bits_withSeed(key_.data(), key_.size(), static_cast<std::uint64_t>(events_[row].window));
  }
}

std::size_t AggregateInput::memory_bytes() const {
  std::size_t bytes = times_.memory_bytes() + events_.capacity() * sizeof(Event);
  for (const auto& by : by_) bytes += by->memory_bytes();
  for (const auto& value : values_) bytes += value ? value->memory_bytes() : 0;
  return bytes;
}

// -- Values -----------------------------------------------------------------------------------------------

Value Aggregation::Kept::value() const {
  if (is_text(kind)) return Value::of(std::string_view(text), tag_of(kind));
  return kind == ValueKind::kMissing ? Value::of(ExprFault::kNoField) : Value::make(tag_of(kind), number);
}

void Aggregation::keep(Kept& kept, const Value& value) {
  kept.kind = kind_of(value.tag);
  kept.number = 0;
  if (!is_text(kept.kind)) {
    kept.number = value.integer;
    return;
  }
  const std::size_t before = kept.text.capacity();
  if (value.is(Value::Tag::kList)) {
    kept.text.clear();
    append_json(value, kept.text);
    if (kept.text.size() > kTextBytesMax) kept.text.resize(cut(kept.text).size());
  } else {
    kept.text = value.size > kTextBytesMax ? cut(value.text()) : value.text();
  }
  // A piece of a number, or of an object, is none.
  if (kept.text.size() >= kTextBytesMax - 4) kept.kind = ValueKind::kString;
  text_bytes_ += kept.text.capacity() - before;
}

bool Aggregation::HashSet::contains(std::uint64_t hash) const {
  if (slots.empty()) return false;
  for (std::size_t at = hash & (slots.size() - 1); slots[at] != 0; at = (at + 1) & (slots.size() - 1)) {
    if (slots[at] == hash) return true;
  }
  return false;
}

void Aggregation::HashSet::add(std::uint64_t hash) {
  if (2 * (size + 1) > slots.size()) {
    std::vector<std::uint64_t> before(std::max<std::size_t>(8, 2 * slots.size()), 0);
    before.swap(slots);
    size = 0;
    for (const std::uint64_t one : before) {
      if (one != 0) add(one);
    }
  }
  std::size_t at = hash & (slots.size() - 1);
  while (slots[at] != 0) at = (at + 1) & (slots.size() - 1);
  slots[at] = hash;
  ++size;
}

std::string_view Aggregation::rank(Cell& cell, bool largest, const Value& value) {
  const auto number = number_of(value);
  if (!number || !std::isfinite(*number)) return to_text(ParseFault::kNumber);
  const Value before = cell.kept.value();
  const bool exact =
      before.tag == value.tag && !is_text(kind_of(value.tag)) && !value.is(Value::Tag::kDouble);
  const bool less = exact ? value.integer < before.integer : *number < cell.real;
  const bool more = exact ? value.integer > before.integer : *number > cell.real;
  if (cell.events++ > 0 && !(largest ? more : less)) return {};
  cell.real = *number;
  keep(cell.kept, value);
  return {};
}

std::string_view Aggregation::count(Cell& cell, const Aggregating::Computed& computed, const Value& value) {
  if (value.is_fault() || value.is(Value::Tag::kNull)) return {};
  switch (computed.function) {
    case AggregateFunction::kCount:
      if (!value.is(Value::Tag::kBool)) return to_text(ExprFault::kType);
      cell.events += value.is_true() ? 1 : 0;
      return {};
    case AggregateFunction::kSum:
    case AggregateFunction::kAvg: {
      const auto integer = integer_of(value);
      const std::optional<double> number = integer ? static_cast<double>(*integer) : number_of(value);
      if (!number || !std::isfinite(*number)) return to_text(ParseFault::kNumber);
      ++cell.events;
      if (integer && !__builtin_add_overflow(cell.integer, *integer, &cell.integer)) return {};
      cell.real += *number;
      cell.is_real = true;
      return {};
    }
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
      return rank(cell, computed.function == AggregateFunction::kMax, value);
    case AggregateFunction::kFirst:
    case AggregateFunction::kLast:
      if (cell.events++ == 0 || computed.function == AggregateFunction::kLast) keep(cell.kept, value);
      return {};
    case AggregateFunction::kDistinct: {
      const std::uint64_t hash = std::max<std::uint64_t>(hash_of(value), 1);
      if (cell.values.contains(hash)) return {};
      if (values_ == what_.values_max) return "too_many_values";
      const std::size_t before = cell.values.slots.capacity();
      cell.values.add(hash);
      value_bytes_ += (cell.values.slots.capacity() - before) * sizeof(std::uint64_t);
      ++values_;
      ++cell.events;
      return {};
    }
    case AggregateFunction::kAtMost: {
      const auto number = number_of(value);
      if (!number) return to_text(ParseFault::kNumber);
      cell.events += *number <= computed.bound ? 1 : 0;
      return {};
    }
  }
  return {};
}

Value Aggregation::result(const Cell& cell, AggregateFunction function) {
  const double sum = cell.real + static_cast<double>(cell.integer);
  switch (function) {
    case AggregateFunction::kCount:
    case AggregateFunction::kDistinct:
    case AggregateFunction::kAtMost:
      return Value::of(static_cast<std::int64_t>(cell.events));
    case AggregateFunction::kSum:
      return cell.is_real ? Value::of(sum) : Value::of(cell.integer);
    case AggregateFunction::kAvg:
      if (cell.events == 0) return Value::of(ExprFault::kNoField);
      return Value::of(sum / static_cast<double>(cell.events));
    case AggregateFunction::kMin:
    case AggregateFunction::kMax:
    case AggregateFunction::kFirst:
    case AggregateFunction::kLast:
      return cell.kept.value();
  }
  return Value::of(ExprFault::kNoField);
}

// -- Groups -----------------------------------------------------------------------------------------------

Aggregation::Group* Aggregation::find(const XXH128_hash_t& key) {
  for (std::uint32_t at = heads_[place_of(key)]; at != kNone; at = groups_[at].next) {
    if (XXH128_isEqual(groups_[at].key, key) != 0) return &groups_[at];
  }
  return nullptr;
}

Aggregation::Group& Aggregation::make_group(const XXH128_hash_t& key, Window& window) {
  if (free_.empty()) {
    if (groups_.size() == heads_.size()) grow();
    free_.push_back(static_cast<std::uint32_t>(groups_.size()));
    Group& group = groups_.emplace_back();
    group.by.resize(what_.by.size());
    group.cells.resize(what_.fields.size());
  }
  const std::uint32_t at = free_.back();
  free_.pop_back();
  Group& group = groups_[at];
  group.key = key;
  std::uint32_t& head = heads_[place_of(key)];
  group.next = head;
  head = at;
  window.groups.push_back(at);
  ++open_groups_;
  return group;
}

void Aggregation::grow() {
  heads_.assign(heads_.size() * 2, kNone);
  for (const Window& window : open_) {
    for (const std::uint32_t at : window.groups) {
      std::uint32_t& head = heads_[place_of(groups_[at].key)];
      groups_[at].next = head;
      head = at;
    }
  }
}

// What it has kept is written over by the next one.
void Aggregation::give_back(std::uint32_t at) {
  for (Cell& cell : groups_[at].cells) {
    values_ -= cell.values.size;
    value_bytes_ -= cell.values.slots.capacity() * sizeof(std::uint64_t);
    cell.values = {};
    cell.events = 0;
    cell.integer = 0;
    cell.real = 0;
    cell.is_real = false;
    cell.kept.kind = ValueKind::kMissing;
  }
  free_.push_back(at);
}

void Aggregation::add(const AggregateInput& input, std::size_t row, std::string_view line,
                      StageReport& report) {
  const AggregateInput::Event& event = input.events()[row];
  Group* group = find(event.key);
  if (group == nullptr) {
    if (open_groups_ >= what_.groups_max && !make_room(event.window))
      return report.error("too_many_groups", line);
    group = &make_group(event.key, window(event.window));
    for (std::size_t i = 0; i < group->by.size(); ++i) keep(group->by[i], input.by(i, row));
  }
  Window& in = window(event.window);
  in.touched_ns = input.read_ns();
  if (in.again) report.error("late", line);
  for (std::size_t i = 0; i < group->cells.size(); ++i) {
    if (!what_.fields[i].value) {
      ++group->cells[i].events;
      continue;
    }
    const std::string_view fault = count(group->cells[i], what_.fields[i], input.value(i, row));
    if (!fault.empty()) report.error(fault, line);
  }
}

// -- Windows ----------------------------------------------------------------------------------------------

Aggregation::Window& Aggregation::window(std::int64_t begin) {
  // As a rule the same as that of the event before.
  for (std::size_t i = open_.size(); i-- > 0;) {
    if (open_[i].begin != begin) continue;
    if (i + 1 != open_.size()) std::swap(open_[i], open_.back());
    return open_.back();
  }
  if (unused_.empty()) unused_.emplace_back();
  Window& made = open_.emplace_back(std::move(unused_.back()));
  unused_.pop_back();
  made.begin = begin;
  made.again = std::ranges::find(were_closed_, begin) != were_closed_.end();
  return made;
}

std::int64_t Aggregation::due_ns(const Window& window) const {
  const std::int64_t end = window.begin + what_.window_ns;
  return what_.time ? std::max(end, window.touched_ns) + what_.grace_ns : end;
}

std::int64_t Aggregation::due_ns() const {
  std::int64_t due = kAll;
  for (const Window& window : open_) due = std::min(due, due_ns(window));
  return due;
}

bool Aggregation::is_over(const Window& window, std::int64_t now_ns) const {
  // One that is yet to begin: the clock was set back.
  return due_ns(window) <= now_ns || window.begin > now_ns;
}

void Aggregation::close(std::int64_t now_ns) {
  for (std::size_t i = open_.size(); i-- > 0;) {
    if (is_over(open_[i], now_ns)) close(i);
  }
}

void Aggregation::close(std::size_t index) {
  open_groups_ -= open_[index].groups.size();
  for (const std::uint32_t group : open_[index].groups) {
    // Out of the chain of its place: the window may be opened anew.
    std::uint32_t* link = &heads_[place_of(groups_[group].key)];
    while (*link != group) link = &groups_[*link].next;
    *link = groups_[group].next;
  }
  if (were_closed_.size() < kWindowsRemembered) {
    were_closed_.push_back(open_[index].begin);
  } else {
    were_closed_[next_closed_] = open_[index].begin;
    next_closed_ = (next_closed_ + 1) % kWindowsRemembered;
  }
  closed_.push_back(std::move(open_[index]));
  open_.erase(open_.begin() + static_cast<std::ptrdiff_t>(index));
}

bool Aggregation::make_room(std::int64_t for_window) {
  std::size_t oldest = SIZE_MAX;
  for (std::size_t i = 0; i < open_.size(); ++i) {
    if (open_[i].begin != for_window && (oldest == SIZE_MAX || open_[i].begin < open_[oldest].begin))
      oldest = i;
  }
  if (oldest == SIZE_MAX) return false;
  close(oldest);
  return open_groups_ < what_.groups_max;
}

void Aggregation::make(MadeEvents& made) {
  made.begin(what_.made());
  std::ranges::sort(closed_, {}, &Window::begin);
  for (Window& window : closed_) {
    for (const std::uint32_t at : window.groups) {
      const Group& group = groups_[at];
      std::size_t field = 0;
      made.put(field++, Value::make(Value::Tag::kTimestamp, window.begin));
      for (const Kept& by : group.by) made.put(field++, by.value());
      for (std::size_t i = 0; i < group.cells.size(); ++i)
        made.put(field++, result(group.cells[i], what_.fields[i].function));
      made.end_event();
      give_back(at);
    }
    window.groups.clear();
    unused_.push_back(std::move(window));
  }
  closed_.clear();
  if (open_.empty() && memory_bytes() > kBytesKept) forget_groups();
}

void Aggregation::forget_groups() {
  groups_ = {};
  free_ = {};
  heads_ = std::vector<std::uint32_t>(kHeadsMin, kNone);
  unused_ = {};
  text_bytes_ = 0;
}

std::size_t Aggregation::memory_bytes() const {
  const std::size_t of_group =
      sizeof(Group) + what_.by.size() * sizeof(Kept) + what_.fields.size() * sizeof(Cell);
  return groups_.size() * of_group + (heads_.size() + groups_.size()) * sizeof(std::uint32_t) + text_bytes_ +
         value_bytes_ + were_closed_.size() * sizeof(std::int64_t);
}

}  // namespace logflume
