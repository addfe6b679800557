#include "redact/redactor.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/characters.h"
#include "redact/bytes.h"
#include "redact/checks.h"
#include "redact/value_hash.h"

namespace logflume {
namespace {

constexpr std::array<std::string_view, kDetectors> kNames = {"credit_card", "email", "ipv4",
                                                             "ipv6",        "token", "key"};
constexpr std::string_view kNamePlace = "{name}";
constexpr std::string_view kGroup = "redact";
// A finding of one byte may become so many.
constexpr std::size_t kReplacementBytesMax = 256;
constexpr std::size_t kPatternsMax = 64;
// Of a pattern in a line: each of them may cost a look at all that is behind it.
constexpr std::size_t kMatchesMax = 10'000;

Error wrong(std::string message) { return Error{Errc::kInvalidArgument, 0, std::move(message)}; }

// Dots and colons stay.
void mask_address(std::string_view value, std::string& out) {
  for (const char c : value) out.push_back(redact::is(c, redact::kHex) ? '*' : c);
}

void mask_card(std::string_view value, std::string& out) {
  constexpr std::ptrdiff_t kKept = 4;
  auto hidden = std::ranges::count_if(value, is_digit) - kKept;
  for (const char c : value) out.push_back(is_digit(c) && hidden-- > 0 ? '*' : c);
}

void mask(Detector detector, std::string_view value, std::string& out) {
  switch (detector) {
    case Detector::kCreditCard:
      return mask_card(value, out);
    case Detector::kEmail: {
      // The domain is kept.
      const std::size_t at = std::min(value.find('@'), value.size());
      const std::size_t end = at < value.size() ? at : value.rfind("%40");
      out.append(count_characters(value.substr(0, end)), '*').append(value.substr(end));
      return;
    }
    case Detector::kIpv4: {
      // The first two numbers are kept.
      const std::size_t end = value.find('.', value.find('.') + 1);
      out.append(value.substr(0, end));
      return mask_address(value.substr(end), out);
    }
    case Detector::kIpv6: {
      // The first two groups are kept.
      const std::size_t end = value.find(':', value.find(':') + 1);
      out.append(value.substr(0, end));
      return mask_address(value.substr(end), out);
    }
    case Detector::kToken:
    case Detector::kKey:
      // Neither does it tell how long it was.
      out.append("********");
      return;
  }
}

}  // namespace

std::string_view detector_name(Detector detector) { return kNames[static_cast<std::size_t>(detector)]; }

std::optional<Detector> parse_detector(std::string_view name) {
  const auto* const found = std::ranges::find(kNames, name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<Detector>(found - kNames.begin());
}

std::optional<RedactAction> parse_redact_action(std::string_view name) {
  if (name == "replace") return RedactAction::kReplace;
  if (name == "mask") return RedactAction::kMask;
  if (name == "hash") return RedactAction::kHash;
  return std::nullopt;
}

RedactScratch::RedactScratch() = default;
RedactScratch::RedactScratch(RedactScratch&&) noexcept = default;
RedactScratch& RedactScratch::operator=(RedactScratch&&) noexcept = default;
RedactScratch::~RedactScratch() = default;

Redactor::Redactor() = default;
Redactor::Redactor(Redactor&&) noexcept = default;
Redactor& Redactor::operator=(Redactor&&) noexcept = default;
Redactor::~Redactor() = default;

Result<Redactor> Redactor::compile(const RedactorConfig& config) {
  Redactor made;
  for (const Detector detector : config.detect) made.detectors_ |= redact::detector_bit(detector);
  made.numbers_.resize(kDetectors);
  for (std::size_t i = 0; i < kDetectors; ++i) {
    const auto detector = static_cast<Detector>(i);
    if ((made.detectors_ & redact::detector_bit(detector)) == 0) continue;
    made.numbers_[i] = static_cast<std::uint32_t>(made.names_.size());
    made.names_.emplace_back(detector_name(detector));
    made.kinds_.push_back(detector);
  }
  if (config.patterns.size() > kPatternsMax)
    return wrong(
        fmt::format("{} patterns; at most {} may be looked for", config.patterns.size(), kPatternsMax));
  for (const RedactPattern& pattern : config.patterns) {
    if (pattern.name.empty()) return wrong("a pattern without a name");
    if (parse_detector(pattern.name) || std::ranges::find(made.names_, pattern.name) != made.names_.end())
      return wrong(fmt::format("\"{}\" is the name of something else that is looked for", pattern.name));
    auto regex = Regex::compile(pattern.pattern);
    if (!regex) return wrong(fmt::format("{}: {}", pattern.name, regex.error().message));
    const auto group = std::ranges::find(regex->names(), kGroup, &Regex::Name::name);
    const std::size_t number = group == regex->names().end() ? 0 : group->group;
    made.patterns_.push_back({std::move(*regex), number});
    made.names_.push_back(pattern.name);
  }
  if (made.names_.empty()) return wrong("there is nothing to look for: neither a detector nor a pattern");
  if (config.replacement.size() > kReplacementBytesMax)
    return wrong(fmt::format("the replacement has more than {} bytes", kReplacementBytesMax));
  made.action_ = config.action;
  for (const std::string& name : made.names_) {
    std::string& text = made.replacements_.emplace_back(config.replacement);
    if (const std::size_t place = text.find(kNamePlace); place != std::string::npos)
      text.replace(place, kNamePlace.size(), name);
  }
  if (config.action == RedactAction::kHash) {
    auto hash = redact::ValueHash::make(config.hash_key);
    if (!hash) return std::move(hash).error();
    made.hash_ = std::move(*hash);
  }
  return made;
}

bool Redactor::find(std::string_view text, std::vector<Finding>& found, RedactScratch& scratch) const {
  return find(text, false, found, scratch);
}

bool Redactor::find_in_lines(std::string_view block, std::vector<Finding>& found,
                             RedactScratch& scratch) const {
  return find(block, true, found, scratch);
}

bool Redactor::find(std::string_view text, bool lines, std::vector<Finding>& found,
                    RedactScratch& scratch) const {
  found.clear();
  if (detectors_ != 0) {
    redact::find_all(text, lines, detectors_, found);
    for (Finding& finding : found) finding.detector = numbers_[finding.detector];
  }
  if (!patterns_.empty()) {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = lines ? std::min(text.find('\n', begin), text.size()) : text.size();
      find_patterns(text.substr(begin, end - begin), begin, found, scratch);
      begin = end + 1;
    }
  }
  if (found.size() > 1) redact::settle(found);
  return !found.empty();
}

void Redactor::find_patterns(std::string_view text, std::size_t begin, std::vector<Finding>& found,
                             RedactScratch& scratch) const {
  const bool ascii = Regex::is_ascii(text);
  for (std::size_t i = 0; i < patterns_.size(); ++i) {
    const auto number = static_cast<std::uint32_t>(kinds_.size() + i);
    std::size_t matches = 0;
    for (std::size_t from = 0; from <= text.size();) {
      const Regex::Answer answer = matches++ < kMatchesMax
                                       ? patterns_[i].regex.search(text, scratch.regex_, from, ascii)
                                       : Regex::Answer::kGaveUp;
      if (answer == Regex::Answer::kGaveUp) ++scratch.gave_up;
      if (answer != Regex::Answer::kYes) break;
      const std::size_t* const places = Regex::places(scratch.regex_);
      // \K may put the begin of a match behind its end.
      const std::size_t match_end = std::max(places[0], places[1]);
      const std::size_t group_begin = places[2 * patterns_[i].group];
      const std::size_t group_end = places[2 * patterns_[i].group + 1];
      if (group_begin != Regex::kNowhere && group_begin < group_end)
        found.push_back({static_cast<std::uint32_t>(begin + group_begin),
                         static_cast<std::uint32_t>(begin + group_end), number});
      if (match_end > from) {
        from = match_end;
        continue;
      }
      ++from;
      while (from < text.size() && continues_character(text[from])) ++from;
    }
  }
}

void Redactor::rewrite(std::string_view text, const std::vector<Finding>& found, std::string& out,
                       RedactScratch& scratch) const {
  scratch.redacted.resize(std::max(scratch.redacted.size(), names_.size()));
  std::size_t at = 0;
  for (const Finding& finding : found) {
    out.append(text.substr(at, finding.begin - at));
    at = finding.end;
    ++scratch.redacted[finding.detector];
    const std::string_view value = text.substr(finding.begin, finding.end - finding.begin);
    switch (action_) {
      case RedactAction::kReplace:
        out.append(replacements_[finding.detector]);
        break;
      case RedactAction::kMask:
        if (finding.detector < kinds_.size()) {
          mask(kinds_[finding.detector], value, out);
        } else {
          out.append(count_characters(value), '*');
        }
        break;
      case RedactAction::kHash:
        append_hash(value, finding.detector, out, scratch);
        break;
    }
  }
  out.append(text.substr(at));
}

void Redactor::append_hash(std::string_view value, std::uint32_t detector, std::string& out,
                           RedactScratch& scratch) const {
  if (!scratch.hash_) scratch.hash_ = std::make_unique<redact::HashState>();
  if (detector < kinds_.size()) {
    scratch.value_.clear();
    redact::append_canonical(kinds_[detector], value, scratch.value_);
    value = scratch.value_;
  }
  redact::ValueHash::append(hash_, value, *scratch.hash_, out);
}

bool Redactor::redact(std::string_view text, std::string& out, RedactScratch& scratch) const {
  if (!find(text, scratch.findings_, scratch)) return false;
  rewrite(text, scratch.findings_, out, scratch);
  return true;
}

}  // namespace logflume
