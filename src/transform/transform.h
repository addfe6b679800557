// Where events are changed or dropped, between a source and its sinks.
//
// A Transform is what a configuration says, compiled; a Stage is what one batch at a time goes through. To
// add a transform: one file with its configuration, its description and its stage, and a line in registry.cc
// (docs/extending.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "event/frame.h"
#include "expression/expression.h"
#include "parse/parser.h"
#include "telemetry/log.h"
#include "telemetry/metrics.h"

namespace logflume {

class Gathering;
struct OpenEvent;

// What a stage did with one frame, for the books: received + created = sent + discarded, where `created` are
// events that went more than one way, or were made of others.
struct StageReport {
  std::uint64_t discarded = 0;  // on purpose: they are in no output
  // Events with which something went wrong, by reason (static texts).
  std::vector<std::pair<std::string_view, std::uint64_t>> errors;
  // What it has found, by what: a metric of its own. The texts stay as long as the transform.
  std::vector<std::pair<std::string_view, std::uint64_t>> findings;
  // The line of the first one that somebody should hear of, and what is wrong with it. Stays as long as the
  // batch.
  std::string_view sample;
  std::string_view sample_reason;

  void clear() {
    discarded = 0;
    errors.clear();
    findings.clear();
    sample = sample_reason = {};
  }
  // `line`: for the log.
  void error(std::string_view reason, std::string_view line);
  // Of an expression: counted only, since fields that some events have and others have not are usual.
  void errors_of(const FaultCounts& faults);
};

// What transforms may ask of the agent; the metrics and the log outlive all stages.
struct StageServices {
  std::string host;
  MetricRegistry& metrics;
  Log& log;
};

struct StageContext : StageServices {
  std::string name;     // of the transform
  WantedFields wanted;  // of its outputs
};

// What a stage that joins lines to events has to do with the batches before and behind.
struct Joint {
  std::unique_ptr<OpenEvent> open;    // before run() what is open, null: nothing; and so behind it
  std::unique_ptr<OpenEvent> closed;  // what was open before run(), and is over
};

// Threads:   one at a time.
// Ownership: the output's columns are the stage's, until the next run().
class Stage {
 public:
  virtual ~Stage() = default;
  // Fills `out`, a frame for each output of the transform, with events of `in`: each is given as a copy of
  // `in` without rows. What the frames view stays until the next run().
  virtual void run(const Frame& in, std::span<Frame> out, StageReport& report) = 0;
  // Of a transform that makes events of events: those of `in` go into `into`, too.
  // REQUIRES: `in` is what run() was just called with.
  virtual void gather(const Frame& /*in*/, Gathering& /*into*/, StageReport& /*report*/) {}
  // Of a transform that joins lines; else null.
  virtual Joint* joint() { return nullptr; }
  // Of what it keeps between batches.
  virtual std::size_t memory_bytes() const { return 0; }
};

// Threads: any. What it is does not change; what its stages have in common it guards itself.
class Transform {
 public:
  virtual ~Transform() = default;
  // The names of its outputs; the first one, named as the transform itself, is "".
  virtual std::vector<std::string> outputs() const { return {""}; }
  // What it reads of its input when these are wanted of its outputs.
  virtual WantedFields needs(const WantedFields& wanted) const = 0;
  // What is known of an output's fields.
  virtual FieldSchema schema(const FieldSchema& in, std::size_t /*output*/) const { return in; }
  // The fields that it sets, for people; "*" for those that only the line knows.
  virtual std::vector<std::string> writes() const { return {}; }
  // Whether it goes by what came before: its stages see the batches of a source one after the other, in the
  // order of the source.
  virtual bool in_order() const { return false; }
  // Whether it does something beside what comes out of it: then it runs also where nobody takes that.
  virtual bool has_effect() const { return false; }
  // Whether its stages have something in common that is to outlast a reload which leaves it as it is.
  virtual bool keeps_state() const { return false; }
  // The names of samples that it puts on the page of metrics: no other transform may have them.
  virtual std::vector<std::string> metric_names() const { return {}; }
  virtual std::unique_ptr<Stage> make_stage(const StageContext& context) const = 0;
  // Where it makes events of events: what it keeps of these until then (transform/gathering.h), and the
  // output at which the made ones come out. REQUIRES: in_order(). What it keeps outlasts a reload if
  // keeps_state().
  virtual std::unique_ptr<Gathering> make_gathering() const;
  virtual std::size_t made_output() const { return 0; }
  // Where it joins lines to events: after what time without another line an event is over
  // (transform/open_event.h). Its stages have a joint(). REQUIRES: in_order().
  virtual std::optional<Duration> joins_for() const { return std::nullopt; }
};

// What is wrong with a value of a transform's configuration.
struct TransformError {
  std::string key;            // "condition", "fields.ms"
  std::size_t at = SIZE_MAX;  // where in the value; SIZE_MAX: as a whole
  std::string message;
  std::string hint;
};
using TransformBuilt = std::variant<std::unique_ptr<Transform>, TransformError>;

// The error of an expression that is the value of `key`.
TransformError error_of(std::string key, const ExpressionError& error);

}  // namespace logflume
