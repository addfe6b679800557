// Lines through the transforms of a configuration, and the fields of what comes out.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "event/newlines.h"
#include "expression/functions.h"
#include "transform/gathering_set.h"
#include "transform/open_event.h"
#include "transform/pipeline.h"
#include "transform/plan.h"

namespace logflume {

// Where the lines of a batch stand, and when they were read.
struct TestPlace {
  std::uint64_t file_id = 7;
  std::uint64_t begin = 0;
  std::int64_t wall_ns = 1767323045678000000;  // 2026-01-02T03:04:05.678Z
};

// A batch whose text stays as long as it.
class TestBatch {
 public:
  explicit TestBatch(const std::vector<std::string>& lines, const TestPlace& place = {}) {
    for (const std::string& line : lines) text_ += line + '\n';
    const std::size_t size = text_.size();
    text_.append(64, '"');  // what may be read behind it
    auto* const batch = new Batch;
    batch_ = BatchRef(batch);
    batch->data = text_.data();
    batch->bytes = size;
    batch->events = static_cast<std::uint32_t>(lines.size());
    batch->origin = std::make_shared<Origin>(Origin{"app", "/var/log/app.log", place.file_id});
    batch->owed = batch->in_file = {place.begin, place.begin + size};
    batch->text_begin = place.begin;
    batch->wall_ns = place.wall_ns;
  }
  const BatchRef& ref() const { return batch_; }

 private:
  std::string text_;
  BatchRef batch_;
};

using TestKeys = std::vector<std::pair<std::string, FieldValue>>;

// A transform that takes `input`, by the keys of its configuration.
inline AnyTransformConfig test_transform(const std::string& type, const std::string& input,
                                         const TestKeys& keys = {}) {
  for (const TransformType& one : transform_types()) {
    if (one.name != type) continue;
    AnyTransformConfig made = one.make();
    const auto set = [&](const std::string& key, const FieldValue& value) {
      for (const FieldDescription& field : one.description.fields) {
        if (field.name == key) return field.set(one.inner(made), value);
      }
      ADD_FAILURE() << type << " has no key " << key;
    };
    set("inputs", std::vector<std::string>{input});
    for (const auto& [key, value] : keys) set(key, value);
    return made;
  }
  ADD_FAILURE() << "no transform " << type;
  return transform_types()[0].make();
}

// Fields by their names, a key of an object as "object.key".
using TestEvent = std::map<std::string, std::string>;

// The transforms between a source "app" and a sink that takes what comes out of `last`.
class TestPipeline {
 public:
  static inline const PipelineRun::Sinks kSinks{"out"};

  TestPipeline(const TransformPlan::Transforms& transforms, const std::string& last) {
    auto plan = TransformPlan::compile(transforms, {{"out", {{last}, {}}}});
    if (const auto* const errors = std::get_if<std::vector<PlanError>>(&plan)) {
      for (const PlanError& error : *errors) {
        ADD_FAILURE() << error.transform << ": " << error.error.key << ": " << error.error.message;
        said_ += error.error.message;
      }
      return;
    }
    pipeline_ = std::make_shared<const Pipeline>(std::get<std::shared_ptr<const TransformPlan>>(plan), "app",
                                                 StageServices{"host1", *metrics_, *log_});
    gatherings_ = std::make_unique<GatheringSet>(*pipeline_);
  }

