// Lines through the transforms of a configuration, without an agent.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.h"
#include "event/slab.h"
#include "transform/pipeline.h"

namespace logflume {

// Threads: one.
class DryRun {
 public:
  // What a stage made of the lines.
  struct Stage {
    std::string name;  // of the transform
    std::string type;
    PipelineRun::Count count;
    StageReport report;
    Duration took{};
    std::vector<std::pair<std::string, const Frame*>>
        outputs;  // by name; made events are frames of their own
  };

  // `insert_at`: a source, or a transform: then the lines are its input. REQUIRES: there is one of that name.
  DryRun(const Config& config, const std::string& insert_at);
  // What was made of earlier lines is gone. What transforms gather of them becomes events at once.
  void run(const std::vector<std::string>& lines);
  // In the order in which events went through them.
  std::vector<Stage> stages() const;
  // What came out of a component, or of an output of one.
  std::vector<const Frame*> frames_of(const std::string& name) const;

 private:
  MetricRegistry metrics_;  // nobody sees them
  Log log_{LogLevel::kOff};
  std::shared_ptr<const Pipeline> pipeline_;
  std::shared_ptr<PipelineRun> run_;
  std::vector<std::shared_ptr<PipelineRun>> made_;  // of what was gathered
  std::vector<Duration> times_;
  std::string text_;
  const std::string source_;
};

// The events of a frame as JSON objects, without what each says of itself unless `with_base`.
std::vector<std::string> events_as_json(const Frame& frame, bool with_base);
// Lines of a file, "-" being standard input; at most `lines_max`. Errors: as of reading.
Result<std::vector<std::string>> read_lines(const std::string& path, std::size_t lines_max);

}  // namespace logflume
