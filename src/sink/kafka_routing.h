// Where events go: topic, key and headers, rendered from the configuration's templates.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "event/memory_budget.h"
#include "sink/event_split.h"
#include "sink/kafka_window.h"
#include "sink/setting_fault.h"
#include "sink/sink_config.h"
#include "sink/template.h"

namespace logflume {

// Threads: one.
class KafkaRouting {
 public:
  // Nothing, with the faults appended, when a template cannot work or a constant topic is no topic's name.
  static std::optional<KafkaRouting> parse(const KafkaSinkConfig& config, std::string host,
                                           std::vector<SettingFault>& faults);

  // Fields of events make so many topics, at most.
  static constexpr std::size_t kTopicsMax = 1000;

  // A shipment for each topic that the delivery's events go to, appended. What they take beside it is
  // reserved in `budget`. Returns how many events go where those go that have no fields, since theirs would
  // make too many topics.
  std::size_t ship(Delivery&& delivery, MemoryBudget& budget,
                   std::deque<std::shared_ptr<KafkaShipment>>& shipments);

 private:
  // What a template says of events.
  struct Part {
    Template text;
    std::optional<EventSplit> fields;  // where fields of events are in it; made with the first batch
  };

  explicit KafkaRouting(std::string host) : host_(std::move(host)) {}
  std::string render(const Template& part, const Batch& batch, const Template::Values& values = {}) const;
  std::shared_ptr<KafkaShipment> shipment_of(const BatchRef& batch, std::string topic, MemoryBudget& budget);
  KafkaEventTexts texts_of(Part& part, const Batch& batch, MemoryBudget& budget) const;
  bool may_be_topic(const std::string& topic);

  Template topic_;
  std::optional<Part> key_;
  std::vector<std::pair<std::string, Part>> headers_;
  std::string host_;
  std::optional<EventSplit> by_topic_;      // where fields of events are in it
  std::unordered_set<std::string> topics_;  // that fields have made
};

}  // namespace logflume
