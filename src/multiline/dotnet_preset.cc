// The stack traces of .NET.
//
// Unhandled exception. System.InvalidOperationException: cannot place order
//  ---> System.Net.Sockets.SocketException (111): Connection refused
//    at Shop.Orders.Connect() in /src/Orders.cs:line 31
//    --- End of inner exception stack trace ---
//    at Shop.Orders.Place(Int32 id)
// --- End of stack trace from previous location ---
//    at Shop.Program.Main()
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kInner = kFirstOwnPlace };

constexpr HeaderSyntax kHeader{"+`", "()"};

bool is_header(std::string_view line) {
  return line.starts_with("Unhandled exception. ") || line.starts_with("Unhandled Exception: ") ||
         is_exception_header(line, kHeader);
}

PresetStep first(PresetState& state, std::string_view line) {
  line = without_cr(line);
  return is_header(line) ? go_to(state, kThrown) : begin_plain(state, line);
}

PresetStep next(PresetState& state, std::string_view line) {
  line = without_cr(line);
  // Those of an AggregateException have an empty line behind them.
  if (line.empty()) return state.place == kInner ? kContinues : kBegins;
  const std::string_view text = unindented(line);
  if (is_indented(line) || starts_with_any(text, "--- End of ", "---> ", "<---")) {
    if (text.ends_with("<---")) return go_to(state, kInner);
    if (starts_with_any(text, "at ", "--- End of ")) state.place = kFrames;
    return kContinues;
  }
  if (state.place == kRecord && is_header(line)) return go_to(state, kThrown);
  if (state.place == kThrown && starts_with_any(line, "Parameter name: ", "Actual value was ", "File name: "))
    return kContinues;
  return kBegins;
}

}  // namespace

const PresetRules kDotnetRules{first, next, true, {}};

}  // namespace logflume
