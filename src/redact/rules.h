// Words that secrets begin with, or stand behind, and the table by which the prefilter finds them.
//
// Of each word four bytes in a row are looked for, in the manner of Hyperscan's Teddy: for each of the four
// places, tables by the lower and by the upper half of a byte say which buckets of rules it may belong to.
// Where all eight agree on a bucket there may be one of its words; whether it is one is asked of the rule.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "redact/bytes.h"
#include "redact/detector.h"

namespace logflume::redact {

enum class RuleKind : std::uint8_t {
  kToken,          // `text` and what follows it of `body`, at least `min` and at most `max` bytes of it
  kJwt,            // three to five parts of base64url
  kBearer,         // Bearer, a blank, and what looks like a token
  kSecretWord,     // a name that ends with it, = or :, and a value
  kPasswordWord,   // the same; but PWD=/home/user is a directory
  kTokenWord,      // the same; but the value must look like a token
  kKeyWord,        // the same; unless the name is that of a key for access the value must look like one
  kAuthorization,  // the same; perhaps a scheme before the value
  kPrivateKey,     // a block of PEM
  kEncodedAt,      // the %40 of an address of e-mail
};

// Letters of fingerprints of rules that fold, and of their texts, are lower case.
struct Rule {
  RuleKind kind;
  Detector detector;
  std::string_view text;                        // the word; ? is a byte that the fingerprint has checked
  std::size_t offset;                           // where the fingerprint stands in it
  std::array<std::string_view, 4> fingerprint;  // for each of its bytes, which it may be
  bool folds = false;                           // upper case is the same
  unsigned bucket = 0;                          // 0 to 7
  unsigned body = 0;
  std::size_t min = 0;
  std::size_t max = 0;       // 0: any number
  bool needs_digit = false;  // among the first bytes behind the word
};
std::span<const Rule> rules();

struct RuleTables {
  static constexpr std::size_t kBytes = 4;  // of a fingerprint
  // For each place: the buckets of a byte, by its lower and its upper half.
  alignas(16) std::array<std::array<std::uint8_t, 16>, kBytes> low{};
  alignas(16) std::array<std::array<std::uint8_t, 16>, kBytes> high{};
  // What both say together: by byte.
  std::array<std::array<std::uint8_t, 256>, kBytes> whole{};
};
const RuleTables& rule_tables();

// Whether the rule's fingerprint stands at `at`, and its word around it. `begin`: where the word does.
bool word_stands_at(const Rule& rule, std::string_view text, std::size_t at, std::size_t& begin);

}  // namespace logflume::redact
