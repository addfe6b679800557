// Text in lines.
#pragma once

#include <cstddef>
#include <string>

namespace logflume {

// The words of `text` in lines of at most `width` characters (0: one line), the first behind `first`, the
// others behind `indent`. A longer word has a line of its own. Ends with a newline.
std::string wrap_words(const std::string& text, std::size_t width, const std::string& first,
                       const std::string& indent);

}  // namespace logflume
