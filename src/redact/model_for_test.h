// What the detectors find, said once more and slowly: regular expressions at every place of a text, without a
// prefilter, a memory or any code of the real ones.
#pragma once

#include <arpa/inet.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/regex.h"
#include "redact/detector.h"

namespace logflume::redact {

class Model {
 public:
  std::vector<Finding> find(std::string_view original, bool lines) {
    text_ = plain(original);
    lines_ = lines;
    found_.clear();
    left_to_right(Detector::kCreditCard, [this](std::size_t at) { return card(at); });
    left_to_right(Detector::kEmail, [this](std::size_t at) {
      return std::max(match(email_, at, 0).end, match(encoded_email_, at, 0).end);
    });
    left_to_right(Detector::kIpv4, [this](std::size_t at) { return match(ipv4_, at, 0).end; });
    left_to_right(Detector::kIpv6, [this](std::size_t at) { return ipv6(at); });
    for (std::size_t at = 0; at < text_.size(); ++at) {
      for (Pattern& token : tokens_) add(Detector::kToken, match(token, at, 0));
      add_if_token(Detector::kToken, match(bearer_, at, 1));
      add(Detector::kKey, match(aws_, at, 0));
      add(Detector::kKey, match(url_, at, 1));
      add(Detector::kKey, private_key(at));
      named(at);
    }
    return settled();
  }

 private:
  struct Part {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool empty() const { return end <= begin; }
  };
  using Pattern = Regex;
  static Pattern pattern(std::string text) {
    const auto put = [&text](std::string_view name, std::string_view what) {
      for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += what.size())
        text.replace(at, name.size(), what);
    };
    put("<DOMAIN>",
        "(?:[<L>][<L>-]*\\.)+(?:(?i:xn--)[<L>-]+|(?!(?i:<FILE>)(?![<L>]))[A-Za-z<U>]{2,}(?![<L>]))");
    put("<FILE>",
        "(?:png|jpg|jpeg|gif|webp|svg|ico|css|js|mjs|html|gz|tgz|tar|service|socket|target|timer|slice|scope|"
        "mount|device|path|swap)");
    put("<L>", "A-Za-z0-9<U>");
    put("<U>", "\\x{C0}-\\x{7FF}");
    put("<O>", "[A-Za-z0-9_.~+/=%-]");
    put("<OCT>", "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)");
    put("<CARD", "(?<![0-9A-Za-z])(?<![0-9][.-])");
    put("CARD>", "(?![0-9A-Za-z]|[.-]\\d)");
    put("<D>", R"((?:\\*+["'])?+\]?+[ \t]*+(?:=|:(?!:))[=>]?+[ \t]*+)");
    put("<NOT>", "(?<![\\w-])");
    return std::move(*Regex::compile("\\G" + text));
  }

  // Letters of two bytes stay; every other byte that is not ASCII is one that means nothing.
  static std::string plain(std::string_view text) {
    std::string made(text);
    for (std::size_t i = 0; i < made.size(); ++i) {
      const auto byte = static_cast<unsigned char>(made[i]);
      const bool letter = byte >= 0xC3 && byte <= 0xDF && i + 1 < made.size() &&
                          (static_cast<unsigned char>(made[i + 1]) & 0xC0) == 0x80;
      if (letter) {
        ++i;
      } else if (byte >= 0x80) {
        made[i] = '\x7F';
      }
    }
    return made;
  }

  Part match(const Pattern& pattern, std::size_t at, std::size_t group) {
    if ((static_cast<unsigned char>(text_[at]) & 0xC0) == 0x80) return {};
    if (pattern.search(text_, scratch_, at) != Regex::Answer::kYes) return {};
    const std::size_t* const places = Regex::places(scratch_);
    return {places[2 * group], places[2 * group + 1]};
  }
  bool matches(const Pattern& pattern, std::string_view text) {
    return pattern.search(text, scratch_) == Regex::Answer::kYes;
  }
  std::string part(Part part) const { return text_.substr(part.begin, part.end - part.begin); }
  void add(Detector detector, Part part) {
    if (part.empty()) return;
    found_.push_back({static_cast<std::uint32_t>(part.begin), static_cast<std::uint32_t>(part.end),
                      static_cast<std::uint32_t>(detector)});
  }
  template <typename End>
  void left_to_right(Detector detector, const End& end_at) {
    for (std::size_t at = 0; at < text_.size();) {
      const std::size_t end = end_at(at);
      if (end > at) add(detector, {at, end});
      at = std::max(end, at + 1);
    }
  }

