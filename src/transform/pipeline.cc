#include "transform/pipeline.h"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <set>
#include <utility>

#include "transform/gathering_set.h"
#include "transform/made_events.h"
#include "transform/open_event.h"

namespace logflume {

Pipeline::Pipeline(std::shared_ptr<const TransformPlan> plan, std::string source, StageServices services)
    : plan_(std::move(plan)), source_(std::move(source)), services_(std::move(services)) {
  // Those that lead to somebody, or do something themselves.
  const auto& nodes = plan_->nodes();
  std::vector<bool> used(nodes.size(), false);
  for (std::size_t i = 0; i < nodes.size(); ++i) used[i] = nodes[i].transform->has_effect();
  for (const auto& [sink, ports] : plan_->sinks()) {
    for (const TransformPlan::Port& port : ports) {
      if (port.node != TransformPlan::Port::kSource) used[port.node] = true;
    }
  }
  for (std::size_t i = nodes.size(); i-- > 0;) {
    if (!used[i]) continue;
    for (const TransformPlan::Port& port : nodes[i].inputs) {
      if (port.node != TransformPlan::Port::kSource) used[port.node] = true;
    }
  }
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    if (!used[i]) continue;
    std::vector<std::size_t> inputs;
    for (const TransformPlan::Port& port : nodes[i].inputs) {
      const std::vector<std::size_t> frames = frames_of(port);
      inputs.insert(inputs.end(), frames.begin(), frames.end());
    }
    for (const std::size_t input : inputs) {
      Step step{i, input, {}, {}};
      for (std::size_t output = 0; output < nodes[i].outputs.size(); ++output) {
        step.outputs.push_back(frames_++);
        step.read.push_back(nodes[i].transform->has_effect() || plan_->is_read({i, output, {}}));
      }
      steps_.push_back(std::move(step));
    }
  }
  find_makers();
  find_joins();
  // What stages do when they are made is done before the first event.
  if (!steps_.empty()) unused_.push_back(std::make_unique<PipelineRun>(*this));
}

Pipeline::~Pipeline() = default;

void Pipeline::find_makers() {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const std::size_t node = steps_[i].node;
    const Transform& transform = *plan_->nodes()[node].transform;
    if (!makers_.empty() && makers_.back().node == node) {
      steps_[i].maker = makers_.size() - 1;
      continue;
    }
    if (!plan_->is_read({node, transform.made_output(), {}}) || !transform.make_gathering()) continue;
    steps_[i].maker = makers_.size();
    makers_.push_back({node, i, sinks_behind(i, transform.made_output())});
  }
}

void Pipeline::find_joins() {
  for (std::size_t i = 0; i < steps_.size(); ++i) {
    const auto timeout = plan_->nodes()[steps_[i].node].transform->joins_for();
    if (!timeout) continue;
    steps_[i].join = joins_.size();
    joins_.push_back({i, *timeout, sinks_behind(i, 0)});
  }
}

void Pipeline::close(const RunSurroundings& around, Duration quiet) const {
  for (std::size_t join = 0; join < joins_.size(); ++join) {
    if (joins_[join].timeout > quiet) continue;
    const std::unique_ptr<OpenEvent> over = std::move(around.open->by_join[join]);
    if (over) around.closed(join, std::move(*over));
  }
}

// In the order of their names, as the plan has them.
std::vector<std::string> Pipeline::sinks_behind(std::size_t step, std::size_t output) const {
  std::set<std::size_t> reached{steps_[step].outputs[output]};
  for (std::size_t next = step + 1; next < steps_.size(); ++next) {
    if (reached.contains(steps_[next].input))
      reached.insert(steps_[next].outputs.begin(), steps_[next].outputs.end());
  }
  std::vector<std::string> sinks;
  for (const auto& [sink, ports] : plan_->sinks()) {
    if (std::ranges::any_of(frames_of(sink), [&](std::size_t frame) { return reached.contains(frame); }))
      sinks.push_back(sink);
  }
  return sinks;
}

