// An event that has just been there does not pass.
#include <cstdlib>
#include <mutex>
#include <optional>

#include "transform/event_time.h"
#include "transform/recent_keys.h"
#include "transform/types.h"
#include "transform/value_reader.h"

namespace logflume {
namespace {

struct Deduping {
  std::vector<SharedExpression> fields;  // none: the line
  std::int64_t window_ns = 0;
  SharedExpression time;    // of EventTimes
  std::string count_field;  // empty: none
};

// The events that have passed, and what was suppressed since.
//
// Threads: any.
class DedupeState {
 public:
  struct Event {
    XXH128_hash_t key;
    std::int64_t at_ns;
    std::uint64_t offset;
  };

  // `again`: sinks may come to the same places several times.
  DedupeState(std::int64_t window_ns, std::size_t keys_max, bool again)
      : window_ns_(window_ns), again_(again), keys_(keys_max) {}

  // What passes, by the index in `events`, and how many equal ones were suppressed before it.
  template <typename Pass>
  void pass(const std::vector<Event>& events, std::uint64_t file_id, const Pass& pass) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < events.size(); ++i) {
      const Event& event = events[i];
      Entry& entry = keys_.use(event.key);
      // Who comes to where the last one passed, or before it, reads what some other sink has read.
      const bool same = again_ && entry.file_id == file_id && event.offset <= entry.offset;
      // Of several files one may be far behind the other; and clocks are set back.
      const bool within = entry.passed && std::abs(event.at_ns - entry.at_ns) <= window_ns_;
      if (within && !same) {
        ++entry.suppressed;
        continue;
      }
      pass(i, same ? 0 : entry.suppressed);
      entry = {true, event.at_ns, file_id, event.offset, 0};
    }
  }

 private:
  // Of the last one that has passed.
  struct Entry {
    bool passed = false;
    std::int64_t at_ns = 0;
    std::uint64_t file_id = 0;
    std::uint64_t offset = 0;
    std::uint64_t suppressed = 0;  // since
  };
  const std::int64_t window_ns_;
  const bool again_;
  std::mutex mutex_;
  RecentKeys<Entry> keys_;  // guarded by mutex_
};

class DedupeStage final : public Stage {
 public:
  DedupeStage(const Deduping& deduping, DedupeState& first, DedupeState& again, const StageContext& context)
      : deduping_(deduping), first_(first), again_(again), times_(deduping.time, context.host) {
    for (const SharedExpression& field : deduping_.fields)
      fields_.push_back(std::make_unique<ValueReader>(field, context.host));
  }

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    Frame& frame = out[0];
    columns_.begin(in.batch->text(), in.lines->size());
    for (const auto& field : fields_) field->begin(in);
    times_.begin(in);
    events_.resize(in.rows.size());
    for (std::size_t i = 0; i < events_.size(); ++i)
      events_[i] = {key_of(in, i), times_[i], in.batch->text_begin + in.lines->begin_of(in.rows[i])};
    Column* const counts =
        deduping_.count_field.empty() ? nullptr : &columns_.at(columns_.index_of(deduping_.count_field));
    DedupeState& state = in.again ? again_ : first_;
    state.pass(events_, in.batch->origin->file_id, [&](std::size_t i, std::uint64_t suppressed) {
      frame.rows.push_back(in.rows[i]);
      if (counts == nullptr || suppressed == 0) return;
      counts->add(in.rows[i], ValueKind::kInt, Slot::of(static_cast<std::int64_t>(suppressed)));
    });
    report.discarded = in.rows.size() - frame.rows.size();
    if (counts != nullptr && counts->present() > 0)
      frame.put({{}, counts->name(), &columns_, counts, in.find(counts->name())});
  }

  std::size_t memory_bytes() const override {
    std::size_t bytes =
        columns_.memory_bytes() + times_.memory_bytes() + events_.capacity() * sizeof(DedupeState::Event);
    for (const auto& field : fields_) bytes += field->memory_bytes();
    return bytes;
  }

 private:
  XXH128_hash_t key_of(const Frame& in, std::size_t index) {
    if (fields_.empty()) {
      const std::string_view line = in.line(in.rows[index]);
      return XXH3_128bits(line.data(), line.size());
    }
    key_.clear();
    for (const auto& field : fields_) field->append_key(index, key_);
    return XXH3_128bits(key_.data(), key_.size());
  }

  const Deduping& deduping_;
  DedupeState& first_;
  DedupeState& again_;
  EventTimes times_;
  std::vector<std::unique_ptr<ValueReader>> fields_;
  std::vector<DedupeState::Event> events_;
  std::string key_;
  Columns columns_;
};

