#include "redact/value_hash.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <array>
#include <new>

#include "redact/bytes.h"

namespace logflume::redact {

void HashState::Free::operator()(evp_mac_ctx_st* context) const { ::EVP_MAC_CTX_free(context); }

ValueHash::~ValueHash() = default;

Result<std::shared_ptr<const ValueHash>> ValueHash::make(std::string_view key) {
  if (key.size() < kKeyBytesMin)
    return Error{Errc::kInvalidArgument, 0,
                 fmt::format("the key of a hash has at least {} bytes, not {}", kKeyBytesMin, key.size())};
  std::shared_ptr<ValueHash> made(new ValueHash());
  EVP_MAC* const mac = ::EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  made->keyed_.context_.reset(mac == nullptr ? nullptr : ::EVP_MAC_CTX_new(mac));
  ::EVP_MAC_free(mac);  // the context has a share of it
  std::array<char, 7> digest = {"SHA256"};
  const std::array<OSSL_PARAM, 2> parameters = {
      ::OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest.data(), 0),
      ::OSSL_PARAM_construct_end()};
  if (!made->keyed_.context_ ||
      ::EVP_MAC_init(made->keyed_.context_.get(), reinterpret_cast<const unsigned char*>(key.data()),
                     key.size(), parameters.data()) != 1)
    return Error{Errc::kUnsupported, 0, "OpenSSL gives no HMAC-SHA256"};
  return std::shared_ptr<const ValueHash>(std::move(made));
}

void ValueHash::append(const std::shared_ptr<const ValueHash>& self, std::string_view value, HashState& state,
                       std::string& out) {
  if (state.owner_ != self) {
    state.context_.reset(::EVP_MAC_CTX_dup(self->keyed_.context_.get()));
    state.owner_ = self;
  }
  EVP_MAC_CTX* const context = state.context_.get();
  constexpr std::size_t kBytes = 32;
  std::array<unsigned char, kBytes> code{};
  std::size_t written = 0;
  // Without a key it begins anew with the one that it has. This fails when there is no memory.
  if (context == nullptr || ::EVP_MAC_init(context, nullptr, 0, nullptr) != 1 ||
      ::EVP_MAC_update(context, reinterpret_cast<const unsigned char*>(value.data()), value.size()) != 1 ||
      ::EVP_MAC_final(context, code.data(), &written, code.size()) != 1)
    throw std::bad_alloc();
  static constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = 0; i < kHexDigits / 2; ++i) {
    out.push_back(kDigits[code[i] >> 4]);
    out.push_back(kDigits[code[i] & 15]);
  }
}

void append_canonical(Detector detector, std::string_view value, std::string& out) {
  switch (detector) {
    case Detector::kCreditCard:
      for (const char c : value) {
        if (is(c, kDigit)) out.push_back(c);
      }
      return;
    case Detector::kEmail: {
      const bool encoded = value.find('@') == std::string_view::npos;
      for (std::size_t i = 0; i < value.size(); ++i) {
        const std::string_view escape = encoded ? value.substr(i, 3) : std::string_view();
        if (escape == "%40" || escape == "%2B" || escape == "%2b") {
          out.push_back(escape == "%40" ? '@' : '+');
          i += 2;
        } else {
          out.push_back(lower(value[i]));
        }
      }
      return;
    }
    case Detector::kIpv6: {
      const std::string text(value);
      std::array<char, 16> bits{};
      if (::inet_pton(AF_INET6, text.c_str(), bits.data()) == 1) {
        out.append(bits.data(), bits.size());
      } else {
        out.append(value);
      }
      return;
    }
    default:
      out.append(value);
  }
}

}  // namespace logflume::redact
