#include <fmt/format.h>

#include "config/bind.h"
#include "config/catalog.h"
#include "config/load.h"
#include "config/yaml_text.h"

namespace logflume {
namespace {

constexpr const char* kIntroduction = R"(# Configuration

<!-- Made by `logflume schema --markdown` from the descriptions in src/config; do not edit. -->

YAML, version 1. `logflume validate FILE` checks a file and says what is wrong with it, and where;
`logflume schema` prints a JSON Schema that editors understand.

```yaml
data_dir: /var/lib/logflume
sources:
  app:
    type: file
    include: ["/var/log/app/*.log"]
sinks:
  bus:
    type: kafka
    inputs: [app]
    bootstrap_servers: "127.0.0.1:9092"
    topic: logs-raw
    compression: snappy
```

- **Several files.** `--config` takes files and directories (their `*.yaml` and `*.yml`, in the order of their
  names). They are read as one configuration: the maps `sources` and `sinks` are put together, and what is defined
  twice is an error.
- **Sizes** are bytes, or take a unit: `64KiB`, `10MiB`, `1GiB`, `500kB`, `10MB`.
- **Times** need a unit: `250us`, `500ms`, `10s`, `5m`, `24h`, `7d`.
- **Variables.** `${VAR}` and `${VAR:-default}` expand in every value; what they hold is text, never YAML. `$$` is a
  dollar sign. A variable that is not set and has no default is an error.
- **Lists of texts** may be written as one text: `inputs: app` is `inputs: [app]`.
- **Names** of components are made of letters, digits, `_`, `.` and `-`. Checkpoints belong to names: a source or
  sink that is renamed starts anew.
- Anchors, aliases and merge keys (`<<`) work. Unknown and duplicate keys are errors.

)";

constexpr const char* kTransforms = R"(## Transforms

Every transform takes `inputs`, and unless it says otherwise:

- **Order.** Events leave it in the order in which they came.
- **Acknowledgement.** It holds nothing back: an event that it discards is acknowledged with those around it that a sink
  delivers, and is not read again.
- **Counts.** What came in and what it made more of are what it passed on and discarded
  (`logflume_component_*_events_total`); what it discards has its own name as the `reason`. What goes wrong with an event
  is counted in `logflume_component_errors_total`, by `reason`.
- **Reading again.** A sink that was behind gets its events through the same transforms. They are not counted again.

)";

std::string type_of(const FieldDescription& field) {
  switch (field.kind) {
    case FieldKind::kBool:
      return "boolean";
    case FieldKind::kCount:
      return "number";
    case FieldKind::kBytes:
      return "size";
    case FieldKind::kDuration:
      return "time";
    case FieldKind::kText:
      return "text";
    case FieldKind::kTextList:
      return "list of texts";
    case FieldKind::kTextMap:
      return "map of texts";
    case FieldKind::kChoice: {
      std::string out;
      for (const std::string& one : field.choices) out += fmt::format("{}`{}`", out.empty() ? "" : ", ", one);
      return out;
    }
    case FieldKind::kObject:
      return "map";
  }
  return "";
}

std::string default_text(const FieldDescription& field, const void* defaults) {
  if (field.is_required) return "**required**";
  if (!field.absent.empty()) return field.absent;
  const FieldValue value = field.get(defaults);
  const std::string text = yaml_value(field, value);
  return text.empty() ? "none" : fmt::format("`{}`", text);
}

std::string limits(const FieldDescription& field) {
  const bool low = field.minimum > 0;
  const bool high = field.maximum != std::numeric_limits<std::uint64_t>::max() &&
                    field.maximum != std::numeric_limits<std::uint32_t>::max();
  std::string out;
  if (low) out += fmt::format(" At least {}.", format_limit(field, field.minimum));
  if (high) out += fmt::format(" At most {}.", format_limit(field, field.maximum));
  return out;
}

void rows(std::string& out, const ObjectDescription& description, const void* defaults,
          const std::string& prefix) {
  for (const FieldDescription& field : description.fields) {
    if (field.kind == FieldKind::kObject) {
      rows(out, *field.object, field.child(const_cast<void*>(defaults)), prefix + field.name + ".");
      continue;
    }
    out += fmt::format("| `{}{}` | {} | {} | {}{}{} |\n", prefix, field.name, type_of(field),
                       default_text(field, defaults), field.doc, limits(field),
                       field.example.empty() ? "" : fmt::format(" Example: `{}`.", field.example));
  }
}

void table(std::string& out, const ObjectDescription& description, const void* defaults) {
  out += "| key | type | default | |\n|---|---|---|---|\n";
  rows(out, description, defaults, "");
  out += '\n';
}

// `description` without the fields that `other` has too.
ObjectDescription without(const ObjectDescription& description, const ObjectDescription& other) {
  ObjectDescription out = description;
  std::erase_if(out.fields, [&](const FieldDescription& field) {
    return std::any_of(other.fields.begin(), other.fields.end(),
                       [&](const FieldDescription& common) { return common.name == field.name; });
  });
  return out;
}

Duration linger_of(const AnySinkConfig& sink) {
  return std::visit([](const auto& one) { return one.batch.linger.value_or(Duration::zero()); }, sink);
}

}  // namespace

std::string configuration_markdown() {
  std::string out = kIntroduction;
  out += "## Top level\n\n";
  Config config;
  table(out, top_level(), &config);
  out +=
      "`sources`, `transforms` and `sinks` are maps from names to components. `version: 1` may be given. "
      "`tests` holds tests of the transforms ([testing.md](testing.md)).\n\n";

  out += "## Sources\n\n";
  for (const auto& type : source_types()) {
    AnySourceConfig defaults = type.make();
    out += fmt::format("### `type: {}`\n\n{}\n\n", type.name, type.description.doc);
    table(out, type.description, type.inner(defaults));
  }

  out += kTransforms;
  for (const auto& type : transform_types()) {
    AnyTransformConfig defaults = type.make();
    out += fmt::format("### `type: {}`\n\n{}\n\n", type.name, type.description.doc);
    table(out, type.description, type.inner(defaults));
  }

  // Blackhole takes what every sink takes, and nothing else.
  const ComponentType<AnySinkConfig>& plain = sink_types().front();
  out += "## Sinks\n\nEvery sink takes these keys. `batch.linger` is";
  for (const auto& type : sink_types()) {
    const AnySinkConfig defaults = type.make();
    const FieldDescription linger{};
    out += fmt::format("{} {} for {}",
                       &type == &sink_types().front()  ? ""
                       : &type == &sink_types().back() ? " and"
                                                       : ",",
                       yaml_value(linger, linger_of(defaults)), type.name);
  }
  out += ".\n\n";
  AnySinkConfig plain_defaults = plain.make();
  std::get_if<BlackholeSinkConfig>(&plain_defaults)->batch.linger.reset();
  table(out, plain.description, plain.inner(plain_defaults));
  for (const auto& type : sink_types()) {
    AnySinkConfig defaults = type.make();
    out += fmt::format("### `type: {}`\n\n{}\n\n", type.name, type.description.doc);
    const ObjectDescription own = without(type.description, plain.description);
    if (own.fields.empty()) {
      out += "No keys of its own.\n\n";
    } else {
      table(out, own, type.inner(defaults));
    }
  }
  out.pop_back();
  return out;
}

}  // namespace logflume