  std::size_t card(std::size_t at) {
    for (const Pattern& layout : cards_) {
      const Part found = match(layout, at, 0);
      if (found.empty()) continue;
      std::string digits = part(found);
      std::erase_if(digits, [](char c) { return c < '0' || c > '9'; });
      unsigned sum = 0;
      bool twice = false;
      for (auto digit = digits.rbegin(); digit != digits.rend(); ++digit, twice = !twice) {
        const unsigned value = static_cast<unsigned>(*digit - '0') * (twice ? 2 : 1);
        sum += value / 10 + value % 10;
      }
      if (sum % 10 == 0 && matches(issuers_, digits)) return found.end;
    }
    return 0;
  }

  std::size_t ipv6(std::size_t at) const {
    const auto in = [this](std::size_t place, std::string_view set) {
      return place < text_.size() && set.find(text_[place]) != std::string_view::npos;
    };
    static constexpr std::string_view kHex = "0123456789abcdefABCDEF";
    static constexpr std::string_view kWord =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    if (at > 0 && (in(at - 1, kWord) || in(at - 1, "."))) return 0;
    if (at > 0 && in(at - 1, ":")) {
      if (in(at, ":") || (at > 1 && in(at - 2, ":."))) return 0;
      std::size_t word = at - 1;
      bool name = false;
      while (word > 0 && in(word - 1, kWord)) name = !in(--word, kHex) || name;
      if (word < at - 1 && !name) return 0;
    }
    for (std::size_t bytes = std::min<std::size_t>(45, text_.size() - at); bytes >= 2; --bytes) {
      const std::string address = text_.substr(at, bytes);
      in6_addr bits{};
      if (address.find('\0') != std::string::npos || ::inet_pton(AF_INET6, address.c_str(), &bits) != 1)
        continue;
      const std::size_t end = at + bytes;
      const bool dotted = address.find('.') != std::string::npos;
      if (in(end, kWord) || (in(end, ".") && in(end + 1, "0123456789"))) continue;
      if (!dotted && in(end, ":") && (in(end + 1, kHex) || in(end + 1, ":"))) continue;
      return address.find_first_of("0123456789") == std::string::npos ? 0 : end;
    }
    return 0;
  }

  bool is_token(std::string_view text) {
    return text.size() >= 20 ||
           (text.size() >= 8 && text.find_first_of("0123456789") != std::string_view::npos);
  }
  void add_if_token(Detector detector, Part found) {
    if (is_token(part(found))) add(detector, found);
  }

  Part private_key(std::size_t at) {
    const Part found = match(private_key_, at, 0);
    if (found.empty()) return {};
    const std::string limited = text_.substr(0, lines_ ? text_.find('\n', at) : std::string::npos);
    const std::size_t marker = limited.find("-----END ", found.end - 5);
    if (marker == std::string::npos) return {at, limited.size()};
    const std::size_t close = limited.substr(0, marker + 9 + 48).find("-----", marker + 9);
    return {at, close == std::string::npos ? limited.size() : close + 5};
  }

  void named(std::size_t at) {
    for (const auto& [name, kind] :
         {std::pair{&secret_, 's'}, std::pair{&pwd_, 'p'}, std::pair{&token_, 't'},
          std::pair{&access_key_, 's'}, std::pair{&key_, 'k'}, std::pair{&authorization_, 'a'}}) {
      const Part head = match(*name, at, 0);
      if (head.empty()) continue;
      bool quoted = false;
      const Part found = value(head.end, quoted);
      const std::string text = part(found);
      if (found.empty() || matches(quoted ? quoted_nothing_ : nothing_, text)) continue;
      std::size_t opaque = 0;
      while (opaque < text.size() && opaque_bytes().find(text[opaque]) != std::string_view::npos) ++opaque;
      const Part opaque_part{found.begin, found.begin + opaque};
      const std::string first = part(opaque_part);
      if (kind == 's' || (kind == 'p' && text[0] != '/' && text[0] != '~')) add(Detector::kKey, found);
      if (kind == 't') add_if_token(Detector::kKey, opaque_part);
      const std::string looked_at = first.substr(0, 128);
      if (kind == 'k' && opaque >= 16 && matches(letter_, looked_at) && matches(digit_, looked_at))
        add(Detector::kKey, opaque_part);
      if (kind == 'a') authorization(opaque_part, quoted ? found.end : text_.size());
    }
  }
  void authorization(Part first, std::size_t limit) {
    const std::string rest = text_.substr(first.begin, limit - first.begin);
    if (scheme_.search(rest, scratch_) != Regex::Answer::kYes) return add_if_token(Detector::kKey, first);
    const std::size_t* const places = Regex::places(scratch_);
    const Part value{first.begin + places[4], first.begin + places[5]};
    const std::string scheme = rest.substr(places[2], places[3] - places[2]);
    if (value.end - value.begin >= 6 && matches(known_scheme_, scheme)) return add(Detector::kKey, value);
    add_if_token(Detector::kKey, value);
  }

