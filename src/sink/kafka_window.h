// What a Kafka producer has in flight: which events of which deliveries were handed to the client, which of
// them are done, and what has to be handed over (again) next.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "checkpoint/cursor.h"
#include "event/memory_budget.h"
#include "sink/encode.h"

namespace logflume {

// A text that belongs to each event of a shipment: the same for all, or its own.
class KafkaEventTexts {
 public:
  KafkaEventTexts() = default;
  explicit KafkaEventTexts(std::string of_all) : text_(std::move(of_all)) {}

  // Ends the next event's, which was appended to text().
  std::string& text() { return text_; }
  void end_event() { ends_.push_back(static_cast<std::uint32_t>(text_.size())); }

  bool same_for_all() const { return ends_.empty(); }
  std::string_view of(std::uint32_t index) const {
    if (ends_.empty()) return text_;
    const std::uint32_t begin = index == 0 ? 0 : ends_[index - 1];
    return std::string_view(text_).substr(begin, ends_[index] - begin);
  }
  std::size_t memory_bytes() const { return text_.capacity() + ends_.capacity() * sizeof(std::uint32_t); }

 private:
  std::string text_;                 // of all events, or theirs one behind the other
  std::vector<std::uint32_t> ends_;  // of each event's; empty: it is that of all
};

// One delivery, or those of its events that go to one topic, and where that is.
struct KafkaShipment {
  // Where fields of events are in the topic.
  struct Whole {
    Delivery delivery;
    std::size_t unfinished = 0;  // shipments
  };

  KafkaShipment() = default;
  ~KafkaShipment() {
    if (budget != nullptr) budget->release(reserved_bytes);
  }
  KafkaShipment(const KafkaShipment&) = delete;
  KafkaShipment& operator=(const KafkaShipment&) = delete;

  // What keys and headers of its events take.
  void reserve(MemoryBudget& from) {
    budget = &from;
    reserved_bytes = key.memory_bytes();
    for (const auto& [name, value] : headers) reserved_bytes += value.memory_bytes();
    budget->reserve(reserved_bytes);
  }

  Delivery delivery;
  std::shared_ptr<Whole> whole;  // null: this is all of the delivery
  BatchEvents events;
  std::string topic;
  KafkaEventTexts key;  // empty: none
  std::vector<std::pair<std::string, KafkaEventTexts>> headers;
  std::uint32_t unfinished = 0;  // events neither delivered nor discarded
  MemoryBudget* budget = nullptr;
  std::size_t reserved_bytes = 0;
};

// Some consecutive events of a shipment, encoded. Raw events are viewed in the slab; JSON is owned here,
// until the last of them is done.
class KafkaChunk {
 public:
  KafkaChunk(std::uint32_t number, std::shared_ptr<KafkaShipment> shipment, std::uint32_t first,
             std::uint32_t count);

  KafkaShipment& shipment() const { return *shipment_; }
  std::uint32_t size() const { return count_; }
  // The event as it is in the file.
  std::string_view event(std::uint32_t index) const { return shipment_->events[first_ + index]; }
  // The event as it goes out.
  std::string_view payload(std::uint32_t index) const;
  std::string_view key(std::uint32_t index) const { return shipment_->key.of(first_ + index); }
  // Of the shipment's header of that number.
  std::string_view header(std::size_t number, std::uint32_t index) const {
    return shipment_->headers[number].second.of(first_ + index);
  }
  // What the headers of one message take in a batch, at most.
  std::size_t header_bytes(std::uint32_t index) const;
  bool is_done(std::uint32_t index) const { return (done_[index / 64] >> (index % 64) & 1) != 0; }
  bool finished() const { return unfinished_ == 0; }
  // Where the event stands in its file, its newline included.
  FileRange file_range(std::uint32_t index) const;

