#include "sink/kafka_partitions.h"

#include <librdkafka/rdkafka.h>

#include <array>
#include <string_view>
#include <utility>

namespace logflume {
namespace {

struct Named {
  std::string_view name;
  std::int32_t (*function)(const rd_kafka_topic_t*, const void*, std::size_t, std::int32_t, void*, void*);
  bool spreads;  // messages without a key
};

constexpr std::array kPartitioners{
    Named{"random", &rd_kafka_msg_partitioner_random, true},
    Named{"consistent", &rd_kafka_msg_partitioner_consistent, false},
    Named{"consistent_random", &rd_kafka_msg_partitioner_consistent_random, true},
    Named{"murmur2", &rd_kafka_msg_partitioner_murmur2, false},
    Named{"murmur2_random", &rd_kafka_msg_partitioner_murmur2_random, true},
    Named{"fnv1a", &rd_kafka_msg_partitioner_fnv1a, false},
    Named{"fnv1a_random", &rd_kafka_msg_partitioner_fnv1a_random, true},
};

const Named& named(std::string_view name) {
  for (const Named& partitioner : kPartitioners) {
    if (partitioner.name == name) return partitioner;
  }
  return kPartitioners[2];  // librdkafka's default
}

}  // namespace

KafkaPartitionShare::KafkaPartitionShare(Duration sticky, const std::string& partitioner)
    : sticky_(sticky), with_key_(named(partitioner).function), spreads_(named(partitioner).spreads) {}

bool KafkaPartitionShare::spreads_messages_without_key(const std::string& partitioner) {
  return named(partitioner).spreads;
}

std::int32_t KafkaPartitionShare::choose(const rd_kafka_topic_t* topic, const void* key,
                                         std::size_t key_bytes, std::int32_t partitions, void* opaque,
                                         void* message_opaque) {
  auto& share = *static_cast<KafkaPartitionShare*>(opaque);
  if (key == nullptr && share.spreads_) return share.choose_without_key(topic, partitions);
  return share.with_key_(topic, key, key_bytes, partitions, nullptr, message_opaque);
}

std::int32_t KafkaPartitionShare::choose_without_key(const rd_kafka_topic_t* topic, std::int32_t partitions) {
  if (partitions <= first_) return partitions - 1;  // deleted, and made again with fewer
  const TimePoint now = steady_now();
  const std::int32_t current = partition_.load(std::memory_order_relaxed);
  if (current >= 0 && current < partitions && now < until_.load(std::memory_order_relaxed) &&
      rd_kafka_topic_partition_available(topic, current) != 0)
    return current;
  const std::int32_t own = (partitions - first_ + step_ - 1) / step_;
  // The next one in turn: so all get the same, and none waits for luck.
  const std::int32_t last = current < 0 ? own - 1 : (current - first_) / step_;
  std::int32_t chosen = first_ + (last + 1) % own * step_;
  for (std::int32_t i = 1; i <= own; ++i) {
    const std::int32_t next = first_ + (last + i) % own * step_;
    if (rd_kafka_topic_partition_available(topic, next) == 0) continue;
    chosen = next;
    break;
  }
  partition_.store(chosen, std::memory_order_relaxed);
  until_.store(now + sticky_, std::memory_order_relaxed);
  return chosen;
}

}  // namespace logflume
