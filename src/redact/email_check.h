// What an @ belongs to: an address of e-mail, or a password in a URL.
#pragma once

#include <cstddef>
#include <string_view>

#include "redact/bytes.h"

namespace logflume::redact {

// The address whose @ stands at `at`, not beginning before `floor`.
Span email_at(std::string_view text, std::size_t at, std::size_t floor);
// The same for one of a URL, whose @ is "%40"; a "%2B" in it is a plus.
Span encoded_email_at(std::string_view text, std::size_t at, std::size_t floor);

// Of "scheme://user:password@host", the @ at `at`: the password.
Span url_password_at(std::string_view text, std::size_t at);

}  // namespace logflume::redact
