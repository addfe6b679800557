// Where events go: topic, key and headers, rendered from the configuration's templates.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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

  std::shared_ptr<KafkaShipment> ship(Delivery&& delivery) const;

 private:
  explicit KafkaRouting(std::string host) : host_(std::move(host)) {}
  std::string render(const Template& part, const Batch& batch) const;

  Template topic_;
  std::vector<Template> key_;  // none or one
  std::vector<std::pair<std::string, Template>> headers_;
  std::string host_;
};

}  // namespace logflume
