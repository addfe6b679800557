#include "sink/kafka_routing.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace logflume {
namespace {

constexpr std::size_t kTopicBytesMax = 249;  // the broker's limit

bool is_topic_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-';
}

// A rendered value may hold anything (a path has slashes): what a topic's name must not have becomes '_'.
std::string as_topic_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !is_topic_character(c); }, '_');
  if (name.size() > kTopicBytesMax) name.resize(kTopicBytesMax);
  return name.empty() || name == "." || name == ".." ? "_" : name;
}

// The template, or an empty one and a fault more.
Template parse_template(const std::string& key, const std::string& text, const KafkaSinkConfig& config,
                        bool with_time, std::vector<SettingFault>& faults) {
  auto parsed = Template::parse(text, config.labels, with_time);
  if (parsed) return *std::move(parsed);
  faults.push_back({key, key + ": " + parsed.error().message, {}, {}, false});
  return {};
}

}  // namespace

std::optional<KafkaRouting> KafkaRouting::parse(const KafkaSinkConfig& config, std::string host,
                                                std::vector<SettingFault>& faults) {
  const std::size_t before = faults.size();
  KafkaRouting routing(std::move(host));
  routing.topic_ = parse_template("topic", config.topic, config, true, faults);
  if (faults.size() == before && routing.topic_.is_constant()) {
    const std::string name = routing.render(routing.topic_, *BatchRef(new Batch));
    if (name != as_topic_name(name)) {
      faults.push_back(
          {"topic",
           fmt::format("topic: \"{}\" is not a topic name", name),
           fmt::format("1 to {} letters, digits, \".\", \"_\" and \"-\", or a template", kTopicBytesMax),
           {},
           false});
    }
  }
  if (!config.key.empty()) routing.key_.push_back(parse_template("key", config.key, config, false, faults));
  for (const auto& [name, text] : config.headers) {
    routing.headers_.emplace_back(name, parse_template("headers." + name, text, config, false, faults));
  }
  if (faults.size() > before) return std::nullopt;
  return routing;
}

std::string KafkaRouting::render(const Template& part, const Batch& batch) const {
  std::string text;
  part.render(batch, host_, /*for_path=*/false, text);
  return text;
}

std::shared_ptr<KafkaShipment> KafkaRouting::ship(Delivery&& delivery) const {
  auto shipment = std::make_shared<KafkaShipment>();
  const Batch& batch = *delivery.batch;
  shipment->events.build(batch);
  shipment->unfinished = static_cast<std::uint32_t>(shipment->events.size());
  shipment->topic = as_topic_name(render(topic_, batch));
  if (!key_.empty()) shipment->key = render(key_.front(), batch);
  for (const auto& [name, value] : headers_) shipment->headers.emplace_back(name, render(value, batch));
  shipment->delivery = std::move(delivery);
  return shipment;
}

}  // namespace logflume
