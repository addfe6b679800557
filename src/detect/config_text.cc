#include "detect/config_text.h"

#include <fmt/format.h>

#include "config/yaml_text.h"
#include "detect/formats.h"

namespace logflume {

std::string config_text(const DetectedFormat& format, const std::string& path) {
  std::string text = fmt::format(
      "version: 1\n"
      "sources:\n"
      "  logs:\n"
      "    type: file\n"
      "    include: [{}]\n",
      yaml_scalar(path));
  if (format.strip_cr) text += "    strip_cr: true\n";
  if (!format.preset.empty()) {
    text += fmt::format("    multiline:\n      preset: {}\n", format.preset);
    if (!format.inside.empty()) text += fmt::format("      inside: {}\n", format.inside);
  } else if (!format.start_pattern.empty()) {
    text += fmt::format("    multiline:\n      start_pattern: {}\n", yaml_pattern(format.start_pattern));
  }
  std::string input = "logs";
  if (!format.transforms.empty()) text += "transforms:\n";
  for (std::size_t i = 0; i < format.transforms.size(); ++i) {
    const DetectedTransform& transform = format.transforms[i];
    const std::string name = i + 1 == format.transforms.size() ? "parsed" : "unwrapped";
    text += fmt::format("  {}:\n    type: {}\n    inputs: [{}]\n", name, transform.type, input);
    for (const auto& [key, value] : transform.options) text += fmt::format("    {}: {}\n", key, value);
    input = name;
  }
  text += fmt::format(
      "sinks:\n"
      "  out:\n"
      "    type: console\n"
      "    inputs: [{}]\n",
      input);
  return text;
}

}  // namespace logflume
