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

constexpr std::array<std::string_view, 4> kErrorWords = {"Exception", "Error", "Throwable", "Failure"};

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
  while (size < line.size() && (is_letter(line[size]) || is_digit(line[size]) || line[size] == '_' ||
                                line[size] == '.' || syntax.inner.find(line[size]) != std::string_view::npos))
    ++size;
  const std::string_view name = line.substr(0, size);
  if (std::ranges::none_of(kErrorWords, [&](std::string_view word) { return name.find(word) != name.npos; }))
    return false;
  std::string_view rest = line.substr(size);
  if (!syntax.behind.empty() && rest.size() > 2 && rest[0] == ' ' && rest[1] == syntax.behind.front()) {
    const std::size_t close = rest.find(syntax.behind.back());
    if (close == rest.npos) return false;
    rest.remove_prefix(close + 1);
  }
  return rest.empty() || rest[0] == ':';
}

bool ends_in_line_number(std::string_view line) {
  std::size_t digits = 0;
  while (digits < line.size() && is_digit(line[line.size() - 1 - digits])) ++digits;
  return digits > 0 && digits < line.size() && line[line.size() - 1 - digits] == ':';
}

}  // namespace logflume
