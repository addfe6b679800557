#include <fmt/format.h>

#include <cmath>

#include "base/units.h"
#include "config/catalog.h"
#include "config/load.h"
#include "config/yaml_text.h"

namespace logflume {
namespace {

class Writer {
 public:
  std::string take() { return std::move(out_); }

  void key(std::size_t depth, std::string_view name) {
    out_ += fmt::format("{}{}:", std::string(depth * 2, ' '), yaml_text(name));
  }
  void line(std::size_t depth, std::string_view name, std::string_view value) {
    key(depth, name);
    out_ += fmt::format(" {}\n", value);
  }
  void end_key() { out_ += '\n'; }

  // The fields of `self` that differ from `defaults`; what is required always.
  void fields(std::size_t depth, const ObjectDescription& description, const void* self,
              const void* defaults) {
    for (const FieldDescription& field : description.fields) {
      if (field.kind == FieldKind::kObject) {
        // child() only computes an address.
        const void* inner = field.child(const_cast<void*>(self));
        const void* inner_defaults = field.child(const_cast<void*>(defaults));
        Writer nested;
        nested.fields(depth + 1, *field.object, inner, inner_defaults);
        if (nested.out_.empty()) continue;
        key(depth, field.name);
        out_ += '\n' + nested.out_;
        continue;
      }
      const FieldValue value = field.get(self);
      if (!field.is_required && value == field.get(defaults)) continue;
      if (std::holds_alternative<std::monostate>(value)) continue;
      line(depth, field.name, yaml_value(field, value));
    }
  }

 private:
  std::string out_;
};

template <typename Any>
void components(Writer& writer, const std::map<std::string, Any>& all,
                const std::vector<ComponentType<Any>>& types) {
  for (const auto& [name, component] : all) {
    for (const ComponentType<Any>& type : types) {
      if (type.index != component.index()) continue;
      writer.key(1, name);
      writer.end_key();
      writer.line(2, "type", type.name);
      Any self = component;
      Any defaults = type.make();
      writer.fields(2, type.description, type.inner(self), type.inner(defaults));
    }
  }
}

bool is_plain(std::string_view text) {
  static constexpr std::string_view kSafe =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./-+";
  if (text.empty() || text.find_first_not_of(kSafe) != std::string_view::npos) return false;
  // Not what YAML takes for something else ("null", "true", "-", a number, "...").
  const char first = text.front();
  if (!((first >= 'A' && first <= 'Z') || (first >= 'a' && first <= 'z') || first == '/' || first == '_'))
    return false;
  static constexpr std::string_view kReserved[] = {"null",  "Null",  "NULL", "true", "True", "TRUE", "false",
                                                   "False", "FALSE", "yes",  "Yes",  "no",   "No",   "on",
                                                   "On",    "off",   "Off",  "y",    "n",    "Y",    "N"};
  for (const std::string_view word : kReserved) {
    if (text == word) return false;
  }
  return true;
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out + '"';
}

}  // namespace

std::string yaml_text(std::string_view text) { return is_plain(text) ? std::string(text) : quoted(text); }

std::string yaml_scalar(std::string_view text) {
  std::string escaped;
  for (const char c : text) escaped.append(c == '$' ? 2 : 1, c);
  return yaml_text(escaped);
}

std::string yaml_value(const FieldDescription& field, const FieldValue& value) {
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "true" : "false";
  if (const auto* number = std::get_if<std::uint64_t>(&value)) return format_limit(field, *number);
  if (const auto* duration = std::get_if<Duration>(&value)) return format_duration(*duration);
  if (const auto* text = std::get_if<std::string>(&value)) return yaml_scalar(*text);
  std::string out;
  if (const auto* list = std::get_if<std::vector<std::string>>(&value)) {
    for (const std::string& one : *list) out += (out.empty() ? "" : ", ") + yaml_scalar(one);
    return '[' + out + ']';
  }
  if (const auto* map = std::get_if<std::map<std::string, std::string>>(&value)) {
    for (const auto& [name, one] : *map)
      out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", yaml_text(name), yaml_scalar(one));
    return '{' + out + '}';
  }
  return "";
}

std::string to_yaml(const Config& config) {
  Writer writer;
  const Config defaults;
  writer.line(0, "version", "1");
  writer.fields(0, top_level(), &config, &defaults);
  if (!config.sources.empty()) {
    writer.key(0, "sources");
    writer.end_key();
    components(writer, config.sources, source_types());
  }
  if (!config.transforms.empty()) {
    writer.key(0, "transforms");
    writer.end_key();
    components(writer, config.transforms, transform_types());
  }
  if (!config.sinks.empty()) {
    writer.key(0, "sinks");
    writer.end_key();
    components(writer, config.sinks, sink_types());
  }
  return writer.take();
}

}  // namespace logflume
