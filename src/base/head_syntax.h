// The beginning of a regular expression, as sets of bytes.
#pragma once

#include <bitset>
#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace logflume {

// One byte of a line's beginning.
struct HeadByte {
  std::bitset<256> members;  // a newline is none: a line has ended there
  // A character of several bytes may stand here: any byte from 0x80 on is a member, and when one stands here
  // it is not known whether the pattern takes it, nor where the next character begins.
  bool wide = false;
};

struct HeadSyntax {
  std::vector<HeadByte> bytes;
  bool exact = false;  // a line is a match if, and not only if, its first bytes are members
};

// At most `bytes_max` bytes. None: the pattern may match elsewhere than at the beginning, or its syntax has
// something that is not known here.
std::optional<HeadSyntax> parse_head(std::string_view pattern, std::size_t bytes_max);

}  // namespace logflume
