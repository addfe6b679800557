#include "parse/key_value_parser.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "base/characters.h"
#include "parse/known_keys.h"

namespace logflume {
namespace {

// The inside of a quoted value; `out` has room for as many bytes. Where it ends; null for an escape that is
// none.
char* unescape(std::string_view text, char* out) {
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '\\') {
      *out++ = text[at++];
      continue;
    }
    static constexpr std::string_view kFrom = "\"\\/bfnrt'", kTo = "\"\\/\b\f\n\r\t'";
    const char c = at + 1 < text.size() ? text[at + 1] : '\0';
    if (const std::size_t found = kFrom.find(c); c != '\0' && found != std::string_view::npos) {
      *out++ = kTo[found];
      at += 2;
      continue;
    }
    const std::string_view digits = text.substr(std::min(at + 2, text.size()), 4);
    std::uint32_t point = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), point, 16);
    if (c != 'u' || digits.size() < 4 || error != std::errc() || end != digits.data() + 4 ||
        (point >= 0xD800 && point <= 0xDFFF))
      return nullptr;
    out = write_utf8(point, out);
    at += 6;
  }
  return out;
}

class KeyValueParser final : public Parser {
 public:
  explicit KeyValueParser(KeyValueParserConfig config) : config_(std::move(config)) {}

  void begin(Columns& columns, std::int64_t /*now_ns*/) override {
    columns_ = &columns;
    keys_.begin(columns);
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    keys_.begin_line();
    rest_.clear();
    bool any = false;
    for (std::size_t at = skip_separators(line, 0); at < line.size(); at = skip_separators(line, at)) {
      const std::size_t begin = at;
      while (at < line.size() && line[at] != config_.key_separator && line[at] != config_.pair_separator &&
             line[at] != '"')
        ++at;
      const std::string_view key = line.substr(begin, at - begin);
      if (key.empty() || (at < line.size() && line[at] == '"')) return ParseFault::kSyntax;
      const KnownKeys::Key& known = column_of(key);
      ValueKind kind = ValueKind::kBool;
      Slot slot = Slot::of(true);
      if (at == line.size() || line[at] == config_.pair_separator) {
        if (!config_.bare_keys) return ParseFault::kSyntax;
      } else {
        any = true;
        const ParseFault fault = value(line, ++at, known, kind, slot);
        if (fault != ParseFault::kNone) return fault;
      }
      if (!known.wanted) continue;
      if (known.column != KnownKeys::kRest) {
        found.add(known.column, kind, slot);
      } else {
        if (!rest_.empty()) rest_.push_back(config_.pair_separator);
        rest_ += line.substr(begin, at - begin);
      }
    }
    if (!any) return ParseFault::kSyntax;
    if (rest_.empty()) return ParseFault::kNone;
    TextRef ref;
    if (!columns_->copy(rest_, ref)) return ParseFault::kTooLarge;
    found.add(columns_->index_of(kRestField), ValueKind::kString, Slot::of(ref));
    return ParseFault::kNone;
  }

 private:
  std::size_t skip_separators(std::string_view line, std::size_t at) const {
    while (at < line.size() &&
           (line[at] == config_.pair_separator || (at + 1 == line.size() && line[at] == '\r')))
      ++at;
    return at;
  }

  const KnownKeys::Key& column_of(std::string_view key) {
    const KnownKeys::Key* const known = keys_.find([key](const std::string& text) { return text == key; });
    if (known != nullptr) return *known;
    KnownKeys::Key& learnt = keys_.learn(key, key);
    if (const auto type = config_.types.find(learnt.text); type != config_.types.end())
      learnt.type = type->second;
    return learnt;
  }

  // At `at`, which goes on behind it.
  ParseFault value(std::string_view line, std::size_t& at, const KnownKeys::Key& known, ValueKind& kind,
                   Slot& slot) {
    const std::size_t begin = at;
    if (at == line.size() || line[at] != '"') {
      at = std::min(line.find(config_.pair_separator, at), line.size());
      std::string_view text = line.substr(begin, at - begin);
      if (at == line.size() && text.ends_with('\r')) text.remove_suffix(1);
      if (text.find('"') != std::string_view::npos) return ParseFault::kSyntax;
      return field_value(*columns_, text, known.type, kind, slot);
    }
    bool escaped = false;
    for (++at; at < line.size() && line[at] != '"'; ++at) {
      if (line[at] != '\\') continue;
      escaped = true;
      ++at;
    }
    if (at >= line.size()) return ParseFault::kSyntax;
    std::string_view text = line.substr(begin + 1, at - begin - 1);
    ++at;
    const bool ends = at == line.size() || line[at] == config_.pair_separator || line.substr(at) == "\r";
    if (!ends) return ParseFault::kSyntax;
    if (escaped) {
      char* const room = columns_->begin_text(text.size());
      if (room == nullptr) return ParseFault::kTooLarge;
      const char* const end = unescape(text, room);
      if (end == nullptr) return ParseFault::kSyntax;
      text = columns_->text(columns_->finish_text(static_cast<std::size_t>(end - room)));
    }
    return field_value(*columns_, text, known.type, kind, slot);
  }

  const KeyValueParserConfig config_;
  Columns* columns_ = nullptr;
  KnownKeys keys_{config_.wanted, config_.fields_max};
  std::string rest_;
};

}  // namespace

std::unique_ptr<Parser> make_key_value_parser(KeyValueParserConfig config) {
  return std::make_unique<KeyValueParser>(std::move(config));
}

}  // namespace logflume
