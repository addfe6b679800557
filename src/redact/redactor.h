// Finds what is not to be seen in texts, and writes something else in its place.
//
// Findings that overlap: the one that begins first counts, of these the longest, of these the detector that
// comes first in names(). Nothing of the others is kept apart from that.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/regex.h"
#include "base/result.h"
#include "redact/detector.h"

namespace logflume {

namespace redact {
class ValueHash;
class HashState;
}  // namespace redact

enum class RedactAction : std::uint8_t {
  kReplace,  // by a text
  kMask,     // by *: docs/redaction.md says of which characters
  kHash,     // by a keyed hash: equal values stay equal
};
// "replace", "mask", "hash".
std::optional<RedactAction> parse_redact_action(std::string_view name);

// What a user looks for beside the detectors.
struct RedactPattern {
  std::string name;
  std::string pattern;  // of it, the group named "redact" where it has one, is what is found
};

struct RedactorConfig {
  std::vector<Detector> detect;
  std::vector<RedactPattern> patterns;
  RedactAction action = RedactAction::kReplace;
  std::string replacement = "[{name}]";  // {name} is that of the detector or pattern
  std::string hash_key;                  // at least 16 bytes, for RedactAction::kHash
};

// What a thread needs to redact, and what it has counted.
//
// Threads: one.
class RedactScratch {
 public:
  RedactScratch();
  RedactScratch(RedactScratch&&) noexcept;
  RedactScratch& operator=(RedactScratch&&) noexcept;
  ~RedactScratch();

  // Findings that were written over, by number; shorter where there were none.
  std::vector<std::uint64_t> redacted;
  // Searches for a pattern of the user that ran into the limits of PCRE2: what the rest of that text has of
  // it stays in.
  std::uint64_t gave_up = 0;

 private:
  friend class Redactor;
  std::vector<Finding> findings_;
  RegexScratch regex_;
  std::unique_ptr<redact::HashState> hash_;
  std::string value_;
};

// Threads: any, each with a scratch of its own.
class Redactor {
 public:
  // Errors: kInvalidArgument: nothing to look for, a pattern that is wrong or has no name of its own, a text
  // or key that is too long or too short. kUnsupported: OpenSSL has no HMAC-SHA256.
  static Result<Redactor> compile(const RedactorConfig& config);
  Redactor(Redactor&&) noexcept;
  Redactor& operator=(Redactor&&) noexcept;
  ~Redactor();

  // Of what is looked for, by the number that a finding has.
  const std::vector<std::string>& names() const { return names_; }

  // What is found in an event or a field, in order and without overlap (cleared first). Whether there is
  // anything. REQUIRES: text.size() < 4 GiB.
  bool find(std::string_view text, std::vector<Finding>& found, RedactScratch& scratch) const;
  // The same for many lines at once: a finding does not reach beyond its line.
  bool find_in_lines(std::string_view block, std::vector<Finding>& found, RedactScratch& scratch) const;

  // The text, with what was found in it written over, behind `out`. REQUIRES: as find() gives them.
  void rewrite(std::string_view text, const std::vector<Finding>& found, std::string& out,
               RedactScratch& scratch) const;
  // Both. False, and `out` as it was, when nothing was found.
  bool redact(std::string_view text, std::string& out, RedactScratch& scratch) const;

 private:
  struct Pattern {
    Regex regex;
    std::size_t group;
  };

  Redactor();
  bool find(std::string_view text, bool lines, std::vector<Finding>& found, RedactScratch& scratch) const;
  void find_patterns(std::string_view text, std::size_t begin, std::vector<Finding>& found,
                     RedactScratch& scratch) const;
  void append_hash(std::string_view value, std::uint32_t detector, std::string& out,
                   RedactScratch& scratch) const;

  unsigned detectors_ = 0;  // a bit each
  std::vector<std::string> names_;
  std::vector<std::uint32_t> numbers_;  // by Detector
  std::vector<Detector> kinds_;         // by number, of the detectors
  std::vector<Pattern> patterns_;       // their numbers are behind those
  RedactAction action_ = RedactAction::kReplace;
  std::vector<std::string> replacements_;  // by number
  std::shared_ptr<const redact::ValueHash> hash_;
};

}  // namespace logflume
