// What a new configuration changes.
#pragma once

#include <string>
#include <vector>

#include "config/config.h"

namespace logflume {

struct KeyChange {
  std::string key;  // "batch.linger"
  // As YAML; empty: absent. Secrets are masked.
  std::string before, after;
};

struct ComponentChange {
  enum class How {
    kAdded,
    kRemoved,
    kReplaced,  // it stops, and another with the new keys goes on where it was
    kKept,      // it runs on: only its inputs change
  };
  std::string kind;  // "source", "transform", "sink"
  std::string name;
  How how = How::kAdded;
  std::string formerly;  // the name of the component that it takes over from; empty: none
  std::vector<KeyChange> keys;
};

struct Difference {
  std::vector<KeyChange> settings;  // of the top level: changed while everything runs
  std::vector<ComponentChange> components;
  bool empty() const { return settings.empty() && components.empty(); }
};

Difference difference(const Config& running, const Config& next);

// A line for each change.
std::string to_text(const Difference& difference);
std::string to_json(const Difference& difference);

// A component that was made from the one is what the other asks for: they differ in nothing but their inputs
// and former names.
bool runs_as(const AnySourceConfig& running, const AnySourceConfig& next);
bool runs_as(const AnySinkConfig& running, const AnySinkConfig& next);
bool runs_as(const AnyTransformConfig& running, const AnyTransformConfig& next);
// The name that the component had before; empty: none.
const std::string& former_name(const AnySourceConfig& config);
const std::string& former_name(const AnySinkConfig& config);
const std::string& former_name(const AnyTransformConfig& config);

}  // namespace logflume
