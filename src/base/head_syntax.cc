#include "base/head_syntax.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

namespace logflume {
namespace {

constexpr int kDepthMax = 20;
constexpr unsigned kCountMax = 65535;  // PCRE2's
constexpr unsigned kUnlimited = std::numeric_limits<unsigned>::max();
constexpr unsigned kBeyondAscii = 0x80;

using Members = std::bitset<256>;

Members range(unsigned low, unsigned high) {
  Members members;
  for (unsigned byte = low; byte <= high; ++byte) members.set(byte);
  return members;
}

const Members& digits() {
  static const Members members = range('0', '9');
  return members;
}
const Members& word() {
  static const Members members = range('A', 'Z') | range('a', 'z') | digits() | range('_', '_');
  return members;
}
const Members& space() {
  static const Members members = range('\t', '\r') | range(' ', ' ');
  return members;
}
const Members& ascii() {
  static const Members members = range(0, kBeyondAscii - 1);
  return members;
}

std::optional<Members> posix_class(std::string_view name) {
  static const std::array<std::pair<std::string_view, Members>, 14> kNames{{
      {"alnum", word() & ~range('_', '_')},
      {"alpha", range('A', 'Z') | range('a', 'z')},
      {"ascii", ascii()},
      {"blank", range(' ', ' ') | range('\t', '\t')},
      {"cntrl", range(0, 31) | range(127, 127)},
      {"digit", digits()},
      {"graph", range(33, 126)},
      {"lower", range('a', 'z')},
      {"print", range(32, 126)},
      {"punct", range(33, 126) & ~(word() & ~range('_', '_'))},
      {"space", space()},
      {"upper", range('A', 'Z')},
      {"word", word()},
      {"xdigit", digits() | range('A', 'F') | range('a', 'f')},
  }};
  for (const auto& [known, members] : kNames) {
    if (known == name) return members;
  }
  return {};
}

HeadByte head_byte(Members members, bool wide) {
  if (wide) members |= range(kBeyondAscii, 255);
  members.reset('\n');
  return {members, wide};
}

// What a part of a pattern says about the bytes from where it begins.
struct Part {
  std::vector<HeadByte> bytes;
  bool exact = true;      // it matches if these are members, and not only if
  bool fixed = true;      // it takes just these, so what follows it begins behind them
  bool anchored = false;  // it matches at the beginning of a line only
};

// One or several characters of a class or an escape.
struct Characters {
  Members members;
  bool wide = false;
  std::optional<unsigned> single;  // the one that it is
};

// A question mark over any piece of syntax ends it all: none is returned from there to the top.
class Parser {
 public:
  Parser(std::string_view pattern, std::size_t bytes_max) : rest_(pattern), bytes_max_(bytes_max) {}

  std::optional<Part> whole() {
    std::optional<Part> part = alternatives(0);
    if (!part || !rest_.empty()) return {};
    return part;
  }

 private:
  bool take(char wanted) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool take(std::string_view wanted) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    return true;
  }
  bool at_quantifier() const {
    return !rest_.empty() && std::string_view("*+?{").find(rest_[0]) != rest_.npos;
  }

  std::optional<Part> alternatives(int depth) {
    std::optional<Part> part = sequence(depth);
    if (!part) return {};
    while (take('|')) {
      const std::optional<Part> other = sequence(depth);
      if (!other) return {};
      *part = either(std::move(*part), *other);
    }
    return part;
  }

  static Part either(Part one, const Part& other) {
    const std::size_t common = std::min(one.bytes.size(), other.bytes.size());
    const bool same_length = one.bytes.size() == other.bytes.size();
    // "ab" or "cd" is not any of a, c and any of b, d.
    one.exact = one.exact && other.exact && (common == 0 || (common == 1 && same_length));
    one.fixed = one.fixed && other.fixed && same_length;
    one.anchored = one.anchored && other.anchored;
    one.bytes.resize(common);
    for (std::size_t i = 0; i < common; ++i) {
      one.bytes[i].members |= other.bytes[i].members;
      one.bytes[i].wide |= other.bytes[i].wide;
    }
    return one;
  }

