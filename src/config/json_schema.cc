#include <fmt/format.h>

#include "config/catalog.h"
#include "config/load.h"
#include "config/yaml_text.h"

namespace logflume {
namespace {

// A JSON value, built; printed with two blanks a level.
struct JsonMember;
struct Json {
  enum class Kind { kLiteral, kObject, kArray };
  Kind kind = Kind::kLiteral;
  std::string literal;
  std::vector<JsonMember> members;
  std::vector<Json> items;

  static Json text(std::string_view value);
  static Json number(std::uint64_t value);
  static Json flag(bool value);
  static Json object();
  static Json array();
  Json& with(std::string key, Json value);
  void print(std::string& out, std::size_t depth) const;
};
struct JsonMember {
  std::string key;
  Json value;
};

Json json_literal(std::string text) {
  Json out;
  out.literal = std::move(text);
  return out;
}

Json Json::number(std::uint64_t value) { return json_literal(std::to_string(value)); }
Json Json::flag(bool value) { return json_literal(value ? "true" : "false"); }
Json Json::object() {
  Json out;
  out.kind = Kind::kObject;
  return out;
}
Json Json::array() {
  Json out;
  out.kind = Kind::kArray;
  return out;
}
Json& Json::with(std::string key, Json value) {
  members.push_back({std::move(key), std::move(value)});
  return *this;
}

void Json::print(std::string& out, std::size_t depth) const {
  if (kind == Kind::kLiteral) {
    out += literal;
    return;
  }
  const bool is_object = kind == Kind::kObject;
  const std::size_t count = is_object ? members.size() : items.size();
  out += is_object ? '{' : '[';
  for (std::size_t i = 0; i < count; ++i) {
    out += i == 0 ? "\n" : ",\n";
    out.append((depth + 1) * 2, ' ');
    if (is_object) {
      text(members[i].key).print(out, 0);
      out += ": ";
    }
    (is_object ? members[i].value : items[i]).print(out, depth + 1);
  }
  if (count > 0) {
    out += '\n';
    out.append(depth * 2, ' ');
  }
  out += is_object ? '}' : ']';
}

Json Json::text(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += c;
    }
  }
  return json_literal(out + '"');
}

Json typed(std::string_view type) {
  Json out = Json::object();
  out.with("type", Json::text(type));
  return out;
}

// Any value may be (or hold) a variable, whatever it becomes.
Json variable() {
  Json out = typed("string");
  out.with("pattern", Json::text("\\$\\{"));
  return out;
}

Json any_of(std::vector<Json> choices) {
  Json list = Json::array();
  list.items = std::move(choices);
  Json out = Json::object();
  out.with("anyOf", std::move(list));
  return out;
}

Json whole_number(const FieldDescription& field) {
  Json out = typed("integer");
  out.with("minimum", Json::number(field.minimum));
  if (field.maximum != std::numeric_limits<std::uint64_t>::max())
    out.with("maximum", Json::number(field.maximum));
  return out;
}

Json pattern(std::string_view regex) {
  Json out = typed("string");
  out.with("pattern", Json::text(regex));
  return out;
}

Json object_schema(const ObjectDescription& description, const void* defaults);

