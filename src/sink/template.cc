#include "sink/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <chrono>
#include <ctime>
#include <iterator>
#include <utility>

#include "base/nearest_name.h"

namespace logflume {
namespace {

// Handed to strftime(). Only what depends on neither the locale's formats nor the time zone: %s, %z and %Z
// do, and are rendered here.
constexpr std::string_view kSpecifiers = "YmdHMSjyabeuVGFT";
constexpr std::string_view kKnownSpecifiers =
    "%Y %m %d %H %M %S %j %y %a %b %e %u %V %G %F %T %s %z %Z, and %% for a percent sign";

Error parse_error(std::size_t at, std::string message) {
  return Error{Errc::kInvalidArgument, 0, fmt::format("{} at character {}", message, at + 1)};
}

Error unknown(std::size_t at, std::string_view name, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(name, known);
  Error error = parse_error(at, fmt::format("unknown field \"{}\"", name));
  error.message += nearest.empty() ? fmt::format(": expected one of {}", fmt::join(known, ", "))
                                   : fmt::format(": did you mean \"{}\"?", nearest);
  return error;
}

std::vector<std::string> names_of_batches(const std::map<std::string, std::string>& labels) {
  std::vector<std::string> names{"source", "host", "file", "file_name"};
  for (const auto& [key, value] : labels) {
    if (!key.empty()) names.push_back(key);
  }
  return names;
}

// Keys of objects have dots between them. Whatever else JSON may have as a key is no name here: so a slip
// ("{{ a b }}") is seen.
bool is_field_name(std::string_view name) {
  const auto is_part_of_one = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80 ||
           std::string_view("_-.@$/").find(c) != std::string_view::npos;
  };
  return !name.empty() && std::ranges::all_of(name, is_part_of_one) && !name.starts_with('.') &&
         !name.ends_with('.') && name.find("..") == std::string_view::npos;
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

void append_path_value(std::string_view value, std::string& out) {
  if (value.size() > Template::kPathValueBytesMax) {
    // Not between the bytes of a character, which are at most four.
    std::size_t bytes = Template::kPathValueBytesMax;
    while (bytes > Template::kPathValueBytesMax - 4 && (value[bytes] & 0xC0) == 0x80) --bytes;
    value = value.substr(0, bytes);
  }
  if (value.empty() || value == "." || value == "..") {
    out += '_';
    return;
  }
  for (const char c : value) out += c == '/' || c == '\0' ? '_' : c;
}

std::int64_t seconds_of(const Batch& batch) {
  return std::chrono::floor<std::chrono::seconds>(std::chrono::nanoseconds(batch.wall_ns)).count();
}

void append_time(const std::string& specifiers, const Batch& batch, std::string& out) {
  const auto seconds = static_cast<std::time_t>(seconds_of(batch));
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::array<char, 32> text;  // one specifier at a time: the longest, %F, has ten characters
  for (std::size_t i = 0; i < specifiers.size(); i += 2) {
    const std::array<char, 3> format{specifiers[i], specifiers[i + 1], '\0'};
    out.append(text.data(), std::strftime(text.data(), text.size(), format.data(), &utc));
  }
}

}  // namespace

void Template::add(Part::Kind kind, std::string_view text) {
  const bool joins = kind == Part::Kind::kText || kind == Part::Kind::kTime;
  if (joins && !parts_.empty() && parts_.back().kind == kind) {
    parts_.back().text += text;
  } else if (kind != Part::Kind::kText || !text.empty()) {
    parts_.push_back({kind, std::string(text), 0});
  }
}

// What stands between "{{", which is at `at`, and "}}".
Result<void> Template::add_name(std::string_view inside, std::size_t at,
                                const std::map<std::string, std::string>& labels) {
  using Kind = Part::Kind;
  constexpr std::array<std::pair<std::string_view, Kind>, 4> kNames{{{"source", Kind::kSource},
                                                                     {"host", Kind::kHost},
                                                                     {"file", Kind::kFile},
                                                                     {"file_name", Kind::kFileName}}};
  const std::size_t instead = inside.find("??");
  const std::string_view name = trim(inside.substr(0, instead));
  const auto label = labels.find(std::string(name));
  const auto known = std::ranges::find(kNames, name, [](const auto& one) { return one.first; });
  if (label != labels.end() || known != kNames.end()) {
    if (instead != std::string_view::npos)
      return parse_error(at, fmt::format("\"{}\" is always there, so nothing belongs behind \"??\"", name));
    label != labels.end() ? add(Kind::kLabel, label->second) : add(known->second, {});
    return {};
  }
  if (!is_field_name(name)) return unknown(at, name, names_of_batches(labels));
  add(Kind::kField,
      instead == std::string_view::npos ? std::string_view() : trim(inside.substr(instead + 2)));
  const auto field = std::ranges::find(fields_, name);
  parts_.back().field = static_cast<std::size_t>(field - fields_.begin());
  if (field == fields_.end()) {
    fields_.emplace_back(name);
    places_.push_back(at);
  }
  return {};
}

Error Template::unknown_field(std::size_t field, const std::map<std::string, std::string>& labels,
                              const std::vector<std::string>& others) const {
  std::vector<std::string> names = names_of_batches(labels);
  for (const std::string& other : others) {
    if (std::ranges::find(names, other) == names.end()) names.push_back(other);
  }
  return unknown(places_[field], fields_[field], names);
}

Result<Template> Template::parse(std::string_view text, const std::map<std::string, std::string>& labels,
                                 bool with_time) {
  using Kind = Part::Kind;
  Template result;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t special = std::min(text.find("{{", i), with_time ? text.find('%', i) : text.npos);
    result.add(Kind::kText, text.substr(i, special - i));
    if (special == text.npos) break;
    i = special;
    if (text[i] == '{') {
      const std::size_t close = text.find("}}", i + 2);
      if (close == text.npos) return parse_error(i, "\"{{\" without \"}}\"");
      if (auto added = result.add_name(text.substr(i + 2, close - i - 2), i, labels); !added)
        return std::move(added).error();
      i = close + 2;
      continue;
    }
    if (i + 1 == text.size())
      return parse_error(i, "\"%\" without a specifier (write \"%%\" for a percent sign)");
    const char specifier = text[i + 1];
    if (specifier == '%') {
      result.add(Kind::kText, "%");
    } else if (specifier == 'z') {
      result.add(Kind::kText, "+0000");
    } else if (specifier == 'Z') {
      result.add(Kind::kText, "UTC");
    } else if (specifier == 's') {
      result.add(Kind::kEpoch, {});
    } else if (kSpecifiers.find(specifier) != std::string_view::npos) {
      result.add(Kind::kTime, text.substr(i, 2));
    } else {
      Error error = parse_error(i, fmt::format("unknown time specifier \"{}\"", text.substr(i, 2)));
      error.message += fmt::format(": expected one of {}", kKnownSpecifiers);
      return error;
    }
    i += 2;
  }
  return result;
}

