#include "redact/checks.h"

#include <algorithm>
#include <bit>
#include <cstdint>

#include "redact/bytes.h"
#include "redact/email_check.h"
#include "redact/number_checks.h"
#include "redact/rules.h"
#include "redact/secret_checks.h"

namespace logflume::redact {
namespace {

class Checks {
 public:
  Checks(std::string_view text, bool lines, unsigned detectors, std::vector<Finding>& found)
      : text_(text), detectors_(detectors), found_(found), secrets_(text, lines) {}

  void look_at(std::size_t base, const Candidates& places) {
    if (wants(Detector::kCreditCard)) each(places.card, base, [this](std::size_t at) { card(at); });
    if (wants(Detector::kIpv4)) each(places.ipv4, base, [this](std::size_t at) { ipv4(at); });
    if (wants(Detector::kIpv6)) each(places.ipv6, base, [this](std::size_t at) { ipv6(at); });
    // Together: an address behind another one must not begin in it.
    each(places.at | places.word, base, [this](std::size_t at) {
      if (text_[at] == '@') {
        at_sign(at);
      } else {
        word(at);
      }
    });
  }

 private:
  template <typename Look>
  static void each(std::uint64_t places, std::size_t base, const Look& look) {
    for (; places != 0; places &= places - 1) look(base + static_cast<std::size_t>(std::countr_zero(places)));
  }
  bool wants(Detector detector) const { return (detectors_ & detector_bit(detector)) != 0; }
  void add(Detector detector, Span span) {
    found_.push_back({static_cast<std::uint32_t>(span.begin), static_cast<std::uint32_t>(span.end),
                      static_cast<std::uint32_t>(detector)});
  }

  void card(std::size_t at) {
    if (at < card_end_) return;
    if (const Span span = credit_card_at(text_, at)) {
      add(Detector::kCreditCard, span);
      card_end_ = span.end;
    }
  }
  void ipv4(std::size_t at) {
    if (const Span span = ipv4_at(text_, at)) add(Detector::kIpv4, span);
  }
  void ipv6(std::size_t at) {
    if (at < ipv6_looked_at_) return;
    if (const Span span = ipv6_around(text_, at, ipv6_looked_at_)) add(Detector::kIpv6, span);
  }
  void at_sign(std::size_t at) {
    if (wants(Detector::kEmail)) email(email_at(text_, at, email_end_));
    if (!wants(Detector::kKey)) return;
    if (const Span span = url_password_at(text_, at)) add(Detector::kKey, span);
  }
  void email(Span span) {
    if (!span) return;
    add(Detector::kEmail, span);
    email_end_ = span.end;
  }
  void word(std::size_t at) {
    const RuleTables& tables = rule_tables();
    unsigned buckets = 255;
    for (std::size_t i = 0; i < RuleTables::kBytes; ++i)
      buckets &= tables.whole[i][static_cast<unsigned char>(byte_at(text_, at + i))];
    for (const Rule& rule : rules()) {
      std::size_t begin = 0;
      if ((buckets >> rule.bucket & 1) == 0 || !wants(rule.detector) ||
          !word_stands_at(rule, text_, at, begin))
        continue;
      if (rule.kind == RuleKind::kEncodedAt) {
        email(encoded_email_at(text_, at, email_end_));
      } else if (const Span span = secrets_.check(rule, begin)) {
        add(rule.detector, span);
      }
    }
  }

  const std::string_view text_;
  const unsigned detectors_;
  std::vector<Finding>& found_;
  SecretChecks secrets_;
  std::size_t card_end_ = 0;
  std::size_t email_end_ = 0;
  std::size_t ipv6_looked_at_ = 0;
};

// The one that counts comes first.
bool before(const Finding& a, const Finding& b) {
  if (a.begin != b.begin) return a.begin < b.begin;
  return a.end != b.end ? a.end > b.end : a.detector < b.detector;
}

}  // namespace

void find_all(std::string_view text, bool lines, unsigned detectors, std::vector<Finding>& found,
              const PrefilterKernel& kernel) {
  Checks checks(text, lines, detectors, found);
  CandidateScan scan(text, kernel);
  std::size_t base = 0;
  Candidates places{};
  while (scan.next(base, places)) checks.look_at(base, places);
}

void settle(std::vector<Finding>& found) {
  if (!std::ranges::is_sorted(found, before)) std::ranges::sort(found, before);
  std::uint32_t end = 0;
  std::erase_if(found, [&end](const Finding& finding) {
    if (finding.begin < end) return true;
    end = finding.end;
    return false;
  });
}

}  // namespace logflume::redact