Json value_schema(const FieldDescription& field) {
  switch (field.kind) {
    case FieldKind::kBool:
      return any_of({typed("boolean"), pattern("^([Tt]rue|TRUE|[Ff]alse|FALSE)$"), variable()});
    case FieldKind::kCount:
      return any_of({whole_number(field), pattern("^[0-9]+$"), variable()});
    case FieldKind::kBytes:
      return any_of({whole_number(field), pattern("^ *[0-9]+(\\.[0-9]+)? *([kKmMgGtT]([iI]?[bB])|[bB])? *$"),
                     variable()});
    case FieldKind::kDuration:
      return any_of({pattern("^ *[0-9]+(\\.[0-9]+)? *(ns|us|ms|s|m|h|d) *$"), pattern("^ *0 *$"),
                     Json::object().with("const", Json::number(0)), variable()});
    case FieldKind::kText:
      return any_of({typed("string"), typed("number"), typed("boolean")});
    case FieldKind::kTextList: {
      Json list = typed("array");
      list.with("items", any_of({typed("string"), typed("number"), typed("boolean")}));
      if (field.is_required) list.with("minItems", Json::number(1));
      std::vector<Json> choices{typed("string"), std::move(list)};
      if (!field.is_required) choices.push_back(typed("null"));
      return any_of(std::move(choices));
    }
    case FieldKind::kTextMap: {
      Json map = Json::object();
      map.with("type", Json::array());
      map.members.back().value.items = {Json::text("object"), Json::text("null")};
      map.with("additionalProperties", any_of({typed("string"), typed("number"), typed("boolean")}));
      return map;
    }
    case FieldKind::kChoice: {
      Json names = Json::array();
      for (const std::string& one : field.choices) names.items.push_back(Json::text(one));
      return any_of({Json::object().with("enum", std::move(names)), variable()});
    }
    case FieldKind::kObject:
      break;
  }
  return Json::object();
}

// As the user would write it; a list or map as JSON.
std::optional<Json> default_of(const FieldDescription& field, const FieldValue& value) {
  if (field.is_required || std::holds_alternative<std::monostate>(value)) return std::nullopt;
  if (const auto* flag = std::get_if<bool>(&value)) return Json::flag(*flag);
  if (const auto* text = std::get_if<std::string>(&value)) {
    return text->empty() ? std::nullopt : std::optional(Json::text(*text));
  }
  if (const auto* number = std::get_if<std::uint64_t>(&value);
      number != nullptr && field.kind == FieldKind::kCount) {
    return Json::number(*number);
  }
  if (std::holds_alternative<std::uint64_t>(value) || std::holds_alternative<Duration>(value)) {
    return Json::text(yaml_value(field, value));
  }
  return std::nullopt;  // lists and maps are empty
}

void add_fields(Json& properties, Json& required, const ObjectDescription& description,
                const void* defaults) {
  for (const FieldDescription& field : description.fields) {
    Json schema = Json::object();
    schema.with("description", Json::text(field.doc));
    if (field.kind == FieldKind::kObject) {
      Json inner = object_schema(*field.object, field.child(const_cast<void*>(defaults)));
      for (JsonMember& member : inner.members) {
        if (member.key != "description") schema.members.push_back(std::move(member));
      }
    } else {
      Json inner = value_schema(field);
      for (JsonMember& member : inner.members) schema.members.push_back(std::move(member));
      if (std::optional<Json> value = default_of(field, field.get(defaults)))
        schema.with("default", std::move(*value));
    }
    properties.with(field.name, std::move(schema));
    if (field.is_required) required.items.push_back(Json::text(field.name));
  }
}

Json closed_object(std::string_view doc, Json properties, Json required, bool nullable) {
  Json out = Json::object();
  if (!doc.empty()) out.with("description", Json::text(doc));
  if (nullable) {
    Json types = Json::array();
    types.items = {Json::text("object"), Json::text("null")};
    out.with("type", std::move(types));
  } else {
    out.with("type", Json::text("object"));
  }
  if (!required.items.empty()) out.with("required", std::move(required));
  out.with("properties", std::move(properties));
  out.with("additionalProperties", Json::flag(false));
  return out;
}

Json object_schema(const ObjectDescription& description, const void* defaults) {
  Json properties = Json::object();
  Json required = Json::array();
  add_fields(properties, required, description, defaults);
  return closed_object(description.doc, std::move(properties), std::move(required), true);
}

