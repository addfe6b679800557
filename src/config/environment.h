// Where `${VAR}` gets its value, and the expansion itself.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "config/document.h"

namespace logflume {

class Environment {
 public:
  Environment() = default;  // empty
  explicit Environment(std::map<std::string, std::string> variables) : variables_(std::move(variables)) {}
  // A copy of the process's environment.
  static Environment of_process();

  // nullptr when it is not set.
  const std::string* get(const std::string& name) const;
  std::vector<std::string> names() const;

 private:
  std::map<std::string, std::string> variables_;
};

// Expands `${VAR}` and `${VAR:-default}` in every value of the tree, after parsing: what a variable holds is
// text, never YAML. The default also stands for an empty variable, as in a shell. `$$` is a dollar sign; any
// other `$` stands for itself. Keys are left alone. A value that cannot be expanded is reported and marked
// broken.
void expand_variables(YamlNode& root, const Environment& environment, Diagnostics& diagnostics);

}  // namespace logflume
