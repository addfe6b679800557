#include "source/glob.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>

namespace logflume {
namespace {

constexpr std::size_t kBraceDepthMax = 16;

Error malformed(std::string message) { return Error{Errc::kInvalidArgument, 0, std::move(message)}; }

struct NamedClass {
  std::string_view name;
  int (*contains)(int);
};
constexpr NamedClass kClasses[] = {
    {"alnum", std::isalnum}, {"alpha", std::isalpha}, {"digit", std::isdigit}, {"lower", std::islower},
    {"punct", std::ispunct}, {"space", std::isspace}, {"upper", std::isupper}, {"xdigit", std::isxdigit},
};

// Position of the ']' that ends the set beginning at `open`; npos when there is none.
std::size_t end_of_set(std::string_view text, std::size_t open) {
  std::size_t at = open + 1;
  if (at < text.size() && (text[at] == '!' || text[at] == '^')) ++at;
  for (bool first = true; at < text.size(); ++at, first = false) {
    if (text[at] == ']' && !first) return at;
    if (text[at] == '\\') {
      ++at;
    } else if (text.substr(at, 2) == "[:") {
      const std::size_t close = text.find(":]", at + 2);
      if (close != std::string_view::npos) at = close + 1;
    }
  }
  return std::string_view::npos;
}

// Steps over what stands for itself or belongs together: an escape or a set.
std::size_t skip_unit(std::string_view text, std::size_t at) {
  if (text[at] == '\\') return std::min(at + 2, text.size());
  if (text[at] == '[') {
    const std::size_t close = end_of_set(text, at);
    if (close != std::string_view::npos) return close + 1;
  }
  return at + 1;
}

// The first group of braces: where it is, and its alternatives.
struct Group {
  std::size_t begin = 0;
  std::size_t end = 0;  // behind the '}'
  std::vector<std::string_view> alternatives;
};

Result<std::optional<Group>> first_group(std::string_view text) {
  Group group;
  std::size_t depth = 0;
  std::size_t part = 0;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '{') {
      if (depth == 0) {
        group.begin = at;
        part = at + 1;
      }
      if (++depth > kBraceDepthMax) {
        return malformed(fmt::format("'{{' is nested deeper than {} levels", kBraceDepthMax));
      }
    } else if (c == ',' && depth == 1) {
      group.alternatives.push_back(text.substr(part, at - part));
      part = at + 1;
    } else if (c == '}') {
      if (depth == 0) return malformed("'}' without '{'; a literal one is written '\\}'");
      if (--depth == 0) {
        if (group.alternatives.empty()) {
          return malformed("'{...}' needs alternatives separated by ','; a literal '{' is written '\\{'");
        }
        group.alternatives.push_back(text.substr(part, at - part));
        group.end = at + 1;
        return std::optional<Group>(std::move(group));
      }
    }
    at = skip_unit(text, at);
  }
  if (depth > 0) return malformed("'{' without '}'; a literal one is written '\\{'");
  return std::optional<Group>();
}

}  // namespace

Result<std::vector<std::string>> expand_braces(std::string_view pattern) {
  std::vector<std::string> done;
  std::vector<std::string> open{std::string(pattern)};
  while (!open.empty()) {
    const std::string text = std::move(open.back());
    open.pop_back();
    Result<std::optional<Group>> found = first_group(text);
    if (!found) return std::move(found).error();
    if (!found->has_value()) {
      done.push_back(text);
    } else {
      const Group& group = **found;
      const std::string_view whole = text;
      // The last first: `open` is a stack, and the result keeps the order in which they are written.
      for (auto part = group.alternatives.rbegin(); part != group.alternatives.rend(); ++part) {
        open.push_back(fmt::format("{}{}{}", whole.substr(0, group.begin), *part, whole.substr(group.end)));
      }
    }
    if (done.size() + open.size() > kGlobAlternativesMax) {
      return malformed(fmt::format("its braces stand for more than {} patterns", kGlobAlternativesMax));
    }
  }
  return done;
}