bool Template::is_constant() const {
  return std::ranges::all_of(parts_, [](const Part& part) {
    return part.kind == Part::Kind::kText || part.kind == Part::Kind::kLabel;
  });
}

void Template::render(const Batch& batch, std::string_view host, bool for_path, std::string& out,
                      std::span<const std::optional<std::string>> values) const {
  const auto append_value = [&](std::string_view value) {
    for_path ? append_path_value(value, out) : static_cast<void>(out.append(value));
  };
  for (const Part& part : parts_) {
    switch (part.kind) {
      case Part::Kind::kText:
        out += part.text;
        break;
      case Part::Kind::kLabel:
        append_value(part.text);
        break;
      case Part::Kind::kSource:
        append_value(batch.origin->source);
        break;
      case Part::Kind::kHost:
        append_value(host);
        break;
      case Part::Kind::kFile:
        append_value(batch.origin->path);
        break;
      case Part::Kind::kFileName: {
        const std::string_view path = batch.origin->path;
        append_value(path.substr(path.rfind('/') + 1));  // npos + 1 is 0
        break;
      }
      case Part::Kind::kField:
        append_value(part.field < values.size() && values[part.field] ? *values[part.field] : part.text);
        break;
      case Part::Kind::kTime:
        append_time(part.text, batch, out);
        break;
      case Part::Kind::kEpoch:
        fmt::format_to(std::back_inserter(out), "{}", seconds_of(batch));
        break;
    }
  }
}

}  // namespace logflume
