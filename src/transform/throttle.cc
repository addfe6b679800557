// So many events of a key pass in a time.
#include <mutex>
#include <optional>

#include "transform/event_time.h"
#include "transform/recent_keys.h"
#include "transform/types.h"
#include "transform/value_reader.h"

namespace logflume {
namespace {

struct Throttling {
  std::uint64_t events = 1;
  std::int64_t window_ns = 1;
  SharedExpression key;   // null: all events have the same
  SharedExpression time;  // of EventTimes
};

// How many events have passed in the current window of each key. Windows begin at multiples of their length.
//
// Threads: any.
class ThrottleState {
 public:
  struct Event {
    XXH128_hash_t key;
    std::int64_t window;
  };

  ThrottleState(std::uint64_t events_max, std::size_t keys_max) : events_max_(events_max), keys_(keys_max) {}

  // What passes, by the index in `events`. `now`: the latest window that there can be.
  template <typename Pass>
  void pass(const std::vector<Event>& events, std::int64_t now, const Pass& pass) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < events.size(); ++i) {
      Entry& entry = keys_.use(events[i].key);
      // An event that comes late counts in the window that is current; unless the clock was set back.
      if (events[i].window > entry.window || entry.window > now) entry = {events[i].window, 0};
      if (entry.passed >= events_max_) continue;
      ++entry.passed;
      pass(i);
    }
  }

 private:
  struct Entry {
    std::int64_t window = INT64_MIN;
    std::uint64_t passed = 0;
  };
  const std::uint64_t events_max_;
  std::mutex mutex_;
  RecentKeys<Entry> keys_;  // guarded by mutex_
};

class ThrottleStage final : public Stage {
 public:
  ThrottleStage(const Throttling& throttling, ThrottleState& first, ThrottleState& again,
                const StageContext& context)
      : throttling_(throttling), first_(first), again_(again), times_(throttling.time, context.host) {
    if (throttling_.key) key_.emplace(throttling_.key, context.host);
  }

  void run(const Frame& in, std::span<Frame> out, StageReport& report) override {
    std::vector<std::uint32_t>& rows = out[0].rows;
    if (key_) key_->begin(in);
    times_.begin(in);
    events_.resize(in.rows.size());
    for (std::size_t i = 0; i < events_.size(); ++i) {
      std::string_view key;
      // Those that have none are one more key.
      const bool has_key = key_ && key_->text(i, key);
      events_[i].key = XXH3_128bits_withSeed(key.data(), key.size(), has_key ? 1 : 0);
      events_[i].window = window_of(times_[i]);
    }
    ThrottleState& state = in.again ? again_ : first_;
    state.pass(events_, window_of(in.batch->wall_ns), [&](std::size_t i) { rows.push_back(in.rows[i]); });
    report.discarded = in.rows.size() - rows.size();
  }

  std::size_t memory_bytes() const override {
    return events_.capacity() * sizeof(ThrottleState::Event) + times_.memory_bytes() +
           (key_ ? key_->memory_bytes() : 0);
  }

 private:
  std::int64_t window_of(std::int64_t ns) const {
    const std::int64_t window = ns / throttling_.window_ns;
    return ns % throttling_.window_ns < 0 ? window - 1 : window;
  }

  const Throttling& throttling_;
  ThrottleState& first_;
  ThrottleState& again_;
  EventTimes times_;
  std::optional<ValueReader> key_;
  std::vector<ThrottleState::Event> events_;
};

class Throttle final : public Transform {
 public:
  Throttle(Throttling throttling, std::size_t keys_max)
      : throttling_(std::move(throttling)),
        first_(throttling_.events, keys_max),
        again_(throttling_.events, keys_max) {}
  WantedFields needs(const WantedFields& wanted) const override {
    WantedFields needs = wanted;
    if (throttling_.key) add_needs(*throttling_.key, needs);
    if (throttling_.time) add_needs(*throttling_.time, needs);
    return needs;
  }
  bool in_order() const override { return true; }
  bool keeps_state() const override { return true; }
  std::unique_ptr<Stage> make_stage(const StageContext& context) const override {
    return std::make_unique<ThrottleStage>(throttling_, first_, again_, context);
  }

 private:
  const Throttling throttling_;
  mutable ThrottleState first_;
  mutable ThrottleState again_;  // of sinks that read again
};

struct ThrottleConfig : TransformConfig {
  std::uint64_t events = 0;
  Duration window = 1s;
  std::string key;
  TimeBase time = TimeBase::kRead;
  std::uint64_t max_keys = kKeysDefault;
  bool operator==(const ThrottleConfig&) const = default;
  TransformBuilt build(const FieldSchema& in) const {
    Throttling throttling;
    throttling.events = events;
    throttling.window_ns = window.count();
    if (auto error = compile_optional("key", key, in, compile_value, throttling.key))
      return std::move(*error);
    if (auto error = compile_event_time(time, in, throttling.time)) return std::move(*error);
    return std::make_unique<Throttle>(std::move(throttling), static_cast<std::size_t>(max_keys));
  }
};

}  // namespace

TransformType throttle_transform() {
  Describe<ThrottleConfig> throttle(
      "So many events pass in each window of time, of each key; the others are discarded. All sources that "
      "lead here share the count, which begins anew with the agent. Sinks that read again have a count of "
      "their own, so they do not take from the others: by `time: event` they get about what those got, by "
      "`time: read` fewer, as they read faster than the events came.");
  throttle.field("events", &ThrottleConfig::events, "That pass in a window.")
      .required()
      .at_least(1)
      .example_is("100");
  throttle
      .field("window", &ThrottleConfig::window, "Its length. Windows begin at multiples of it since 1970.")
      .at_least(1ms)
      .at_most(std::chrono::hours(24 * 365));
  throttle
      .field("key", &ThrottleConfig::key,
             "An expression (docs/expressions.md): each of its values has a count of its own. Events that "
             "have none share one.")
      .absent_is("all together")
      .example_is("user.id");
  throttle.choice("time", &ThrottleConfig::time, {{"read", TimeBase::kRead}, {"event", TimeBase::kEvent}},
                  "Whether an event counts in the window in which it was read, or in that of its field "
                  "`timestamp`, where it has one; events that come late count in the latest window.");
  throttle
      .field("max_keys", &ThrottleConfig::max_keys,
             "Keys that are counted, of those that came last: another one begins anew.")
      .at_least(1)
      .at_most(kKeysMost);
  return transform_type("throttle", std::move(throttle));
}

}  // namespace logflume