// Fills `set` from the text that begins behind '['; returns the position behind ']'.
Result<std::size_t> NamePattern::parse_set(std::string_view text, std::size_t at, std::bitset<256>& set) {
  const std::size_t close = end_of_set(text, at - 1);
  if (close == std::string_view::npos) return malformed("'[' without ']'; a literal one is written '\\['");
  const bool negated = text[at] == '!' || text[at] == '^';
  if (negated) ++at;
  const auto take = [&] {
    if (text[at] == '\\') ++at;
    return static_cast<unsigned char>(text[at++]);
  };
  while (at < close) {
    if (text.substr(at, 2) == "[:") {
      const std::size_t end = text.find(":]", at + 2);
      if (end != std::string_view::npos && end < close) {
        const std::string_view name = text.substr(at + 2, end - at - 2);
        const auto* named = std::find_if(std::begin(kClasses), std::end(kClasses),
                                         [&](const NamedClass& known) { return known.name == name; });
        if (named == std::end(kClasses)) return malformed(fmt::format("unknown class '[:{}:]'", name));
        for (int c = 0; c < 128; ++c) {
          if (named->contains(c) != 0) set.set(static_cast<std::size_t>(c));
        }
        at = end + 2;
        continue;
      }
    }
    const unsigned char first = take();
    unsigned char last = first;
    if (at + 1 < close && text[at] == '-') {
      ++at;
      last = take();
    }
    if (last < first) return malformed(fmt::format("the range '{:c}-{:c}' is empty", first, last));
    for (unsigned c = first; c <= last; ++c) set.set(c);
  }
  if (negated) set.flip();
  return close + 1;
}

Result<NamePattern> NamePattern::compile(std::string_view text) {
  NamePattern pattern;
  std::string literal;
  bool is_literal = true;
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '*') {
      if (pattern.tokens_.empty() || pattern.tokens_.back().kind != kStar) pattern.tokens_.push_back({kStar});
      is_literal = false;
      ++at;
    } else if (c == '?') {
      pattern.tokens_.push_back({kAnyByte});
      is_literal = false;
      ++at;
    } else if (c == '[') {
      std::bitset<256> set;
      Result<std::size_t> behind = parse_set(text, at + 1, set);
      if (!behind) return std::move(behind).error();
      pattern.tokens_.push_back({kSet, 0, static_cast<std::uint16_t>(pattern.sets_.size())});
      pattern.sets_.push_back(set);
      is_literal = false;
      at = *behind;
    } else {
      if (c == '\\' && ++at == text.size()) return malformed("'\\' at the end of a name takes nothing");
      pattern.tokens_.push_back({kByte, static_cast<std::uint8_t>(text[at])});
      literal += text[at++];
    }
  }
  if (is_literal) pattern.literal_ = std::move(literal);
  return pattern;
}

bool NamePattern::matches_one(const Token& token, char c) const {
  const auto byte = static_cast<std::uint8_t>(c);
  if (token.kind == kByte) return token.byte == byte;
  return token.kind == kAnyByte || (token.kind == kSet && sets_[token.set][byte]);
}

bool NamePattern::matches(std::string_view name) const {
  if (literal_) return name == *literal_;
  // When a star has been passed, an earlier star need never take more: what follows it up to the last star
  // has matched at its earliest place. So one place to go back to is enough, and the cost is bounded.
  std::size_t token = 0;
  std::size_t at = 0;
  std::size_t star = tokens_.size();  // none yet
  std::size_t star_end = 0;
  while (at < name.size()) {
    if (token < tokens_.size() && tokens_[token].kind == kStar) {
      star = token++;
      star_end = at;
    } else if (token < tokens_.size() && matches_one(tokens_[token], name[at])) {
      ++token;
      ++at;
    } else if (star < tokens_.size()) {
      token = star + 1;
      at = ++star_end;
    } else {
      return false;
    }
  }
  while (token < tokens_.size() && tokens_[token].kind == kStar) ++token;
  return token == tokens_.size();
}

Result<void> GlobSet::add(std::string_view pattern, std::string_view working_directory) {
  const auto named = [&](const std::string& why) {
    return malformed(fmt::format("glob \"{}\": {}", pattern, why));
  };
  if (pattern.empty()) return named("it is empty");
  if (pattern.size() > kGlobBytesMax) {
    return malformed(
        fmt::format("a glob is longer than {} bytes: \"{}...\"", kGlobBytesMax, pattern.substr(0, 60)));
  }
  if (pattern.find('\0') != std::string_view::npos) return named("it contains a NUL byte");
  Result<std::vector<std::string>> expanded = expand_braces(pattern);
  if (!expanded) return named(expanded.error().message);
  const std::size_t segments_before = segments_.size();
  const std::size_t starts_before = starts_.size();
  for (const std::string& one : *expanded) {
    if (Result<void> added = add_expanded(one, working_directory); !added) {
      segments_.resize(segments_before);
      starts_.resize(starts_before);
      return named(added.error().message);
    }
  }
  return {};
}

