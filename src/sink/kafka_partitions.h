// Which partitions of a topic a producer writes to, where several share it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/clock.h"

struct rd_kafka_topic_s;

namespace logflume {

// The partitions `first`, `first + step`, `first + 2 * step` ... of a topic. Messages without a key go to one
// of them for some time, then to another, those that have no leader at the moment passed over; a message with
// a key goes where `partitioner` says, one of librdkafka's names.
//
// Threads: any, once the producer has got a message.
class KafkaPartitionShare {
 public:
  // All of them.
  KafkaPartitionShare(Duration sticky, const std::string& partitioner);
  // REQUIRES: nothing was chosen before, and the topic has more than `first` partitions.
  void restrict(std::int32_t first, std::int32_t step) {
    first_ = first;
    step_ = step;
  }

  // librdkafka's partitioner callback; `opaque` is the share.
  static std::int32_t choose(const rd_kafka_topic_s* topic, const void* key, std::size_t key_bytes,
                             std::int32_t partitions, void* opaque, void* message_opaque);
  // A message without a key says nothing of where it goes: not so with those that hash nothing, too.
  static bool spreads_messages_without_key(const std::string& partitioner);

 private:
  using Partitioner = std::int32_t (*)(const rd_kafka_topic_s*, const void*, std::size_t, std::int32_t, void*,
                                       void*);
  std::int32_t choose_without_key(const rd_kafka_topic_s* topic, std::int32_t partitions);

  std::int32_t first_ = 0;
  std::int32_t step_ = 1;
  const Duration sticky_;
  const Partitioner with_key_;
  const bool spreads_;
  std::atomic<std::int32_t> partition_{-1};
  std::atomic<TimePoint> until_{TimePoint{}};  // it stays
};

}  // namespace logflume
