// The transforms of a configuration, compiled and put in order: which way events go from each source to each
// sink.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "transform/registry.h"
#include "transform/transform.h"

namespace logflume {

// A sink, or whoever else is at the end.
struct PlannedSink {
  std::vector<std::string> inputs;
  WantedFields wanted;  // of the events
};

// An error of one transform.
struct PlanError {
  std::string transform;
  TransformError error;
};

// Threads: immutable; any.
class TransformPlan {
 public:
  // An output of a node; of a source when `node` is kSource.
  struct Port {
    static constexpr std::size_t kSource = SIZE_MAX;
    std::size_t node = kSource;
    std::size_t output = 0;
    std::string source;  // its name, if it is one
    bool operator==(const Port&) const = default;
  };
  struct Node {
    std::string name;
    std::string type;
    AnyTransformConfig config;
    FieldSchema in;  // of all its inputs
    std::shared_ptr<const Transform> transform;
    std::vector<Port> inputs;
    std::vector<std::string> outputs;
    WantedFields wanted;               // of all its outputs
    std::vector<FieldSchema> schemas;  // by output
    bool in_order = false;             // it, or what comes before it, goes by the order of the source
  };
  // Of what a source gives.
  static FieldSchema source_schema();

  using Transforms = std::map<std::string, AnyTransformConfig>;
  using Sinks = std::map<std::string, PlannedSink>;
  // REQUIRES: inputs name something that is there, and form no cycle; what is neither a transform nor its
  // output is a source.
  static std::variant<std::shared_ptr<const TransformPlan>, std::vector<PlanError>> compile(
      const Transforms& transforms, const Sinks& sinks);

  // The same, but for transforms that keep state and were the same before: these are those of `before`.
  std::shared_ptr<const TransformPlan> with_state_of(const TransformPlan& before) const;

  const std::vector<Node>& nodes() const { return nodes_; }  // each behind its inputs
  // Of a sink; empty when there is none of that name.
  const std::vector<Port>& inputs_of(const std::string& sink) const;
  // What is known of the events that a sink gets.
  FieldSchema schema_of(const std::string& sink) const;
  const std::map<std::string, std::vector<Port>>& sinks() const { return sinks_; }
  // By the name of a transform or of an output of it; nothing where there is none.
  std::optional<Port> find(std::string_view name) const;
  // Some transform or sink takes what comes out there.
  bool is_read(const Port& port) const;
  // Whether events of this source reach that sink.
  bool feeds(const std::string& source, const std::string& sink) const;
  // ... or that node.
  bool reaches(const std::string& source, std::size_t node) const;

 private:
  Port resolve(const std::string& input) const;
  bool reaches(const std::string& source, const Port& port) const;

  std::vector<Node> nodes_;
  std::map<std::string, std::vector<Port>> sinks_;
};

// The output of a component that `input` names, when it is no component itself: "split.err" -> split, err.
// Nothing where there is no dot.
std::pair<std::string_view, std::string_view> split_output(std::string_view input);

}  // namespace logflume
