// Sizes and times as users write them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace logflume {

// "64KiB", "10MB", "512", "1.5GiB": bytes. Units: B, kB/KB, KiB, MB, MiB, GB, GiB, TB, TiB (case as
// written or lower). Errors: kInvalidArgument, the message saying what is expected.
Result<std::uint64_t> parse_bytes(std::string_view text);

// What a link carries: "1Gbit", "100Mbit/s", "100Mbps", or in bytes "100MB", "12.5MB/s"; bytes a second.
// "100Mb" may be either and is an error, as is a bare number and none at all. Errors: kInvalidArgument.
Result<std::uint64_t> parse_link_speed(std::string_view text);

// "500ms", "1.5s", "2m", "1h", "7d", "250us". A bare number has no meaning and is an error, but "0".
Result<Duration> parse_duration(std::string_view text);

// The shortest exact form: "64KiB", "1000B", "1.5GiB"; "500ms", "90s".
std::string format_bytes(std::uint64_t bytes);
std::string format_duration(Duration duration);

// For people: "1.2 GiB", "350.0 MB/s".
std::string human_bytes(double bytes);

}  // namespace logflume
