// What is wrong with a configuration, and where: collected, then shown like a good compiler's messages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/printable.h"

namespace logflume {

enum class Severity { kError, kWarning };

struct Diagnostic {
  Severity severity = Severity::kError;
  std::string file;
  std::uint32_t line = 0;    // from 1; 0 when the whole file is meant
  std::uint32_t column = 0;  // from 1, in bytes
  std::uint32_t length = 1;  // bytes underlined, at least 1
  std::string message;       // names the key
  std::string expected;      // what would have been right; may be empty
  std::string hint;          // the nearest name, or what to do; may be empty
  std::string source_line;   // the offending line, cut to a window when it is very long
  std::uint32_t window = 0;  // bytes cut off before source_line
};

bool has_errors(const std::vector<Diagnostic>& diagnostics);

// "FILE:LINE:COLUMN: error: MESSAGE", the line with a caret, what was expected, the nearest name.
std::string render(const std::vector<Diagnostic>& diagnostics, bool colours = false);

// `"a", "b" or "c"`
std::string quoted_list(const std::vector<std::string>& names, std::string_view last_word = "or");

// Fit for a message: printable (base/printable.h), and cut.
inline std::string excerpt(std::string_view text) { return printable(text, 80); }

}  // namespace logflume
