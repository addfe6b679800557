// The ways to read files that `lab io` knows, by name.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "lab/io_job.h"

namespace logflume {

struct IoWay {
  std::string name;
  std::function<Result<LabWork>(const IoJob&)> run;
  std::string fio_engine;                // empty: fio has none
  std::vector<std::string> fio_options;  // of it
  bool several = false;                  // reads in flight
  bool seeks = true;                     // can read at random
  bool maps = false;                     // the file, of which a second pass would be free of faults
  bool direct = true;                    // with O_DIRECT, too
  bool everywhere = true;                // part of the full matrix, not only of warm sequential reading
  int open_flags = 0;
};

const std::vector<IoWay>& io_ways();
// REQUIRES: there is one of that name.
const IoWay& io_way(const std::string& name);

// What the agent does for a `read_mode`.
std::string agent_way_name(const std::string& read_mode);

}  // namespace logflume
