// Fills request bodies with the events of deliveries, up to a size, a count or a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "event/memory_budget.h"
#include "sink/encode.h"
#include "sink/sink.h"
#include "sink/sink_config.h"

namespace logflume {

// What stands around the events of a body.
struct Framing {
  std::string begin;
  std::string separator;  // between events
  std::string event_end;  // behind each event
  std::string end;

  static Framing newlines() { return {"", "", "\n", ""}; }
  static Framing json_array() { return {"[", ",", "", "]"}; }
  bool is_newlines() const { return begin.empty() && separator.empty() && event_end == "\n" && end.empty(); }
};

// A delivery whose events are spread over requests.
struct SharedDelivery {
  Delivery delivery;
  std::uint32_t unfinished = 0;  // events
};

// Events [first, last) of a delivery.
struct RequestPart {
  std::shared_ptr<SharedDelivery> shared;
  std::uint32_t first = 0;
  std::uint32_t last = 0;
};

// Bytes of its own or, where nothing has to be encoded, pieces of batches, which must stay as long.
struct RequestBody {
  std::string bytes;
  std::vector<std::string_view> pieces;

  std::size_t size() const;
  // Copies the pieces into `bytes`, and returns these.
  const std::string& gather();
};

// One body, and whose events are in it.
struct Request {
  explicit Request(MemoryBudget& budget) : reserved(budget) {}

  RequestBody body;
  std::uint64_t events = 0;
  std::uint64_t wire_bytes = 0;  // of the body before compression
  std::vector<RequestPart> parts;
  Reservation reserved;  // for the body, and what it is compressed to
};

// Its events are given up, for that reason.
void discard(const Request& request, std::string_view reason, Outcome& outcome);

// Gives the deliveries of which `request` had the last events to `outcome`; not flushed.
// REQUIRES: its events were counted as sent or as discarded.
void finish(Request request, Outcome& outcome);

struct RequestLimits {
  std::uint64_t max_bytes = 0;  // of a body before compression; a larger single event goes alone
  std::uint64_t max_events = 0;
  Duration linger{};
};

// Threads:    one.
// Invariants: the events come out once each and in the order in which they came in.
// Memory:     a body beyond kFloorBytes, and what a giant event needs beside it, is reserved in the budget
// before
//             it is allocated. All builders of a sink share that. Where
//             it refuses, the request is closed as it is and goes out: memory comes back by delivering. One
//             event always goes, however large it is, when nothing else is reserved; until then the builder
//             is starved.
class RequestBuilder {
 public:
  static constexpr std::size_t kFloorBytes = 64 * 1024;

  // `bodies`: as many as there will be of each, 2 when it is to be compressed.
  RequestBuilder(BatchEncoder encoder, Framing framing, std::size_t bodies, RequestLimits limits,
                 MemoryBudget& budget);

  // False while a delivery waits for the next request: no more is taken from the inbox then.
  bool wants_more() const { return waiting_.empty() && !full_; }
  // REQUIRES: it has events.
  void add(Delivery&& delivery, TimePoint now);
  // A request is full: no more goes into it.
  bool full() const { return full_; }
  // It is full, or its linger is over.
  bool ready(TimePoint now) const { return open_.events != 0 && (full_ || draining_ || now >= due_); }
  // When ready() turns true by itself; kNever when nothing waits, the past when it is ready.
  TimePoint deadline() const;
  // Goes on where the budget refused. To be called after memory was released.
  void retry(TimePoint now) {
    if (std::exchange(starved_, false)) fill(now);
  }
  // REQUIRES: ready().
  Request take(TimePoint now);
  // From now on nothing lingers.
  void drain() { draining_ = true; }
  // Nothing that was added is still here.
  bool empty() const { return open_.events == 0 && waiting_.empty(); }

  // The first and the second half of its events. REQUIRES: request.events >= 2.
  std::pair<Request, Request> split(Request&& request);

 private:
  void fill(TimePoint now);
  void fill_encoded(const Batch& batch);
  void fill_as_it_is(const Batch& batch);
  bool goes_as_it_is(const Batch& batch) const {
    return framing_.is_newlines() && encoder_.is_identity(batch);
  }
  void append_run(Request& request, const Batch& batch, std::size_t at, std::size_t bytes,
                  std::uint32_t events);
  bool append_event(Request& request, std::size_t index, bool forced);
  bool append_giant(Request& request, std::size_t index, bool forced);
  bool reserve(Request& request, std::size_t bytes, bool forced);
  bool make_room(Request& request, std::size_t bytes, bool forced);
  std::size_t room(const Request& request) const { return request.reserved.bytes() / bodies_; }
  void complete(Request& request);
  void begin(const Batch& batch);
  Request encode(std::vector<RequestPart> parts);

  BatchEncoder encoder_;
  const Batch* begun_ = nullptr;  // whose events the encoder has indexed
  const Framing framing_;
  const std::size_t bodies_;
  const RequestLimits limits_;
  MemoryBudget& budget_;

  std::deque<std::shared_ptr<SharedDelivery>> waiting_;  // the first one perhaps partly in open_
  std::uint32_t next_event_ = 0;                         // of the first one
  std::size_t next_byte_ = 0;                            // where that begins, if it goes as it is
  Request open_;
  bool full_ = false;
  bool another_full_one_ = false;  // most likely, as the last one was
  bool starved_ = false;           // the next event, the first of its request, waits for memory
  bool draining_ = false;
  TimePoint due_ = kNever;
  std::string event_;  // encoded, not placed yet; never a giant
};

}  // namespace logflume
