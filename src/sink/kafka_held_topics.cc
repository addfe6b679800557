#include "sink/kafka_held_topics.h"

#include <algorithm>
#include <utility>

namespace logflume {
namespace {

constexpr Duration kRetryMin = 1s;  // librdkafka looks at a topic in trouble once a second

}  // namespace

void KafkaHeldTopics::probe(const std::string& topic) {
  window_.hold(topic);
  probed_.push_back(topic);
}

bool KafkaHeldTopics::trouble(const std::string& topic, std::string why, TimePoint now) {
  Trouble& one = troubles_.try_emplace(topic, Trouble{Backoff(retry_), kNever, {}, false}).first->second;
  if (one.waits) return false;
  one.waits = true;
  one.why = std::move(why);
  one.retry_at = now + std::max(one.backoff.next(), kRetryMin);
  next_retry_ = std::min(next_retry_, one.retry_at);
  window_.hold(topic);
  return true;
}

bool KafkaHeldTopics::answered(const std::string& topic) {
  const auto found = troubles_.find(topic);
  // What is answered while it waits was sent before the trouble.
  if (found == troubles_.end() || found->second.waits) return false;
  troubles_.erase(found);
  return true;
}

KafkaHeldTopics::Resumed KafkaHeldTopics::resume(TimePoint now) {
  Resumed resumed;
  std::erase_if(probed_, [&](const std::string& topic) {
    const auto in_trouble = troubles_.find(topic);
    if (in_trouble != troubles_.end() && in_trouble->second.waits) return true;  // it is held for that now
    if (!window_.is_settled(topic)) return false;
    window_.resume(topic, false);
    return resumed.any = true;
  });
  next_retry_ = kNever;
  for (auto& [topic, one] : troubles_) {
    if (!one.waits) continue;
    if (now < one.retry_at) {
      next_retry_ = std::min(next_retry_, one.retry_at);
    } else if (window_.is_settled(topic)) {
      one.waits = false;
      resumed.any = true;
      resumed.events_again += window_.resume(topic, true);
    }
  }
  return resumed;
}

}  // namespace logflume
