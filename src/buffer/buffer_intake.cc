#include "buffer/buffer_intake.h"

#include <utility>

namespace logflume {
namespace {

constexpr std::size_t kTakenAtOnce = 256;

}  // namespace

std::size_t BufferIntake::do_work(TimePoint now) {
  std::size_t count = take_in();
  count += outlet_.hand_on(now);
  if (outlet_.give_up_oldest()) ++count;
  return count;
}

bool BufferIntake::has_input() const {
  const bool can_take = records_.room() != BufferedRecords::Room::kNo;
  return (can_take && !context_.in.empty()) || outlet_.has_work();
}

std::size_t BufferIntake::take_in() {
  std::size_t count = 0;
  bool to_write = false;
  Delivery delivery;
  while (count < kTakenAtOnce) {
    const BufferedRecords::Room room = records_.make_room();
    if (room == BufferedRecords::Room::kNo || !context_.in.try_pop(delivery)) break;
    ++count;
    if (delivery.batch->events == 0) {  // transforms have left nothing of it
      context_.ledger.acknowledge({&delivery, 1});
    } else if (room == BufferedRecords::Room::kDropNewest) {
      drop(delivery);
    } else {
      to_write = records_.put(std::move(delivery));
    }
  }
  if (to_write) context_.writer_thread.wake();
  return count;
}

// There is no room, and the newest is to go.
void BufferIntake::drop(const Delivery& delivery) {
  const Batch& batch = *delivery.batch;
  context_.metrics.received_events.add(batch.events);
  context_.metrics.received_bytes.add(batch.event_bytes());
  context_.metrics.discarded("buffer_full", batch.events);
  if (!batch.made) {
    context_.ledger.discard(
        *delivery.cursor,
        {batch.owed, {batch.text_begin, batch.text_begin + batch.bytes}, "buffer_full", batch.events});
  }
  context_.ledger.acknowledge({&delivery, 1});
}

}  // namespace logflume
