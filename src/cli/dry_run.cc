#include "cli/dry_run.h"

#include <cstdio>
#include <cstring>

#include "base/clock.h"
#include "sink/json_fields.h"
#include "transform/gathering_set.h"
#include "transform/open_event.h"
#include "transform/plan.h"

namespace logflume {
namespace {

constexpr const char* kInput = "(input)";
constexpr const char* kHost = "localhost";

}  // namespace

DryRun::DryRun(const Config& config, const std::string& insert_at)
    : source_(config.sources.contains(insert_at) ? insert_at : kInput) {
  TransformPlan::Transforms transforms = config.transforms;
  if (source_ == kInput) transforms.at(insert_at).set_inputs({kInput});
  // Each output is looked at, and each field wanted.
  TransformPlan::Sinks looks;
  for (const TransformPlan::Node& node : config.plan->nodes()) {
    for (const std::string& output : node.outputs) {
      const std::string name = output.empty() ? node.name : node.name + "." + output;
      looks[name] = {{name}, WantedFields{}};
    }
  }
  auto plan = TransformPlan::compile(transforms, looks);
  // They were compiled before, with the same fields known or more.
  if (auto* const errors = std::get_if<std::vector<PlanError>>(&plan))
    throw std::runtime_error(errors->front().transform + ": " + errors->front().error.message);
  pipeline_ =
      std::make_shared<const Pipeline>(std::get<std::shared_ptr<const TransformPlan>>(std::move(plan)),
                                       source_, StageServices{kHost, metrics_, log_});
}

void DryRun::run(const std::vector<std::string>& lines) {
  run_ = nullptr;
  made_.clear();
  text_.clear();
  for (const std::string& line : lines) text_.append(line).append(1, '\n');
  const std::size_t bytes = text_.size();
  text_.append(Slab::kPadBytes, '\0');
  auto* const batch = new Batch;
  const BatchRef shared(batch);
  batch->data = text_.data();
  batch->bytes = bytes;
  batch->events = static_cast<std::uint32_t>(lines.size());
  batch->origin = std::make_shared<const Origin>(Origin{source_, kInput, 1});
  batch->owed = batch->in_file = {0, bytes};
  batch->wall_ns = wall_now_ns();
  // A line may hold a newline: an event of several lines.
  std::size_t end = 0;
  for (const std::string& line : lines) {
    end += line.size();
    batch->event_ends.push_back(static_cast<std::uint32_t>(end++));
  }
  run_ = pipeline_->take_run();
  times_.assign(pipeline_->steps().size(), Duration{});
  run_->note_times(&times_);
  run_->run(shared, /*again=*/false);
  GatheringSet gatherings(*pipeline_);
  GatheringSet::Sinks looks;
  for (const auto& [name, inputs] : pipeline_->plan().sinks()) looks.push_back(name);
  OpenEvents open;
  open.by_join.resize(pipeline_->joins().size());
  PipelineRun::Surroundings around{&gatherings, &looks, &open};
  around.closed = [&](std::size_t join, OpenEvent event) {
    const auto run = pipeline_->take_run();
    run->note_times(nullptr);
    run->join(join, std::move(event), around);
    made_.push_back(run);
  };
  run_->run_in_order(around);
  // Nothing follows.
  pipeline_->close(around, Duration::max());
  gatherings.close(Gathering::kAll, [&](std::size_t maker, GatheringSet::Part& part) {
    made_.push_back(pipeline_->take_run());
    made_.back()->note_times(nullptr);
    made_.back()->make(maker, *part.gathered, part.again, around);
  });
}

std::vector<DryRun::Stage> DryRun::stages() const {
  std::vector<Stage> stages;
  for (std::size_t i = 0; i < pipeline_->steps().size(); ++i) {
    const Pipeline::Step& step = pipeline_->steps()[i];
    const TransformPlan::Node& node = pipeline_->plan().nodes()[step.node];
    Stage stage{node.name, node.type, run_->count(i), run_->report(i), times_[i], {}};
    for (const auto& made : made_) {
      stage.count.received_events += made->count(i).received_events;
      for (const auto& [reason, count] : made->report(i).errors)
        stage.report.errors.emplace_back(reason, count);
    }
    for (std::size_t output = 0; output < step.outputs.size(); ++output) {
      std::string name = node.name;
      if (!node.outputs[output].empty()) name.append(1, '.').append(node.outputs[output]);
      std::vector<const Frame*> frames;
      for (const auto& made : made_) {
        const Frame& frame = made->frame(step.outputs[output]);
        if (!frame.rows.empty()) frames.push_back(&frame);
      }
      const Frame& first = run_->frame(step.outputs[output]);
      if (frames.empty() || !first.rows.empty()) frames.insert(frames.begin(), &first);
      for (const Frame* frame : frames) stage.outputs.emplace_back(name, frame);
    }
    stages.push_back(std::move(stage));
  }
  return stages;
}

std::vector<const Frame*> DryRun::frames_of(const std::string& name) const {
  std::vector<const Frame*> frames;
  if (name == source_) frames.push_back(&run_->frame(0));
  for (const std::size_t frame : pipeline_->frames_of(name)) {
    frames.push_back(&run_->frame(frame));
    for (const auto& made : made_) frames.push_back(&made->frame(frame));
  }
  return frames;
}

std::vector<std::string> events_as_json(const Frame& frame, bool with_base) {
  Frame shown = frame;
  if (!with_base) shown.hidden = 0xf;
  EventView view;
  view.set({&shown});
  Batch batch(*frame.batch);
  batch.view = {std::shared_ptr<void>(), &view};
  BatchEvents all;
  all.build(batch);
  JsonFields fields(kHost, {});
  fields.begin(batch, all);
  std::vector<std::string> events;
  for (std::size_t i = 0; i < view.size(); ++i) fields.append(i, events.emplace_back());
  return events;
}

Result<std::vector<std::string>> read_lines(const std::string& path, std::size_t lines_max) {
  std::FILE* const file = path == "-" ? stdin : std::fopen(path.c_str(), "re");
  if (file == nullptr) return errno_error(path);
  std::vector<std::string> lines;
  char* line = nullptr;
  std::size_t room = 0;
  while (lines.size() < lines_max) {
    ssize_t size = ::getline(&line, &room, file);
    if (size < 0) break;
    if (size > 0 && line[size - 1] == '\n') --size;
    lines.emplace_back(line, static_cast<std::size_t>(size));
  }
  std::free(line);
  const bool failed = std::ferror(file) != 0;
  const int error = errno;
  if (file != stdin) std::fclose(file);
  if (failed) return errno_error(error, path);
  return lines;
}

}  // namespace logflume
