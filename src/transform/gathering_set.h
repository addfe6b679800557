// What all transforms of a source's pipeline have gathered.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "transform/gathering.h"
#include "transform/pipeline.h"

namespace logflume {

// Sinks that have been given the same events share what is gathered of them. Where one gets events that
// another one does not get, or not now, because it is behind, each goes on with a copy of its own.
//
// Threads: one.
class GatheringSet {
 public:
  using Sinks = PipelineRun::Sinks;
  struct Part {
    Sinks sinks;
    bool again;  // some sink was given these events before
    std::unique_ptr<Gathering> gathered;
  };
  // Is to make events of what `part` has closed (PipelineRun::make()).
  using Make = std::function<void(std::size_t maker, Part& part)>;

  // The pipeline outlives it.
  explicit GatheringSet(const Pipeline& pipeline) : pipeline_(pipeline), parts_(pipeline.makers().size()) {}

  // Events that have come to a stage of `maker`, for those of `sinks` that get what it makes.
  // REQUIRES: as Stage::gather().
  void add(std::size_t maker, Stage& stage, const Frame& in, const Sinks& sinks, StageReport& report);
  // When the clock makes events of something; Gathering::kAll: never.
  std::int64_t due_ns() const;
  // Events are made of what is over at `now_ns`, and of these, where they come to another maker, too.
  void close(std::int64_t now_ns, const Make& make);
  // All of what is gathered for this sink.
  void close(const std::string& sink, const Make& make);
  // What transforms have that are in both, for sinks that are.
  void take_over(GatheringSet& before);
  std::size_t memory_bytes() const;

 private:
  const Pipeline& pipeline_;
  std::vector<std::vector<Part>> parts_;  // by maker
};

}  // namespace logflume
