// Keyed hashes of values: equal values have equal ones, and nobody without the key can try values out.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "redact/detector.h"

struct evp_mac_st;
struct evp_mac_ctx_st;

namespace logflume::redact {

// A thread's copy of the keyed state.
//
// Threads: one.
class HashState {
 private:
  friend class ValueHash;
  struct Free {
    void operator()(evp_mac_ctx_st* context) const;
  };
  std::unique_ptr<evp_mac_ctx_st, Free> context_;
  std::shared_ptr<const void> owner_;  // whose key it has
};

// HMAC-SHA256 (OpenSSL), its first 64 bits.
//
// Threads: any, each with a state of its own.
class ValueHash {
 public:
  static constexpr std::size_t kKeyBytesMin = 16;
  static constexpr std::size_t kHexDigits = 16;

  // Errors: kInvalidArgument: the key is too short; kUnsupported.
  static Result<std::shared_ptr<const ValueHash>> make(std::string_view key);
  ~ValueHash();
  ValueHash(const ValueHash&) = delete;
  ValueHash& operator=(const ValueHash&) = delete;

  // Appends its digits. `self`: this one.
  static void append(const std::shared_ptr<const ValueHash>& self, std::string_view value, HashState& state,
                     std::string& out);

 private:
  ValueHash() = default;
  HashState keyed_;
};

// The same for all ways to write a value: a card without its separators, an address of e-mail in lower case
// and with @ for %40, one of IPv6 by its bits.
void append_canonical(Detector detector, std::string_view value, std::string& out);

}  // namespace logflume::redact
