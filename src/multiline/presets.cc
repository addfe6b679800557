#include "multiline/presets.h"

#include <cassert>
#include <iterator>

#include "multiline/preset_parts.h"

namespace logflume {

const PresetRules& preset_rules(MultilinePreset preset) {
  // In the order of the presets.
  static constexpr const PresetRules* kRules[] = {&kJavaRules,   &kPythonRules, &kGoRules,  &kRubyRules,
                                                  &kDotnetRules, &kRustRules,   &kPhpRules, &kNodeRules,
                                                  &kPartsRules,  &kPartsRules};
  static_assert(static_cast<std::size_t>(MultilinePreset::kDocker) == std::size(kRules));
  assert(preset != MultilinePreset::kNone);
  return *kRules[static_cast<std::size_t>(preset) - 1];
}

}  // namespace logflume
