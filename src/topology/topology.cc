#include "topology/topology.h"

#include <algorithm>
#include <thread>

#include "checkpoint/rename.h"
#include "config/difference.h"
#include "source/handle_pool.h"
#include "topology/components.h"
#include "topology/graph.h"

namespace logflume {

namespace {

bool names_a_former_one(const Config& config) {
  const auto has_one = [](const auto& component) { return !former_name(component.second).empty(); };
  return std::any_of(config.sources.begin(), config.sources.end(), has_one) ||
         std::any_of(config.sinks.begin(), config.sinks.end(), has_one);
}

// One that was not loaded from a file has its transforms compiled here.
Result<Config> planned(const Config& config) {
  Config out = config;
  if (out.plan) return out;
  auto plan = plan_transforms(out);
  if (const auto* const errors = std::get_if<std::vector<PlanError>>(&plan)) {
    const PlanError& error = errors->front();
    return Error{Errc::kInvalidArgument, 0,
                 error.transform + ": " + error.error.key + ": " + error.error.message};
  }
  out.plan = std::get<std::shared_ptr<const TransformPlan>>(std::move(plan));
  return out;
}

}  // namespace

struct Topology::Impl {
  Impl(const Config& config, Services services, bool until_eof)
      : running(config), graph(config, std::move(services), until_eof) {}

  Result<CheckpointContent> load();
  Graph::FormerNames former_names(const Config& next, const CheckpointContent& stored);
  void warn_of_few_files(const Config& config);