  std::vector<TestEvent> run(const TestBatch& batch, bool again = false) {
    run_ = pipeline_->take_run();
    run_->run(batch.ref(), again);
    std::vector<TestEvent> events;
    const PipelineRun::Surroundings around = surroundings(events);
    run_->run_in_order(around);
    for (TestEvent& event : events_of(*run_)) events.push_back(std::move(event));
    return events;
  }
  std::vector<TestEvent> run(const std::vector<std::string>& lines, const TestPlace& place = {}) {
    kept_.push_back(std::make_unique<TestBatch>(lines, place));
    return run(*kept_.back());
  }
  // What is made of what was gathered, of which the source knows when it is over.
  std::vector<TestEvent> made(std::int64_t now_ns = Gathering::kAll) {
    std::vector<TestEvent> events;
    gatherings_->close(now_ns, [&](std::size_t maker, GatheringSet::Part& part) {
      run_ = pipeline_->take_run();
      run_->make(maker, *part.gathered, part.again, surroundings(events));
      for (TestEvent& event : events_of(*run_)) events.push_back(std::move(event));
    });
    return events;
  }
  // What has been joined so far, when nothing follows.
  std::vector<TestEvent> joined() {
    std::vector<TestEvent> events;
    pipeline_->close(surroundings(events), Duration::max());
    return events;
  }
  // Events that were over go to `events`.
  PipelineRun::Surroundings surroundings(std::vector<TestEvent>& events) {
    open_.by_join.resize(pipeline_->joins().size());
    return {gatherings_.get(), &kSinks, &open_, [&](std::size_t join, OpenEvent event) {
              const auto run = pipeline_->take_run();
              run->join(join, std::move(event), surroundings(events));
              for (TestEvent& over : events_of(*run)) events.push_back(std::move(over));
            }};
  }
  GatheringSet& gatherings() { return *gatherings_; }
  const Pipeline& pipeline() const { return *pipeline_; }
  // As /metrics has it.
  std::string metrics() const { return metrics_->text(); }
  // Of the last run; REQUIRES: the transform has one step.
  const StageReport& report(const std::string& transform) const { return run_->report(step(transform)); }
  const PipelineRun::Count& count(const std::string& transform) const { return run_->count(step(transform)); }

 private:
  std::vector<TestEvent> events_of(PipelineRun& run) const {
    std::vector<TestEvent> events;
    const EventView& view = run.view(pipeline_->frames_of("out"));
    for (std::size_t i = 0; i < view.size(); ++i) {
      const EventView::Place place = view[i];
      const Frame& frame = *view.frames()[place.frame];
      TestEvent event;
      if (frame.message_is_line) event["message"] = std::string(view.line(i));
      for (const FrameField& field : frame.fields) {
        const FieldValueRef value = field.find(place.row);
        if (value.kind == ValueKind::kMissing) continue;
        std::string name(field.object);
        if (!name.empty()) name += '.';
        event[name + std::string(field.name)] = text_of(value);
      }
      events.push_back(std::move(event));
    }
    return events;
  }
  std::size_t step(const std::string& transform) const {
    for (std::size_t i = 0; i < pipeline_->steps().size(); ++i) {
      if (pipeline_->plan().nodes()[pipeline_->steps()[i].node].name == transform) return i;
    }
    ADD_FAILURE() << "no step of " << transform;
    return 0;
  }
  static std::string text_of(const FieldValueRef& value) {
    switch (value.kind) {
      case ValueKind::kMissing:
      case ValueKind::kNull:
        return "null";
      case ValueKind::kBool:
        return value.slot.integer != 0 ? "true" : "false";
      case ValueKind::kInt:
        return std::to_string(value.slot.integer);
      case ValueKind::kDouble:
        return to_text(Value::of(value.slot.real));
      case ValueKind::kTimestamp:
        return to_text(Value::make(Value::Tag::kTimestamp, value.slot.integer));
      case ValueKind::kDuration:
        return to_text(Value::make(Value::Tag::kDuration, value.slot.integer));
      case ValueKind::kString:
      case ValueKind::kNumber:
      case ValueKind::kJson:
        break;
    }
    return std::string(value.text());
  }

  std::string said_;
  std::unique_ptr<MetricRegistry> metrics_ = std::make_unique<MetricRegistry>();
  std::unique_ptr<Log> log_ = std::make_unique<Log>(LogLevel::kOff);
  std::shared_ptr<const Pipeline> pipeline_;
  std::unique_ptr<GatheringSet> gatherings_;
  OpenEvents open_;
  std::vector<std::unique_ptr<TestBatch>> kept_;
  std::shared_ptr<PipelineRun> run_;
};

}  // namespace logflume