class Dedupe final : public Transform {
 public:
  Dedupe(Deduping deduping, std::size_t keys_max)
      : deduping_(std::move(deduping)),
        first_(deduping_.window_ns, keys_max, false),
        again_(deduping_.window_ns, keys_max, true) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    for (const SharedExpression& field : deduping_.fields) add_needs(*field, needs);
    if (deduping_.time) add_needs(*deduping_.time, needs);
    return needs;
  }
  FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const override {
    FieldSchema out = in;
    if (!deduping_.count_field.empty()) out.fields[deduping_.count_field] = ExprType::kDyn;
    return out;
  }
  std::vector<std::string> writes() const override {
    if (deduping_.count_field.empty()) return {};
    return {deduping_.count_field};
  }
  bool in_order() const override { return true; }
  bool keeps_state() const override { return true; }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<DedupeStage>(deduping_, first_, again_, context);
  }

 private:
  const Deduping deduping_;
  mutable DedupeState first_;
  mutable DedupeState again_;  // of sinks that read again
};

struct DedupeConfig : TransformConfig {
  std::vector<std::string> fields;
  Duration window = 30s;
  TimeBase time = TimeBase::kRead;
  std::string count_field = "suppressed";
  std::uint64_t max_keys = kKeysDefault;
  bool operator==(const DedupeConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const {
    Deduping deduping;
    deduping.window_ns = window.count();
    deduping.count_field = count_field;
    if (auto error = compile_event_time(time, in, deduping.time)) return std::move(*error);
    for (const std::string& field : fields) {
      auto compiled = compile_field("fields", field, in);
      if (auto* const error = std::get_if<TransformError>(&compiled)) return std::move(*error);
      deduping.fields.push_back(std::get<SharedExpression>(compiled));
    }
    return std::make_unique<Dedupe>(std::move(deduping), static_cast<std::size_t>(max_keys));
  }
};

}  // namespace

TransformType dedupe_transform() {
  Describe<DedupeConfig> dedupe(
      "An event passes; equal ones within the window after it are discarded, and the next one that passes "
      "says how many these were. All sources that lead here are looked at together. What has passed is "
      "forgotten when the agent stops. Sinks that read again are looked at by themselves: by `time: event` "
      "they get about what the others got; by `time: read` what they read at once, and was perhaps written "
      "hours apart, passes once.");
  dedupe
      .field("fields", &DedupeConfig::fields,
             "Events are equal if these fields are; a key of an object stands behind a dot.")
      .absent_is("the whole line")
      .must(must_not_be_empty, "the name of a field")
      .example_is("[host, message]");
  dedupe.field("window", &DedupeConfig::window, "How long an event that has passed holds equal ones back.")
      .at_least(1ms)
      .at_most(std::chrono::hours(24 * 365));
  dedupe.choice("time", &DedupeConfig::time, {{"read", TimeBase::kRead}, {"event", TimeBase::kEvent}},
                "Whether the window is measured by when events were read, or by their field `timestamp`, "
                "where they have one.");
  dedupe.field("count_field", &DedupeConfig::count_field,
               "The field that says how many were suppressed, where there were some. Empty: none does.");
  dedupe
      .field("max_keys", &DedupeConfig::max_keys,
             "Different events that are kept in mind, as hashes of 128 bits: those that came last.")
      .at_least(1)
      .at_most(kKeysMost);
  return transform_type("dedupe", std::move(dedupe));
}

}  // namespace logflume
