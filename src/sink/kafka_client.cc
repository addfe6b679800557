#include "sink/kafka_client.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <string_view>
#include <utility>

namespace logflume {
namespace {

constexpr Duration kMetadataWait = 1s;
constexpr Duration kStickyMin = 10ms;

}  // namespace

Result<std::unique_ptr<KafkaClient>> KafkaClient::create(const KafkaSinkConfig& config,
                                                         const KafkaBatching& batching, std::size_t producers,
                                                         Parker& wake) {
  KafkaProperties properties = kafka_properties(config, batching);
  // The choice of a partition is ours then, and what librdkafka sticks to would come first.
  if (producers > 1) properties.emplace_back("sticky.partitioning.linger.ms", "0");
  std::unique_ptr<KafkaClient> client(new KafkaClient(config, batching));
  for (std::size_t i = 0; i < std::max<std::size_t>(producers, 1); ++i) {
    auto producer = KafkaProducer::create(properties, wake);
    if (!producer) return std::move(producer).error();
    client->producers_.push_back(std::move(*producer));
    client->whole_.push_back(std::make_unique<KafkaPartitionShare>(client->sticky_, client->partitioner_));
  }
  return client;
}

KafkaClient::KafkaClient(const KafkaSinkConfig& config, const KafkaBatching& batching)
    : partitioner_(config.partitioner), sticky_(std::max<Duration>(2 * batching.linger, kStickyMin)) {}

bool KafkaClient::has_events() const {
  return std::any_of(producers_.begin(), producers_.end(), [](const auto& p) { return p->has_events(); });
}

std::size_t KafkaClient::poll(KafkaListener& listener, std::size_t events_max) {
  std::size_t handled = 0;
  for (const auto& producer : producers_) handled += producer->poll(listener, events_max);
  return handled;
}

std::uint32_t KafkaClient::produce(const KafkaWindow::Run& run, std::uint32_t end,
                                   std::vector<KafkaReport>& refused) {
  if (producers_.size() == 1) return producers_.front()->produce(run, end, nullptr, refused);
  const KafkaShipment& shipment = run.chunk->shipment();
  const bool shareable = shipment.key.same_for_all() && shipment.key.of(0).empty() &&
                         KafkaPartitionShare::spreads_messages_without_key(partitioner_);
  const Shares& shares = shares_of(shipment.topic);
  if (shareable && shares.size() > 1) {
    std::size_t chosen = 0;
    for (std::size_t i = 1; i < shares.size(); ++i) {
      if (producers_[i]->outstanding_bytes() < producers_[chosen]->outstanding_bytes()) chosen = i;
    }
    return producers_[chosen]->produce(run, end, shares[chosen].get(), refused);
  }
  const std::hash<std::string_view> hash;
  const std::size_t of_topic = hash(shipment.topic) * 31;
  const auto producer_of = [&](std::uint32_t index) {
    return (of_topic + hash(run.chunk->key(index))) % producers_.size();
  };
  KafkaWindow::Run part = run;
  while (part.begin.index < end) {
    const std::size_t chosen = producer_of(part.begin.index);
    std::uint32_t part_end = part.begin.index + 1;
    if (shipment.key.same_for_all()) {
      part_end = end;  // one key for all
    } else {
      while (part_end < end && producer_of(part_end) == chosen) ++part_end;
    }
    KafkaPartitionShare* const share = chosen < shares.size() ? shares[chosen].get() : whole_[chosen].get();
    const std::uint32_t taken = producers_[chosen]->produce(part, part_end, share, refused);
    if (taken < part_end) return taken;
    part.begin.index = part_end;
  }
  return end;
}

const KafkaClient::Shares& KafkaClient::shares_of(const std::string& topic) {
  static const Shares kNone;
  const auto found = shares_.find(topic);
  if (found != shares_.end()) return found->second;
  if (shares_.size() == kSharedTopicsMax) return kNone;
  Shares& shares = shares_[topic];
  const auto share = [&] {
    shares.push_back(std::make_unique<KafkaPartitionShare>(sticky_, partitioner_));
    return shares.back().get();
  };
  // The first look at a topic decides for good by which share its partitions are chosen.
  const std::int32_t partitions = producers_.front()->partitions(topic, *share(), kMetadataWait).value_or(0);
  const auto count = std::min(static_cast<std::int32_t>(producers_.size()), partitions);
  while (count > static_cast<std::int32_t>(shares.size())) share();
  for (std::int32_t i = 0; i < count; ++i) shares[static_cast<std::size_t>(i)]->restrict(i, count);
  return shares;
}

void KafkaClient::ask_message_limit(const std::string& topic) {
  const auto asked =
      std::find_if(producers_.begin(), producers_.end(), [](const auto& p) { return p->has_delivered(); });
  (asked == producers_.end() ? producers_.front() : *asked)->ask_message_limit(topic);
}

std::size_t KafkaClient::outstanding() const {
  return std::accumulate(producers_.begin(), producers_.end(), std::size_t{0},
                         [](std::size_t sum, const auto& p) { return sum + p->outstanding(); });
}

std::uint64_t KafkaClient::outstanding_bytes() const {
  return std::accumulate(producers_.begin(), producers_.end(), std::uint64_t{0},
                         [](std::uint64_t sum, const auto& p) { return sum + p->outstanding_bytes(); });
}

void KafkaClient::purge(bool in_flight) {
  for (const auto& producer : producers_) producer->purge(in_flight);
}

void KafkaClient::flush(Duration wait) {
  for (const auto& producer : producers_) producer->flush(wait);
}

}  // namespace logflume
