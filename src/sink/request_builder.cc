#include "sink/request_builder.h"

#include <algorithm>
#include <cassert>

#include "event/newlines.h"

namespace logflume {
namespace {

// Some events of a batch, as they stand there.
struct Run {
  std::uint32_t events = 0;
  std::size_t bytes = 0;
};

// Of the events from `first` on, which begins at `at`: as many as are no more than that. One that is not
// terminated counts a byte more, for the newline that it will get.
Run whole_events(const Batch& batch, std::uint32_t first, std::size_t at, std::uint64_t bytes_max,
                 std::uint64_t events_max) {
  const std::string_view text = batch.text().substr(at);
  const Run all{batch.events - first, text.size()};
  if (all.bytes + (batch.unterminated ? 1 : 0) <= bytes_max && all.events <= events_max) return all;
  if (!batch.event_ends.empty()) {
    Run run;
    while (run.events < std::min<std::uint64_t>(all.events, events_max)) {
      const std::size_t end = std::size_t{batch.event_ends[first + run.events]} + 1 - at;
      if (end > bytes_max) break;
      run = {run.events + 1, std::min(end, text.size())};
    }
    return run;
  }
  Run run;
  run.bytes = end_of_last_line(text.substr(0, bytes_max));
  run.events = static_cast<std::uint32_t>(count_newlines(text.substr(0, run.bytes)));
  if (run.events <= events_max) return run;
  run = {};
  for (; run.events < events_max; ++run.events) run.bytes = text.find('\n', run.bytes) + 1;
  return run;
}

Run one_event(const Batch& batch, std::uint32_t first, std::size_t at) {
  if (first + 1 == batch.events) return {1, batch.bytes - at};
  const std::size_t end = batch.event_ends.empty() ? batch.text().find('\n', at) : batch.event_ends[first];
  return {1, end + 1 - at};
}

}  // namespace

std::size_t RequestBody::size() const {
  std::size_t size = bytes.size();
  for (const std::string_view piece : pieces) size += piece.size();
  return size;
}

const std::string& RequestBody::gather() {
  if (pieces.empty()) return bytes;
  bytes.reserve(size());
  for (const std::string_view piece : pieces) bytes += piece;
  pieces.clear();
  return bytes;
}

void discard(const Request& request, std::string_view reason, Outcome& outcome) {
  for (const RequestPart& part : request.parts) {
    const Delivery& delivery = part.shared->delivery;
    outcome.discarded(reason, delivery, delivery.batch->range_of(part.first, part.last),
                      part.last - part.first);
  }
}

void finish(Request request, Outcome& outcome) {
  for (RequestPart& part : request.parts) {
    SharedDelivery& shared = *part.shared;
    assert(shared.unfinished >= part.last - part.first);
    shared.unfinished -= part.last - part.first;
    if (shared.unfinished == 0) outcome.finish(std::move(shared.delivery));
  }
}

RequestBuilder::RequestBuilder(BatchEncoder encoder, Framing framing, std::size_t bodies,
                               RequestLimits limits, MemoryBudget& budget)
    : encoder_(std::move(encoder)),
      framing_(encoder_.event_end().empty() && framing.is_newlines() ? Framing{} : std::move(framing)),
      bodies_(bodies),
      limits_{std::max<std::uint64_t>(limits.max_bytes, 1), std::max<std::uint64_t>(limits.max_events, 1),
              limits.linger},
      budget_(budget),
      open_(budget) {}

void RequestBuilder::add(Delivery&& delivery, TimePoint now) {
  auto shared = std::make_shared<SharedDelivery>();
  shared->unfinished = delivery.batch->events;
  shared->delivery = std::move(delivery);
  waiting_.push_back(std::move(shared));
  fill(now);
}

TimePoint RequestBuilder::deadline() const {
  if (open_.events == 0) return kNever;
  return full_ || draining_ ? TimePoint{} : due_;
}

Request RequestBuilder::take(TimePoint now) {
  assert(ready(now));
  complete(open_);
  Request request = std::move(open_);
  open_ = Request(budget_);
  another_full_one_ = std::exchange(full_, false);
  due_ = kNever;
  fill(now);
  return request;
}

void RequestBuilder::fill(TimePoint now) {
  while (!full_ && !starved_ && !waiting_.empty()) {
    const std::shared_ptr<SharedDelivery>& shared = waiting_.front();
    const Batch& batch = *shared->delivery.batch;
    const std::uint32_t first = next_event_;
    if (goes_as_it_is(batch)) {
      fill_as_it_is(batch);
    } else {
      fill_encoded(batch);
    }
    if (next_event_ != first) open_.parts.push_back({shared, first, next_event_});
    if (next_event_ == batch.events) {
      waiting_.pop_front();
      next_event_ = 0;
      next_byte_ = 0;
      begun_ = nullptr;  // the batch may be gone before the next one, perhaps at the same address
    }
  }
  if (due_ == kNever && open_.events != 0) due_ = now + limits_.linger;
}

void RequestBuilder::fill_encoded(const Batch& batch) {
  begin(batch);
  assert(encoder_.events() == batch.events);
  while (next_event_ < batch.events && !full_ && !starved_) {
    if (append_event(open_, next_event_, /*forced=*/open_.events == 0 && budget_.used_bytes() == 0)) {
      ++next_event_;
      full_ = open_.events >= limits_.max_events || open_.wire_bytes >= limits_.max_bytes;
    } else {
      (open_.events == 0 ? starved_ : full_) = true;
    }
  }
}

// Nobody looks at the events one by one, and what has room is taken at once.
void RequestBuilder::fill_as_it_is(const Batch& batch) {
  const auto fitting = [&](std::size_t bytes_max) {
    return whole_events(batch, next_event_, next_byte_, bytes_max - std::min(bytes_max, open_.wire_bytes),
                        limits_.max_events - open_.events);
  };
  const auto size_with = [&](const Run& run) {
    const bool misses_newline = batch.unterminated && next_byte_ + run.bytes == batch.bytes;
    return open_.wire_bytes + run.bytes + (misses_newline ? 1 : 0);
  };
  Run run = fitting(limits_.max_bytes);
  if (run.events != 0 && !reserve(open_, size_with(run), /*forced=*/false))
    run = fitting(std::max(kFloorBytes, room(open_)));
  if (run.events == 0) {
    // The first one of a request is never too large, but there may be no memory for it.
    if (open_.events != 0) {
      full_ = true;
      return;
    }
    run = one_event(batch, next_event_, next_byte_);
    if (!reserve(open_, size_with(run), /*forced=*/budget_.used_bytes() == 0)) {
      starved_ = true;
      return;
    }
  }
  append_run(open_, batch, next_byte_, run.bytes, run.events);
  next_event_ += run.events;
  next_byte_ += run.bytes;
  full_ = next_event_ != batch.events || open_.events >= limits_.max_events ||
          open_.wire_bytes >= limits_.max_bytes;
}

// Appends what stands at `at` of the batch, whole events, and the newline that it may lack.
// REQUIRES: there is memory for it.
void RequestBuilder::append_run(Request& request, const Batch& batch, std::size_t at, std::size_t bytes,
                                std::uint32_t events) {
  const bool lacks_newline = batch.unterminated && at + bytes == batch.bytes;
  request.wire_bytes += bytes + (lacks_newline ? 1 : 0);
  request.events += events;
  if (request.body.bytes.empty()) {
    request.body.pieces.push_back(batch.text().substr(at, bytes));
    if (lacks_newline) request.body.pieces.push_back("\n");
  } else {  // behind events that had to be encoded
    (void)make_room(request, request.wire_bytes, /*forced=*/true);
    request.body.bytes.append(batch.text(), at, bytes);
    if (lacks_newline) request.body.bytes += '\n';
  }
}

// Appends event `index` of the batch that was begun; false, leaving the request as it was, when it does not
// fit: the first one of a request is never too large, but there may be no memory for it. `forced`: whatever
// the limits say.
bool RequestBuilder::append_event(Request& request, std::size_t index, bool forced) {
  if (encoder_.is_giant(index)) return append_giant(request, index, forced);
  // Encoded on its own first: only then its size is known, and a body must not grow for what does not fit.
  event_ = request.events == 0 ? framing_.begin : framing_.separator;
  encoder_.append_event(index, event_);
  event_.resize(event_.size() - encoder_.event_end().size());
  event_ += framing_.event_end;

  const std::uint64_t bytes = request.wire_bytes + event_.size() + framing_.end.size();
  if (request.events != 0 && bytes > limits_.max_bytes && !forced) return false;
  if (!make_room(request, bytes, forced)) return false;
  request.wire_bytes += event_.size();
  ++request.events;
  request.body.bytes += event_;
  return true;
}

// The same without a copy beside the body: its size is found out first.
bool RequestBuilder::append_giant(Request& request, std::size_t index, bool forced) {
  const std::string& before = request.events == 0 ? framing_.begin : framing_.separator;
  // What the encoder puts behind it goes.
  const std::size_t event_bytes =
      before.size() + encoder_.event_bytes(index) - encoder_.event_end().size() + framing_.event_end.size();
  const std::uint64_t bytes = request.wire_bytes + event_bytes + framing_.end.size();
  if (request.events != 0 && bytes > limits_.max_bytes && !forced) return false;
  if (!make_room(request, bytes + 1, forced)) return false;
  request.wire_bytes += event_bytes;
  ++request.events;
  std::string& body = request.body.bytes;
  body += before;
  encoder_.append_event(index, body);
  body.resize(body.size() - encoder_.event_end().size());
  body += framing_.event_end;
  return true;
}

// Reserves memory for a body of `bytes`.
bool RequestBuilder::reserve(Request& request, std::size_t bytes, bool forced) {
  if (bytes <= std::max(kFloorBytes, room(request))) return true;
  // All that a body may have where the last one needed it, else twice what it has; if that is refused, some
  // more. No less, but for the first event: the body moves each time.
  const std::size_t most = std::max<std::size_t>(limits_.max_bytes, bytes);
  const std::size_t wished = another_full_one_ ? most : std::min(std::max(2 * bytes, 2 * kFloorBytes), most);
  const std::size_t some_more = std::min(bytes + std::max(bytes / 8, kFloorBytes), most);
  const auto try_grow = [&](std::size_t to) { return request.reserved.try_grow(bodies_ * to); };
  if (!try_grow(wished) && !try_grow(some_more) && (request.events != 0 || !try_grow(bytes))) {
    if (!forced) return false;
    request.reserved.grow(bodies_ * some_more);
  }
  return true;
}

// The same, and the body has that memory: what was pieces of batches is gathered there.
bool RequestBuilder::make_room(Request& request, std::size_t bytes, bool forced) {
  if (!reserve(request, bytes, forced)) return false;
  RequestBody& body = request.body;
  if (body.pieces.empty() && (room(request) == 0 || body.bytes.capacity() >= room(request))) return true;
  // Not reserve(), which takes twice of what it has where that is more than it is asked for.
  std::string larger;
  larger.reserve(std::max(room(request), bytes));
  larger += body.gather();
  body.bytes = std::move(larger);
  return true;
}

void RequestBuilder::complete(Request& request) {
  request.wire_bytes += framing_.end.size();
  if (!framing_.end.empty()) request.body.bytes += framing_.end;
}

void RequestBuilder::begin(const Batch& batch) {
  if (begun_ == &batch) return;
  encoder_.begin(batch);
  begun_ = &batch;
}

std::pair<Request, Request> RequestBuilder::split(Request&& request) {
  assert(request.events >= 2);
  std::vector<RequestPart> parts = std::move(request.parts);
  const std::uint64_t half = request.events / 2;
  request = Request(budget_);  // its body makes room for the two

  std::vector<RequestPart> first, second;
  std::uint64_t counted = 0;
  for (RequestPart& part : parts) {
    const std::uint64_t size = part.last - part.first;
    const auto cut = static_cast<std::uint32_t>(part.first + std::min(size, half - std::min(half, counted)));
    if (cut != part.first) first.push_back({part.shared, part.first, cut});
    if (cut != part.last) second.push_back({part.shared, cut, part.last});
    counted += size;
  }
  Request front = encode(std::move(first));
  return {std::move(front), encode(std::move(second))};
}

// A request of exactly these events. The one that is open is left alone.
Request RequestBuilder::encode(std::vector<RequestPart> parts) {
  Request request(budget_);
  for (const RequestPart& part : parts) {
    const Batch& batch = *part.shared->delivery.batch;
    if (goes_as_it_is(batch)) {
      const FileRange range = batch.range_of(part.first, part.last);
      (void)reserve(request, request.wire_bytes + range.bytes() + 1, /*forced=*/true);
      append_run(request, batch, range.begin - batch.text_begin, range.bytes(), part.last - part.first);
      continue;
    }
    begin(batch);
    for (std::uint32_t i = part.first; i < part.last; ++i) append_event(request, i, /*forced=*/true);
  }
  begun_ = nullptr;
  complete(request);
  request.parts = std::move(parts);
  return request;
}

}  // namespace logflume
