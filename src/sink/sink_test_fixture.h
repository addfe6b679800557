// What a sink's test needs around it: metrics, health, a loop, a ledger, and a stand-in for the source and
// the checkpointer.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/memory_budget.h"
#include "sink/sink.h"

namespace logflume {

// A budget far above what a test needs, unless it says otherwise.
inline constexpr std::size_t kTestBudgetBytes = 512 * 1024 * 1024;

// Threads: the test's; with a started loop only send(), acked(), counter() and health() may be used.
class SinkHarness {
 public:
  // `states`: what the sink of an earlier harness had committed.
  explicit SinkHarness(std::vector<SinkStateRecord> states = {}, std::string name = "out",
                       std::size_t budget_bytes = kTestBudgetBytes)
      : budget(budget_bytes),
        slabs(budget),
        metrics(registry, name),
        health_entry(board, name, "sink", "test"),
        ledger(name, 64 * 1024 * 1024, [] {}),
        outcome(ledger, metrics),
        loop("test"),
        lanes_(inbox.open("app")),
        name_(std::move(name)) {
    for (SinkStateRecord& state : states) committed_states[state.key] = state;
  }

  SinkContext context() {
    std::vector<SinkStateRecord> states;
    for (const auto& [key, state] : committed_states) states.push_back(state);
    return SinkContext{name_,
                       inbox,
                       outcome,
                       metrics,
                       health_entry,
                       log,
                       loop,
                       workers,
                       budget,
                       shared_outputs != nullptr ? *shared_outputs : outputs,
                       posix_disk(),
                       "host.example",
                       [this] { return commit_result ? commit_result() : commit(); },
                       {},
                       std::move(states)};
  }

  // A batch of the lines in `text`, the next bytes of file `file_id`; not handed to the sink yet.
  Delivery make_delivery(std::string_view text, std::uint64_t file_id = 1,
                         std::string path = "/var/log/app.log",
                         std::int64_t wall_ns = 1'767'323'045'678'901'234) {
    auto batch = new Batch;
    const BatchRef owned(batch);
    batch->slab = slabs.try_acquire_large(std::max<std::size_t>(text.size(), 1));
    if (!batch->slab) {
      ADD_FAILURE() << "no memory for a slab";
      return {};
    }
    if (!text.empty()) std::memcpy(batch->slab->data(), text.data(), text.size());
    batch->data = batch->slab->data();
    batch->bytes = text.size();
    batch->unterminated = !text.empty() && text.back() != '\n';
    batch->events = static_cast<std::uint32_t>(std::count(text.begin(), text.end(), '\n')) +
                    (batch->unterminated ? 1 : 0);
    auto origin = std::make_shared<Origin>();
    origin->source = "app";
    origin->path = std::move(path);
    origin->file_id = file_id;
    batch->origin = std::move(origin);
    batch->wall_ns = wall_ns;
    batch->read_at = steady_now();
    CursorRef& cursor = cursors_[file_id];
    if (!cursor) cursor = CursorRef(new Cursor(ledger, file_id, 0, Seam{}));
    batch->owed = {cursor->fed_offset, cursor->fed_offset + text.size()};
    batch->in_file = batch->owed;
    batch->text_begin = batch->owed.begin;
    batch->seam = Seam::before(batch->data + text.size(), text.size());
    cursor->fed_offset = batch->owed.end;
    return Delivery{owned, cursor};
  }

  // The file was acknowledged up to `offset` before. REQUIRES: nothing was made of it yet.
  void start_at(std::uint64_t offset, std::uint64_t file_id = 1) {
    cursors_[file_id] = CursorRef(new Cursor(ledger, file_id, offset, Seam{}));
  }

  // Hands it over, as a source does. False when the ring is full.
  bool send(Delivery delivery) {
    ledger.charge(delivery.batch->bytes);
    if (!lanes_.has_room(false)) return false;
    lanes_.push(std::move(delivery), false);
    loop.parker().wake();
    return true;
  }
  void send(std::string_view text, std::uint64_t file_id = 1, std::string path = "/var/log/app.log") {
    ASSERT_TRUE(send(make_delivery(text, file_id, std::move(path))));
  }

  // How far the sink has acknowledged the file, in bytes.
  std::uint64_t acked(std::uint64_t file_id = 1) const {
    const auto it = cursors_.find(file_id);
    return it == cursors_.end() ? 0 : it->second->acked_offset();
  }
  bool all_acked() const { return ledger.inflight_batches() == 0; }

  // The checkpointer: what was flushed becomes durable.
  Result<void> commit() {
    CheckpointChanges changes;
    ledger.take(changes);
    ++commits;
    for (const SinkStateRecord& state : changes.states) {
      if (state.value.empty()) {
        committed_states.erase(state.key);
      } else {
        committed_states[state.key] = state;
      }
    }
    for (const CursorRecord& cursor : changes.cursors) {
      committed_offsets[cursor.file_id] = cursor.offset;
      committed_cursors[cursor.file_id] = cursor;
    }
    committed_ranges.insert(committed_ranges.end(), changes.ranges.begin(), changes.ranges.end());
    return {};
  }
  std::vector<SinkStateRecord> durable_states() const {
    std::vector<SinkStateRecord> states;
    for (const auto& [key, state] : committed_states) states.push_back(state);
    return states;
  }

  ComponentHealth health() const {
    const auto all = board.components();
    return all.empty() ? ComponentHealth{} : all.front();
  }
  std::uint64_t discarded(const std::string& reason) {
    return registry
        .counter("logflume_component_discarded_events_total", "", {{"component", name_}, {"reason", reason}})
        .value();
  }
  std::uint64_t errors(const std::string& reason) {
    return registry.counter("logflume_component_errors_total", "", {{"component", name_}, {"reason", reason}})
        .value();
  }

  MetricRegistry registry;
  MemoryBudget budget;
  OutputRegistry outputs;
  OutputRegistry* shared_outputs = nullptr;  // instead of outputs: another sink of the same agent
  SlabPool slabs;
  HealthBoard board;
  Log log{LogLevel::kError};
  WorkerPool workers{2};
  ComponentMetrics metrics;
  HealthEntry health_entry;
  SinkLedger ledger;
  Inbox inbox;
  Outcome outcome;
  EventLoop loop;
  std::function<Result<void>()> commit_result;  // instead of commit(), to fail on purpose
  int commits = 0;
  std::map<std::string, SinkStateRecord> committed_states;
  std::map<std::uint64_t, std::uint64_t> committed_offsets;  // by file_id
  std::map<std::uint64_t, CursorRecord> committed_cursors;   // by file_id
  std::vector<RangeRecord> committed_ranges;

 private:
  Lanes& lanes_;
  std::string name_;
  std::map<std::uint64_t, CursorRef> cursors_;
};

}  // namespace logflume
