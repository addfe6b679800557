#include "parse/json_parser.h"

#include <simdjson.h>

#include <cstring>

#include "parse/field_value.h"

namespace logflume {
namespace {

namespace ondemand = simdjson::ondemand;
using ondemand::json_type;
using simdjson::SUCCESS;

constexpr std::size_t kDepthMax = 64;
constexpr std::uint32_t kRest = UINT32_MAX;

// A token reaches up to the next one.
std::string_view trimmed(std::string_view token) {
  std::size_t size = token.size();
  while (size > 0 && (token[size - 1] == ' ' || token[size - 1] == '\t' || token[size - 1] == '\r')) --size;
  return token.substr(0, size);
}

bool is_error(simdjson::error_code error) { return error != SUCCESS; }

class JsonParser final : public Parser {
 public:
  explicit JsonParser(JsonParserConfig config) : config_(std::move(config)) {}

  void begin(Columns& columns) override {
    columns_ = &columns;
    known_.clear();
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    if (line.empty()) return ParseFault::kSyntax;
    ondemand::document document;
    if (is_error(parser_.iterate(line.data(), line.size(), line.size() + simdjson::SIMDJSON_PADDING)
                     .get(document)))
      return ParseFault::kSyntax;
    ondemand::object object;
    if (is_error(document.get_object().get(object))) return ParseFault::kSyntax;
    line_end_ = line.data() + line.size();
    rest_.clear();
    next_ = 0;
    for (auto member : object) {
      if (is_error(member.error())) return ParseFault::kSyntax;
      const ParseFault fault = take(member.value_unsafe(), found);
      if (fault != ParseFault::kNone) return fault;
    }
    // There is no place behind the end.
    const char* behind = nullptr;
    if (document.current_location().get(behind) != simdjson::OUT_OF_BOUNDS) return ParseFault::kSyntax;
    return rest_.empty() ? ParseFault::kNone : keep_rest(found);
  }

 private:
  // A key that was seen, its column, and what is done with it. Lines of a log repeat each other: the key that
  // came after this one is tried first.
  struct Known {
    std::string quoted;  // with the quote at its end
    std::uint32_t column = 0;
    bool wanted = false;
  };

  ParseFault take(ondemand::field member, FoundFields& found) {
    const char* const key = member.key().raw();
    const Known* known = next_ < known_.size() && is(known_[next_], key) ? &known_[next_] : find(key);
    if (known == nullptr) known = learn(member, key);
    if (known == nullptr) return ParseFault::kSyntax;
    next_ = static_cast<std::size_t>(known - known_.data()) + 1;
    const char* const key_begin = key - 1;
    ValueKind kind{};
    Slot slot = Slot::null();
    const ParseFault fault = value(member.value(), '}', known->wanted, kind, slot);
    if (fault != ParseFault::kNone || !known->wanted) return fault;
    if (known->column != kRest) {
      found.add(known->column, kind, slot);
      return ParseFault::kNone;
    }
    rest_.append(rest_.empty() ? "{" : ",").append(key_begin, static_cast<std::size_t>(end_ - key_begin));
    return ParseFault::kNone;
  }

  bool is(const Known& known, const char* key) const {
    return known.quoted.size() <= static_cast<std::size_t>(line_end_ - key) &&
           std::memcmp(known.quoted.data(), key, known.quoted.size()) == 0;
  }
  const Known* find(const char* key) const {
    for (const Known& known : known_) {
      if (is(known, key)) return &known;
    }
    return nullptr;
  }

  const Known* learn(ondemand::field& member, const char* key) {
    std::string_view name;
    if (is_error(member.unescaped_key().get(name))) return nullptr;
    Known known;
    const char* end = key;
    while (*end != '"') end += *end == '\\' ? 2 : 1;
    known.quoted.assign(key, end + 1);
    known.wanted = config_.wanted.has(name);
    if (known.wanted) {
      const Column* const column = columns_->find(name);
      const bool room = column != nullptr || columns_->size() < config_.fields_max;
      known.column = room ? static_cast<std::uint32_t>(columns_->index_of(name)) : kRest;
    }
    if (known_.size() >= kKnownMax) known_.clear();
    known_.push_back(std::move(known));
    return &known_.back();
  }

