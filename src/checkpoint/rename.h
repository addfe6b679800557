// A component that goes by another name keeps what the checkpoint store knows of it.
#pragma once

#include <string>

#include "checkpoint/checkpoint_store.h"

namespace logflume {

// Something in `content` belongs to the source or sink of this name.
bool knows_component(const CheckpointContent& content, const std::string& name);

// What gives all that belongs to `from` to `to`. REQUIRES: `to` has nothing in `content`.
CheckpointChanges rename_component(const CheckpointContent& content, const std::string& from,
                                   const std::string& to);

}  // namespace logflume
