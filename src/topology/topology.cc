#include "topology/topology.h"

#include <algorithm>

#include "source/handle_pool.h"
#include "topology/components.h"
#include "topology/sink_unit.h"
#include "topology/source_unit.h"

namespace logflume {

struct Topology::Impl {
  Impl(const Config& config, Services services) : shared(config, std::move(services)) {}

  EventLoop& make_loop(const std::string& name) {
    return *loops.emplace_back(std::make_unique<EventLoop>(name.substr(0, 15)));
  }
  std::map<std::string, EventLoop*> place_threads(const Config& config);
  Result<void> add_sinks(const Config& config, const CheckpointContent& loaded);
  Result<void> add_sources(const Config& config, const CheckpointContent& loaded, bool until_eof,
                           const Legacy& legacy);
  void watch_metrics();
  void gave_up();
  bool all_acknowledged() const;

  Shared shared;
  std::vector<std::unique_ptr<EventLoop>> loops;
  std::map<std::string, EventLoop*> loop_of;  // by component
  std::vector<std::unique_ptr<SinkUnit>> sinks;
  std::vector<std::unique_ptr<SourceUnit>> sources;
  std::shared_ptr<MetricRegistry::Collector> collector;
};

// What may be in flight to each sink: its buffer, but all of them together at most half of the memory. The
// other half stays for reading, so that sinks which hang leave room for those that do not. A fifth of it is
// for lines that have just been written (SinkLedger::has_room_for_live()).
std::size_t inflight_max(const Config& config, const SinkConfig& sink) {
  std::uint64_t sum = 0;
  for (const auto& [name, any] : config.sinks) sum += common(any).buffer.max_bytes;
  const double share = std::min(1.0, static_cast<double>(config.memory_limit / 2) / static_cast<double>(sum));
  return static_cast<std::size_t>(0.8 * share * static_cast<double>(sink.buffer.max_bytes));
}

// A sink that never blocks and is fed by one source which feeds no other shares the source's thread: the
// hand-over then costs neither a wake-up nor a cache miss. All others get a thread of their own.
std::map<std::string, EventLoop*> Topology::Impl::place_threads(const Config& config) {
  std::map<std::string, std::size_t> sinks_of;
  for (const auto& [name, sink] : config.sinks) {
    for (const std::string& input : common(sink).inputs) ++sinks_of[input];
  }
  std::map<std::string, EventLoop*> placed;
  for (const auto& [name, source] : config.sources) placed[name] = &make_loop("src:" + name);
  for (const auto& [name, sink] : config.sinks) {
    const std::vector<std::string>& inputs = common(sink).inputs;
    const bool alone = inputs.size() == 1 && sinks_of[inputs.front()] == 1;
    placed[name] = alone && may_share_thread(sink) ? placed.at(inputs.front()) : &make_loop("sink:" + name);
  }
  return placed;
}

Result<void> Topology::Impl::add_sinks(const Config& config, const CheckpointContent& loaded) {
  for (const auto& [name, sink] : config.sinks) {
    sinks.push_back(std::make_unique<SinkUnit>(name, sink, inflight_max(config, common(sink)),
                                               *loop_of.at(name), shared));
  }
  for (const auto& unit : sinks) {
    if (auto opened = unit->open(loaded, [this] { gave_up(); }); !opened) return opened;
  }
  return {};
}

Result<void> Topology::Impl::add_sources(const Config& config, const CheckpointContent& loaded,
                                         bool until_eof, const Legacy& legacy) {
  const std::size_t open_files = open_files_allowed(config.max_open_files);
  if (open_files < config.max_open_files) {
    shared.services.log.warn(
        "topology",
        "max_open_files is {}, but the limit of open files (ulimit -n) leaves room for {}: more "
        "log files than that are read in turn",
        config.max_open_files, open_files);
  }
  for (const auto& [name, source] : config.sources) {
    std::vector<Outlet> outlets;
    for (const auto& sink : sinks) {
      if (sink->feeds_on(name)) outlets.push_back(sink->connect());
    }
    // A source that nobody reads from is not opened: it could never be acknowledged.
    if (outlets.empty()) continue;
    const auto left = legacy.find(name);
    auto unit = std::make_unique<SourceUnit>(name, source, *loop_of.at(name), shared);
    auto opened = unit->open({
        .outlets = std::move(outlets),
        .max_open_files = std::max<std::size_t>(1, open_files / config.sources.size()),
        .max_held_files = std::max<std::size_t>(1, open_files_allowed(SIZE_MAX) / config.sources.size()),
        .stored = loaded,
        .legacy = left != legacy.end() ? &left->second : nullptr,
        .until_eof = until_eof,
    });
    if (!opened) return opened;
    sources.push_back(std::move(unit));
  }
  for (const auto& unit : sources) unit->run();
  // After the sources: on a shared thread what was read is delivered in the same pass.
  for (const auto& unit : sinks) unit->run();
  return {};
}

void Topology::Impl::gave_up() {
  const bool all = std::all_of(sinks.begin(), sinks.end(), [](const auto& unit) { return unit->given_up(); });
  if (all && shared.services.on_all_given_up) shared.services.on_all_given_up();
}

void Topology::Impl::watch_metrics() {
  collector = shared.services.metrics.collect([this](MetricPage& page) {
    page.gauge("logflume_memory_used_bytes", "Memory in slabs, rings and buffers.", {},
               static_cast<double>(shared.budget.used_bytes()));
    page.gauge("logflume_memory_limit_bytes", "memory_limit.", {},
               static_cast<double>(shared.budget.limit_bytes()));
    for (const auto& unit : sinks) {
      const Labels labels{{"component", unit->name()}};
      page.gauge("logflume_sink_inflight_bytes", "Bytes handed to the sink and not acknowledged.", labels,
                 static_cast<double>(unit->ledger().inflight_bytes()));
      page.gauge("logflume_sink_inflight_batches", "Batches handed to the sink and not acknowledged.", labels,
                 static_cast<double>(unit->ledger().inflight_batches()));
      page.gauge("logflume_ring_deliveries", "Deliveries in the rings to the sink.", labels,
                 static_cast<double>(unit->inbox().size_approx()));
      page.gauge("logflume_ring_capacity", "Capacity of the sink's rings, deliveries.", labels,
                 static_cast<double>(unit->inbox().capacity()));
    }
  });
}

bool Topology::Impl::all_acknowledged() const {
  return std::all_of(sinks.begin(), sinks.end(),
                     [](const auto& unit) { return unit->ledger().inflight_batches() == 0; });
}

Topology::Topology() = default;

Result<std::unique_ptr<Topology>> Topology::build(const Config& config, Services services, bool until_eof,
                                                  const Legacy& legacy) {
  std::uint64_t damaged = 0;
  Result<CheckpointContent> loaded = services.store.load(&damaged);
  if (!loaded) return loaded.error();
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
  std::unique_ptr<Topology> topology(new Topology);
  topology->impl_ = std::make_unique<Impl>(config, services);
  Impl& impl = *topology->impl_;
  impl.loop_of = impl.place_threads(config);
  if (auto added = impl.add_sinks(config, *loaded); !added) return added.error();
  if (auto added = impl.add_sources(config, *loaded, until_eof, legacy); !added) return added.error();
  impl.watch_metrics();
  return topology;
}

Topology::~Topology() {
  if (!impl_) return;
  for (const auto& loop : impl_->loops) loop->stop();
  // Sources and sinks go before what they refer to.
  impl_->collector.reset();
  impl_->sources.clear();
  impl_->sinks.clear();
}

void Topology::start() {
  for (const auto& loop : impl_->loops) loop->start();
}

bool Topology::exhausted() const {
  return std::all_of(impl_->sources.begin(), impl_->sources.end(),
                     [](const auto& unit) { return unit->source().exhausted(); }) &&
         impl_->all_acknowledged();
}

bool Topology::stop(Duration timeout, const std::function<bool()>& hurry) {
  const TimePoint end = steady_now() + timeout;
  for (const auto& unit : impl_->sources) unit->source().stop_reading();
  for (const auto& unit : impl_->sinks) unit->drain();
  const auto finished = [this] {
    return std::all_of(impl_->sources.begin(), impl_->sources.end(),
                       [](const auto& unit) { return unit->source().stopped(); }) &&
           std::all_of(impl_->sinks.begin(), impl_->sinks.end(), [](const auto& unit) {
             return unit->given_up() || unit->ledger().inflight_batches() == 0;
           });
  };
  for (Duration pause = 100us; !finished() && steady_now() < end && !(hurry && hurry());
       pause = std::min<Duration>(pause * 2, 10ms)) {
    std::this_thread::sleep_for(pause);
  }
  const bool clean = finished() && impl_->all_acknowledged();
  for (const auto& loop : impl_->loops) loop->stop();
  if (!clean) {
    for (const auto& unit : impl_->sinks) {
      if (unit->ledger().inflight_batches() == 0) continue;
      if (unit->given_up() && impl_->shared.services.reader_may_leave) continue;
      impl_->shared.services.log.warn(
          unit->name(), "{} bytes in {} batches were not acknowledged{}", unit->ledger().inflight_bytes(),
          unit->ledger().inflight_batches(),
          impl_->shared.services.lasting ? ": the next start reads them again" : "");
    }
  }
  for (const auto& unit : impl_->sinks) {
    if (unit->ledger().inflight_batches() == 0) unit->at_rest();
  }
  const auto committed = impl_->shared.services.checkpointer.commit_now();
  if (!committed) impl_->shared.services.log.error("topology", "checkpoints: {}", committed.error().text());
  return clean && committed.has_value();
}

Topology::Legacy Topology::hand_over() {
  Legacy legacy;
  for (const auto& unit : impl_->sources) legacy.emplace(unit->name(), unit->source().hand_over());
  return legacy;
}

bool Topology::left_something() const {
  return std::any_of(impl_->sources.begin(), impl_->sources.end(),
                     [](const auto& unit) { return unit->source().left_something(); });
}

Topology::Progress Topology::progress() const {
  Progress progress;
  for (const auto& unit : impl_->sources) {
    progress.bytes_read += unit->bytes_read();
    progress.bytes_unread += unit->source().lag_bytes();
  }
  return progress;
}

}  // namespace logflume
