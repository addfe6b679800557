// Events that are made of other events: what a transform keeps of these, and what comes of it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

namespace logflume {

class MadeEvents;

// What a transform has gathered of the events of one source, for sinks that were given the same ones.
//
// Threads: one.
class Gathering {
 public:
  static constexpr std::int64_t kAll = INT64_MAX;

  virtual ~Gathering() = default;
  // The same, for sinks that go their own way from here.
  virtual std::unique_ptr<Gathering> copy() const = 0;
  // Nothing is kept, but perhaps memory for what will be.
  virtual bool empty() const = 0;
  // When, by the clock, events are to be made; kAll: not because of the clock.
  virtual std::int64_t due_ns() const = 0;
  // What is over at `now_ns` is to become events; kAll: everything.
  virtual void close(std::int64_t now_ns) = 0;
  // Something waits to become events.
  virtual bool has_closed() const = 0;
  // It becomes them, and is not kept any more.
  virtual void make(MadeEvents& made) = 0;
  virtual std::size_t memory_bytes() const = 0;
};

}  // namespace logflume
