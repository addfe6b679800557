#include "sink/kafka_check.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/nearest_name.h"
#include "sink/kafka_client.h"
#include "sink/kafka_routing.h"

namespace logflume {
namespace {

using KafkaConf = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

// What the sink cannot work with, or that has a key of its own.
struct Forbidden {
  const char* name;
  const char* why;
};
constexpr std::array kForbidden{
    Forbidden{"bootstrap.servers", "use the key bootstrap_servers"},
    Forbidden{"metadata.broker.list", "use the key bootstrap_servers"},
    Forbidden{"delivery.report.only.error", "the sink acknowledges by delivery reports"},
    Forbidden{"transactional.id", "transactions are not supported"},
    Forbidden{"log.queue", "librdkafka's log goes to the agent's own"},
    Forbidden{"enabled_events", "it is set by the sink"},
    Forbidden{"plugin.library.paths", "plugins are not loaded"},
};

bool is_forbidden(const std::string& property) {
  return std::any_of(kForbidden.begin(), kForbidden.end(),
                     [&](const Forbidden& one) { return property == one.name; });
}

constexpr std::size_t kFaultsMax = 100;  // more are not worth their edit distances

// Keys of ours whose value librdkafka judges, by the property that they become.
struct OwnKey {
  const char* property;
  const char* key;
};
constexpr std::array kOwnKeys{
    OwnKey{"bootstrap.servers", "bootstrap_servers"}, OwnKey{"partitioner", "partitioner"},
    OwnKey{"compression.codec", "compression"},       OwnKey{"sasl.mechanisms", "sasl.mechanism"},
    OwnKey{"sasl.username", "sasl.username"},         OwnKey{"sasl.password", "sasl.password"},
    OwnKey{"ssl.ca.location", "tls.ca_file"},         OwnKey{"ssl.certificate.location", "tls.cert_file"},
    OwnKey{"ssl.key.location", "tls.key_file"},
};

// Empty: a property that no key stands for.
std::string key_of(const KafkaSinkConfig& config, std::string_view property) {
  if (config.options.contains(std::string(property))) return fmt::format("options.{}", property);
  for (const OwnKey& own : kOwnKeys) {
    if (property == own.property) return own.key;
  }
  return {};
}

// Aliases too, which rd_kafka_conf_dump() leaves out.
std::vector<std::string> property_names() {
  std::vector<std::string> names;
  char* text = nullptr;
  std::size_t bytes = 0;
  std::FILE* const memory = ::open_memstream(&text, &bytes);
  if (memory == nullptr) return names;
  rd_kafka_conf_properties_show(memory);
  std::fclose(memory);
  std::string_view rest(text, bytes);
  while (!rest.empty()) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    // "linger.ms            |  P  | 0 .. 900000 ..."
    const std::string_view name = line.substr(0, line.find(' '));
    if (line.find('|') != std::string_view::npos && name.find('|') == std::string_view::npos)
      names.emplace_back(name);
  }
  std::free(text);
  return names;
}

SettingFault unknown_property(const std::string& name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  return {"options." + name,
          fmt::format("unknown option \"{}\": librdkafka has no such property", name),
          {},
          nearest.empty() ? "" : fmt::format("did you mean \"{}\"?", nearest),
          true};
}

void set_all(const KafkaSinkConfig& config, rd_kafka_conf_t* conf, std::vector<SettingFault>& faults) {
  char text[512];
  std::vector<std::string> known;  // asked for only when there is something to guess
  for (const auto& [name, value] : kafka_properties(config, kafka_batching(config))) {
    if (faults.size() > kFaultsMax) return;
    if (is_forbidden(name) && config.options.contains(name)) continue;  // setting one may load a library
    const rd_kafka_conf_res_t set = rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text, sizeof text);
    if (set == RD_KAFKA_CONF_OK) continue;
    const std::string key = key_of(config, name);
    if (set == RD_KAFKA_CONF_UNKNOWN && config.options.contains(name)) {
      if (known.empty()) known = property_names();
      faults.push_back(unknown_property(name, known));
      continue;
    }
    std::string_view why = text;
    while (why.ends_with('\n')) why.remove_suffix(1);
    faults.push_back(
        {key, fmt::format("{}: \"{}\": {}", key.empty() ? name : key, value, why), {}, {}, false});
  }
}

// The key of the longest property that `text` names.
std::string key_named_in(const KafkaSinkConfig& config, std::string_view text) {
  std::string_view found;
  for (const auto& [name, value] : config.options) {
    if (name.size() > found.size() && text.find(name) != std::string_view::npos) found = name;
  }
  if (!found.empty()) return key_of(config, found);
  for (const OwnKey& own : kOwnKeys) {
    if (text.find(own.property) != std::string_view::npos) return own.key;
  }
  return config.options.empty() ? "" : "options";
}

}  // namespace

std::vector<SettingFault> kafka_faults(const KafkaSinkConfig& config) {
  std::vector<SettingFault> faults;
  if (config.bootstrap_servers.empty()) {
    faults.push_back(
        {"bootstrap_servers", "bootstrap_servers is empty", "host:port, host:port ...", {}, false});
  }
  (void)KafkaRouting::parse(config, {}, faults);
  for (const Forbidden& forbidden : kForbidden) {
    if (!config.options.contains(forbidden.name)) continue;
    faults.push_back({std::string("options.") + forbidden.name,
                      fmt::format("options.{} cannot be set: {}", forbidden.name, forbidden.why),
                      {},
                      {},
                      true});
  }
  const KafkaConf conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  set_all(config, conf.get(), faults);
  return faults;
}

std::vector<SettingFault> kafka_start_faults(const KafkaSinkConfig& config) {
  // What the sink sets by itself always works.
  if (config.options.empty() && !config.tls.enabled && config.sasl.mechanism.empty()) return {};
  KafkaSinkConfig alone = config;
  alone.bootstrap_servers.clear();
  std::vector<SettingFault> faults;
  KafkaConf conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  set_all(alone, conf.get(), faults);
  char text[512];
  if (rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), text, sizeof text)) {
    (void)conf.release();  // taken
    rd_kafka_destroy(client);
    return {};
  }
  const std::string key = key_named_in(config, text);
  return {{key, fmt::format("{}: {}", key.empty() ? "librdkafka" : key, text), {}, {}, false}};
}

}  // namespace logflume
