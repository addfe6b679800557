// Drives a DiskBuffer by hand, over runs of the agent.
#pragma once

#include <gtest/gtest.h>

#include <cerrno>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "buffer/disk_buffer.h"
#include "sink/sink_test_fixture.h"

namespace logflume {

// What was committed to the store, which outlives a run.
struct StoreForTest {
  std::map<std::uint64_t, std::uint64_t> offsets;  // of the sink's cursors, by file
  std::vector<SinkStateRecord> states;
  std::vector<RangeRecord> ranges;
  TimePoint now{std::chrono::hours(1)};
  std::function<bool()> is_down;  // the power is off
};

// A run of the agent: the test is the sources, the sink and the checkpointer, and says who works when.
class Life {
 public:
  // `machine` has a Disk and the buffer's directory, too.
  template <typename Machine>
  explicit Life(Machine& machine, DiskBufferConfig config = {})
      : Life(machine, machine.disk, machine.directory(), config) {}
  Life(StoreForTest& machine, Disk& disk, std::string directory, DiskBufferConfig config)
      : machine_(machine),
        harness(machine.states),
        health_(harness.board, "out.buffer", "buffer", "disk"),
        buffer(config, {"out", std::move(directory), disk, harness.ledger, harness.inbox, out_,
                        harness.loop.parker(), harness.loop.parker(), harness.loop.parker(), harness.slabs,
                        harness.metrics, health_, harness.log, [this] { return commit(); },
                        [this](CheckpointChanges changes) { return store(std::move(changes)); }}),
        outcome_(buffer, harness.metrics) {
    harness.log.configure(LogLevel::kOff, LogFormat::kText);
    CheckpointContent stored;
    stored.states = machine.states;
    for (const auto& [file_id, offset] : machine.offsets) {
      stored.files.push_back({});
      stored.files.back().id = file_id;
      stored.cursors.push_back({file_id, "out", offset, 0, 0});
    }
    const auto opened = buffer.open(stored);
    EXPECT_TRUE(opened) << opened.error().text();
    for (const CursorRecord& cursor : stored.cursors) {
      if (cursor.offset != 0) harness.start_at(cursor.offset, cursor.file_id);
      starts[cursor.file_id] = cursor.offset;
    }
  }

  void send(std::string_view text, std::uint64_t file_id = 1) {
    if (!machine_.offsets.contains(file_id)) machine_.offsets[file_id] = 0;
    harness.send(text, file_id);
  }
  void take_in() { buffer.intake().do_work(machine_.now); }
  void write() {
    machine_.now += std::chrono::milliseconds(20);
    buffer.writer().do_work(machine_.now);
  }
  void work() {
    take_in();
    write();
    take_in();
  }
  void pass(Duration time) { machine_.now += time; }

  // What is there for the sink.
  std::vector<Delivery> take() {
    std::vector<Delivery> all;
    Delivery delivery;
    while (out_.try_pop(delivery)) {
      outcome_.taken(delivery);
      all.push_back(std::move(delivery));
    }
    return all;
  }
  void acknowledge(Delivery delivery, std::span<const SinkStateRecord> states = {}) {
    outcome_.sent(delivery.batch->events, delivery.batch->bytes);
    outcome_.finish(std::move(delivery));
    outcome_.flush(states);
  }
  // All that the buffer gives, acknowledged.
  std::vector<std::string> deliver() {
    std::vector<std::string> texts;
    for (int idle = 0; idle < 3; ++idle) {
      work();
      for (Delivery& delivery : take()) {
        texts.emplace_back(delivery.batch->text());
        acknowledge(std::move(delivery));
        idle = 0;
      }
    }
    return texts;
  }

  Result<void> commit() {
    if (commit_fails) return errno_error(ENOSPC, "commit");
    CheckpointChanges changes;
    harness.ledger.take(changes);
    return store(std::move(changes));
  }
  Result<void> store(CheckpointChanges changes) {
    if (machine_.is_down && machine_.is_down()) return errno_error(EIO, "commit");
    for (const CursorRecord& cursor : changes.cursors) machine_.offsets[cursor.file_id] = cursor.offset;
    machine_.ranges.insert(machine_.ranges.end(), changes.ranges.begin(), changes.ranges.end());
    for (SinkStateRecord& state : changes.states) {
      std::erase_if(machine_.states, [&](const auto& known) { return known.key == state.key; });
      machine_.states.push_back(std::move(state));
    }
    return {};
  }

  double gauge(const std::string& name) const {
    const std::string page = harness.registry.text();
    const std::size_t at = page.find("\n" + name + "{component=\"out\"");
    return at == std::string::npos ? -1 : std::stod(page.substr(page.find(' ', at)));
  }
  std::string health() const {
    for (const ComponentHealth& one : harness.board.components()) {
      if (one.name == "out.buffer") return one.message;
    }
    return "gone";
  }

  StoreForTest& machine_;
  SinkHarness harness;
  Inbox out_;
  HealthEntry health_;
  bool commit_fails = false;
  std::map<std::uint64_t, std::uint64_t> starts;  // where the sources begin to read
  DiskBuffer buffer;
  Outcome outcome_;
};

}  // namespace logflume