std::vector<std::size_t> Pipeline::frames_of(const TransformPlan::Port& port) const {
  if (port.node == TransformPlan::Port::kSource)
    return port.source == source_ ? std::vector<std::size_t>{0} : std::vector<std::size_t>{};
  std::vector<std::size_t> frames;
  for (const Step& step : steps_) {
    if (step.node == port.node) frames.push_back(step.outputs[port.output]);
  }
  return frames;
}

std::vector<std::size_t> Pipeline::frames_of(const std::string& sink) const {
  std::vector<std::size_t> all;
  for (const TransformPlan::Port& port : plan_->inputs_of(sink)) {
    const std::vector<std::size_t> frames = frames_of(port);
    all.insert(all.end(), frames.begin(), frames.end());
  }
  return all;
}

std::shared_ptr<PipelineRun> Pipeline::take_run() const {
  std::unique_ptr<PipelineRun> run;
  {
    const std::lock_guard lock(mutex_);
    if (!unused_.empty()) {
      run = std::move(unused_.back());
      unused_.pop_back();
    }
  }
  if (!run) run = std::make_unique<PipelineRun>(*this);
  return {run.release(), [self = shared_from_this()](PipelineRun* done) {
            std::unique_ptr<PipelineRun> kept(done);
            kept->clear();
            const std::lock_guard lock(self->mutex_);
            if (self->unused_.size() < kRunsKept) self->unused_.push_back(std::move(kept));
          }};
}

// -- One batch --------------------------------------------------------------------------------------------

PipelineRun::PipelineRun(const Pipeline& pipeline)
    : pipeline_(pipeline),
      frames_(pipeline.frames()),
      counts_(pipeline.steps().size()),
      reports_(pipeline.steps().size()) {
  for (const Pipeline::Step& step : pipeline.steps()) {
    const TransformPlan::Node& node = pipeline.plan().nodes()[step.node];
    stages_.push_back(node.transform->make_stage({pipeline.services(), node.name, node.wanted}));
  }
}

PipelineRun::~PipelineRun() = default;

void PipelineRun::run(BatchRef batch, bool again) {
  batch_ = std::move(batch);
  lines_.build(*batch_);
  Frame& root = frames_[0];
  root.clear();
  root.batch = batch_.get();
  root.lines = &lines_;
  root.again = again;
  root.rows.resize(lines_.size());
  std::iota(root.rows.begin(), root.rows.end(), 0U);
  root.count_bytes();
  views_used_ = 0;
  const auto& steps = pipeline_.steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!pipeline_.plan().nodes()[steps[i].node].in_order) run_step(i, {});
  }
}

void PipelineRun::run_in_order(const Surroundings& around) {
  const auto& steps = pipeline_.steps();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (pipeline_.plan().nodes()[steps[i].node].in_order) run_step(i, around);
  }
}

void PipelineRun::make(std::size_t maker, Gathering& gathered, bool again, const Surroundings& around) {
  const Pipeline::Maker& from = pipeline_.makers()[maker];
  const std::size_t output = pipeline_.plan().nodes()[from.node].transform->made_output();
  if (!made_) made_ = std::make_unique<MadeEvents>();
  gathered.make(*made_);
  made_->finish(pipeline_.source(), wall_now_ns(), again, lines_);
  begin_from(from.step, output, made_->batch(), made_->frame());
  run_behind(from.step, output, around);
}

void PipelineRun::join(std::size_t join, OpenEvent event, const Surroundings& around) {
  const std::size_t step = pipeline_.joins()[join].step;
  if (!joined_) joined_ = std::make_unique<JoinedEvent>();
  joined_->build(std::move(event), lines_);
  begin_from(step, 0, joined_->batch(), joined_->frame());
  run_behind(step, 0, around);
}

// What comes out there is `frame`, and nothing else has come to any step.
void PipelineRun::begin_from(std::size_t step, std::size_t output, const BatchRef& batch,
                             const Frame& frame) {
  batch_ = batch;
  for (Frame& empty : frames_) {
    empty.clear();
    empty.batch = batch_.get();
    empty.lines = &lines_;
    empty.again = frame.again;
  }
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    counts_[i] = {};
    reports_[i].clear();
  }
  views_used_ = 0;
  frames_[pipeline_.steps()[step].outputs[output]] = frame;
  counts_[step].created_events = counts_[step].sent_events = frame.rows.size();
  counts_[step].sent_bytes = frame.bytes;
}