  // Leaves end_ behind the value. A scalar that is not asked for its value on demand is passed by at the next
  // one, whatever follows it: a comma must, or what closes.
  ParseFault value(ondemand::value value, char closing, bool wanted, ValueKind& kind, Slot& slot) {
    const std::string_view whole = value.raw_json_token();
    const std::string_view token = trimmed(whole);
    end_ = token.data() + token.size();
    json_type type{};
    if (is_error(value.type().get(type))) return ParseFault::kSyntax;
    const char after = whole.data()[whole.size()];
    const bool scalar = type != json_type::object && type != json_type::array;
    if (scalar && after != ',' && after != closing) return ParseFault::kSyntax;
    switch (type) {
      case json_type::string:
        return text(value, token, wanted, kind, slot);
      case json_type::number:
        kind = ValueKind::kNumber;
        slot = Slot::of(columns_->ref(token));
        return is_json_number(token) ? ParseFault::kNone : ParseFault::kSyntax;
      case json_type::boolean:
        kind = ValueKind::kBool;
        slot = Slot::of(token == "true");
        return token == "true" || token == "false" ? ParseFault::kNone : ParseFault::kSyntax;
      case json_type::null:
        kind = ValueKind::kNull;
        return token == "null" ? ParseFault::kNone : ParseFault::kSyntax;
      case json_type::object: {
        ondemand::object object;
        if (is_error(value.get_object().get(object))) return ParseFault::kSyntax;
        return nested(object, kind, slot);
      }
      case json_type::array: {
        ondemand::array array;
        if (is_error(value.get_array().get(array))) return ParseFault::kSyntax;
        return nested(array, kind, slot);
      }
    }
    return ParseFault::kSyntax;
  }

  ParseFault text(ondemand::value& value, std::string_view token, bool wanted, ValueKind& kind, Slot& slot) {
    if (token.size() < 2 || token.back() != '"') return ParseFault::kSyntax;
    const std::string_view inside = token.substr(1, token.size() - 2);
    kind = ValueKind::kString;
    if (inside.empty() || std::memchr(inside.data(), '\\', inside.size()) == nullptr) {
      slot = Slot::of(columns_->ref(inside));
      return ParseFault::kNone;
    }
    std::string_view unescaped;
    if (is_error(value.get_string().get(unescaped))) return ParseFault::kSyntax;
    if (!wanted) return ParseFault::kNone;
    TextRef ref;
    if (!columns_->copy(unescaped, ref)) return ParseFault::kTooLarge;
    slot = Slot::of(ref);
    return ParseFault::kNone;
  }

  // First where it ends, then what is in it.
  template <typename Nested>
  ParseFault nested(Nested& nested, ValueKind& kind, Slot& slot) {
    std::string_view whole;
    if (is_error(nested.raw_json().get(whole)) || is_error(nested.reset().error()))
      return ParseFault::kSyntax;
    whole = trimmed(whole);
    const ParseFault fault = validate(nested, 2);
    end_ = whole.data() + whole.size();
    kind = ValueKind::kJson;
    slot = Slot::of(columns_->ref(whole));
    return fault;
  }
  ParseFault validate(ondemand::array& array, std::size_t depth) {
    for (auto element : array) {
      if (is_error(element.error())) return ParseFault::kSyntax;
      const ParseFault fault = validate(element.value_unsafe(), ']', depth);
      if (fault != ParseFault::kNone) return fault;
    }
    return ParseFault::kNone;
  }
  ParseFault validate(ondemand::object& object, std::size_t depth) {
    for (auto member : object) {
      std::string_view name;
      if (is_error(member.error()) || is_error(member.unescaped_key().get(name))) return ParseFault::kSyntax;
      const ParseFault fault = validate(member.value().value_unsafe(), '}', depth);
      if (fault != ParseFault::kNone) return fault;
    }
    return ParseFault::kNone;
  }
  ParseFault validate(ondemand::value inner, char closing, std::size_t depth) {
    if (depth >= kDepthMax) return ParseFault::kDepth;
    json_type type{};
    if (is_error(inner.type().get(type))) return ParseFault::kSyntax;
    if (type == json_type::object) {
      ondemand::object object;
      return is_error(inner.get_object().get(object)) ? ParseFault::kSyntax : validate(object, depth + 1);
    }
    if (type == json_type::array) {
      ondemand::array array;
      return is_error(inner.get_array().get(array)) ? ParseFault::kSyntax : validate(array, depth + 1);
    }
    ValueKind kind{};
    Slot slot = Slot::null();
    return value(inner, closing, false, kind, slot);
  }

  ParseFault keep_rest(FoundFields& found) {
    rest_.push_back('}');
    TextRef ref;
    if (!columns_->copy(rest_, ref)) return ParseFault::kTooLarge;
    found.add(columns_->index_of(kRestField), ValueKind::kJson, Slot::of(ref));
    return ParseFault::kNone;
  }

  static constexpr std::size_t kKnownMax = 1024;

  const JsonParserConfig config_;
  ondemand::parser parser_;
  Columns* columns_ = nullptr;
  std::vector<Known> known_;
  std::size_t next_ = 0;  // in known_: what is expected
  const char* line_end_ = nullptr;
  const char* end_ = nullptr;  // of the value that was taken last
  std::string rest_;
};

}  // namespace

std::unique_ptr<Parser> make_json_parser(JsonParserConfig config) {
  return std::make_unique<JsonParser>(std::move(config));
}

}  // namespace logflume
