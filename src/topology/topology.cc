#include "topology/topology.h"

#include <fmt/format.h>
#include <unistd.h>

#include "event/slab.h"
#include "io/event_loop.h"
#include "sink/sink.h"
#include "source/handle_pool.h"
#include "source/source.h"
#include "source/token_bucket.h"
#include "topology/components.h"

namespace logflume {
namespace {

std::string host_name() {
  char name[256] = {};
  if (::gethostname(name, sizeof name - 1) != 0) return "localhost";
  return name;
}

}  // namespace

// One sink and all that belongs to it, in the order in which it must go.
struct SinkUnit {
  SinkUnit(const std::string& component, const SinkConfig& config, std::string_view type,
           std::size_t inflight_max, Services& services)
      : name(component),
        inputs(config.inputs),
        ledger(component, inflight_max,
               [&checkpointer = services.checkpointer] { checkpointer.mark_dirty(); }),
        metrics(services.metrics, component),
        health(services.health, component, "sink", std::string(type)),
        outcome(ledger, metrics) {}

  const std::string name;
  const std::vector<std::string> inputs;
  SinkLedger ledger;
  ComponentMetrics metrics;
  HealthEntry health;
  Inbox inbox;
  Outcome outcome;
  EventLoop* loop = nullptr;
  std::atomic<bool> given_up{false};
  std::unique_ptr<Sink> sink;
};

struct SourceUnit {
  SourceUnit(const std::string& component, std::string_view type, Services& services)
      : name(component),
        metrics(services.metrics, component),
        health(services.health, component, "source", std::string(type)) {}

  const std::string name;
  ComponentMetrics metrics;
  HealthEntry health;
  EventLoop* loop = nullptr;
  std::unique_ptr<Source> source;
  Checkpointer::SourceId records = 0;
};

struct Topology::Impl {
  Impl(const Config& config, Services s) : services(s), budget(config.memory_limit), slabs(budget) {
    if (config.rate_limit) global_rate = std::make_unique<TokenBucket>(*config.rate_limit);
  }

  EventLoop& make_loop(const std::string& name) {
    return *loops.emplace_back(std::make_unique<EventLoop>(name.substr(0, 15)));
  }
  SinkUnit* find_sink(const std::string& name) {
    const auto it =
        std::find_if(sinks.begin(), sinks.end(), [&](const auto& unit) { return unit->name == name; });
    return it == sinks.end() ? nullptr : it->get();
  }
  Result<void> add_sinks(const Config& config, const CheckpointContent& loaded);
  Result<void> add_sources(const Config& config, const CheckpointContent& loaded, bool until_eof,
                           const Legacy& legacy);
  void place_threads(const Config& config);
  void watch_metrics();
  void give_up(SinkUnit& sink, std::string_view why);
  bool all_acknowledged() const;