  Part value(std::size_t at, bool& quoted) {
    if (at > 0 && text_[at - 1] == '>' && matches(tag_, text_.substr(0, at))) {
      const std::size_t end = text_.find_first_of("<\n", at);
      if (end == std::string::npos || text_.substr(end, 2) != "</") return {};
      return {at, end};
    }
    const Part open = match(opening_, std::min(at, text_.size() - 1), 0);
    if (at < text_.size() && !open.empty()) {
      quoted = true;
      const std::size_t backslashes = open.end - open.begin - 1;
      for (std::size_t end = open.end;; ++end) {
        if (end == text_.size() || text_[end] == '\n') return {open.end, end};
        std::size_t before = end;
        while (before > open.end && text_[before - 1] == '\\') --before;
        if (text_[end] == text_[open.end - 1] && (end - before) % (2 * backslashes + 2) == backslashes)
          return {open.end, end - backslashes};
      }
    }
    std::size_t end = at;
    while (end < text_.size() && static_cast<unsigned char>(text_[end]) > ' ' &&
           std::string_view(",;&\"')}]<>").find(text_[end]) == std::string_view::npos)
      ++end;
    if (end < text_.size() && (text_[end] == '"' || text_[end] == '\'')) {
      for (int i = 0; i < 7 && end > at && text_[end - 1] == '\\'; ++i) --end;
    }
    return {at, end};
  }
  static std::string_view opaque_bytes() {
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.~+/=%";
  }

  std::vector<Finding> settled() {
    std::ranges::sort(found_, {}, [](const Finding& finding) {
      return std::tuple(finding.begin, ~finding.end, finding.detector);
    });
    std::vector<Finding> kept;
    for (const Finding& finding : found_) {
      if (kept.empty() || finding.begin >= kept.back().end) kept.push_back(finding);
    }
    return kept;
  }

