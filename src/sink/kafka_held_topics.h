// Which topics are held in the window, and until when.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "sink/backoff.h"
#include "sink/kafka_window.h"
#include "sink/sink_config.h"

namespace logflume {

// Topics with a probe: one batch of theirs is on its way, and the next waits for its report. Topics in
// trouble (that do not exist, or may not be written to): they wait, each with a Backoff of its own, and are
// handed over again. No other topic is concerned by either.
//
// Threads: one.
class KafkaHeldTopics {
 public:
  KafkaHeldTopics(KafkaWindow& window, RetryConfig retry) : window_(window), retry_(retry) {}

  void probe(const std::string& topic);
  // The topic's last attempt failed. False when that is known of this attempt already.
  bool trouble(const std::string& topic, std::string why, TimePoint now);
  // Something of the topic is done: whatever was wrong with it is not any more. True when it was in trouble.
  bool answered(const std::string& topic);

  // Lets go on what need not be held any more: to be called when something was reported, and at next_retry().
  struct Resumed {
    bool any = false;
    std::size_t events_again = 0;  // that will be handed over once more
  };
  Resumed resume(TimePoint now);
  TimePoint next_retry() const { return next_retry_; }

  bool in_trouble() const { return !troubles_.empty(); }
  // Of one of them. REQUIRES: in_trouble().
  const std::string& why() const { return troubles_.begin()->second.why; }

 private:
  struct Trouble {
    Backoff backoff;
    TimePoint retry_at = kNever;
    std::string why;
    bool waits = false;  // held for it, until retry_at and all is reported
  };

  KafkaWindow& window_;
  const RetryConfig retry_;
  std::vector<std::string> probed_;
  std::unordered_map<std::string, Trouble> troubles_;  // until something of the topic is done
  TimePoint next_retry_ = kNever;
};

}  // namespace logflume
