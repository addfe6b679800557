// Tokens, keys and the values of names like "password". Exact checks, around a word that the prefilter has
// found.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

#include "redact/bytes.h"
#include "redact/rules.h"

namespace logflume::redact {

// Remembers where runs end, so that each byte is looked at once for each kind of run: a line of nothing but
// "token=" would else cost the square of its length.
//
// Threads: one, for one text. REQUIRES: what is asked for goes upwards in the text.
class SecretChecks {
 public:
  // `lines`: a newline ends everything; else a block of PEM goes on behind one.
  SecretChecks(std::string_view text, bool lines) : text_(text), lines_(lines) {}

  // What is secret about the rule's word at `begin`; nothing for RuleKind::kEncodedAt.
  Span check(const Rule& rule, std::size_t begin);

 private:
  struct Run {
    std::size_t begin = 1;
    std::size_t end = 0;
  };
  struct Value {
    Span span;
    bool quoted = false;
  };

  Span token(const Rule& rule, std::size_t begin);
  Span jwt(std::size_t begin);
  Span bearer(std::size_t begin);
  Span private_key(std::size_t begin);
  Span named(const Rule& rule, std::size_t begin);
  Span authorization(const Value& value);

  // The value of the name that ends at `at`.
  Value value_behind(std::size_t at);
  Value quoted_value(std::size_t begin, std::size_t backslashes, char quote) const;
  Value tagged_value(std::size_t begin);
  // Bytes of these kinds from the begin of a value on.
  Span opaque_part(const Value& value);

  char at(std::size_t place) const { return byte_at(text_, place); }
  // Where the run of these kinds of bytes ends that `from` stands in; `from` when it stands in none.
  std::size_t run_end(unsigned kinds, std::size_t from);
  template <typename InRun>
  std::size_t run_end(Run& run, std::size_t from, const InRun& in_run);

  const std::string_view text_;
  const bool lines_;
  struct KindsRun {
    unsigned kinds = 0;
    Run run;
  };
  std::array<KindsRun, 8> runs_{};
  Run value_;
  Run line_;
  Run tagged_;
  Run block_;  // of a private key; up to what ends it
  std::size_t block_end_ = 0;
};

}  // namespace logflume::redact