  Config running;
  Graph graph;
  bool intact = true;
};

Topology::Topology() = default;
Topology::~Topology() = default;

Result<CheckpointContent> Topology::Impl::load() {
  const Services& services = graph.shared().services;
  std::uint64_t damaged = 0;
  Result<CheckpointContent> loaded = services.store.load(&damaged);
  if (!loaded) return loaded;
  services.metrics
      .counter("logflume_checkpoint_damaged_rows_total",
               "Rows of the checkpoint store that were not readable.")
      .add(damaged);
  if (damaged != 0) {
    services.log.error("checkpoints",
                       "{} damaged rows were set aside: what they stood for is read again (logflume "
                       "checkpoints list shows what is left)",
                       damaged);
  }
  return loaded;
}

void Topology::Impl::warn_of_few_files(const Config& config) {
  const std::size_t open_files = open_files_allowed(config.max_open_files);
  if (open_files >= config.max_open_files) return;
  graph.shared().services.log.warn(
      "topology",
      "max_open_files is {}, but the limit of open files (ulimit -n) leaves room for {}: more "
      "log files than that are read in turn",
      config.max_open_files, open_files);
}

// Who takes over from whom: each that says so and has nothing of its own yet, when there is something to
// take.
Graph::FormerNames Topology::Impl::former_names(const Config& next, const CheckpointContent& stored) {
  Graph::FormerNames names;
  const auto add = [&](const std::string& name, const std::string& formerly, bool runs, bool former_runs) {
    if (formerly.empty() || runs) return;
    if (!former_runs && !knows_component(stored, formerly)) return;
    if (knows_component(stored, name)) {
      graph.shared().services.log.warn(name, "does not go on where {} was: it has checkpoints of its own",
                                       formerly);
      return;
    }
    names[name] = formerly;
  };
  for (const auto& [name, config] : next.sources) {
    const std::string& formerly = former_name(config);
    add(name, formerly, graph.sources().contains(name), graph.sources().contains(formerly));
  }
  for (const auto& [name, config] : next.sinks) {
    const std::string& formerly = former_name(config);
    add(name, formerly, graph.sinks().contains(name), graph.sinks().contains(formerly));
  }
  return names;
}

Result<std::unique_ptr<Topology>> Topology::build(const Config& given, Services services, bool until_eof) {
  const Result<Config> with_plan = planned(given);
  if (!with_plan) return with_plan.error();
  const Config& config = *with_plan;
  std::unique_ptr<Topology> topology(new Topology);
  topology->impl_ = std::make_unique<Impl>(config, std::move(services), until_eof);
  Impl& impl = *topology->impl_;
  Graph::FormerNames names;
  {
    const Result<CheckpointContent> loaded = impl.load();
    if (!loaded) return loaded.error();
    names = impl.former_names(config, *loaded);
  }
  impl.warn_of_few_files(config);
  if (auto opened = impl.graph.change(config, names, Duration::zero()); !opened) return opened.error();
  warn_of_orphaned_buffers(config, impl.graph.shared());
  return topology;
}

void Topology::start() { impl_->graph.run(); }

Result<void> Topology::apply(const Config& given, Duration patience) {
  const Result<Config> with_plan = planned(given);
  if (!with_plan) return with_plan.error();
  Config next = *with_plan;
  next.plan = next.plan->with_state_of(*impl_->running.plan);
  const Services& services = impl_->graph.shared().services;
  Graph::FormerNames names;
  if (names_a_former_one(next)) {  // what is stored may be much
    const Result<CheckpointContent> loaded = services.store.load();
    if (!loaded) return loaded.error();
    names = impl_->former_names(next, *loaded);
  }
  auto changed = impl_->graph.change(next, names, patience);
  if (changed) {
    if (next.max_open_files != impl_->running.max_open_files) impl_->warn_of_few_files(next);
    impl_->running = next;
  } else {
    Graph::FormerNames back;
    for (const auto& [to, from] : names) back[from] = to;
    if (const auto restored = impl_->graph.change(impl_->running, back, Duration::zero()); !restored) {
      services.log.error("topology", "what ran does not start any more: {}", restored.error().text());
      impl_->intact = false;
    }
  }
  impl_->graph.run();
  return changed;
}

bool Topology::intact() const { return impl_->intact; }

bool Topology::exhausted() {
  const Graph& graph = impl_->graph;
  if (std::all_of(graph.sources().begin(), graph.sources().end(),
                  [](const auto& item) { return item.second->source().all_fed(); })) {
    for (const auto& [name, unit] : graph.sinks()) unit->stop_lingering();
  }
  return std::all_of(graph.sources().begin(), graph.sources().end(),
                     [](const auto& item) { return item.second->source().exhausted(); }) &&
         graph.all_acknowledged() &&
         std::all_of(graph.sinks().begin(), graph.sinks().end(),
                     [](const auto& item) { return item.second->buffer_is_empty(); });
}

bool Topology::stop(Duration timeout, const std::function<bool()>& hurry) {
  Graph& graph = impl_->graph;
  const Services& services = graph.shared().services;
  const TimePoint end = steady_now() + timeout;
  for (const auto& [name, unit] : graph.sources()) unit->source().stop_reading();
  for (const auto& [name, unit] : graph.sinks()) unit->drain();
  const auto finished = [&graph] {
    return std::all_of(graph.sources().begin(), graph.sources().end(),
                       [](const auto& item) { return item.second->source().stopped(); }) &&
           std::all_of(graph.sinks().begin(), graph.sinks().end(), [](const auto& item) {
             return item.second->given_up() || item.second->is_acknowledged();
           });
  };
  // What is durable in a buffer is not waited for, but for a moment where the sink has it already.
  const TimePoint hands_end = std::min(end, steady_now() + SinkUnit::kHandsPatience);
  const auto at_rest = [&graph] {
    return std::all_of(graph.sinks().begin(), graph.sinks().end(),
                       [](const auto& item) { return item.second->given_up() || item.second->is_at_rest(); });
  };
  const auto waits = [&] {
    const TimePoint now = steady_now();
    return finished() ? !at_rest() && now < hands_end : now < end;
  };
  for (Duration pause = 100us; waits() && !(hurry && hurry()); pause = std::min<Duration>(pause * 2, 10ms)) {
    std::this_thread::sleep_for(pause);
  }
  const bool clean = finished() && graph.all_acknowledged();
  graph.stop_threads();
  for (const auto& [name, unit] : graph.sinks()) {
    const bool done = unit->is_acknowledged();
    if (!done && !clean && !(unit->given_up() && services.reader_may_leave)) {
      services.log.warn(name, "{} bytes in {} batches were not acknowledged{}",
                        unit->ledger().inflight_bytes(), unit->ledger().inflight_batches(),
                        services.lasting ? ": the next start reads them again" : "");
    }
    unit->end();
  }
  const auto committed = services.checkpointer.commit_now();
  if (!committed) services.log.error("topology", "checkpoints: {}", committed.error().text());
  return clean && committed.has_value();
}

bool Topology::left_something() const {
  const Graph::Sources& sources = impl_->graph.sources();
  return std::any_of(sources.begin(), sources.end(),
                     [](const auto& item) { return item.second->source().left_something(); });
}

Topology::Progress Topology::progress() const {
  Progress progress;
  for (const auto& [name, unit] : impl_->graph.sources()) {
    progress.bytes_read += unit->bytes_read();
    progress.bytes_unread += unit->source().lag_bytes();
  }
  return progress;
}

}  // namespace logflume