  std::optional<Part> sequence(int depth) {
    if (depth > kDepthMax) return {};
    Part part;
    std::optional<HeadByte> perhaps;  // what may stand before the next part, or not
    while (!rest_.empty() && rest_[0] != '|' && rest_[0] != ')') {
      std::optional<Part> next = atom(depth);
      unsigned least = 1, most = 1;
      if (!next || !quantifier(least, most)) return {};
      if (next->anchored && least > 0) {
        const bool is_first = part.bytes.empty() && part.fixed && !perhaps;
        part.anchored |= is_first;
        // A second time it does not match there.
        if (!is_first || least > 1) part.exact = false;
      }
      append(part, perhaps, *next, least, most);
    }
    if (perhaps) part.fixed = false;
    return part;
  }

  void append(Part& part, std::optional<HeadByte>& perhaps, const Part& next, unsigned least,
              unsigned most) const {
    if (!part.fixed) {
      if (least > 0) part.exact = false;
      return;
    }
    if (least == 0) {
      if (next.bytes.empty()) {
        part.fixed = false;
        return;
      }
      if (!perhaps) perhaps.emplace();
      perhaps->members |= next.bytes[0].members;
      perhaps->wide |= next.bytes[0].wide;
      return;
    }
    if (perhaps) {
      part.exact = part.fixed = false;
      if (next.bytes.empty()) return;
      perhaps->members |= next.bytes[0].members;
      perhaps->wide |= next.bytes[0].wide;
      if (part.bytes.size() < bytes_max_) part.bytes.push_back(*perhaps);
      perhaps.reset();
      return;
    }
    part.exact = part.exact && next.exact && (next.fixed || least == 1);
    for (unsigned copy = 0; copy < (next.fixed ? least : 1) && !next.bytes.empty(); ++copy) {
      part.bytes.insert(part.bytes.end(), next.bytes.begin(), next.bytes.end());
      if (part.bytes.size() > bytes_max_) break;
    }
    part.fixed = next.fixed && least == most;
    if (part.bytes.size() > bytes_max_) {
      part.bytes.resize(bytes_max_);
      part.exact = part.fixed = false;
    }
  }

  // False: unknown syntax.
  bool quantifier(unsigned& least, unsigned& most) {
    if (!at_quantifier()) return true;
    if (take('*')) {
      least = 0;
      most = kUnlimited;
    } else if (take('+')) {
      most = kUnlimited;
    } else if (take('?')) {
      least = 0;
    } else {
      // Anything but {n}, {n,} and {n,m} is a literal to one version of PCRE2 and a quantifier to another.
      rest_.remove_prefix(1);
      if (!count(least)) return false;
      most = least;
      if (take(',')) {
        most = kUnlimited;
        if (!rest_.starts_with('}') && !count(most)) return false;
      }
      if (!take('}')) return false;
    }
    // Lazy or possessive: that changes what is found, not whether.
    if (!take('?')) take('+');
    return !at_quantifier();
  }

  bool count(unsigned& value) {
    value = 0;
    std::size_t taken = 0;
    for (; taken < rest_.size() && rest_[taken] >= '0' && rest_[taken] <= '9'; ++taken) {
      value = value * 10 + static_cast<unsigned>(rest_[taken] - '0');
      if (value > kCountMax) return false;
    }
    rest_.remove_prefix(taken);
    return taken > 0;
  }

  static Part beginning() {
    Part part;
    part.anchored = true;
    return part;
  }
  // Takes nothing, and says something that is not looked into.
  static Part assertion() {
    Part part;
    part.exact = false;
    return part;
  }
  static Part one_of(const Members& members, bool wide) {
    Part part;
    part.bytes.push_back(head_byte(members, wide));
    return part;
  }

  // REQUIRES: there is one.
  std::optional<Part> atom(int depth) {
    if (take('^') || take("\\A")) return at_quantifier() ? std::nullopt : std::optional(beginning());
    if (take('$')) return at_quantifier() ? std::nullopt : std::optional(assertion());
    if (take('(')) return group(depth);
    if (take('[')) return bracket();
    if (take('.')) {
      Part part = one_of(ascii(), true);
      part.exact = false;  // what it leaves out is up to how PCRE2 was built
      return part;
    }
    if (at_quantifier()) return {};
    if (rest_[0] != '\\') {
      const Characters literal = character();
      return one_of(literal.members, literal.wide);
    }
    for (const std::string_view simple : {"\\b", "\\B", "\\z", "\\Z", "\\K"}) {
      if (take(simple)) return at_quantifier() ? std::nullopt : std::optional(assertion());
    }
    const std::optional<Characters> escaped = escape();
    if (!escaped) return {};
    return one_of(escaped->members, escaped->wide);
  }

