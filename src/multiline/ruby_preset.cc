// Ruby's and Rails' backtraces.
//
// app.rb:7:in `fetch': key not found: :id (KeyError)
//
// orders.fetch(:id)
//       ^^^^^^
//     from app.rb:7:in `block in <main>'
// app.rb:3:in `load': no such order (RuntimeError)        the cause
//     from ...
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

enum : std::uint8_t { kBehindBlank = kFirstOwnPlace, kSnippet, kThread };

// "app.rb:7:in `fetch'": the place, and in `behind` what follows it. None: there is no place.
bool is_place(std::string_view line, std::string_view& behind) {
  std::size_t at = line.find(":in ");
  if (at == line.npos || !ends_in_line_number(line.substr(0, at))) return false;
  at += std::string_view(":in ").size();
  if (at >= line.size() || (line[at] != '`' && line[at] != '\'')) return false;
  const std::size_t quote = line.find('\'', at + 1);
  if (quote == line.npos) return false;
  behind = line.substr(quote + 1);
  return true;
}
bool is_frame(std::string_view line) {
  std::string_view behind;
  return is_place(line, behind) && behind.empty();
}
bool is_head(std::string_view line) {
  std::string_view behind;
  return is_place(line, behind) && behind.starts_with(": ");
}
// "ActionController::RoutingError (No route matches [GET] "/x"):"
bool is_rails_head(std::string_view line) {
  line = unindented(line);
  const std::size_t bracket = line.find(" (");
  return bracket != line.npos && line.ends_with("):") && line.substr(0, bracket).find(' ') == line.npos;
}
bool is_carets(std::string_view line) { return line.find_first_not_of("^ \t") == line.npos; }

// FNV-1a.
std::uint32_t mark_of(std::string_view line) {
  std::uint32_t hash = 2166136261U;
  for (const char c : line) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619U;
  return hash;
}

PresetStep first(PresetState& state, std::string_view line) {
  line = without_cr(line);
  if (is_head(line)) {
    state.mark = mark_of(line);
    return go_to(state, kThrown);
  }
  if (is_rails_head(line)) return go_to(state, kThrown);
  if (is_frame(line)) return go_to(state, kFrames);
  if (line.starts_with("#<Thread:")) return go_to(state, kThread);
  return begin_plain(state, line);
}

PresetStep next(PresetState& state, std::string_view line) {
  line = without_cr(line);
  const unsigned place = state.place;
  if (is_empty(line)) return place == kThrown ? go_to(state, kBehindBlank) : kBegins;
  if (is_rails_head(line)) return kBegins;
  if (is_indented(line)) {
    const std::string_view text = unindented(line);
    if (text.starts_with("from ") || is_frame(text)) return go_to(state, kFrames);
    if (place == kBehindBlank) return go_to(state, kSnippet);
    return kContinues;
  }
  if (is_frame(line)) return go_to(state, kFrames);
  if (is_head(line)) {
    if (place == kThread) {
      state.mark = mark_of(line);
      return go_to(state, kThrown);
    }
    // The cause, unless it is the same again: a process that is started over and over.
    return place == kFrames && state.mark != 0 && state.mark != mark_of(line) ? go_to(state, kThrown)
                                                                              : kBegins;
  }
  if (place == kThrown || place == kBehindBlank || place == kSnippet) {
    if (line.starts_with("Did you mean?") || (place == kSnippet && is_carets(line))) return kContinues;
    if (place == kBehindBlank && state.mark != 0 && !is_log_record(line)) return go_to(state, kSnippet);
  }
  return kBegins;
}

}  // namespace

const PresetRules kRubyRules{first, next, false, {}};

}  // namespace logflume
