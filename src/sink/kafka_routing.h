// Where events go: topic, key and headers, rendered from the configuration's templates.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sink/kafka_window.h"
#include "sink/sink_config.h"
#include "sink/template.h"

namespace logflume {

// Threads: one.
class KafkaRouting {
 public:
  // Errors: kInvalidArgument: the template that cannot work, or a constant topic that is no topic's name.
  static Result<KafkaRouting> parse(const KafkaSinkConfig& config, std::string host);

  std::shared_ptr<KafkaShipment> ship(Delivery&& delivery) const;

 private:
  KafkaRouting(Template topic, std::string host) : topic_(std::move(topic)), host_(std::move(host)) {}
  std::string render(const Template& part, const Batch& batch) const;

  Template topic_;
  std::vector<Template> key_;  // none or one
  std::vector<std::pair<std::string, Template>> headers_;
  std::string host_;
};

}  // namespace logflume
