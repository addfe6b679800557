#include "lab/experiment.h"

namespace logflume {

const std::vector<LabEntry>& lab_experiments() {
  static const std::vector<LabEntry> entries{
      {"io", make_io_experiment},
      {"write", make_write_experiment},
      {"copy", make_copy_experiment},
      {"concurrency", make_concurrency_experiment},
      {"ring", make_ring_experiment},
      {"scan", make_scan_experiment},
      {"compress", make_compress_experiment},
  };
  return entries;
}

}  // namespace logflume
