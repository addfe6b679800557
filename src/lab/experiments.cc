#include "lab/experiment.h"

namespace logflume {

const std::vector<LabEntry>& lab_experiments() {
  static const std::vector<LabEntry> entries{};
  return entries;
}

}  // namespace logflume
