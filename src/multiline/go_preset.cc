// What a Go program writes when it panics.
//
// panic: runtime error: invalid memory address or nil pointer dereference
// [signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4af2e3]
//
// goroutine 1 [running]:
// main.(*Server).handle(0x0, {0xc00001c0a8, 0x3})
//     /src/server.go:42 +0x1d
// created by main.main in goroutine 1
//     /src/main.go:17 +0x85
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kBehindBlank = kFirstOwnPlace, kRegisters };

bool is_panic(std::string_view line) {
  return starts_with_any(line, "panic: ", "fatal error: ", "runtime: goroutine stack exceeds ",
                         "unexpected fault address ", "SIGQUIT: ", "SIGABRT: ", "http: panic serving ");
}
bool is_goroutine(std::string_view line) { return line.starts_with("goroutine ") && line.ends_with(':'); }

// "main.(*Server).handle(0x0, ...)", "panic({0x48d0a0?, 0x4c8e10?})"
bool is_call(std::string_view line) {
  const std::size_t end = line.find_first_of("( ");
  return !line.empty() && is_letter(line[0]) && end != line.npos && line[end] == '(' && line.ends_with(')');
}
// "main.place", as errors and loggers print it.
bool is_qualified(std::string_view line) {
  const std::size_t dot = line.substr(0, line.find('(')).rfind('.');
  return dot != line.npos && dot + 1 < line.size() && is_letter(line[0]) &&
         line.substr(0, dot).find(' ') == line.npos && (is_letter(line[dot + 1]) || line[dot + 1] == '(');
}

// "rax    0x0"
bool is_register(std::string_view line) {
  const std::size_t blank = line.find(' ');
  return blank <= 6 && unindented(line.substr(blank)).starts_with("0x");
}

PresetStep first(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (is_panic(line)) return go_to(state, kThrown);
  if (is_goroutine(line) || (is_call(line) && is_qualified(line))) return go_to(state, kFrames);
  return begin_plain(state, line);
}

PresetStep next(PresetState& state, std::string_view line) {
  line = without_cr(line);
  const unsigned place = state.place;
  const bool in_trace = place != kPlain && place != kRecord;
  if (line.empty()) return place == kThrown || place == kFrames ? go_to(state, kBehindBlank) : kBegins;
  if (is_indented(line)) return kContinues;
  if (is_goroutine(line)) return place != kPlain ? go_to(state, kFrames) : kBegins;
  if (in_trace && starts_with_any(line, "runtime stack:", "[originating from goroutine "))
    return go_to(state, kFrames);
  if (place == kThrown && starts_with_any(line, "[signal ", "fatal error: ", "PC=")) return kContinues;
  if (place == kFrames && starts_with_any(line, "created by ", "...")) return kContinues;
  if (place == kFrames && (is_call(line) || is_qualified(line))) return kContinues;
  if (place == kRecord && is_qualified(line)) return go_to(state, kFrames);
  if ((place == kBehindBlank || place == kRegisters) && is_register(line)) return go_to(state, kRegisters);
  return kBegins;
}

}  // namespace

const PresetRules kGoRules{first, next, true, {}};

}  // namespace logflume