void PipelineRun::run_behind(std::size_t step, std::size_t output, const Surroundings& around) {
  const auto& steps = pipeline_.steps();
  std::vector<bool> reached(frames_.size(), false);
  reached[steps[step].outputs[output]] = true;
  for (std::size_t i = step + 1; i < steps.size(); ++i) {
    if (!reached[steps[i].input]) continue;
    run_step(i, around);
    for (const std::size_t frame : steps[i].outputs) reached[frame] = true;
  }
}

void PipelineRun::run_step(std::size_t index, const Surroundings& around) {
  const Pipeline::Step& step = pipeline_.steps()[index];
  const Frame& in = frames_[step.input];
  Count& count = counts_[index];
  count = {};
  count.received_events = in.rows.size();
  count.received_bytes = in.bytes;
  reports_[index].clear();
  outputs_.resize(step.outputs.size());
  for (Frame& out : outputs_) {
    out.batch = in.batch;
    out.lines = in.lines;
    out.rows.clear();
    out.fields = in.fields;
    out.message_is_line = in.message_is_line;
    out.hidden = in.hidden;
    out.again = in.again;
    out.line_columns = in.line_columns;
    out.line_column = in.line_column;
  }
  const TimePoint begin = times_ == nullptr ? TimePoint{} : steady_now();
  Joint* const joint = step.join == Pipeline::kNone ? nullptr : stages_[index]->joint();
  if (joint != nullptr) joint->open = std::move(around.open->by_join[step.join]);
  stages_[index]->run(in, outputs_, reports_[index]);
  if (around.gatherings != nullptr && step.maker != Pipeline::kNone && !in.rows.empty())
    around.gatherings->add(step.maker, *stages_[index], in, *around.sinks, reports_[index]);
  if (times_ != nullptr) times_->at(index) = steady_now() - begin;
  for (std::size_t output = 0; output < outputs_.size(); ++output) {
    Frame& out = outputs_[output];
    if (out.rows.size() == in.rows.size() && out.line_column == in.line_column) {
      out.bytes = in.bytes;
    } else {
      out.count_bytes();
    }
    if (step.read[output]) {
      count.sent_events += out.rows.size();
      count.sent_bytes += out.bytes;
    } else {
      count.discarded_events += out.rows.size();
    }
    std::swap(frames_[step.outputs[output]], out);
  }
  count.discarded_events += reports_[index].discarded;
  const std::uint64_t accounted = count.sent_events + count.discarded_events;
  assert(accounted >= count.received_events);
  count.created_events = accounted - count.received_events;
  if (joint == nullptr) return;
  around.open->by_join[step.join] = std::move(joint->open);
  if (joint->closed) around.closed(step.join, std::move(*std::exchange(joint->closed, nullptr)));
}

const EventView& PipelineRun::view(const std::vector<std::size_t>& frames) {
  const auto made = std::find_if(views_.begin(), views_.begin() + static_cast<std::ptrdiff_t>(views_used_),
                                 [&](const auto& view) { return view->frames == frames; });
  if (made != views_.begin() + static_cast<std::ptrdiff_t>(views_used_)) return (*made)->view;
  if (views_used_ == views_.size()) views_.push_back(std::make_unique<View>());
  View& view = *views_[views_used_++];
  view.frames = frames;
  std::vector<const Frame*> shown;
  for (const std::size_t frame : frames) shown.push_back(&frames_[frame]);
  view.view.set(shown);
  return view.view;
}

std::size_t PipelineRun::memory_bytes() const {
  std::size_t bytes = sizeof *this + lines_.size() * sizeof(std::uint32_t);
  for (const Frame& frame : frames_)
    bytes += frame.rows.capacity() * sizeof(std::uint32_t) + frame.fields.capacity() * sizeof(FrameField);
  for (const auto& stage : stages_) bytes += stage->memory_bytes();
  return bytes + (made_ ? made_->memory_bytes() : 0) + (joined_ ? joined_->memory_bytes() : 0);
}

void PipelineRun::clear() {
  batch_ = nullptr;
  if (made_) made_->clear();
  if (joined_) joined_->clear();
}

}  // namespace logflume
