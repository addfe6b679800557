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
  if (!config.key.empty()) {
    routing.key_.emplace(Part{parse_template("key", config.key, config, false, faults), std::nullopt});
  }
  for (const auto& [name, text] : config.headers) {
    routing.headers_.emplace_back(
        name, Part{parse_template("headers." + name, text, config, false, faults), std::nullopt});
  }
  if (faults.size() > before) return std::nullopt;
  return routing;
}

std::string KafkaRouting::render(const Template& part, const Batch& batch,
                                 const Template::Values& values) const {
  std::string text;
  part.render(batch, host_, /*for_path=*/false, text, values);
  return text;
}

// Brokers keep a topic for ever: what events say must not make any number of them.
bool KafkaRouting::may_be_topic(const std::string& topic) {
  if (topics_.contains(topic)) return true;
  return topics_.size() < kTopicsMax && topics_.insert(topic).second;
}

std::size_t KafkaRouting::ship(Delivery&& delivery, MemoryBudget& budget,
                               std::deque<std::shared_ptr<KafkaShipment>>& shipments) {
  const BatchRef batch = delivery.batch;
  if (topic_.fields().empty()) {
    shipments.push_back(shipment_of(batch, as_topic_name(render(topic_, *batch)), budget));
    shipments.back()->delivery = std::move(delivery);
    return 0;
  }
  if (!by_topic_) by_topic_.emplace(topic_.fields(), host_, budget);
  std::vector<EventSplit::Part> parts;
  std::size_t excess = by_topic_->split(batch, kTopicsMax, parts);
  if (parts.empty()) parts.push_back({{}, batch});  // acknowledged all the same
  const auto whole =
      std::make_shared<KafkaShipment::Whole>(KafkaShipment::Whole{std::move(delivery), parts.size()});
  for (const EventSplit::Part& part : parts) {
    std::string topic = as_topic_name(render(topic_, *batch, part.values));
    if (part.batch->events != 0 && !may_be_topic(topic)) {
      topic = as_topic_name(render(topic_, *batch));
      excess += part.batch->events;
    }
    shipments.push_back(shipment_of(part.batch, std::move(topic), budget));
    shipments.back()->delivery = {part.batch, whole->delivery.cursor};
    shipments.back()->whole = whole;
  }
  return excess;
}

std::shared_ptr<KafkaShipment> KafkaRouting::shipment_of(const BatchRef& batch, std::string topic,
                                                         MemoryBudget& budget) {
  auto shipment = std::make_shared<KafkaShipment>();
  shipment->events.build(*batch);
  shipment->unfinished = static_cast<std::uint32_t>(shipment->events.size());
  shipment->topic = std::move(topic);
  if (key_) shipment->key = texts_of(*key_, *batch, budget);
  for (auto& [name, value] : headers_) shipment->headers.emplace_back(name, texts_of(value, *batch, budget));
  shipment->reserve(budget);
  return shipment;
}

KafkaEventTexts KafkaRouting::texts_of(Part& part, const Batch& batch, MemoryBudget& budget) const {
  if (part.text.fields().empty()) return KafkaEventTexts(render(part.text, batch));
  if (!part.fields) part.fields.emplace(part.text.fields(), host_, budget);
  KafkaEventTexts texts;
  part.fields->visit(batch, [&](const Template::Values& values) {
    part.text.render(batch, host_, /*for_path=*/false, texts.text(), values);
    texts.end_event();
  });
  return texts;
}

}  // namespace logflume
