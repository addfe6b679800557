#include "config/diagnostic.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace logflume {
namespace {

bool is_continuation(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// Blanks that bring a caret under byte `bytes` of `line`: a column a character, tabs kept as tabs.
std::string indent_like(std::string_view line, std::size_t bytes) {
  std::string indent;
  for (std::size_t i = 0; i < bytes && i < line.size(); ++i) {
    if (!is_continuation(line[i])) indent += line[i] == '\t' ? '\t' : ' ';
  }
  return indent;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) cost[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) cost[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + change});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
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
        tail += is_continuation(one.source_line[i]) ? 0 : 1;
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

std::string nearest_name(std::string_view name, const std::vector<std::string>& candidates) {
  if (name.empty() || name.size() > 200) return {};
  std::string best;
  std::size_t best_distance = std::numeric_limits<std::size_t>::max();
  for (const std::string& candidate : candidates) {
    if (candidate.size() > 200) continue;
    const std::size_t distance = edit_distance(name, candidate);
    // A third of the letters may differ: more is another word, not a slip.
    const std::size_t allowed = std::max<std::size_t>(1, std::max(name.size(), candidate.size()) / 3);
    if (distance <= allowed && distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  return best;
}

std::string quoted_list(const std::vector<std::string>& names, std::string_view last_word) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i > 0) out += i + 1 == names.size() ? fmt::format(" {} ", last_word) : std::string(", ");
    out += '"' + names[i] + '"';
  }
  return out;
}

std::string printable(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (const char c : text) {
    if (out.size() >= bytes_max && !is_continuation(c)) return out + "...";
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\n') {
      out += "\\n";
    } else if (byte == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7F) {
      out += fmt::format("\\x{:02x}", byte);
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace logflume
