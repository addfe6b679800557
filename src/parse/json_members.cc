#include "parse/json_members.h"

#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "parse/field_value.h"

namespace logflume {
namespace {

constexpr std::size_t kDepthMax = 64;
// What simdjson may write, and read, behind a string.
constexpr std::size_t kStringSlack = 64;

}  // namespace

JsonMembers::JsonMembers(const WantedFields& wanted, std::size_t fields_max,
                         std::span<const std::string_view> taken)
    : keys_(wanted, fields_max), taken_(taken) {
  const simdjson::implementation* const implementation = simdjson::get_active_implementation();
  if (implementation->create_dom_parser_implementation(4096, 1, tokens_) != simdjson::SUCCESS)
    throw std::bad_alloc();
}
JsonMembers::~JsonMembers() = default;

void JsonMembers::begin(Columns& columns) {
  columns_ = &columns;
  keys_.begin(columns);
}

ParseFault JsonMembers::parse(std::string_view line, FoundFields& found) {
  taken_values_.fill({});
  if (line.empty()) return ParseFault::kSyntax;
  if (line.size() > tokens_->capacity() && tokens_->set_capacity(line.size()) != simdjson::SUCCESS)
    throw std::bad_alloc();
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(line.data());
  if (tokens_->stage1(bytes, line.size(), simdjson::stage1_mode::regular) != simdjson::SUCCESS)
    return ParseFault::kSyntax;
  text_ = line.data();
  line_end_ = text_ + line.size();
  places_ = tokens_->structural_indexes.get();  // the line's end stands behind the last one
  end_ = places_ + tokens_->n_structural_indexes;
  escaped_ = std::memchr(text_, '\\', line.size()) != nullptr;
  rest_.clear();
  keys_.begin_line();
  const ParseFault fault = members(found);
  if (fault != ParseFault::kNone) return fault;
  if (places_ != end_) return ParseFault::kSyntax;
  return rest_.empty() ? ParseFault::kNone : keep_rest(found);
}

// What the next token begins with; 0 at the end.
char JsonMembers::next() const { return places_ == end_ ? '\0' : text_[*places_]; }

bool JsonMembers::take(char c) {
  if (next() != c) return false;
  ++places_;
  return true;
}

// The next token, without the blanks behind it. REQUIRES: there is one.
std::string_view JsonMembers::token() const {
  const char* const begin = text_ + places_[0];
  const char* end = text_ + places_[1];
  while (end > begin && (end[-1] == ' ' || end[-1] == '\t' || end[-1] == '\r' || end[-1] == '\n')) --end;
  return {begin, static_cast<std::size_t>(end - begin)};
}

ParseFault JsonMembers::members(FoundFields& found) {
  if (!take('{')) return ParseFault::kSyntax;
  if (take('}')) return ParseFault::kNone;
  do {
    if (next() != '"') return ParseFault::kSyntax;
    const char* const key = text_ + *places_ + 1;
    const KnownKeys::Key* known = keys_.find([&](const std::string& text) { return stands_at(key, text); });
    if (known == nullptr) known = learn(token());
    if (known == nullptr) return ParseFault::kSyntax;
    ++places_;
    if (!take(':')) return ParseFault::kSyntax;
    const Found value = next_value(known->wanted);
    if (value.fault != ParseFault::kNone) return value.fault;
    if (!known->wanted) continue;
    if (known->taken != 0) {
      taken_values_[known->taken - 1] = {value.kind, value.slot};
      continue;
    }
    if (known->column != KnownKeys::kRest) {
      found.add(known->column, value.kind, value.slot);
    } else {
      rest_.append(rest_.empty() ? "{" : ",").append(key - 1, static_cast<std::size_t>(value_end_ - key + 1));
    }
  } while (take(','));
  return take('}') ? ParseFault::kNone : ParseFault::kSyntax;
}

// Known with the quote at their end, and without that at their begin.
bool JsonMembers::stands_at(const char* key, const std::string& text) const {
  return text.size() <= static_cast<std::size_t>(line_end_ - key) &&
         std::memcmp(text.data(), key, text.size()) == 0;
}

const KnownKeys::Key* JsonMembers::learn(std::string_view token) {
  if (token.size() < 2 || token.back() != '"') return nullptr;
  std::string_view name = token.substr(1, token.size() - 2);
  if (name.find('\\') != std::string_view::npos && !unescape(token, name)) return nullptr;
  const auto taken = std::ranges::find(taken_, name);
  if (taken != taken_.end())
    return &keys_.learn_taken(token.substr(1), static_cast<std::uint8_t>(taken - taken_.begin() + 1));
  return &keys_.learn(token.substr(1), name);
}

// Behind it, places_ is at the token after the value, and value_end_ where the value ends.
JsonMembers::Found JsonMembers::next_value(bool wanted) {
  const char first = next();
  if (first == '"') return string(wanted);
  if (first == '{' || first == '[') return nested();
  if (first == '\0') return {ParseFault::kSyntax};
  const std::string_view text = token();
  value_end_ = text.data() + text.size();
  ++places_;
  return scalar(text);
}

JsonMembers::Found JsonMembers::scalar(std::string_view text) const {
  if (text == "true" || text == "false")
    return {ParseFault::kNone, ValueKind::kBool, Slot::of(text.size() == 4)};
  if (text == "null") return {ParseFault::kNone, ValueKind::kNull, Slot::null()};
  if (!is_json_number(text)) return {ParseFault::kSyntax};
  return {ParseFault::kNone, ValueKind::kNumber, Slot::of(columns_->ref(text))};
}

JsonMembers::Found JsonMembers::string(bool wanted) {
  const std::string_view text = token();
  value_end_ = text.data() + text.size();
  ++places_;
  if (text.size() < 2 || text.back() != '"') return {ParseFault::kSyntax};
  const std::string_view inside = text.substr(1, text.size() - 2);
  if (!escaped_ || inside.find('\\') == std::string_view::npos)
    return {ParseFault::kNone, ValueKind::kString, Slot::of(columns_->ref(inside))};
  if (!wanted) {
    std::string_view ignored;
    return {unescape(text, ignored) ? ParseFault::kNone : ParseFault::kSyntax};
  }
  char* const room = columns_->begin_text(text.size() + kStringSlack);
  if (room == nullptr) return {ParseFault::kTooLarge};
  const char* const end = unescape(text, room);
  if (end == nullptr) return {ParseFault::kSyntax};
  return {ParseFault::kNone, ValueKind::kString,
          Slot::of(columns_->finish_text(static_cast<std::size_t>(end - room)))};
}

// A string with its quotes; where the result ends, or null.
const char* JsonMembers::unescape(std::string_view quoted, char* out) const {
  return reinterpret_cast<const char*>(tokens_->parse_string(
      reinterpret_cast<const std::uint8_t*>(quoted.data()) + 1, reinterpret_cast<std::uint8_t*>(out)));
}

bool JsonMembers::unescape(std::string_view quoted, std::string_view& out) {
  scratch_.resize(quoted.size() + kStringSlack);
  const char* const end = unescape(quoted, scratch_.data());
  if (end == nullptr) return false;
  out = {scratch_.data(), static_cast<std::size_t>(end - scratch_.data())};
  return true;
}

JsonMembers::Found JsonMembers::nested() {
  const char* const begin = text_ + *places_;
  const ParseFault fault = validate(1);
  if (fault != ParseFault::kNone) return {fault};
  value_end_ = text_ + places_[-1] + 1;
  return {ParseFault::kNone, ValueKind::kJson,
          Slot::of(columns_->ref({begin, static_cast<std::size_t>(value_end_ - begin)}))};
}

// An object or array, `depth` of them around it.
ParseFault JsonMembers::validate(std::size_t depth) {
  if (depth >= kDepthMax) return ParseFault::kDepth;
  const bool object = next() == '{';
  const char closing = object ? '}' : ']';
  ++places_;
  if (take(closing)) return ParseFault::kNone;
  do {
    if (object) {
      if (next() != '"' || string(false).fault != ParseFault::kNone || !take(':')) return ParseFault::kSyntax;
    }
    const bool deeper = next() == '{' || next() == '[';
    const ParseFault fault = deeper ? validate(depth + 1) : next_value(false).fault;
    if (fault != ParseFault::kNone) return fault;
  } while (take(','));
  return take(closing) ? ParseFault::kNone : ParseFault::kSyntax;
}

ParseFault JsonMembers::keep_rest(FoundFields& found) {
  rest_.push_back('}');
  TextRef ref;
  if (!columns_->copy(rest_, ref)) return ParseFault::kTooLarge;
  found.add(columns_->index_of(kRestField), ValueKind::kJson, Slot::of(ref));
  return ParseFault::kNone;
}

}  // namespace logflume
