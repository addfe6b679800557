// Values as YAML.
#pragma once

#include <string>
#include <string_view>

#include "base/describe.h"

namespace logflume {

// A key: quoted where it must be.
std::string yaml_text(std::string_view text);
// A value: dollar signs doubled, so that nothing expands; quoted where it must be.
std::string yaml_scalar(std::string_view text);
// A field's value; empty for an absent one.
std::string yaml_value(const FieldDescription& field, const FieldValue& value);

}  // namespace logflume
