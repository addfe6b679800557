#include "sink/kafka_routing.h"

#include <algorithm>
#include <cctype>
#include <map>

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

Result<Template> parse_template(const std::string& key, const std::string& text,
                                const std::map<std::string, std::string>& labels, bool with_time) {
  auto parsed = Template::parse(text, labels, with_time);
  if (!parsed)
    return Error{parsed.error().code, parsed.error().os_errno, key + ": " + parsed.error().message};
  return parsed;
}

}  // namespace

Result<KafkaRouting> KafkaRouting::parse(const KafkaSinkConfig& config, std::string host) {
  auto topic = parse_template("topic", config.topic, config.labels, true);
  if (!topic) return std::move(topic).error();
  KafkaRouting routing(std::move(*topic), std::move(host));
  if (routing.topic_.is_constant()) {
    const std::string name = routing.render(routing.topic_, *BatchRef(new Batch));
    if (name != as_topic_name(name)) {
      return Error{
          Errc::kInvalidArgument, 0,
          "topic \"" + name + "\": 1 to 249 letters, digits, '.', '_' and '-', and not \".\" or \"..\""};
    }
  }
  if (!config.key.empty()) {
    auto key = parse_template("key", config.key, config.labels, false);
    if (!key) return std::move(key).error();
    routing.key_.push_back(std::move(*key));
  }
  for (const auto& [name, text] : config.headers) {
    auto value = parse_template("headers." + name, text, config.labels, false);
    if (!value) return std::move(value).error();
    routing.headers_.emplace_back(name, std::move(*value));
  }
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
