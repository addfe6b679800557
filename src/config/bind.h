// From a YAML tree into structs, as their descriptions say.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/describe.h"
#include "config/document.h"

namespace logflume {

struct BindOptions {
  bool check_paths = true;  // ask the file system about directories and certificates
};

class Binder {
 public:
  Binder(Diagnostics& diagnostics, BindOptions options) : diagnostics_(diagnostics), options_(options) {}

  // Fills `self` from the map, reporting what is wrong; what is wrong keeps its default. `what` names the
  // object in messages ("a file source"). `ignored` keys are somebody else's. `at` is where a missing key is
  // reported. REQUIRES: `description` describes *self.
  void object(const YamlNode& map, const ObjectDescription& description, void* self, const std::string& what,
              const std::vector<std::string>& ignored, const Position& at);

  // An unknown `name` among `known`: "did you mean ...", or what there is.
  void unknown(const Position& at, std::string message, std::string_view name,
               const std::vector<std::string>& known);

 private:
  class ObjectFindings;

  void fields(const YamlNode& map, const ObjectDescription& description, void* self, const std::string& what,
              const std::vector<std::string>& ignored, const Position& at, const std::string& prefix);
  void field(const YamlEntry& entry, const FieldDescription& field, void* self, const std::string& key);
  bool value(const YamlNode& node, const FieldDescription& field, const std::string& key, FieldValue& out);
  bool count(const YamlNode& node, const FieldDescription& field, const std::string& key, FieldValue& out);
  bool bytes(const YamlNode& node, const FieldDescription& field, const std::string& key, FieldValue& out);
  bool duration(const YamlNode& node, const FieldDescription& field, const std::string& key, FieldValue& out);
  bool choice(const YamlNode& node, const FieldDescription& field, const std::string& key, FieldValue& out);
  bool list(const YamlNode& node, const FieldDescription& field, const std::string& key, FieldValue& out);
  bool text_map(const YamlNode& node, const FieldDescription& field, const std::string& key, FieldValue& out);
  bool checked(const YamlNode& node, const FieldDescription& field, const std::string& key);
  bool in_range(const YamlNode& node, const FieldDescription& field, const std::string& key,
                std::uint64_t value);

  Diagnostics& diagnostics_;
  BindOptions options_;
  std::set<std::string> failed_;  // keys that have an error, of the object being bound
};

// "64KiB", "10s", "4": `value` in the unit of `field`.
std::string format_limit(const FieldDescription& field, std::uint64_t value);

}  // namespace logflume
