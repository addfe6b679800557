#include "config/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/characters.h"

namespace logflume {
namespace {

// Blanks that bring a caret under byte `bytes` of `line`: a column a character, tabs kept as tabs.
std::string indent_like(std::string_view line, std::size_t bytes) {
  std::string indent;
  for (std::size_t i = 0; i < bytes && i < line.size(); ++i) {
    if (!continues_character(line[i])) indent += line[i] == '\t' ? '\t' : ' ';
  }
  return indent;
}

struct Paint {
  const char *bold = "", *error = "", *warning = "", *mark = "", *off = "";
};
constexpr Paint kPlain{};
constexpr Paint kColoured{"\x1b[1m", "\x1b[1;31m", "\x1b[1;35m", "\x1b[1;32m", "\x1b[0m"};

}  // namespace

bool has_errors(const std::vector<Diagnostic>& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& one) { return one.severity == Severity::kError; });
}

std::string render(const std::vector<Diagnostic>& diagnostics, bool colours) {
  const Paint& paint = colours ? kColoured : kPlain;
  std::string out;
  for (const Diagnostic& one : diagnostics) {
    out += paint.bold;
    if (!one.file.empty()) {
      out += one.file;
      if (one.line != 0) out += fmt::format(":{}:{}", one.line, one.column);
      out += ": ";
    }
    const bool error = one.severity == Severity::kError;
    out += fmt::format("{}{}{}{}: {}{}\n", paint.off, error ? paint.error : paint.warning,
                       error ? "error" : "warning", paint.off, one.message, paint.off);
    if (one.line != 0 && !one.source_line.empty()) {
      const std::string number = std::to_string(one.line);
      const std::size_t start = one.column - 1 - std::min(one.column - 1, one.window);
      std::size_t tail = 0;
      for (std::size_t i = start + 1; i < start + one.length && i < one.source_line.size(); ++i) {
        tail += continues_character(one.source_line[i]) ? 0 : 1;
      }
      out += fmt::format("{:>5} | {}\n", number, one.source_line);
      out += fmt::format("      | {}{}^{}{}\n", indent_like(one.source_line, start), paint.mark,
                         std::string(tail, '~'), paint.off);
    }
    if (!one.expected.empty()) out += fmt::format("      = expected {}\n", one.expected);
    if (!one.hint.empty()) out += fmt::format("      = {}\n", one.hint);
  }
  return out;
}

std::string quoted_list(const std::vector<std::string>& names, std::string_view last_word) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? fmt::format(" {} ", last_word) : std::string(", ");
    out += '"' + names[i] + '"';
  }
  return out;
}

}  // namespace logflume
