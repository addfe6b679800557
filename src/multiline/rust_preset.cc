// Rust's panics, and the reports of its error libraries.
//
// thread 'main' panicked at src/main.rs:4:5:
// index out of bounds: the len is 3 but the index is 99
// stack backtrace:
//    0: rust_begin_unwind
//              at /rustc/90b35a6/library/std/src/panicking.rs:595:5
// note: Some details are omitted, run with `RUST_BACKTRACE=full` for a verbose backtrace.
//
// Error: cannot read the configuration       as anyhow and eyre print it
//
// Caused by:
//     No such file or directory (os error 2)
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kMessageNext = kFirstOwnPlace, kReport, kReportBlank };

bool is_panic(std::string_view line) {
  return line.starts_with("thread ") &&
         (line.find(" panicked at ") != line.npos || line.ends_with(" has overflowed its stack"));
}
bool is_part_of_report(std::string_view line) {
  return starts_with_any(line, "Caused by:", "Location:", "Stack backtrace:", "Backtrace:");
}

PresetStep first(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (is_panic(line)) return go_to(state, line.ends_with(':') ? unsigned{kMessageNext} : unsigned{kThrown});
  if (line.starts_with("Error: ")) return go_to(state, kReport);
  return begin_plain(state, line);
}

PresetStep next(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (state.place == kMessageNext) return go_to(state, kThrown);
  if (line.empty()) return state.place == kReport ? go_to(state, kReportBlank) : kBegins;
  if (is_indented(line)) return state.place == kReportBlank ? go_to(state, kReport) : kContinues;
  if (is_part_of_report(line)) return state.place == kPlain ? kBegins : go_to(state, kReport);
  const bool more =
      state.place == kThrown &&
      starts_with_any(
          line, "note: ", "stack backtrace:", "fatal runtime error: ", "thread caused non-unwinding panic");
  return more ? kContinues : kBegins;
}

}  // namespace

const PresetRules kRustRules{first, next, true, {}};

}  // namespace logflume
