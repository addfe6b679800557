#include "multiline/line_shapes.h"

#include <algorithm>
#include <array>

namespace logflume {
namespace {

constexpr std::size_t kWordBytesMax = 11;

// In lower case.
constexpr std::array<std::string_view, 44> kRecordWords = {
    "trace", "trce",   "debug",  "dbug", "info",  "information", "notice", "warn",  "warning",
    "error", "err",    "severe", "fail", "fatal", "critical",    "crit",   "alert", "emerg",
    "fine",  "config", "d",      "e",    "f",     "i",           "w",      "jan",   "feb",
    "mar",   "apr",    "may",    "jun",  "jul",   "aug",         "sep",    "oct",   "nov",
    "dec",   "mon",    "tue",    "wed",  "thu",   "fri",         "sat",    "sun"};

constexpr std::array<bool, 256> kNameBytes = [] {
  std::array<bool, 256> members{};
  for (int byte = 0; byte < 256; ++byte) {
    const auto c = static_cast<char>(byte);
    members[static_cast<std::size_t>(byte)] = is_letter(c) || is_digit(c) || c == '_' || c == '.';
  }
  return members;
}();

bool tells_of_error(std::string_view name) {
  if (name.ends_with("Exception") || name.ends_with("Error")) return true;
  for (const std::string_view word : {"Exception", "Error", "Throwable", "Failure"}) {
    if (name.find(word) != name.npos) return true;
  }
  return false;
}

}  // namespace

bool is_log_record(std::string_view line) {
  if (line.empty()) return false;
  const char head = line[0];
  if (is_digit(head) || head == '[' || head == '{' || head == '<') return true;
  if (!is_letter(head)) return false;
  std::array<char, kWordBytesMax> word;
  std::size_t size = 0;
  while (size < line.size() && is_letter(line[size])) {
    if (size == word.size()) return false;
    word[size] = static_cast<char>(line[size] | 0x20);
    ++size;
  }
  // "Error.java" and "info-service" are names.
  if (size < line.size() && std::string_view(" :,]|/\t").find(line[size]) == std::string_view::npos &&
      !(size == 1 && is_digit(line[size])))
    return false;
  const std::string_view text(word.data(), size);
  return std::ranges::find(kRecordWords, text) != kRecordWords.end();
}

bool is_exception_header(std::string_view line, const HeaderSyntax& syntax) {
  if (line.empty() || !(is_letter(line[0]) || line[0] == '_' || line[0] == '$')) return false;
  std::size_t size = 1;
  while (size < line.size() && (kNameBytes[static_cast<unsigned char>(line[size])] ||
                                syntax.inner.find(line[size]) != std::string_view::npos))
    ++size;
  std::string_view rest = line.substr(size);
  if (!syntax.behind.empty() && rest.size() > 2 && rest[0] == ' ' && rest[1] == syntax.behind.front()) {
    const std::size_t close = rest.find(syntax.behind.back());
    if (close == rest.npos) return false;
    rest.remove_prefix(close + 1);
  }
  return (rest.empty() || rest[0] == ':') && tells_of_error(line.substr(0, size));
}

bool ends_in_line_number(std::string_view line) {
  std::size_t digits = 0;
  while (digits < line.size() && is_digit(line[line.size() - 1 - digits])) ++digits;
  return digits > 0 && digits < line.size() && line[line.size() - 1 - digits] == ':';
}

}  // namespace logflume
