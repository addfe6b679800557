#include "config/difference.h"

#include <fmt/format.h>

#include <algorithm>

#include "config/catalog.h"
#include "config/yaml_text.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

constexpr std::string_view kMask = "***";

// Without what stands before the "@" of a URI, and behind its "?".
std::string without_credentials(std::string text) {
  const std::size_t scheme = text.find("://");
  if (scheme == std::string::npos) return text;
  const std::size_t begin = scheme + 3;
  const std::size_t end = std::min(text.find_first_of("/?#", begin), text.size());
  if (const std::size_t at = text.rfind('@', end); at != std::string::npos && at >= begin && at < end)
    text.replace(begin, at - begin, kMask);
  if (const std::size_t query = text.find('?', begin); query != std::string::npos)
    text.replace(query + 1, std::string::npos, kMask);
  return text;
}

std::string shown(const FieldDescription& field, const FieldValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return "";
  if (field.is_secret) {
    const auto* text = std::get_if<std::string>(&value);
    return text != nullptr && text->empty() ? "" : std::string(kMask);
  }
  if (const auto* text = std::get_if<std::string>(&value))
    return text->empty() ? "" : yaml_text(without_credentials(*text));
  return yaml_value(field, value);
}

using TextMap = std::map<std::string, std::string>;

void compare_maps(const FieldDescription& field, const std::string& key, const TextMap& a, const TextMap& b,
                  std::vector<KeyChange>& changes) {
  const auto value_in = [&](const TextMap& map, const std::string& name) {
    const auto it = map.find(name);
    if (it == map.end()) return std::string();
    return field.is_secret ? std::string(kMask) : yaml_text(it->second);
  };
  TextMap names = a;
  names.insert(b.begin(), b.end());
  for (const auto& [name, unused] : names) {
    const auto before = a.find(name);
    const auto after = b.find(name);
    if (before != a.end() && after != b.end() && before->second == after->second) continue;
    changes.push_back({key + "." + name, value_in(a, name), value_in(b, name)});
  }
}

// What differs between two structs of one description.
void compare(const ObjectDescription& description, const std::string& prefix, const void* a, const void* b,
             std::vector<KeyChange>& changes) {
  for (const FieldDescription& field : description.fields) {
    const std::string key = prefix + field.name;
    if (field.kind == FieldKind::kObject) {
      // child() only computes an address.
      compare(*field.object, key + ".", field.child(const_cast<void*>(a)), field.child(const_cast<void*>(b)),
              changes);
      continue;
    }
    if (key == "formerly") continue;
    const FieldValue before = field.get(a);
    const FieldValue after = field.get(b);
    if (before == after) continue;
    if (field.kind == FieldKind::kTextMap) {
      compare_maps(field, key, std::get<TextMap>(before), std::get<TextMap>(after), changes);
    } else {
      changes.push_back({key, shown(field, before), shown(field, after)});
    }
  }
}

template <typename Any>
const ComponentType<Any>& type_of(const std::vector<ComponentType<Any>>& types, const Any& config) {
  return *std::find_if(types.begin(), types.end(),
                       [&](const auto& type) { return type.index == config.index(); });
}

template <typename Any>
std::vector<KeyChange> compare(const std::vector<ComponentType<Any>>& types, const Any& before,
                               const Any& after) {
  std::vector<KeyChange> changes;
  const ComponentType<Any>& type = type_of(types, before);
  if (before.index() != after.index()) {
    changes.push_back({"type", type.name, type_of(types, after).name});
    return changes;
  }
  Any a = before;
  Any b = after;
  compare(type.description, "", type.inner(a), type.inner(b), changes);
  return changes;
}

template <typename Any>
void compare_all(const char* kind, const std::vector<ComponentType<Any>>& types,
                 const std::map<std::string, Any>& running, const std::map<std::string, Any>& next,
                 std::vector<ComponentChange>& changes) {
  using How = ComponentChange::How;
  std::map<std::string, std::string> taken_over;  // by the former name
  for (const auto& [name, config] : next) {
    const auto before = running.find(name);
    if (before != running.end()) {
      auto keys = compare(types, before->second, config);
      const How how = runs_as(before->second, config) ? How::kKept : How::kReplaced;
      if (!keys.empty()) changes.push_back({kind, name, how, "", std::move(keys)});
      continue;
    }
    const std::string& formerly = former_name(config);
    const auto old = formerly.empty() ? running.end() : running.find(formerly);
    if (old != running.end()) {
      taken_over.emplace(formerly, name);
      changes.push_back({kind, name, How::kReplaced, formerly, compare(types, old->second, config)});
    } else {
      changes.push_back({kind, name, How::kAdded, formerly, {{"type", "", type_of(types, config).name}}});
    }
  }
  for (const auto& [name, config] : running) {
    if (next.contains(name) || taken_over.contains(name)) continue;
    changes.push_back({kind, name, How::kRemoved, "", {{"type", type_of(types, config).name, ""}}});
  }
}

