#include "sink/kafka_window.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace logflume {
namespace {

// Small enough that a chunk's text comes and goes in pieces which the allocator reuses, large enough that the
// work a chunk costs is spread over many events.
constexpr std::uint32_t kChunkEvents = 8192;
constexpr std::size_t kChunkEncodedBytes = 256 * 1024;

}  // namespace

KafkaChunk::KafkaChunk(std::uint32_t number, std::shared_ptr<KafkaShipment> shipment, std::uint32_t first,
                       std::uint32_t count)
    : number_(number),
      shipment_(std::move(shipment)),
      first_(first),
      count_(count),
      unfinished_(count),
      done_((count + 63) / 64) {}

std::string_view KafkaChunk::payload(std::uint32_t index) const {
  if (!encoded_) return event(index);
  const std::uint32_t begin = index == 0 ? 0 : ends_[index - 1];
  return std::string_view(text_).substr(begin, ends_[index] - begin);
}

std::size_t KafkaChunk::header_bytes(std::uint32_t index) const {
  constexpr std::size_t kLengthsBytes = 10;  // of name and value
  std::size_t bytes = 0;
  for (const auto& [name, value] : shipment_->headers)
    bytes += name.size() + value.of(first_ + index).size() + kLengthsBytes;
  return bytes;
}

FileRange KafkaChunk::file_range(std::uint32_t index) const {
  const auto [begin, end] = shipment_->events.place(first_ + index);
  const std::uint64_t text_begin = shipment_->delivery.batch->text_begin;
  return {text_begin + begin, text_begin + end};
}

KafkaWindow::KafkaWindow(MemoryBudget& budget, std::size_t encoded_bytes_max)
    : budget_(budget), encoded_bytes_max_(encoded_bytes_max) {}

KafkaWindow::~KafkaWindow() {
  for (const auto& [number, chunk] : by_number_) budget_.release(chunk->reserved_bytes_);
}

void KafkaWindow::take(std::shared_ptr<KafkaShipment> shipment) {
  pending_ = std::move(shipment);
  pending_next_ = 0;
}

bool KafkaWindow::cut(EventEncoder* encoder) {
  const auto total = static_cast<std::uint32_t>(pending_->events.size());
  std::uint32_t count = std::min(total - pending_next_, kChunkEvents);
  std::size_t encoded_bytes = 0;
  if (encoder != nullptr) {
    if (pending_next_ == 0) encoder->begin(*pending_->delivery.batch, pending_->events);
    // What escaping adds to short ones is not known yet; a chunk may become larger than this by it.
    std::uint32_t fitting = 0;
    while (fitting < count) {
      const std::size_t index = pending_next_ + fitting;
      const std::size_t line_bytes = pending_->events[index].size();
      const std::size_t bytes =
          line_bytes < kGiantBytes ? line_bytes + encoder->overhead_bytes() : encoder->encoded_bytes(index);
      if (fitting > 0 && encoded_bytes + bytes > kChunkEncodedBytes) break;
      encoded_bytes += bytes;
      ++fitting;
    }
    count = fitting;
  }
  KafkaChunk chunk(next_number_, pending_, pending_next_, count);
  if (!admit(chunk, encoded_bytes)) return false;
  if (encoder != nullptr) encode(chunk, *encoder, encoded_bytes);
  if (chunk.finished()) finished_numbers_.push_back(next_number_);  // one without events
  Chunks& place = place_of(pending_->topic);
  place.push_back(std::move(chunk));
  by_number_.emplace(next_number_++, std::prev(place.end()));
  if (&place == &chunks_ && produce_ == chunks_.end()) --produce_;
  pending_next_ += count;
  if (pending_next_ == total) pending_.reset();
  return true;
}

// With nothing in flight a chunk is admitted without room: otherwise a budget that others have used up, or a
// topic that is held, would stop this sink for ever.
bool KafkaWindow::admit(KafkaChunk& chunk, std::size_t encoded_bytes) {
  const bool alone = by_number_.empty() || (chunks_.empty() && !is_held(chunk.shipment_->topic));
  if (encoded_bytes_ + encoded_bytes > encoded_bytes_max_ && !alone) return false;
  const std::size_t bytes = encoded_bytes + chunk.count_ * kMessageBytes;
  if (!budget_.try_reserve(bytes)) {
    if (!alone) return false;
    budget_.reserve(bytes);
  }
  chunk.reserved_bytes_ = bytes;
  return true;
}

KafkaWindow::Chunks& KafkaWindow::place_of(const std::string& topic) {
  const auto held = held_.find(topic);
  return held == held_.end() ? chunks_ : held->second;
}