// One definition for each type in `definitions`, and the map of components that refers to them by their
// `type`.
template <typename Any>
Json components(const std::vector<ComponentType<Any>>& types, std::string_view role, std::string_view doc,
                Json& definitions) {
  Json rules = Json::array();
  Json names = Json::array();
  for (const ComponentType<Any>& type : types) {
    Any defaults = type.make();
    Json properties = Json::object();
    Json required = Json::array();
    required.items.push_back(Json::text("type"));
    properties.with("type", Json::object().with("const", Json::text(type.name)));
    add_fields(properties, required, type.description, type.inner(defaults));
    const std::string name = fmt::format("{}_{}", type.name, role);
    definitions.with(name,
                     closed_object(type.description.doc, std::move(properties), std::move(required), false));
    names.items.push_back(Json::text(type.name));
    Json is_type = Json::object();
    is_type.with("properties",
                 Json::object().with("type", Json::object().with("const", Json::text(type.name))));
    Json rule = Json::object();
    rule.with("if", std::move(is_type));
    rule.with("then", Json::object().with("$ref", Json::text("#/$defs/" + name)));
    rules.items.push_back(std::move(rule));
  }
  Json one = Json::object();
  one.with("type", Json::text("object"));
  Json needs_type = Json::array();
  needs_type.items.push_back(Json::text("type"));
  one.with("required", std::move(needs_type));
  one.with("properties", Json::object().with("type", Json::object().with("enum", std::move(names))));
  one.with("allOf", std::move(rules));
  Json out = Json::object();
  out.with("description", Json::text(doc));
  out.with("type", Json::text("object"));
  out.with("propertyNames", Json::object().with("pattern", Json::text("^[A-Za-z0-9_.-]+$")));
  out.with("additionalProperties", std::move(one));
  return out;
}

// `tests`: config/test_cases.h.
Json tests() {
  const auto texts = [](const char* doc) {
    Json list = Json::object();
    list.with("description", Json::text(doc));
    list.with("type", Json::array());
    list.members.back().value.items = {Json::text("array"), Json::text("string")};
    list.with("items", Json::object().with("type", Json::text("string")));
    return list;
  };
  const auto text = [](const char* doc) {
    return Json::object().with("description", Json::text(doc)).with("type", Json::text("string"));
  };
  const auto map_of = [](const char* doc, Json one) {
    Json map = Json::object();
    map.with("description", Json::text(doc));
    map.with("type", Json::text("object"));
    map.with("additionalProperties", std::move(one));
    return map;
  };
  Json expected = Json::object();
  expected.with("count", Json::object().with("type", Json::text("integer")));
  expected.with("events", texts("JSON objects, in this order."));
  expected.with("conditions", texts("Expressions that each event must meet."));
  Json test = Json::object();
  test.with("insert_at", text("The source or transform that gets the lines."));
  test.with("input", texts("Lines."));
  test.with("outputs", map_of("What is expected, by component or output of one.",
                              closed_object("", std::move(expected), Json::array(), false)));
  Json required = Json::array();
  for (const char* name : {"insert_at", "input", "outputs"}) required.items.push_back(Json::text(name));
  return map_of("Tests of the transforms, by name, for `logflume test`.",
                closed_object("", std::move(test), std::move(required), false));
}

}  // namespace

std::string json_schema() {
  Config defaults;
  Json definitions = Json::object();
  Json properties = Json::object();
  Json none = Json::array();
  properties.with("version", Json::object()
                                 .with("description", Json::text("The version of this format."))
                                 .with("const", Json::number(1)));
  add_fields(properties, none, top_level(), &defaults);
  properties.with("sources",
                  components(source_types(), "source", "Where events come from, by name.", definitions));
  properties.with("transforms",
                  components(transform_types(), "transform", "What changes events, by name.", definitions));
  properties.with("sinks", components(sink_types(), "sink", "Where events go to, by name.", definitions));

  properties.with("tests", tests());

  Json schema = Json::object();
  schema.with("$schema", Json::text("https://json-schema.org/draft/2020-12/schema"));
  schema.with("title", Json::text("logflume configuration"));
  schema.with("description", Json::text("Version 1. Sizes take units (64KiB), times need one (500ms), and "
                                        "${VAR} and ${VAR:-default} expand in every value."));
  Json body = closed_object("", std::move(properties), Json::array(), false);
  for (JsonMember& member : body.members) schema.members.push_back(std::move(member));
  schema.with("$defs", std::move(definitions));
  std::string out;
  schema.print(out, 0);
  return out + '\n';
}

}  // namespace logflume
