#include "redact/secret_checks.h"

#include <algorithm>

namespace logflume::redact {
namespace {

// Enough to tell a token from a word.
constexpr std::size_t kLookedAt = 128;

bool has(std::string_view text, unsigned kinds) {
  return std::ranges::any_of(text.substr(0, kLookedAt), [kinds](char c) { return is(c, kinds); });
}
bool equals_lower(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, [](char a, char b) { return lower(a) == b; });
}
template <std::size_t kCount>
bool is_one_of(std::string_view text, const std::array<std::string_view, kCount>& words) {
  return std::ranges::any_of(words, [text](std::string_view word) { return equals_lower(text, word); });
}

bool looks_like_token(std::string_view text) {
  return text.size() >= 20 || (text.size() >= 8 && has(text, kDigit));
}

// Names of keys that open something: "api_key", "x-api-key", "AccountKey", "aws_secret_access_key".
constexpr std::array<std::string_view, 15> kAccess = {"api",        "access",  "secret",  "private", "auth",
                                                      "account",    "shared",  "signing", "session", "master",
                                                      "encryption", "license", "service", "client",  "app"};

bool ends_with_access(std::string_view name) {
  if (!name.empty() && (name.back() == '_' || name.back() == '-' || name.back() == '.' || name.back() == ' '))
    name.remove_suffix(1);
  return std::ranges::any_of(kAccess, [name](std::string_view word) {
    return name.size() >= word.size() && equals_lower(name.substr(name.size() - word.size()), word);
  });
}

// What stands for a secret and is none.
bool is_placeholder(std::string_view value, bool quoted) {
  static constexpr std::array<std::string_view, 6> kNothing = {"null", "nil",   "none",
                                                               "true", "false", "undefined"};
  if (value.find_first_not_of('*') == std::string_view::npos || is_one_of(value, kNothing)) return true;
  if (value.starts_with("${") || value.starts_with("$(")) return true;
  if (quoted) return value.starts_with('[') && value.ends_with(']');  // [redacted]
  return value.starts_with('[') || value.starts_with('{');            // a list, an object
}

constexpr std::string_view kBlockEnd = "-----END ", kDashes = "-----";
constexpr std::size_t kLabelBytesMax = 48;  // of PEM

}  // namespace

template <typename InRun>
std::size_t SecretChecks::run_end(Run& run, std::size_t from, const InRun& in_run) {
  if (from >= run.begin && from < run.end) return run.end;
  std::size_t end = from;
  while (end < text_.size() && in_run(text_[end])) ++end;
  run = {from, end};
  return end;
}

std::size_t SecretChecks::run_end(unsigned kinds, std::size_t from) {
  auto* known = runs_.begin();
  while (known->kinds != kinds && known->kinds != 0 && known + 1 != runs_.end()) ++known;
  if (known->kinds != kinds) *known = {kinds, {}};
  return run_end(known->run, from, [kinds](char c) { return is(c, kinds); });
}

Span SecretChecks::check(const Rule& rule, std::size_t begin) {
  switch (rule.kind) {
    case RuleKind::kToken:
      return token(rule, begin);
    case RuleKind::kJwt:
      return jwt(begin);
    case RuleKind::kBearer:
      return bearer(begin);
    case RuleKind::kPrivateKey:
      return private_key(begin);
    case RuleKind::kEncodedAt:
      return {};
    default:
      return named(rule, begin);
  }
}

Span SecretChecks::token(const Rule& rule, std::size_t begin) {
  if (begin > 0 && is(text_[begin - 1], kBase64Url)) return {};
  const std::size_t body = begin + rule.text.size();
  const std::size_t end = run_end(rule.body, body);
  if (end - body < rule.min || (rule.max != 0 && (end - body > rule.max || is(at(end), kAlnum)))) return {};
  if (rule.needs_digit && !has(text_.substr(body, end - body), kDigit)) return {};
  return {begin, end};
}