// `expected_bytes` is reserved.
void KafkaWindow::encode(KafkaChunk& chunk, const EventEncoder& encoder, std::size_t expected_bytes) {
  chunk.text_.reserve(expected_bytes);
  chunk.ends_.reserve(chunk.count_);
  for (std::uint32_t i = 0; i < chunk.count_; ++i) {
    encoder.append(chunk.first_ + i, chunk.text_);
    chunk.ends_.push_back(static_cast<std::uint32_t>(chunk.text_.size()));
  }
  chunk.encoded_ = true;
  encoded_bytes_ += chunk.text_.size();
  const std::size_t grown = chunk.text_.capacity() - std::min(chunk.text_.capacity(), expected_bytes);
  budget_.reserve(grown);
  chunk.reserved_bytes_ += grown;
}

std::optional<KafkaWindow::Run> KafkaWindow::next_run() {
  for (; produce_ != chunks_.end(); ++produce_) {
    KafkaChunk& chunk = *produce_;
    while (chunk.next_ < chunk.count_ && chunk.is_done(chunk.next_)) ++chunk.next_;
    if (chunk.next_ == chunk.count_) continue;
    std::uint32_t end = chunk.next_ + 1;
    if (chunk.unfinished_ == chunk.count_) {
      end = chunk.count_;  // the usual case: nothing of it is done
    } else {
      while (end < chunk.count_ && !chunk.is_done(end)) ++end;
    }
    return Run{&chunk, KafkaTag{chunk.number_, chunk.next_}, end};
  }
  return std::nullopt;
}

KafkaChunk* KafkaWindow::find(std::uint32_t chunk) {
  const auto found = by_number_.find(chunk);
  return found == by_number_.end() ? nullptr : &*found->second;
}

bool KafkaWindow::mark_done(KafkaChunk& chunk, std::uint32_t index) {
  if (index >= chunk.count_) return false;
  std::uint64_t& word = chunk.done_[index / 64];
  const std::uint64_t bit = std::uint64_t{1} << (index % 64);
  if ((word & bit) != 0) return false;
  word |= bit;
  --chunk.shipment_->unfinished;
  if (--chunk.unfinished_ == 0) {
    release(chunk);
    finished_numbers_.push_back(chunk.number_);
  }
  return true;
}

// A finished chunk keeps its place until collect(), but not its memory.
void KafkaWindow::release(KafkaChunk& chunk) {
  encoded_bytes_ -= chunk.text_.size();
  budget_.release(chunk.reserved_bytes_);
  chunk.reserved_bytes_ = 0;
  chunk.text_ = {};
  chunk.ends_ = {};
}

void KafkaWindow::collect(std::vector<Delivery>& finished) {
  for (const std::uint32_t number : finished_numbers_) {
    const auto found = by_number_.find(number);
    const Chunks::iterator chunk = found->second;
    KafkaShipment& shipment = *chunk->shipment_;
    if (shipment.unfinished == 0 && shipment.delivery.batch) {
      const Delivery done = std::exchange(shipment.delivery, {});
      if (shipment.whole == nullptr) {
        finished.push_back(done);
      } else if (--shipment.whole->unfinished == 0) {
        finished.push_back(std::move(shipment.whole->delivery));
      }
    }
    if (produce_ == chunk) ++produce_;
    place_of(shipment.topic).erase(chunk);
    by_number_.erase(found);
  }
  finished_numbers_.clear();
}

void KafkaWindow::hold(const std::string& topic) {
  const auto [held, fresh] = held_.try_emplace(topic);
  if (!fresh) return;
  for (auto chunk = chunks_.begin(); chunk != chunks_.end();) {
    const auto next = std::next(chunk);
    if (chunk->shipment_->topic == topic) {
      if (produce_ == chunk) produce_ = next;
      held->second.splice(held->second.end(), chunks_, chunk);
    }
    chunk = next;
  }
}

bool KafkaWindow::is_settled(const std::string& topic) const {
  const Chunks& chunks = held_.at(topic);
  return std::all_of(chunks.begin(), chunks.end(), [](const KafkaChunk& one) { return one.in_flight_ == 0; });
}

std::size_t KafkaWindow::resume(const std::string& topic, bool again) {
  const auto held = held_.find(topic);
  const std::size_t events = again ? rewind(held->second) : 0;
  // Numbers wrap.
  chunks_.merge(held->second, [](const KafkaChunk& a, const KafkaChunk& b) {
    return static_cast<std::int32_t>(a.number_ - b.number_) < 0;
  });
  held_.erase(held);
  produce_ = chunks_.begin();
  return events;
}

std::size_t KafkaWindow::rewind(Chunks& chunks) {
  std::size_t again = 0;
  for (KafkaChunk& chunk : chunks) {
    for (std::uint32_t i = 0; i < chunk.next_; ++i) again += chunk.is_done(i) ? 0 : 1;
    chunk.next_ = chunk.in_flight_ = 0;
  }
  return again;
}

std::size_t KafkaWindow::rewind() {
  std::size_t again = rewind(chunks_);
  for (auto& [topic, chunks] : held_) again += rewind(chunks);
  produce_ = chunks_.begin();
  return again;
}

}  // namespace logflume