std::string_view word(ComponentChange::How how) {
  switch (how) {
    case ComponentChange::How::kAdded:
      return "added";
    case ComponentChange::How::kRemoved:
      return "removed";
    case ComponentChange::How::kReplaced:
      return "replaced";
    case ComponentChange::How::kKept:
      break;
  }
  return "kept";
}

std::string line(const KeyChange& change) {
  if (change.before.empty()) return fmt::format("{}: {}", change.key, change.after);
  return fmt::format("{}: {} -> {}", change.key, change.before,
                     change.after.empty() ? "absent" : change.after);
}

void append_key(std::string& out, std::string_view key, std::string_view value) {
  if (out.back() != '{') out += ',';
  append_json_string(out, key);
  out += ':';
  append_json_string(out, value);
}

void append_keys(std::string& out, const std::vector<KeyChange>& keys) {
  out += '[';
  for (const KeyChange& change : keys) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_key(out, "key", change.key);
    append_key(out, "before", change.before);
    append_key(out, "after", change.after);
    out += '}';
  }
  out += ']';
}

}  // namespace

const std::string& former_name(const AnySourceConfig& config) {
  return std::visit([](const auto& source) -> const std::string& { return source.formerly; }, config);
}

const std::string& former_name(const AnySinkConfig& config) {
  return std::visit([](const SinkConfig& sink) -> const std::string& { return sink.formerly; }, config);
}

const std::string& former_name(const AnyTransformConfig& /*config*/) {
  static const std::string kNone;  // nothing is kept under a transform's name
  return kNone;
}

bool runs_as(const AnyTransformConfig& running, const AnyTransformConfig& next) { return running == next; }

bool runs_as(const AnySourceConfig& running, const AnySourceConfig& next) {
  AnySourceConfig same = next;
  std::visit([&](auto& source) { source.formerly = former_name(running); }, same);
  return same == running;
}

bool runs_as(const AnySinkConfig& running, const AnySinkConfig& next) {
  AnySinkConfig same = next;
  const SinkConfig& other =
      std::visit([](const SinkConfig& sink) -> const SinkConfig& { return sink; }, running);
  std::visit(
      [&](SinkConfig& sink) {
        sink.formerly = other.formerly;
        sink.inputs = other.inputs;
      },
      same);
  return same == running;
}

Difference difference(const Config& running, const Config& next) {
  Difference out;
  compare(top_level(), "", &running, &next, out.settings);
  compare_all("source", source_types(), running.sources, next.sources, out.components);
  compare_all("transform", transform_types(), running.transforms, next.transforms, out.components);
  compare_all("sink", sink_types(), running.sinks, next.sinks, out.components);
  return out;
}

std::string to_text(const Difference& difference) {
  if (difference.empty()) return "nothing changes\n";
  std::string out;
  for (const KeyChange& change : difference.settings) out += line(change) + "\n";
  for (const ComponentChange& change : difference.components) {
    out += fmt::format("{} {}: {}", change.kind, change.name, word(change.how));
    if (!change.formerly.empty()) out += fmt::format(", formerly {}", change.formerly);
    out += '\n';
    for (const KeyChange& key : change.keys) out += "  " + line(key) + "\n";
  }
  return out;
}

std::string to_json(const Difference& difference) {
  std::string out = "{\"settings\":";
  append_keys(out, difference.settings);
  out += ",\"components\":[";
  for (const ComponentChange& change : difference.components) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_key(out, "kind", change.kind);
    append_key(out, "name", change.name);
    append_key(out, "change", word(change.how));
    if (!change.formerly.empty()) append_key(out, "formerly", change.formerly);
    out += ",\"keys\":";
    append_keys(out, change.keys);
    out += '}';
  }
  return out + "]}";
}

}  // namespace logflume