  Services services;
  MemoryBudget budget;
  OutputRegistry outputs;
  SlabPool slabs;
  std::unique_ptr<TokenBucket> global_rate;
  std::vector<std::unique_ptr<EventLoop>> loops;
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
void Topology::Impl::place_threads(const Config& config) {
  std::map<std::string, std::size_t> sinks_of;
  for (const auto& unit : sinks) {
    for (const std::string& input : unit->inputs) ++sinks_of[input];
  }
  for (const auto& unit : sources) unit->loop = &make_loop("src:" + unit->name);
  for (const auto& unit : sinks) {
    const bool alone = unit->inputs.size() == 1 && sinks_of[unit->inputs.front()] == 1;
    if (alone && may_share_thread(config.sinks.at(unit->name))) {
      const auto source = std::find_if(sources.begin(), sources.end(),
                                       [&](const auto& s) { return s->name == unit->inputs.front(); });
      unit->loop = (*source)->loop;
    } else {
      unit->loop = &make_loop("sink:" + unit->name);
    }
  }
}

Result<void> Topology::Impl::add_sinks(const Config& config, const CheckpointContent& loaded) {
  for (const auto& [name, any] : config.sinks) {
    sinks.push_back(std::make_unique<SinkUnit>(name, common(any), type_name(any),
                                               inflight_max(config, common(any)), services));
  }
  for (const auto& [name, any] : config.sources) {
    sources.push_back(std::make_unique<SourceUnit>(name, type_name(any), services));
  }
  place_threads(config);
  const std::string host = host_name();
  for (const auto& unit : sinks) {
    services.checkpointer.add_ledger(unit->ledger);
    SinkContext context{unit->name,
                        unit->inbox,
                        unit->outcome,
                        unit->metrics,
                        unit->health,
                        services.log,
                        *unit->loop,
                        slabs,
                        budget,
                        outputs,
                        host,
                        [this] { return services.checkpointer.commit_now(); },
                        [this, sink = unit.get()](std::string_view why) { give_up(*sink, why); },
                        {}};
    for (const SinkStateRecord& state : loaded.states) {
      if (state.sink == unit->name) context.states.push_back(state);
    }
    unit->sink = make_sink(config.sinks.at(unit->name), std::move(context));
    if (auto opened = unit->sink->open(); !opened) {
      Error error = opened.error();
      error.message = fmt::format("sink {}: {}", unit->name, error.message);
      return error;
    }
  }
  return {};
}

Result<void> Topology::Impl::add_sources(const Config& config, const CheckpointContent& loaded,
                                         bool until_eof, const Legacy& legacy) {
  const std::size_t open_files = open_files_allowed(config.max_open_files);
  if (open_files < config.max_open_files) {
    services.log.warn(
        "topology",
        "max_open_files is {}, but the limit of open files (ulimit -n) leaves room for {}: more "
        "log files than that are read in turn",
        config.max_open_files, open_files);
  }
  for (const auto& unit : sources) {
    std::vector<Outlet> outlets;
    for (const auto& sink : sinks) {
      if (std::find(sink->inputs.begin(), sink->inputs.end(), unit->name) == sink->inputs.end()) continue;
      outlets.push_back({sink->name, sink->ledger, sink->inbox.open(), sink->loop->parker()});
    }
    SourceContext context{
        .name = unit->name,
        .outlets = std::move(outlets),
        .metrics = unit->metrics,
        .health = unit->health,
        .log = services.log,
        .loop = *unit->loop,
        .slabs = slabs,
        .global_rate = global_rate.get(),
        .max_open_files = std::max<std::size_t>(1, open_files / config.sources.size()),
        .max_held_files = std::max<std::size_t>(1, open_files_allowed(SIZE_MAX) / config.sources.size()),
        .next_file_id = [&store = services.store] { return store.next_file_id(); },
        .mark_dirty = [&checkpointer = services.checkpointer] { checkpointer.mark_dirty(); },
        .checkpoint = loaded,
        .until_eof = until_eof,
    };
    if (const auto left = legacy.find(unit->name); left != legacy.end()) context.legacy = &left->second;
    // A source that nobody reads from is not opened: it could never be acknowledged.
    if (context.outlets.empty()) continue;
    unit->source = make_source(config.sources.at(unit->name), std::move(context));
    if (auto opened = unit->source->open(); !opened) {
      Error error = opened.error();
      error.message = fmt::format("source {}: {}", unit->name, error.message);
      return error;
    }
    unit->records = services.checkpointer.add_source(
        [source = unit->source.get()](CheckpointChanges& changes) { source->collect(changes); });
    unit->loop->add(*unit->source);
  }
  std::erase_if(sources, [](const auto& unit) { return !unit->source; });
  // After the sources: on a shared thread what was read is delivered in the same pass.
  for (const auto& unit : sinks) unit->loop->add(*unit->sink);
  return {};
}

void Topology::Impl::give_up(SinkUnit& sink, std::string_view why) {
  if (!services.reader_may_leave) services.log.error(sink.name, "{}: nothing more is written", why);
  sink.given_up.store(true);
  const bool all =
      std::all_of(sinks.begin(), sinks.end(), [](const auto& unit) { return unit->given_up.load(); });
  if (all && services.on_all_given_up) services.on_all_given_up();
}

void Topology::Impl::watch_metrics() {
  collector = services.metrics.collect([this](MetricPage& page) {
    page.gauge("logflume_memory_used_bytes", "Memory in slabs, rings and buffers.", {},
               static_cast<double>(budget.used_bytes()));
    page.gauge("logflume_memory_limit_bytes", "memory_limit.", {}, static_cast<double>(budget.limit_bytes()));
    for (const auto& unit : sinks) {
      const Labels labels{{"component", unit->name}};
      page.gauge("logflume_sink_inflight_bytes", "Bytes handed to the sink and not acknowledged.", labels,
                 static_cast<double>(unit->ledger.inflight_bytes()));
      page.gauge("logflume_sink_inflight_batches", "Batches handed to the sink and not acknowledged.", labels,
                 static_cast<double>(unit->ledger.inflight_batches()));
      page.gauge("logflume_ring_deliveries", "Deliveries in the rings to the sink.", labels,
                 static_cast<double>(unit->inbox.size_approx()));
      page.gauge("logflume_ring_capacity", "Capacity of the sink's rings, deliveries.", labels,
                 static_cast<double>(unit->inbox.capacity()));
    }
  });
}

bool Topology::Impl::all_acknowledged() const {
  return std::all_of(sinks.begin(), sinks.end(),
                     [](const auto& unit) { return unit->ledger.inflight_batches() == 0; });
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
  if (auto added = impl.add_sinks(config, *loaded); !added) return added.error();
  if (auto added = impl.add_sources(config, *loaded, until_eof, legacy); !added) return added.error();
  impl.watch_metrics();
  return topology;
}

Topology::~Topology() {
  if (!impl_) return;
  for (const auto& loop : impl_->loops) loop->stop();
  for (const auto& unit : impl_->sources) {
    if (unit->records != 0) impl_->services.checkpointer.remove_source(unit->records);
  }
  // Sources and sinks go before what they refer to; what is still in the inboxes goes with them,
  // unacknowledged.
  for (const auto& unit : impl_->sources) unit->source.reset();
  for (const auto& unit : impl_->sinks) {
    unit->sink.reset();
    impl_->services.checkpointer.remove_ledger(unit->ledger);
  }
  impl_->collector.reset();
  impl_->sources.clear();
  impl_->sinks.clear();
}

void Topology::start() {
  for (const auto& loop : impl_->loops) loop->start();
}

bool Topology::exhausted() const {
  return std::all_of(impl_->sources.begin(), impl_->sources.end(),
                     [](const auto& unit) { return unit->source->exhausted(); }) &&
         impl_->all_acknowledged();
}

bool Topology::stop(Duration timeout, const std::function<bool()>& hurry) {
  const TimePoint end = steady_now() + timeout;
  for (const auto& unit : impl_->sources) unit->source->stop_reading();
  for (const auto& unit : impl_->sinks) {
    unit->loop->post([sink = unit->sink.get()] { sink->drain(); });
  }
  const auto finished = [this] {
    return std::all_of(impl_->sources.begin(), impl_->sources.end(),
                       [](const auto& unit) { return unit->source->stopped(); }) &&
           std::all_of(impl_->sinks.begin(), impl_->sinks.end(), [](const auto& unit) {
             return unit->given_up.load() || unit->ledger.inflight_batches() == 0;
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
      if (unit->ledger.inflight_batches() == 0) continue;
      if (unit->given_up.load() && impl_->services.reader_may_leave) continue;
      impl_->services.log.warn(unit->name, "{} bytes in {} batches were not acknowledged{}",
                               unit->ledger.inflight_bytes(), unit->ledger.inflight_batches(),
                               impl_->services.lasting ? ": the next start reads them again" : "");
    }
  }
  for (const auto& unit : impl_->sinks) {
    if (unit->ledger.inflight_batches() == 0) unit->sink->at_rest();
  }
  const auto committed = impl_->services.checkpointer.commit_now();
  if (!committed) impl_->services.log.error("topology", "checkpoints: {}", committed.error().text());
  return clean && committed.has_value();
}

Topology::Legacy Topology::hand_over() {
  Legacy legacy;
  for (const auto& unit : impl_->sources) legacy.emplace(unit->name, unit->source->hand_over());
  return legacy;
}

bool Topology::left_something() const {
  return std::any_of(impl_->sources.begin(), impl_->sources.end(),
                     [](const auto& unit) { return unit->source->left_something(); });
}

Topology::Progress Topology::progress() const {
  Progress progress;
  for (const auto& unit : impl_->sources) {
    progress.bytes_read += unit->metrics.received_bytes.value();
    progress.bytes_unread += unit->source->lag_bytes();
  }
  return progress;
}

}  // namespace logflume
