#include "sink/http_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/host_port.h"
#include "sink/compress.h"

namespace logflume {
namespace {

bool is_blank_or_control(char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7F; }

}  // namespace

std::string check_http_uri(const std::string& text) {
  std::string_view rest = text;
  if (rest.starts_with("http://")) {
    rest.remove_prefix(7);
  } else if (rest.starts_with("https://")) {
    rest.remove_prefix(8);
  } else {
    return fmt::format("\"{}\" does not begin with http:// or https://", text);
  }
  if (std::any_of(text.begin(), text.end(), is_blank_or_control))
    return "a blank or a control character in it";
  std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos)
    authority.remove_prefix(at + 1);
  if (authority.empty()) return "the host is missing";
  const Result<HostPort> parsed = parse_host_port(authority, PortRule::kOptional);
  return parsed ? std::string() : parsed.error().message;
}

std::string check_http_method(const std::string& text) {
  const bool legal = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
  });
  if (!legal) return fmt::format("\"{}\" is not an HTTP method", text);
  for (const std::string_view bodyless : {"HEAD", "CONNECT", "TRACE"}) {
    if (text == bodyless) return fmt::format("a {} request has no body that could carry events", text);
  }
  return {};
}

std::string check_http_header_name(std::string_view name) {
  static constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  if (name.empty()) return "a header needs a name";
  for (const char c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && kMarks.find(c) == std::string_view::npos) {
      return fmt::format("\"{}\" is not a header name", name);
    }
  }
  return {};
}

std::string check_http_header_value(std::string_view value) {
  for (const char c : value) {
    if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7F) return "a control character in it";
  }
  return {};
}

std::vector<SettingFault> http_faults(const HttpSinkConfig& config) {
  std::vector<SettingFault> faults;
  const auto check = [&faults](std::string key, const std::string& wrong) {
    if (!wrong.empty()) faults.push_back({key, key + ": " + wrong, {}, {}, false});
  };
  check("uri", check_http_uri(config.uri));
  check("method", check_http_method(config.method));
  for (const auto& [name, value] : config.headers) {
    if (const std::string wrong = check_http_header_name(name); !wrong.empty()) {
      faults.push_back({"headers." + name, "headers: " + wrong, {}, {}, true});
    } else {
      check("headers." + name, check_http_header_value(value));
    }
  }
  check("auth.token", check_http_header_value(config.auth_token));
  if (config.body == HttpBody::kJsonArray && config.encoding != Encoding::kJson) {
    faults.push_back({"body", "body: a JSON array needs \"encoding: json\"", {}, {}, false});
  }
  if (config.compression != Compression::kNone && content_encoding(config.compression).empty()) {
    faults.push_back({"compression", "compression: http takes none, gzip or zstd", {}, {}, false});
  }
  if (config.compression == Compression::kGzip && config.compression_level.value_or(0) > 9)
    check("compression_level", fmt::format("{} is more than 9", *config.compression_level));
  return faults;
}

}  // namespace logflume