Span SecretChecks::jwt(std::size_t begin) {
  constexpr std::size_t kHeaderBytesMin = 11;
  constexpr int kPartsMin = 3, kPartsMax = 5;  // the latter of one that is encrypted
  if (begin > 0 && is(text_[begin - 1], kBase64Url)) return {};
  std::size_t end = run_end(kBase64Url, begin);
  if (end - begin < kHeaderBytesMin) return {};
  int parts = 1;
  while (parts < kPartsMax && at(end) == '.') {
    const std::size_t next = run_end(kBase64Url, end + 1);
    if (next == end + 1 && parts >= kPartsMin) break;  // the end of a sentence
    end = next;
    ++parts;
  }
  return parts >= kPartsMin ? Span{begin, end} : Span{};
}

Span SecretChecks::bearer(std::size_t begin) {
  if (begin > 0 && is(text_[begin - 1], kAlnum)) return {};
  constexpr std::size_t kWordBytes = 6;
  std::size_t value = begin + kWordBytes;
  while (at(value) == ' ' || at(value) == '\t') ++value;
  if (value == begin + kWordBytes) return {};
  const std::size_t end = run_end(kOpaque, value);
  return looks_like_token(text_.substr(value, end - value)) ? Span{value, end} : Span{};
}

Span SecretChecks::private_key(std::size_t begin) {
  constexpr std::size_t kWordBytes = 11;
  std::size_t label_end = begin + kWordBytes;
  const std::size_t label_end_max = label_end + kLabelBytesMax;
  while (label_end < label_end_max && (is(at(label_end), kUpper | kDigit) || at(label_end) == ' '))
    ++label_end;
  std::string_view label = text_.substr(begin + kWordBytes, label_end - begin - kWordBytes);
  if (label.ends_with(" BLOCK")) label.remove_suffix(6);
  if (!label.ends_with("PRIVATE KEY") || text_.substr(label_end, kDashes.size()) != kDashes) return {};
  if (begin >= block_.begin && begin < block_.end) return {begin, block_end_};
  std::string_view limited = text_;
  if (lines_) limited = limited.substr(0, run_end(line_, begin, [](char c) { return c != '\n'; }));
  const std::size_t marker = limited.find(kBlockEnd, label_end);
  const std::size_t close = marker == std::string_view::npos
                                ? marker
                                : limited.substr(0, marker + kBlockEnd.size() + kLabelBytesMax)
                                      .find(kDashes, marker + kBlockEnd.size());
  block_end_ = close == std::string_view::npos ? limited.size() : close + kDashes.size();
  block_ = {begin, std::min(marker, limited.size())};
  return {begin, block_end_};
}

Span SecretChecks::named(const Rule& rule, std::size_t begin) {
  const char before = begin > 0 ? text_[begin - 1] : '\0';
  const bool own_word = !is(before, kAlnum) || (is(text_[begin], kUpper) && is(before, kLower));
  constexpr std::size_t kNameBytesMax = 16;
  const std::size_t name = begin - std::min(begin, kNameBytesMax);
  const bool access = rule.kind == RuleKind::kKeyWord && ends_with_access(text_.substr(name, begin - name));
  if (rule.kind == RuleKind::kPasswordWord && !own_word) return {};
  if (rule.kind == RuleKind::kKeyWord && !access && is(before, kBase64Url | kDot)) return {};
  std::size_t end = begin + rule.text.size();
  if (rule.kind == RuleKind::kSecretWord && lower(at(end)) == 's') ++end;
  const Value value = value_behind(end);
  if (!value.span) return {};
  const std::string_view text = text_.substr(value.span.begin, value.span.end - value.span.begin);
  if (is_placeholder(text, value.quoted)) return {};
  switch (rule.kind) {
    case RuleKind::kPasswordWord:
      return text[0] == '/' || text[0] == '~' ? Span{} : value.span;
    case RuleKind::kAuthorization:
      return authorization(value);
    case RuleKind::kTokenWord:
    case RuleKind::kKeyWord: {
      if (access) return value.span;
      const Span part = opaque_part(value);
      const std::string_view opaque = text_.substr(part.begin, part.end - part.begin);
      const bool likely = rule.kind == RuleKind::kTokenWord
                              ? looks_like_token(opaque)
                              : opaque.size() >= 16 && has(opaque, kDigit) && has(opaque, kLetter);
      return likely ? part : Span{};
    }
    default:
      return value.span;
  }
}

