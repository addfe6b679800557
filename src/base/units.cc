#include "base/units.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace logflume {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Unit {
  std::string_view name;
  double scale;
};

constexpr double kKi = 1024;
constexpr std::array kByteUnits{
    Unit{"", 1},
    Unit{"B", 1},
    Unit{"kB", 1e3},
    Unit{"KB", 1e3},
    Unit{"KiB", kKi},
    Unit{"MB", 1e6},
    Unit{"MiB", kKi* kKi},
    Unit{"GB", 1e9},
    Unit{"TB", 1e12},
    Unit{"GiB", kKi* kKi* kKi},
    Unit{"TiB", kKi* kKi* kKi* kKi},
};
constexpr std::array kTimeUnits{
    Unit{"ns", 1},   Unit{"us", 1e3},   Unit{"ms", 1e6},    Unit{"s", 1e9},
    Unit{"m", 60e9}, Unit{"h", 3600e9}, Unit{"d", 86400e9},
};

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool same_unit(std::string_view a, std::string_view b, bool any_case) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i] && !(any_case && lower(a[i]) == lower(b[i]))) return false;
  }
  return true;
}

// NUMBER UNIT; negative is an error. Returns the scaled value, or a negative number when it is not one.
template <std::size_t N>
double scaled(std::string_view text, const std::array<Unit, N>& units, bool any_case) {
  text = trim(text);
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc() || !std::isfinite(number) || number < 0 || std::signbit(number)) return -1;
  const std::string_view unit = trim(text.substr(static_cast<std::size_t>(end - text.data())));
  for (const Unit& known : units) {
    if (same_unit(unit, known.name, any_case)) return number * known.scale;
  }
  return -1;
}

}  // namespace

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const double value = scaled(text, kByteUnits, true);
  if (value < 0 || value > 9e18) {
    return Error{
        Errc::kInvalidArgument, 0,
        fmt::format("\"{}\" is not a size: expected a number and B, KiB, MiB, GiB, kB, MB or GB, as in 64KiB",
                    text)};
  }
  return static_cast<std::uint64_t>(std::llround(value));
}

Result<std::uint64_t> parse_link_speed(std::string_view text) {
  const auto refuse = [text](std::string_view why) {
    return Error{Errc::kInvalidArgument, 0, fmt::format("\"{}\" is not the speed of a link: {}", text, why)};
  };
  constexpr const char* kExpected = "expected bits as in 1Gbit, or bytes as in 100MB, a second";
  constexpr std::array kBitUnits{Unit{"", 1},    Unit{"k", 1e3}, Unit{"K", 1e3},
                                 Unit{"M", 1e6}, Unit{"G", 1e9}, Unit{"T", 1e12}};
  std::string_view amount = trim(text);
  const auto take = [&amount](std::string_view end) {
    if (!amount.ends_with(end)) return false;
    amount.remove_suffix(end.size());
    return true;
  };
  double bytes = 0;
  if (take("bit/s") || take("bitps") || take("bit") || take("bps")) {
    bytes = scaled(amount, kBitUnits, false) / 8;
  } else {
    static_cast<void>(take("/s") || take("ps"));
    if (amount.ends_with('b')) return refuse("b may be bits or bytes: write Mbit or MB");
    if (!amount.ends_with('B')) return refuse(kExpected);
    bytes = scaled(amount, kByteUnits, false);
  }
  if (bytes < 1 || bytes > 1e15) return refuse(kExpected);
  return static_cast<std::uint64_t>(std::llround(bytes));
}

Result<Duration> parse_duration(std::string_view text) {
  if (trim(text) == "0") return Duration::zero();
  const double value = scaled(text, kTimeUnits, false);
  if (value < 0 || value > 9e18) {
    return Error{
        Errc::kInvalidArgument, 0,
        fmt::format("\"{}\" is not a time: expected a number and us, ms, s, m, h or d, as in 500ms", text)};
  }
  return Duration(std::llround(value));
}

std::string format_bytes(std::uint64_t bytes) {
  constexpr std::array names{"TiB", "GiB", "MiB", "KiB"};
  std::uint64_t scale = 1ULL << 40;
  for (const char* name : names) {
    if (bytes != 0 && bytes % scale == 0) return fmt::format("{}{}", bytes / scale, name);
    scale >>= 10;
  }
  return fmt::format("{}B", bytes);
}

std::string format_duration(Duration duration) {
  struct Step {
    std::int64_t ns;
    const char* name;
  };
  constexpr std::array steps{Step{86'400'000'000'000, "d"}, Step{3'600'000'000'000, "h"},
                             Step{60'000'000'000, "m"},     Step{1'000'000'000, "s"},
                             Step{1'000'000, "ms"},         Step{1'000, "us"}};
  const std::int64_t ns = duration.count();
  for (const Step& step : steps) {
    if (ns != 0 && ns % step.ns == 0) return fmt::format("{}{}", ns / step.ns, step.name);
  }
  return ns == 0 ? "0s" : fmt::format("{}ns", ns);
}

std::string human_bytes(double bytes) {
  constexpr std::array names{"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t index = 0;
  while (bytes >= 1024 && index + 1 < names.size()) {
    bytes /= 1024;
    ++index;
  }
  return index == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.1f} {}", bytes, names[index]);
}

}  // namespace logflume
