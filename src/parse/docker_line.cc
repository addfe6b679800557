#include "parse/docker_line.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdint>
#include <cstring>

#include "base/characters.h"
#include "parse/field_value.h"

namespace logflume {
namespace {

constexpr std::size_t kDepthMax = 64;  // as parsers of JSON have it

constexpr std::size_t kEscapeBytesMax = 12;  // two halves of a character

// By the byte behind the backslash; 0: none.
constexpr std::array<char, 256> kEscapes = [] {
  std::array<char, 256> bytes{};
  for (const char c : {'"', '\\', '/'}) bytes[static_cast<unsigned char>(c)] = c;
  bytes['b'] = '\b';
  bytes['f'] = '\f';
  bytes['n'] = '\n';
  bytes['r'] = '\r';
  bytes['t'] = '\t';
  return bytes;
}();

// "\u00e9" at `at`: half of a character beyond 16 bits, or one.
bool take_unit(const char*& at, const char* end, std::uint32_t& unit) {
  constexpr std::ptrdiff_t kBytes = 6;
  if (end - at < kBytes || at[0] != '\\' || at[1] != 'u') return false;
  const auto [stop, error] = std::from_chars(at + 2, at + kBytes, unit, 16);
  if (error != std::errc() || stop != at + kBytes) return false;
  at += kBytes;
  return true;
}

// The escape at `at`, a backslash, and what it stands for.
bool take_escape(const char*& at, const char* end, std::uint32_t& point) {
  if (end - at < 2) return false;
  if (const char plain = kEscapes[static_cast<unsigned char>(at[1])]; plain != 0) {
    point = static_cast<unsigned char>(plain);
    at += 2;
    return true;
  }
  if (!take_unit(at, end, point)) return false;
  if ((point & 0xF800) != 0xD800) return true;
  std::uint32_t low = 0;
  if (point >= 0xDC00 || !take_unit(at, end, low) || (low & 0xFC00) != 0xDC00) return false;
  point = 0x10000 + ((point & 0x3FF) << 10 | (low & 0x3FF));
  return true;
}

// A string of JSON.
struct Text {
  std::string_view inside;  // its quotes
  bool has_escapes = false;
  std::size_t newline_bytes = 0;  // of the escape at its end that is a newline
};

class Scanner {
 public:
  explicit Scanner(std::string_view line) : at_(line.data()), end_(line.data() + line.size()) {}

  bool take(char c) {
    if (at_ == end_ || *at_ != c) return false;
    ++at_;
    return true;
  }
  void skip_blanks() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\t' || *at_ == '\r')) ++at_;
  }
  bool at_end() const { return at_ == end_; }
  bool is_at(char c) const { return at_ < end_ && *at_ == c; }
  const char* place() const { return at_; }
  // Bytes beyond ASCII have been passed by.
  bool saw_wide_bytes() const { return wide_; }

  // Behind its opening quote. Where it cannot go on it stays, at what it does not understand.
  bool string(Text& text) {
    const char* const begin = at_;
    const char* newline = nullptr;
    const char* newline_end = nullptr;
    text.has_escapes = false;
    for (;;) {
      skip_plain();
      if (at_ == end_) return false;
      if (*at_ == '"') break;
      if (*at_ != '\\') return false;
      const char* const escape = at_;
      const char* behind = at_;
      std::uint32_t point = 0;
      if (!take_escape(behind, end_, point)) return false;
      at_ = behind;
      text.has_escapes = true;
      if (point != '\n') continue;
      newline = escape;
      newline_end = behind;
    }
    text.inside = {begin, static_cast<std::size_t>(at_ - begin)};
    text.newline_bytes = newline_end == at_ ? static_cast<std::size_t>(at_ - newline) : 0;
    ++at_;
    return true;
  }

  // `depth` objects and arrays around it.
  bool value(std::size_t depth) {
    if (take('"')) {
      Text ignored;
      return string(ignored);
    }
    if (is_at('{') || is_at('[')) return nested(depth);
    const char* const begin = at_;
    at_ = std::find_if(at_, end_, [](char c) {
      return std::string_view(" \t\r,:[]{}\"").find(c) != std::string_view::npos;
    });
    const std::string_view text(begin, static_cast<std::size_t>(at_ - begin));
    return text == "true" || text == "false" || text == "null" || is_json_number(text);
  }

 private:
  // To the next quote, backslash or control character, or to the end.
  void skip_plain() {
    using Bytes [[gnu::vector_size(16)]] = unsigned char;
    using Halves = std::array<std::uint64_t, 2>;
    static_assert(std::endian::native == std::endian::little);
    const char* at = at_;
    Bytes seen{};
    for (;; at += sizeof(Bytes)) {
      if (end_ - at < static_cast<std::ptrdiff_t>(sizeof(Bytes))) {
        wide_ |= has_wide(seen);
        return skip_plain_slowly(at);
      }
      Bytes bytes;
      std::memcpy(&bytes, at, sizeof bytes);
      seen |= bytes;
      const auto stops = reinterpret_cast<Bytes>((bytes == '"') | (bytes == '\\') | (bytes < 0x20));
      const auto found = std::bit_cast<Halves>(stops);
      if ((found[0] | found[1]) == 0) continue;
      at_ = at + (found[0] != 0 ? std::countr_zero(found[0]) : 64 + std::countr_zero(found[1])) / 8;
      wide_ |= has_wide(seen);
      return;
    }
  }
  void skip_plain_slowly(const char* at) {
    for (; at < end_; ++at) {
      const auto byte = static_cast<unsigned char>(*at);
      if (byte == '"' || byte == '\\' || byte < 0x20) break;
      wide_ |= byte >= 0x80;
    }
    at_ = at;
  }
  // May say so because of what stands behind a string.
  template <typename Bytes>
  static bool has_wide(Bytes bytes) {
    const auto halves = std::bit_cast<std::array<std::uint64_t, 2>>(bytes);
    return ((halves[0] | halves[1]) & 0x8080808080808080) != 0;
  }

