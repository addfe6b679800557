// JSON objects, one a line, member by member: what parsers of JSON are made of.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "parse/known_keys.h"
#include "parse/parser.h"

namespace simdjson::internal {
class dom_parser_implementation;
}

namespace logflume {

// simdjson finds where the tokens of a line begin, by SIMD, and that strings end, are UTF-8 and hold no
// control characters; its parsers on demand go from there with more state than is cheap for lines of 300
// bytes. The grammar is checked here, over those places.
//
// Threads: one.
class JsonMembers {
 public:
  static constexpr std::size_t kTakenMax = 4;
  struct Value {
    ValueKind kind = ValueKind::kMissing;
    Slot slot = Slot::null();
  };

  // Members become fields, but for those that are taken: their values are asked for by their number.
  // REQUIRES: at most kTakenMax; `wanted` stays, and so do the names.
  JsonMembers(const WantedFields& wanted, std::size_t fields_max,
              std::span<const std::string_view> taken = {});
  ~JsonMembers();

  void begin(Columns& columns);
  ParseFault parse(std::string_view line, FoundFields& found);
  // Of the line that was parsed last; kMissing when it has no such member.
  const Value& taken(std::size_t number) const { return taken_values_[number]; }

 private:
  struct Found {
    ParseFault fault = ParseFault::kNone;
    ValueKind kind = ValueKind::kMissing;
    Slot slot = Slot::null();
  };

  char next() const;
  bool take(char c);
  std::string_view token() const;
  ParseFault members(FoundFields& found);
  bool stands_at(const char* key, const std::string& text) const;
  const KnownKeys::Key* learn(std::string_view token);
  Found next_value(bool wanted);
  Found scalar(std::string_view text) const;
  Found string(bool wanted);
  const char* unescape(std::string_view quoted, char* out) const;
  bool unescape(std::string_view quoted, std::string_view& out);
  Found nested();
  ParseFault validate(std::size_t depth);
  ParseFault keep_rest(FoundFields& found);

  std::unique_ptr<simdjson::internal::dom_parser_implementation> tokens_;
  Columns* columns_ = nullptr;
  KnownKeys keys_;
  const std::span<const std::string_view> taken_;
  std::array<Value, kTakenMax> taken_values_;
  std::string rest_;
  std::string scratch_;
  // Of the line that is being parsed.
  const char* text_ = nullptr;
  const char* line_end_ = nullptr;
  const std::uint32_t* places_ = nullptr;  // where the tokens begin, from the next one on
  const std::uint32_t* end_ = nullptr;
  const char* value_end_ = nullptr;
  bool escaped_ = false;  // there is a backslash
};

}  // namespace logflume
