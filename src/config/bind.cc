#include "config/bind.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>

#include "base/nearest_name.h"
#include "base/units.h"

namespace logflume {
namespace {

constexpr const char* kBytesForm =
    "a size: a number of bytes, or with a unit (kB, KiB, MB, MiB, GB, GiB), as in 64KiB";
constexpr const char* kDurationForm = "a time with its unit (us, ms, s, m, h, d), as in 500ms";

std::string form_of(const FieldDescription& field) {
  if (!field.expected.empty()) return field.expected;
  switch (field.kind) {
    case FieldKind::kBool:
      return "true or false";
    case FieldKind::kCount:
      return "a whole number";
    case FieldKind::kBytes:
      return kBytesForm;
    case FieldKind::kDuration:
      return kDurationForm;
    case FieldKind::kText:
      return "a text";
    case FieldKind::kTextList:
      return "a text or a list of texts";
    case FieldKind::kTextMap:
      return "a map from names to texts";
    case FieldKind::kChoice:
      return quoted_list(field.choices);
    case FieldKind::kObject:
      return "a map";
  }
  return "";
}

bool is_number(std::string_view text) {
  if (text.starts_with('-') || text.starts_with('+')) text.remove_prefix(1);
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string format_limit(const FieldDescription& field, std::uint64_t value) {
  if (field.kind == FieldKind::kBytes) return format_bytes(value);
  if (field.kind == FieldKind::kDuration) return format_duration(Duration(static_cast<std::int64_t>(value)));
  return std::to_string(value);
}

// Rules see the object's own keys; `prefix` leads to them from the object that is bound.
class Binder::ObjectFindings : public Findings {
 public:
  ObjectFindings(Binder& binder, const YamlNode& map, const Position& at, const std::string& prefix)
      : binder_(binder), map_(map), at_(at), prefix_(prefix) {}

  void error(std::string_view key, std::string message, std::string expected, std::string hint) override {
    report(place(key), key, std::move(message), std::move(expected), std::move(hint));
  }
  void misnamed(std::string_view key, std::string message, std::string expected, std::string hint) override {
    const YamlEntry* entry = find(key);
    report(entry == nullptr ? at_ : entry->key.at, key, std::move(message), std::move(expected),
           std::move(hint));
  }
  void warning(std::string_view key, std::string message, std::string hint) override {
    binder_.diagnostics_.warning(place(key), std::move(message), {}, std::move(hint));
  }
  bool given(std::string_view key) const override { return find(key) != nullptr; }
  bool check_paths() const override { return binder_.options_.check_paths; }

 private:
  std::string full(std::string_view key) const { return prefix_ + std::string(key); }

  void report(const Position& at, std::string_view key, std::string message, std::string expected,
              std::string hint) {
    for (const std::string& failed : binder_.failed_) {
      if (failed == full(key) || failed.starts_with(full(key) + ".")) return;
    }
    binder_.diagnostics_.error(at, std::move(message), std::move(expected), std::move(hint));
    binder_.failed_.insert(full(key));
  }

  const YamlEntry* find(std::string_view key) const { return map_.find_below(key); }

  Position place(std::string_view key) const {
    const YamlEntry* entry = find(key);
    return entry == nullptr ? at_ : entry->value.at;
  }

  Binder& binder_;
  const YamlNode& map_;
  const Position& at_;
  const std::string& prefix_;
};

void Binder::object(const YamlNode& map, const ObjectDescription& description, void* self,
                    const std::string& what, const std::vector<std::string>& ignored, const Position& at) {
  failed_.clear();
  fields(map, description, self, what, ignored, at, "");
}

void Binder::fields(const YamlNode& map, const ObjectDescription& description, void* self,
                    const std::string& what, const std::vector<std::string>& ignored, const Position& at,
                    const std::string& prefix) {
  std::unordered_map<std::string_view, const YamlEntry*> seen;
  std::vector<std::string> known = ignored;
  for (const FieldDescription& one : description.fields) known.push_back(one.name);
  for (const YamlEntry& entry : map.entries) {
    const std::string& name = entry.key.text;
    if (const auto [first, fresh] = seen.emplace(name, &entry); !fresh) {
      diagnostics_.error(entry.key.at, fmt::format("duplicate key \"{}\"", excerpt(prefix + name)), {},
                         fmt::format("first defined at {}", first->second->key.at.text()));
      continue;
    }
    if (std::find(ignored.begin(), ignored.end(), name) != ignored.end()) continue;
    const auto described = std::find_if(description.fields.begin(), description.fields.end(),
                                        [&](const FieldDescription& one) { return one.name == name; });
    if (described != description.fields.end()) {
      field(entry, *described, self, prefix + name);
    } else if (const auto why = description.unsupported.find(name); why != description.unsupported.end()) {
      diagnostics_.error(entry.key.at, fmt::format("{}{}: {}", prefix, name, why->second));
    } else {
      unknown(entry.key.at, fmt::format("unknown key \"{}\" in {}", excerpt(prefix + name), what), name,
              known);
    }
  }
  for (const FieldDescription& one : description.fields) {
    if (one.is_required && !seen.contains(one.name)) {
      diagnostics_.error(
          at, fmt::format("{} needs \"{}{}\"", what, prefix, one.name), form_of(one),
          one.example.empty() ? "" : fmt::format("for example: {}: {}", one.name, one.example));
      failed_.insert(prefix + one.name);
    }
  }
  if (description.check) {
    ObjectFindings findings(*this, map, at, prefix);
    description.check(self, findings);
  }
}

void Binder::unknown(const Position& at, std::string message, std::string_view name,
                     const std::vector<std::string>& known) {
  // A hostile file must not buy an edit distance for each of its many errors.
  const std::string near =
      diagnostics_.errors() < Diagnostics::kMax ? nearest_name(name, known) : std::string();
  if (!near.empty()) {
    diagnostics_.error(at, std::move(message), {}, fmt::format("did you mean \"{}\"?", near));
    return;
  }
  std::vector<std::string> some = known;
  std::sort(some.begin(), some.end());
  if (some.size() > 40) some.resize(40);
  diagnostics_.error(at, std::move(message), some.empty() ? "" : quoted_list(some));
}

void Binder::field(const YamlEntry& entry, const FieldDescription& field, void* self,
                   const std::string& key) {
  const YamlNode& node = entry.value;
  if (field.kind == FieldKind::kObject) {
    if (node.kind == YamlNode::Kind::kNull) return;
    if (node.kind != YamlNode::Kind::kMap) {
      if (!node.broken)
        diagnostics_.error(node.at, fmt::format("{} is {}", key, describe_kind(node.kind)), "a map");
      failed_.insert(key);
      return;
    }
    fields(node, *field.object, field.child(self), fmt::format("\"{}\"", key), {}, entry.key.at, key + ".");
    return;
  }
  FieldValue out;
  if (value(node, field, key, out)) {
    field.set(self, std::move(out));
  } else {
    failed_.insert(key);
  }
}

bool Binder::value(const YamlNode& node, const FieldDescription& field, const std::string& key,
                   FieldValue& out) {
  if (node.broken) return false;
  if (field.kind == FieldKind::kTextList) return list(node, field, key, out);
  if (field.kind == FieldKind::kTextMap) return text_map(node, field, key, out);
  if (node.kind != YamlNode::Kind::kScalar) {
    const std::string_view found = node.kind == YamlNode::Kind::kNull ? "empty" : describe_kind(node.kind);
    diagnostics_.error(node.at, fmt::format("{} is {}", key, found), form_of(field));
    return false;
  }
  switch (field.kind) {
    case FieldKind::kBool:
      if (node.text == "true" || node.text == "True" || node.text == "TRUE") {
        out = true;
      } else if (node.text == "false" || node.text == "False" || node.text == "FALSE") {
        out = false;
      } else {
        diagnostics_.error(node.at, fmt::format("{}: \"{}\" is not a truth value", key, excerpt(node.text)),
                           form_of(field));
        return false;
      }
      return true;
    case FieldKind::kCount:
      return count(node, field, key, out);
    case FieldKind::kBytes:
      return bytes(node, field, key, out);
    case FieldKind::kDuration:
      return duration(node, field, key, out);
    case FieldKind::kChoice:
      return choice(node, field, key, out);
    default:
      if (!checked(node, field, key)) return false;
      out = node.text;
      return true;
  }
}

bool Binder::count(const YamlNode& node, const FieldDescription& field, const std::string& key,
                   FieldValue& out) {
  std::uint64_t number = 0;
  const char* end = node.text.data() + node.text.size();
  const auto [stop, error] = std::from_chars(node.text.data(), end, number);
  if (error != std::errc() || stop != end) {
    if (is_number(node.text)) {
      diagnostics_.error(node.at,
                         fmt::format("{}: {} is {}", key, excerpt(node.text),
                                     node.text.starts_with('-') ? "negative" : "too large"),
                         fmt::format("a whole number, at least {}", field.minimum));
    } else {
      diagnostics_.error(node.at, fmt::format("{}: \"{}\" is not a whole number", key, excerpt(node.text)),
                         form_of(field));
    }
    return false;
  }
  if (!in_range(node, field, key, number)) return false;
  out = number;
  return true;
}

bool Binder::bytes(const YamlNode& node, const FieldDescription& field, const std::string& key,
                   FieldValue& out) {
  // All digits are bytes, exactly: parse_bytes() goes through a double.
  if (is_number(node.text)) return count(node, field, key, out);
  const bool negative = node.text.starts_with('-');
  const bool fraction_of_a_byte = node.text.find('.') != std::string::npos &&
                                  node.text.find_first_not_of("0123456789. ") == std::string::npos;
  const Result<std::uint64_t> parsed = parse_bytes(node.text);
  if (!parsed || fraction_of_a_byte) {
    diagnostics_.error(
        node.at,
        fmt::format("{}: \"{}\" is {}", key, excerpt(node.text), negative ? "negative" : "not a size"),
        form_of(field));
    return false;
  }
  if (!in_range(node, field, key, *parsed)) return false;
  out = *parsed;
  return true;
}

bool Binder::duration(const YamlNode& node, const FieldDescription& field, const std::string& key,
                      FieldValue& out) {
  const Result<Duration> parsed = parse_duration(node.text);
  if (!parsed) {
    std::string message;
    if (node.text.starts_with('-')) {
      message = fmt::format("{}: \"{}\" is negative", key, excerpt(node.text));
    } else if (is_number(node.text)) {
      message = fmt::format("{}: {} has no unit", key, excerpt(node.text));
    } else {
      message = fmt::format("{}: \"{}\" is not a time", key, excerpt(node.text));
    }
    diagnostics_.error(node.at, std::move(message), form_of(field));
    return false;
  }
  if (!in_range(node, field, key, static_cast<std::uint64_t>(parsed->count()))) return false;
  out = *parsed;
  return true;
}

bool Binder::in_range(const YamlNode& node, const FieldDescription& field, const std::string& key,
                      std::uint64_t number) {
  if (number >= field.minimum && number <= field.maximum) return true;
  const bool low = number < field.minimum;
  diagnostics_.error(node.at,
                     fmt::format("{}: {} is too {}", key, excerpt(node.text), low ? "small" : "large"),
                     fmt::format("at {} {}", low ? "least" : "most",
                                 format_limit(field, low ? field.minimum : field.maximum)));
  return false;
}

bool Binder::choice(const YamlNode& node, const FieldDescription& field, const std::string& key,
                    FieldValue& out) {
  if (std::find(field.choices.begin(), field.choices.end(), node.text) != field.choices.end()) {
    out = node.text;
    return true;
  }
  if (const auto why = field.refused_choices.find(node.text); why != field.refused_choices.end()) {
    diagnostics_.error(node.at, fmt::format("{}: {}", key, why->second), quoted_list(field.choices));
    return false;
  }
  const std::string near = nearest_name(node.text, field.choices);
  diagnostics_.error(node.at, fmt::format("{}: \"{}\" is not known", key, excerpt(node.text)),
                     quoted_list(field.choices),
                     near.empty() ? "" : fmt::format("did you mean \"{}\"?", near));
  return false;
}

bool Binder::list(const YamlNode& node, const FieldDescription& field, const std::string& key,
                  FieldValue& out) {
  std::vector<std::string> texts;
  bool fine = true;
  const auto take = [&](const YamlNode& item) {
    if (item.broken) {
      fine = false;
    } else if (item.kind != YamlNode::Kind::kScalar) {
      diagnostics_.error(item.at, fmt::format("{} holds {}", key, describe_kind(item.kind)), form_of(field));
      fine = false;
    } else if (checked(item, field, key)) {
      texts.push_back(item.text);
    } else {
      fine = false;
    }
  };
  if (node.kind == YamlNode::Kind::kMap) {
    diagnostics_.error(node.at, fmt::format("{} is a map", key), "a text or a list of texts");
    return false;
  }
  if (node.kind == YamlNode::Kind::kScalar) take(node);
  for (const YamlNode& item : node.items) take(item);
  if (texts.empty() && fine && field.is_required) {
    diagnostics_.error(node.at, fmt::format("{} is empty", key), form_of(field));
    return false;
  }
  out = std::move(texts);
  return fine;
}

bool Binder::text_map(const YamlNode& node, const FieldDescription& field, const std::string& key,
                      FieldValue& out) {
  if (node.kind != YamlNode::Kind::kMap && node.kind != YamlNode::Kind::kNull) {
    diagnostics_.error(node.at, fmt::format("{} is {}", key, describe_kind(node.kind)), form_of(field));
    return false;
  }
  std::map<std::string, std::string> texts;
  std::unordered_map<std::string_view, Position> seen;
  bool fine = true;
  for (const YamlEntry& entry : node.entries) {
    const std::string inner = fmt::format("{}.{}", key, excerpt(entry.key.text));
    if (const auto [first, fresh] = seen.emplace(entry.key.text, entry.key.at); !fresh) {
      diagnostics_.error(entry.key.at, fmt::format("duplicate key \"{}\"", inner), {},
                         fmt::format("first defined at {}", first->second.text()));
      fine = false;
    } else if (entry.value.broken) {
      fine = false;
    } else if (entry.value.kind != YamlNode::Kind::kScalar) {
      const std::string_view found =
          entry.value.kind == YamlNode::Kind::kNull ? "empty" : describe_kind(entry.value.kind);
      diagnostics_.error(entry.value.at, fmt::format("{} is {}", inner, found), "a text");
      fine = false;
    } else if (checked(entry.value, field, inner)) {
      texts.emplace(entry.key.text, entry.value.text);
    } else {
      fine = false;
    }
  }
  out = std::move(texts);
  return fine;
}

bool Binder::checked(const YamlNode& node, const FieldDescription& field, const std::string& key) {
  if (node.text.size() > kConfigValueBytesMax) {
    diagnostics_.error(node.at, fmt::format("{}: {} bytes are too long", key, node.text.size()),
                       fmt::format("at most {}", format_bytes(kConfigValueBytesMax)));
    return false;
  }
  for (const TextCheck& check : field.checks) {
    if (std::string wrong = check(node.text); !wrong.empty()) {
      diagnostics_.error(node.at, fmt::format("{}: {}", key, printable(wrong, 300)), form_of(field));
      return false;
    }
  }
  return true;
}

}  // namespace logflume