  bool nested(std::size_t depth) {
    if (depth >= kDepthMax) return false;
    const bool object = is_at('{');
    const char closing = object ? '}' : ']';
    ++at_;
    skip_blanks();
    if (take(closing)) return true;
    do {
      skip_blanks();
      if (object) {
        Text key;
        if (!take('"') || !string(key)) return false;
        skip_blanks();
        if (!take(':')) return false;
        skip_blanks();
      }
      if (!value(depth + 1)) return false;
      skip_blanks();
    } while (take(','));
    return take(closing);
  }

  const char* at_;
  const char* const end_;
  bool wide_ = false;
};

enum Member : std::size_t { kLog, kStream, kTime, kMembers };

// Compared with a size that is known, which takes no call.
template <std::size_t kSize>
bool is(std::string_view text, const char (&other)[kSize]) {
  return text.size() == kSize - 1 && std::memcmp(text.data(), other, kSize - 1) == 0;
}

Member member_of(std::string_view key) {
  return is(key, "log") ? kLog : is(key, "stream") ? kStream : is(key, "time") ? kTime : kMembers;
}

// What a text says, for a text that is short; what is longer than any of ours is cut off.
class ShortText {
 public:
  explicit ShortText(const Text& text) : view_(text.inside) {
    if (text.has_escapes)
      view_ = {bytes_.data(),
               static_cast<std::size_t>(unescape_json(view_, bytes_.data(), kBytesMax) - bytes_.data())};
  }
  ShortText(const ShortText&) = delete;
  ShortText& operator=(const ShortText&) = delete;
  std::string_view view() const { return view_; }

 private:
  static constexpr std::size_t kBytesMax = 8;
  std::array<char, kBytesMax + kUnescapeSlack> bytes_;
  std::string_view view_;
};

}  // namespace

std::optional<DockerLine> docker_line(std::string_view line) {
  std::array<std::optional<Text>, kMembers> found;  // the last of each that is a string
  Scanner scan(line);
  scan.skip_blanks();
  if (!scan.take('{')) return {};
  do {
    Text key;
    scan.skip_blanks();
    if (!scan.take('"') || !scan.string(key)) return {};
    scan.skip_blanks();
    if (!scan.take(':')) return {};
    scan.skip_blanks();
    const Member member = member_of(ShortText(key).view());
    if (member == kMembers) {
      if (!scan.value(1)) return {};
    } else {
      std::optional<Text>& text = found[member];
      if (scan.take('"')) {
        if (!scan.string(text.emplace())) return {};
      } else {
        text.reset();
        if (!scan.value(1)) return {};
      }
    }
    scan.skip_blanks();
  } while (scan.take(','));
  if (!scan.take('}')) return {};
  scan.skip_blanks();
  if (!scan.at_end()) return {};
  const auto& [log, stream, time] = found;
  if (!log || !stream || !time) return {};
  const ShortText name(*stream);
  const bool is_stderr = is(name.view(), "stderr");
  if (!is_stderr && !is(name.view(), "stdout")) return {};
  if (scan.saw_wide_bytes() && !simdjson::validate_utf8(line.data(), line.size())) return {};
  DockerLine made;
  made.message = log->inside.substr(0, log->inside.size() - log->newline_bytes);
  made.has_escapes = log->has_escapes && made.message.find('\\') != std::string_view::npos;
  made.is_stderr = is_stderr;
  made.partial = log->newline_bytes == 0;
  return made;
}

std::optional<std::string_view> cut_docker_message(std::string_view line) {
  constexpr std::string_view kHead = R"({"log":")";
  if (!line.starts_with(kHead)) return {};
  line.remove_prefix(kHead.size());
  Scanner scan(line);
  Text log;
  if (scan.string(log)) return {};
  const auto bytes = static_cast<std::size_t>(scan.place() - line.data());
  const std::string_view rest = line.substr(bytes);
  if (!rest.empty() && (rest[0] != '\\' || rest.size() >= kEscapeBytesMax)) return {};
  return line.substr(0, bytes);
}

char* unescape_json(std::string_view text, char* out, std::size_t bytes_max) {
  const char* at = text.data();
  const char* const end = at + text.size();
  char* const limit = out + bytes_max;
  while (at < end && out < limit) {
    const std::size_t room = static_cast<std::size_t>(std::min<std::ptrdiff_t>(end - at, limit - out));
    const void* const backslash = std::memchr(at, '\\', room);
    const std::size_t plain =
        backslash == nullptr ? room : static_cast<std::size_t>(static_cast<const char*>(backslash) - at);
    out = std::copy_n(at, plain, out);
    at += plain;
    if (backslash == nullptr) continue;
    std::uint32_t point = 0;
    if (!take_escape(at, end, point)) break;
    out = write_utf8(point, out);
  }
  return out;
}

}  // namespace logflume