  const std::vector<Pattern> cards_ = [] {
    std::vector<Pattern> layouts;
    for (const char* digits : {"\\d{13,19}", "\\d{4}([ .-])\\d{4}\\1\\d{4}\\1\\d{4}\\1\\d{3}",
                               "\\d{4}([ .-])\\d{4}\\1\\d{4}\\1\\d{4}", "\\d{4}([ .-])\\d{6}\\1\\d{5}",
                               "\\d{4}([ .-])\\d{6}\\1\\d{4}"})
      layouts.push_back(pattern(std::string("<CARD").append(digits).append("CARD>")));
    return layouts;
  }();
  const Pattern issuers_ = pattern(
      "(?:4\\d{12}(?:\\d{3}(?:\\d{3})?)?|5[1-5]\\d{14}|(?:222[1-9]|22[3-9]\\d|2[3-6]\\d\\d|27[01]\\d|2720)"
      "\\d{12}"
      "|220[0-4]\\d{12,15}|30[0-5]\\d{11,16}|3095\\d{10,15}|3[689]\\d{12,17}|3[47]\\d{13}"
      "|35(?:2[89]|[3-8]\\d)\\d{12,15}|(?:5018|5020|5038|5893|6304|6759|676[1-3])\\d{9,15}"
      "|(?:6011|64[4-9]\\d|65\\d\\d|62\\d\\d)\\d{12,15})$");
  const Pattern email_ = pattern("[A-Za-z0-9_<U>][A-Za-z0-9._+<U>-]*@<DOMAIN>");
  const Pattern encoded_email_ =
      pattern("[A-Za-z0-9_<U>](?:[A-Za-z0-9._+<U>-]|%2[Bb])*%40(?=[A-Za-z0-9])<DOMAIN>");
  const Pattern ipv4_ = pattern(
      "(?<![0-9A-Za-z])(?<![0-9]\\.)(?!(?<=[A-Za-z]/)\\d+\\.\\d+\\.0\\.0(?!\\d))<OCT>(?:\\.<OCT>){3}"
      "(?![0-9A-Za-z]|\\.[0-9])");
  std::vector<Pattern> tokens_ = [] {
    std::vector<Pattern> made;
    for (const char* text :
         {"<NOT>eyJ[\\w-]{8,}\\.[\\w-]*\\.[\\w-]*(?:\\.[\\w-]+){0,2}", "<NOT>gh[pousr]_[A-Za-z0-9]{36,}",
          "<NOT>github_pat_\\w{22,}", "<NOT>glpat-[\\w-]{20,}", "<NOT>xox[abeoprs]-[A-Za-z0-9-]{10,}",
          "<NOT>xapp-[A-Za-z0-9-]{20,}", "<NOT>(?:FwoGZXIvYXdz|IQoJb3JpZ2luX2Vj)[A-Za-z0-9+/=%]{60,}",
          "<NOT>[sr]k_(?:live|test)_[A-Za-z0-9]{16,}",
          "<NOT>sk-(?=[\\w-]{0,127}\\d)(?=[A-Za-z0-9])[\\w-]{20,}", "<NOT>AIza[\\w-]{35,}",
          "<NOT>ya29\\.[\\w-]{20,}", "<NOT>SG\\.[\\w-][\\w.-]{39,}", "<NOT>npm_[A-Za-z0-9]{36,}",
          "<NOT>pypi-[\\w-]{50,}", "<NOT>hf_[A-Za-z0-9]{30,}"})
      made.push_back(pattern(text));
    return made;
  }();
  const Pattern bearer_ = pattern("(?<![0-9A-Za-z])(?i:bearer)[ \\t]++(<O>++)");
  const Pattern aws_ = pattern("<NOT>A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])");
  const Pattern url_ = pattern("://[^\\x00-\\x20/@\"'<>:]*+:([^\\x00-\\x20/@\"'<>]+)@");
  const Pattern private_key_ =
      pattern("-----BEGIN (?=[A-Z0-9 ]{0,48}-----)[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----");
  const Pattern secret_ = pattern("(?i:password|passwd|passphrase|secret|credential)(?i:s)?+(?:>|<D>)");
  const Pattern pwd_ = pattern("(?:(?<![0-9A-Za-z])|(?<=[a-z])(?=P))(?i:pwd)(?:>|<D>)");
  const Pattern token_ = pattern("(?i:token)(?:>|<D>)");
  const Pattern access_key_ = pattern(
      "(?:(?<=(?i:api|app))|(?<=(?i:auth))|(?<=(?i:access|secret|shared|master|client))"
      "|(?<=(?i:private|account|signing|session|license|service))|(?<=(?i:encryption))"
      "|(?<=(?i:api|app)[_. -])|(?<=(?i:auth)[_. -])|(?<=(?i:access|secret|shared|master|client)[_. -])"
      "|(?<=(?i:private|account|signing|session|license|service)[_. -])|(?<=(?i:encryption)[_. -]))"
      "(?i:key)(?:>|<D>)");
  const Pattern key_ = pattern("(?<![\\w.-])(?i:key)(?:>|<D>)");
  const Pattern authorization_ = pattern("(?i:authorization)(?:>|<D>)");
  const Pattern tag_ = pattern(
      "(?s).*(?i:passwords?|passwds?|passphrases?|secrets?|credentials?|pwd|token|key|"
      "authorization)>$");
  const Pattern opening_ = pattern("\\\\{0,7}[\"']");
  const Pattern nothing_ =
      pattern("(?:\\*+$|(?i:null|nil|none|true|false|undefined)$|\\$\\{|\\$\\(|\\[|\\{)");
  const Pattern quoted_nothing_ =
      pattern("(?:\\*+$|(?i:null|nil|none|true|false|undefined)$|\\$\\{|\\$\\(|\\[(?s).*\\]$)");
  const Pattern scheme_ = pattern("(<O>{1,20}+) (?=<O>)(<O>++)");
  const Pattern known_scheme_ = pattern("(?i:basic|bearer|token|negotiate|digest|apikey)$");
  const Pattern letter_ = pattern(".*[A-Za-z]");
  const Pattern digit_ = pattern(".*[0-9]");

  std::string text_;
  bool lines_ = false;
  RegexScratch scratch_;
  std::vector<Finding> found_;
};

}  // namespace logflume::redact