  std::optional<Part> group(int depth) {
    bool is_exact = true, is_assertion = false;
    if (rest_.starts_with('*')) return {};
    if (take('?')) {
      if (take(':')) {
      } else if (take('>')) {
        is_exact = false;
      } else if (take('=') || take('!') || take("<=") || take("<!")) {
        is_assertion = true;
      } else if (take('<') || take("P<")) {
        if (!skip_behind('>')) return {};
      } else if (take('\'')) {
        if (!skip_behind('\'')) return {};
      } else {
        return {};
      }
    }
    std::optional<Part> inside = alternatives(depth + 1);
    if (!inside || !take(')')) return {};
    if (is_assertion) return assertion();
    inside->exact = inside->exact && is_exact;
    return inside;
  }

  bool skip_behind(char last) {
    const std::size_t at = rest_.find(last);
    if (at == rest_.npos) return false;
    rest_.remove_prefix(at + 1);
    return true;
  }

  // A character that stands for itself. REQUIRES: there is one.
  Characters character() {
    const auto byte = static_cast<unsigned char>(rest_[0]);
    rest_.remove_prefix(1);
    if (byte < kBeyondAscii) return {range(byte, byte), false, byte};
    while (!rest_.empty() && (rest_[0] & 0xC0) == 0x80) rest_.remove_prefix(1);
    return {{}, true, kBeyondAscii};
  }

  static Characters one(unsigned byte) { return {range(byte, byte), false, byte}; }

  // Behind a backslash, in a class or not.
  std::optional<Characters> escape() {
    rest_.remove_prefix(1);
    if (rest_.empty()) return {};
    const char kind = rest_[0];
    if (static_cast<unsigned char>(kind) >= kBeyondAscii) return {};
    rest_.remove_prefix(1);
    switch (kind) {
      case 'd':
        return Characters{digits(), false, {}};
      case 'D':
        return Characters{ascii() & ~digits(), true, {}};
      case 'w':
        return Characters{word(), false, {}};
      case 'W':
        return Characters{ascii() & ~word(), true, {}};
      case 's':
        return Characters{space(), false, {}};
      case 'S':
        return Characters{ascii() & ~space(), true, {}};
      case 'h':
        return Characters{range(' ', ' ') | range('\t', '\t'), true, {}};
      case 't':
        return one('\t');
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 'f':
        return one('\f');
      case 'a':
        return one('\a');
      case 'e':
        return one(0x1B);
      default:
        // A letter or a digit means something, or will.
        if (word().test(static_cast<unsigned char>(kind)) && kind != '_') return {};
        return one(static_cast<unsigned char>(kind));
    }
  }

  std::optional<Part> bracket() {
    const bool negated = take('^');
    Characters all;
    for (bool first = true; first || !rest_.starts_with(']'); first = false) {
      std::optional<Characters> item = bracket_item();
      if (!item) return {};
      if (rest_.starts_with('-') && rest_.size() > 1 && rest_[1] != ']') {
        rest_.remove_prefix(1);
        const std::optional<Characters> last = bracket_item();
        if (!last || !item->single || !last->single) return {};
        item->wide |= last->wide;
        if (*item->single < kBeyondAscii)
          item->members = range(*item->single, std::min(*last->single, kBeyondAscii - 1));
      }
      all.members |= item->members;
      all.wide |= item->wide;
    }
    rest_.remove_prefix(1);
    if (!negated) return one_of(all.members, all.wide);
    return one_of(ascii() & ~all.members, true);
  }

  std::optional<Characters> bracket_item() {
    if (rest_.empty()) return {};
    if (rest_[0] == '\\') return escape();
    if (rest_.starts_with("[:")) {
      const std::size_t end = rest_.find(":]");
      if (end == rest_.npos) return {};
      const std::optional<Members> members = posix_class(rest_.substr(2, end - 2));
      if (!members) return {};
      rest_.remove_prefix(end + 2);
      return Characters{*members, false, {}};
    }
    if (rest_.starts_with("[.") || rest_.starts_with("[=")) return {};
    return character();
  }

  std::string_view rest_;
  const std::size_t bytes_max_;
};

}  // namespace

std::optional<HeadSyntax> parse_head(std::string_view pattern, std::size_t bytes_max) {
  std::optional<Part> part = Parser(pattern, bytes_max).whole();
  if (!part || !part->anchored) return {};
  return HeadSyntax{std::move(part->bytes), part->exact};
}

}  // namespace logflume