// A scheme and what is given by it, or this alone.
Span SecretChecks::authorization(const Value& value) {
  static constexpr std::array<std::string_view, 6> kSchemes = {"basic",     "bearer", "token",
                                                               "negotiate", "digest", "apikey"};
  constexpr std::size_t kSchemeBytesMax = 20, kBytesMin = 6;
  Span part = opaque_part(value);
  const std::string_view scheme = text_.substr(part.begin, part.end - part.begin);
  const std::size_t limit = value.quoted ? value.span.end : text_.size();
  const std::size_t next = part.end + 1;
  const bool has_scheme = part && part.end - part.begin <= kSchemeBytesMax && next < limit &&
                          at(part.end) == ' ' && is(at(next), kOpaque);
  if (has_scheme) part = {next, std::min(run_end(kOpaque, next), limit)};
  const std::string_view text = text_.substr(part.begin, part.end - part.begin);
  const bool known = has_scheme && is_one_of(scheme, kSchemes) && text.size() >= kBytesMin;
  return known || looks_like_token(text) ? part : Span{};
}

Span SecretChecks::opaque_part(const Value& value) {
  return {value.span.begin, std::min(run_end(kOpaque, value.span.begin), value.span.end)};
}

SecretChecks::Value SecretChecks::value_behind(std::size_t place) {
  const auto is_quote = [](char c) { return c == '"' || c == '\''; };
  const auto skip_blanks = [this, &place] {
    while (at(place) == ' ' || at(place) == '\t') ++place;
  };
  if (at(place) == '>') return tagged_value(place + 1);
  // The quote that closes the name; in JSON within JSON there are backslashes before it.
  std::size_t quote = place;
  while (at(quote) == '\\') ++quote;
  if (is_quote(at(quote))) place = quote + 1;
  if (at(place) == ']') ++place;
  skip_blanks();
  const char separator = at(place);
  if (separator != '=' && separator != ':') return {};
  ++place;
  if (separator == ':' && at(place) == ':') return {};
  if (at(place) == '=' || at(place) == '>') ++place;
  skip_blanks();

  constexpr std::size_t kBackslashesMax = 7;  // three levels of JSON within JSON
  std::size_t backslashes = 0;
  while (backslashes < kBackslashesMax && at(place + backslashes) == '\\') ++backslashes;
  if (is_quote(at(place + backslashes)))
    return quoted_value(place + backslashes + 1, backslashes, at(place + backslashes));
  std::size_t end = run_end(value_, place, [](char c) { return !is(c, kValueEnd); });
  // These belong to the quote behind them.
  if (is_quote(at(end))) {
    for (std::size_t i = 0; i < kBackslashesMax && end > place && text_[end - 1] == '\\'; ++i) --end;
  }
  return {{place, end}, false};
}

// Up to the quote that has as many backslashes before it as the first one; more of them are a quote, or
// backslashes, of the value. One that is not closed reaches to the end of its line.
SecretChecks::Value SecretChecks::quoted_value(std::size_t begin, std::size_t backslashes, char quote) const {
  std::size_t before = 0;
  for (std::size_t end = begin;; ++end) {
    if (end == text_.size() || text_[end] == '\n') return {{begin, end}, true};
    if (text_[end] == quote && before % (2 * (backslashes + 1)) == backslashes)
      return {{begin, end - backslashes}, true};
    before = text_[end] == '\\' ? before + 1 : 0;
  }
}

// "<password>value</password>".
SecretChecks::Value SecretChecks::tagged_value(std::size_t begin) {
  const std::size_t end = run_end(tagged_, begin, [](char c) { return c != '<' && c != '\n'; });
  return text_.substr(end, 2) == "</" ? Value{{begin, end}, false} : Value{};
}

}  // namespace logflume::redact