Result<void> GlobSet::add_expanded(std::string_view pattern, std::string_view working_directory) {
  if (pattern.empty()) return malformed("it is empty");
  if (pattern.back() == '/')
    return malformed("it ends in '/', which names a directory; files in it are '/*'");
  std::vector<Segment> parts;
  const auto append = [&](std::string_view text, bool is_pattern) -> Result<void> {
    if (text.empty() || text == ".") return {};
    if (text == "..") {
      if (parts.empty()) return {};
      if (parts.back().any_directories || !parts.back().name.literal()) {
        return malformed("'..' cannot follow a wildcard");
      }
      parts.pop_back();
      return {};
    }
    if (is_pattern && text == "**") {
      if (parts.empty() || !parts.back().any_directories) parts.push_back({true, false, {}});
      return {};
    }
    std::string quoted;
    if (!is_pattern) {
      for (const char c : text) (quoted += '\\') += c;
      text = quoted;
    }
    Result<NamePattern> name = NamePattern::compile(text);
    if (!name) return std::move(name).error();
    parts.push_back({false, false, std::move(*name)});
    return {};
  };
  const auto append_all = [&](std::string_view path, bool is_pattern) -> Result<void> {
    for (std::size_t begin = 0; begin <= path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      if (Result<void> appended = append(path.substr(begin, end - begin), is_pattern); !appended)
        return appended;
      begin = end + 1;
    }
    return {};
  };
  if (pattern.front() != '/') {
    if (Result<void> appended = append_all(working_directory, false); !appended) return appended;
  }
  if (Result<void> appended = append_all(pattern, true); !appended) return appended;
  if (parts.empty()) return malformed("it names no file");
  if (parts.back().any_directories) {
    Result<NamePattern> everything = NamePattern::compile("*");
    if (!everything) return std::move(everything).error();
    parts.push_back({false, false, std::move(*everything)});
  }
  parts.back().last = true;
  starts_.push_back(static_cast<std::uint32_t>(segments_.size()));
  std::move(parts.begin(), parts.end(), std::back_inserter(segments_));
  return {};
}

void GlobSet::insert(State& state, std::uint32_t position) const {
  state.push_back(position);
  if (segments_[position].any_directories)
    state.push_back(position + 1);  // zero directories; never two in a row
}

GlobSet::State GlobSet::start() const {
  State state;
  for (const std::uint32_t position : starts_) insert(state, position);
  return state;
}

GlobSet::State GlobSet::enter(const State& state, std::string_view name, bool recurse) const {
  State next;
  for (const std::uint32_t position : state) {
    const Segment& segment = segments_[position];
    if (segment.any_directories) {
      if (recurse) insert(next, position);
    } else if (!segment.last && segment.name.matches(name)) {
      insert(next, position + 1);
    }
  }
  std::sort(next.begin(), next.end());
  next.erase(std::unique(next.begin(), next.end()), next.end());
  return next;
}

bool GlobSet::accepts(const State& state, std::string_view name) const {
  return std::any_of(state.begin(), state.end(), [&](std::uint32_t position) {
    const Segment& segment = segments_[position];
    return segment.last && segment.name.matches(name);
  });
}

bool GlobSet::accepts_files(const State& state) const {
  return std::any_of(state.begin(), state.end(),
                     [&](std::uint32_t position) { return segments_[position].last; });
}

bool GlobSet::accepts_everything(const State& state) const {
  return std::any_of(state.begin(), state.end(), [&](std::uint32_t position) {
    if (!segments_[position].any_directories || !segments_[position + 1].last) return false;
    const NamePattern& name = segments_[position + 1].name;
    return name.matches_everything();
  });
}

std::optional<std::vector<std::string>> GlobSet::literals(const State& state) const {
  std::vector<std::string> names;
  for (const std::uint32_t position : state) {
    const Segment& segment = segments_[position];
    if (segment.any_directories || !segment.name.literal()) return std::nullopt;
    names.push_back(*segment.name.literal());
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

bool GlobSet::matches(std::string_view path) const {
  State state = start();
  for (std::size_t begin = 1;;) {
    const std::size_t end = path.find('/', begin);
    if (end == std::string_view::npos) return begin <= path.size() && accepts(state, path.substr(begin));
    state = enter(state, path.substr(begin, end - begin));
    if (state.empty()) return false;
    begin = end + 1;
  }
}

}  // namespace logflume
