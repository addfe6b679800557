// Numbers that name somebody: cards, addresses of the internet. Exact checks, around a place that the
// prefilter has found.
#pragma once

#include <cstddef>
#include <string_view>

#include "redact/bytes.h"

namespace logflume::redact {

// The card whose first digit stands at `at`.
Span credit_card_at(std::string_view text, std::size_t at);

// The address whose first dot stands at `dot`.
Span ipv4_at(std::string_view text, std::size_t dot);

// The address that begins in the run of hexadecimal digits, colons and dots around `colon`; `run_end` becomes
// the end of that run: other colons in it need no look.
Span ipv6_around(std::string_view text, std::size_t colon, std::size_t& run_end);

}  // namespace logflume::redact
