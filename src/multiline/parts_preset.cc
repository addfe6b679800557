// The logs of containers by themselves: each line of the container is an event. Its parts are kept together
// by what EventRules knows of such a log (MultilineConfig::wrapper).
#include "multiline/preset_parts.h"

namespace logflume {
namespace {

PresetStep first(PresetState& /*state*/, std::string_view /*line*/) { return {true, true}; }
PresetStep next(PresetState& /*state*/, std::string_view /*line*/) { return kBegins; }

}  // namespace

const PresetRules kPartsRules{first, next, false, {}};

}  // namespace logflume
