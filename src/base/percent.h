// Bytes written as %XX, as in a URI (RFC 3986, section 2.1).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace logflume {

// Letters and digits of ASCII, and what is in `plain`, stay as they are.
std::string percent_encode(std::string_view text, std::string_view plain);
// nullopt: a '%' that no two hexadecimal digits follow.
std::optional<std::string> percent_decode(std::string_view text);

}  // namespace logflume
