// What a loop that is written for one format, and keeps nothing of it, does with a line: the limits of the
// parsers.
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <simdjson.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>

namespace logflume {

// Simdjson on demand, each value looked at as what it is, as its own benchmarks do. Behind the line there are
// simdjson::SIMDJSON_PADDING bytes.
class BareJson {
 public:
  std::size_t parse(std::string_view line) {
    std::size_t bytes = 0;
    simdjson::ondemand::document document;
    if (parser_.iterate(line.data(), line.size(), line.size() + simdjson::SIMDJSON_PADDING).get(document) !=
        0)
      return 0;
    for (auto member : document.get_object()) {
      std::string_view key;
      if (member.unescaped_key().get(key) != 0) continue;
      simdjson::ondemand::value value;
      if (member.value().get(value) != 0) continue;
      bytes += key.size() + looked_at(value);
    }
    return bytes;
  }

 private:
  static std::size_t looked_at(simdjson::ondemand::value& value) {
    std::string_view text;
    double number = 0;
    bool flag = false;
    switch (simdjson::ondemand::json_type(value.type())) {
      case simdjson::ondemand::json_type::string:
        return value.get_string().get(text) == 0 ? text.size() : 0;
      case simdjson::ondemand::json_type::number:
        return value.get_double().get(number) == 0 && number > 0 ? 1 : 0;
      case simdjson::ondemand::json_type::boolean:
        return value.get_bool().get(flag) == 0 && flag ? 1 : 0;
      case simdjson::ondemand::json_type::object: {
        simdjson::ondemand::object object;
        return value.get_object().get(object) == 0 && object.raw_json().get(text) == 0 ? text.size() : 0;
      }
      default:
        return 0;
    }
  }

  simdjson::ondemand::parser parser_;
};

// nginx combined, nine captures.
class BareNginx {
 public:
  std::size_t parse(std::string_view line) const {
    std::size_t bytes = 0;
    const char* at = line.data();
    const char* const end = at + line.size();
    const auto until = [&](char c) {
      const auto* const found =
          static_cast<const char*>(std::memchr(at, c, static_cast<std::size_t>(end - at)));
      if (found == nullptr) return;
      bytes += static_cast<std::size_t>(found - at);
      at = found + 1;
    };
    until(' ');  // remote_addr
    at += 2;     // "- "
    until(' ');  // remote_user
    ++at;        // [
    until(']');  // time_local
    at += 2;     //  "
    until('"');  // request
    ++at;        // blank
    until(' ');  // status
    until(' ');  // body_bytes_sent
    ++at;        // "
    until('"');  // referer
    at += 2;     //  "
    until('"');  // user agent
    return bytes;
  }
};

inline constexpr const char* kNginxPattern =
    "^(?<remote_addr>[^ ]+) - (?<remote_user>[^ ]+) \\[(?<time_local>[^\\]]+)\\] \"(?<request>[^\"]*)\" "
    "(?<status>\\d+) "
    "(?<body_bytes_sent>\\d+) \"(?<http_referer>[^\"]*)\" \"(?<http_user_agent>[^\"]*)\"$";

// PCRE2's JIT. One for each thread.
class BareRegex {
 public:
  explicit BareRegex(const char* pattern) {
    int error = 0;
    PCRE2_SIZE at = 0;
    code_.reset(
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern), PCRE2_ZERO_TERMINATED, 0, &error, &at, nullptr));
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
    data_.reset(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  }
  std::size_t parse(std::string_view line) const {
    if (pcre2_jit_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(line.data()), line.size(), 0, 0,
                        data_.get(), nullptr) < 0)
      return 0;
    return pcre2_get_ovector_pointer(data_.get())[17];
  }

 private:
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  std::unique_ptr<pcre2_code, Free> code_;
  std::unique_ptr<pcre2_match_data, Free> data_;
};

}  // namespace logflume