 private:
  friend class KafkaWindow;
  std::uint32_t number_;
  std::shared_ptr<KafkaShipment> shipment_;
  std::uint32_t first_;
  std::uint32_t count_;
  std::uint32_t unfinished_;
  std::uint32_t next_ = 0;       // events before it were handed over since the last rewind
  std::uint32_t in_flight_ = 0;  // handed over and not reported
  bool encoded_ = false;
  std::string text_;                 // encoded events, back to back
  std::vector<std::uint32_t> ends_;  // of each in text_
  std::vector<std::uint64_t> done_;  // a bit an event
  std::size_t reserved_bytes_ = 0;
};

// Names one message: which chunk, which event of it. Small enough for the client's per-message pointer.
struct KafkaTag {
  std::uint32_t chunk = 0;
  std::uint32_t index = 0;
};

// Threads:    one.
// Invariants: chunks are in the order in which they were taken; handing over goes in that order, again after
//             rewind(); an event is done once, and a delivery is finished with its last event, whatever the
//             ones before it do. Its own memory (encoded text, the client's per-message cost) is reserved in
//             the budget.
class KafkaWindow {
 public:
  // What a message costs in the client, beside its payload: rd_kafka_msg_t, its share of queues and requests.
  static constexpr std::size_t kMessageBytes = 256;

  // `encoded_bytes_max` bounds the encoded text kept; one chunk is always admitted.
  KafkaWindow(MemoryBudget& budget, std::size_t encoded_bytes_max);
  ~KafkaWindow();
  KafkaWindow(const KafkaWindow&) = delete;
  KafkaWindow& operator=(const KafkaWindow&) = delete;

  // Takes a delivery; its events become chunks as room allows. REQUIRES: !has_pending().
  void take(std::shared_ptr<KafkaShipment> shipment);
  bool has_pending() const { return pending_ != nullptr; }
  // Cuts the next chunk off what is pending, encoded by `encoder` (null: raw). False, changing nothing, when
  // there is no room: reports make some. REQUIRES: has_pending().
  bool cut(EventEncoder* encoder);

  // The first chunk with events to hand over, and its events [begin, end) to start with; nullopt when all
  // were.
  struct Run {
    KafkaChunk* chunk;
    KafkaTag begin;
    std::uint32_t end;
  };
  std::optional<Run> next_run();
  // Events before `end` of the chunk that next_run() gave are handed over: each will be reported.
  void handed_over(const Run& run, std::uint32_t end) {
    run.chunk->next_ = end;
    run.chunk->in_flight_ += end - run.begin.index;
  }
  // One of its events was: delivered, refused, or given back.
  void reported(KafkaChunk& chunk) { chunk.in_flight_ -= chunk.in_flight_ > 0 ? 1 : 0; }

  // Null when the tag is of nothing here.
  KafkaChunk* find(std::uint32_t chunk);
  // True when it was not done before. The caller counts it.
  bool mark_done(KafkaChunk& chunk, std::uint32_t index);
  // Drops finished chunks, wherever they stand, and appends the deliveries that finished with them.
  void collect(std::vector<Delivery>& finished);
  // next_run() passes by what goes to `topic`, what is cut later too, until resume(). Other topics go on.
  void hold(const std::string& topic);
  bool is_held(const std::string& topic) const { return held_.contains(topic); }
  // The client has reported all that it got of a held topic.
  bool is_settled(const std::string& topic) const;
  // With `again` what is not done of it will be handed over again; returns how many events that were handed
  // over before. REQUIRES: is_held(topic); with `again`, is_settled(topic).
  std::size_t resume(const std::string& topic, bool again);
  // Everything that is not done will be handed over again, in order; returns how many events that were handed
  // over before. REQUIRES: the client holds none of it.
  std::size_t rewind();

  bool empty() const { return by_number_.empty() && pending_ == nullptr; }

 private:
  using Chunks = std::list<KafkaChunk>;

  static std::size_t rewind(Chunks& chunks);
  Chunks& place_of(const std::string& topic);
  bool admit(KafkaChunk& chunk, std::size_t encoded_bytes);
  void release(KafkaChunk& chunk);
  void encode(KafkaChunk& chunk, const EventEncoder& encoder, std::size_t expected_bytes);

  MemoryBudget& budget_;
  const std::size_t encoded_bytes_max_;
  std::size_t encoded_bytes_ = 0;
  Chunks chunks_;
  std::unordered_map<std::string, Chunks> held_;  // by topic
  std::unordered_map<std::uint32_t, Chunks::iterator> by_number_;
  std::uint32_t next_number_ = 0;                // wraps
  Chunks::iterator produce_ = chunks_.end();     // the first one with events to hand over
  std::vector<std::uint32_t> finished_numbers_;  // of chunks that collect() drops
  std::shared_ptr<KafkaShipment> pending_;
  std::uint32_t pending_next_ = 0;  // first event of pending_ that is in no chunk
};

}  // namespace logflume
