#include "topology/graph.h"

#include <algorithm>
#include <system_error>

#include "checkpoint/rename.h"
#include "config/difference.h"
#include "source/handle_pool.h"
#include "topology/components.h"
#include "transform/window.h"

namespace logflume {
namespace {

// What is known of the first files is among the 64 MiB that the agent may take beside memory_limit: a small
// limit is enough for 10,000 of them.
constexpr std::size_t kFilesBesideBytes = 16 * 1024 * 1024;

// What may wait in memory for each sink: its buffer, but all of them together at most half of the memory that
// is not taken by what is known of files. What all of them encode has a quarter. The last quarter stays for
// reading, so that sinks which hang leave room for those that do not.
MemoryShare share_of(std::size_t memory, const SinkConfig& sink, double sum) {
  const auto own = static_cast<double>(sink.buffer.memory_bytes());
  const auto limit = static_cast<double>(memory);
  return {static_cast<std::uint64_t>(std::min(own, limit / 2 * own / sum)),
          static_cast<std::size_t>(limit / 4 * own / sum)};
}

double sum_of_buffers(const std::map<std::string, AnySinkConfig>& sinks) {
  double sum = 0;
  for (const auto& [name, any] : sinks) sum += static_cast<double>(common(any).buffer.memory_bytes());
  return sum;
}

std::string name_before(const Graph::FormerNames& formerly, const std::string& name) {
  const auto it = formerly.find(name);
  return it == formerly.end() ? std::string() : it->second;
}

// What cannot be made for want of descriptors is an error: a reload must not end the agent.
template <typename Make>
auto try_to_make(const std::string& what, Make make) -> Result<decltype(make())> try {
  return make();
} catch (const std::system_error& error) {
  return errno_error(error.code().value(), what);
}

Result<std::shared_ptr<EventLoop>> make_loop(const std::string& name) {
  return try_to_make("make the thread " + name,
                     [&] { return std::make_shared<EventLoop>(name.substr(0, 15)); });
}

void start(EventLoop& loop) {
  if (!loop.started()) loop.start();
}

}  // namespace

Graph::Graph(const Config& config, Services services, bool until_eof)
    : shared_(config, std::move(services)),
      until_eof_(until_eof),
      collector_(shared_.services.metrics.collect([this](MetricPage& page) { show_metrics(page); })) {
  shared_.files_changed = [this] { share_out(); };
}

Graph::~Graph() {
  stop_threads();
  // Sources and sinks go before what they refer to.
  sources_.clear();
  sinks_.clear();
}

void Graph::stop_threads() {
  collector_.reset();  // what it shows is about to go
  for (const auto& [name, unit] : sources_) unit->hide_from_audits();
  for (const auto& [name, unit] : sources_) unit->loop()->stop();
  for (const auto& [name, unit] : sinks_) unit->stop_threads();
}

bool Graph::all_acknowledged() const {
  return std::all_of(sinks_.begin(), sinks_.end(),
                     [](const auto& item) { return item.second->is_acknowledged(); });
}

// -- Change -----------------------------------------------------------------------------------------------

// In this order: what is new is opened beside the rest, and where that fails nothing has changed. Then what
// goes stops; its successors open; at last the sources that stay are connected with the sinks that came. A
// source that stays has always a way to some sink: its positions are there.
Result<void> Graph::change(const Config& next, const FormerNames& formerly, Duration patience) {
  const Going going = this->going(next);
  const auto made = source_loops(next);
  if (!made) return made.error();
  const auto& loops = *made;
  if (auto opened = open_beside(next, formerly, !going.sinks.empty(), loops); !opened) return opened;
  end(going, patience);

  Result<CheckpointContent> stored = CheckpointContent{};
  if (!formerly.empty()) {
    stored = this->stored();
    if (!stored) return stored.error();
    for (const auto& [to, from] : formerly) {
      if (!knows_component(*stored, from)) continue;
      auto renamed = shared_.services.checkpointer.commit_now(rename_component(*stored, from, to));
      if (!renamed) return renamed;
      shared_.services.log.info(to, "goes on where {} was", from);
    }
  }
  // With thousands of files it is megabytes.
  if (needs_stored(next)) stored = this->stored();
  if (!stored) return stored.error();

  for (const auto& [name, config] : next.sinks) {
    if (sinks_.contains(name)) continue;
    if (auto opened = open_sink(name, next, *stored, loops); !opened) return opened;
  }
  for (const auto& [name, config] : next.sources) {
    if (sources_.contains(name) || !wanted(next, name)) continue;
    if (auto opened = open_source(name, next, formerly, *stored, loops); !opened) return opened;
  }
  reconnect(next, formerly, *stored);
  settle(next, formerly);
  return {};
}

// Some component opens, or a source that stays gets another sink.
bool Graph::needs_stored(const Config& next) const {
  const auto opens = [](const auto& configured, const auto& running) {
    return std::any_of(configured.begin(), configured.end(),
                       [&](const auto& component) { return !running.contains(component.first); });
  };
  if (opens(next.sinks, sinks_) || opens(next.sources, sources_)) return true;
  return std::any_of(sources_.begin(), sources_.end(), [&](const auto& source) {
    return std::any_of(sinks_.begin(), sinks_.end(), [&](const auto& sink) {
      const auto way = ways_.find({source.first, sink.first});
      return feeds(next, source.first, sink.first) &&
             (way == ways_.end() || way->second != sink.second.get());
    });
  });
}

bool Graph::wanted(const Config& next, const std::string& source) const {
  // A source that nobody reads from is not opened: it could never be acknowledged.
  return next.sources.contains(source) &&
         std::any_of(next.sinks.begin(), next.sinks.end(),
                     [&](const auto& sink) { return feeds(next, source, sink.first); });
}

Graph::Going Graph::going(const Config& next) const {
  Going going;
  for (const auto& [name, unit] : sinks_) {
    const auto it = next.sinks.find(name);
    if (it == next.sinks.end() || !runs_as(unit->config(), it->second)) going.sinks.push_back(unit.get());
  }
  for (const auto& [name, unit] : sources_) {
    if (!wanted(next, name) || !runs_as(unit->config(), next.sources.at(name)))
      going.sources.push_back(unit.get());
  }
  return going;
}

// A source that takes another's place under its name takes its thread, where a sink may live too.
Result<std::map<std::string, Graph::Loop>> Graph::source_loops(const Config& next) const {
  std::map<std::string, Loop> loops;
  for (const auto& [name, config] : next.sources) {
    const auto unit = sources_.find(name);
    Result<Loop> loop = unit == sources_.end() ? make_loop("src:" + name) : unit->second->loop();
    if (!loop) return loop.error();
    loops[name] = std::move(*loop);
  }
  return loops;
}

// A sink that never blocks and is fed by one source which feeds no other shares the source's thread: the
// hand-over then costs neither a wake-up nor a cache miss. All others get a thread of their own.
Result<Graph::Loop> Graph::loop_for(const std::string& sink, const Config& next,
                                    const std::map<std::string, Loop>& loops) const {
  const AnySinkConfig& config = next.sinks.at(sink);
  std::vector<std::string> sources;
  for (const auto& [source, unused] : next.sources) {
    if (feeds(next, source, sink)) sources.push_back(source);
  }
  if (sources.size() == 1 && may_share_thread(config) && !common(config).buffer.on_disk()) {
    const auto of_source = [&](const auto& other) { return feeds(next, sources.front(), other.first); };
    if (std::count_if(next.sinks.begin(), next.sinks.end(), of_source) == 1) return loops.at(sources.front());
  }
  return make_loop("sink:" + sink);
}

// Sinks that are new, or fail without any harm. One that must wait for another to go (it writes the same
// file) opens after that.
Result<void> Graph::open_beside(const Config& next, const FormerNames& formerly, bool some_go,
                                const std::map<std::string, Loop>& loops) {
  std::vector<std::string> fresh;
  for (const auto& [name, config] : next.sinks) {
    if (!sinks_.contains(name) && !formerly.contains(name)) fresh.push_back(name);
  }
  if (fresh.empty()) return {};
  Result<CheckpointContent> stored = this->stored();
  if (!stored) return stored.error();
  for (const std::string& name : fresh) {
    auto opened = open_sink(name, next, *stored, loops);
    if (opened || (some_go && opened.error().code == Errc::kBusy)) continue;
    for (const std::string& other : fresh) take_sink(other);
    return opened;
  }
  return {};
}

Result<void> Graph::open_sink(const std::string& name, const Config& next, CheckpointContent& stored,
                              const std::map<std::string, Loop>& loops) {
  const AnySinkConfig& config = next.sinks.at(name);
  Result<Loop> loop = loop_for(name, next, loops);
  if (!loop) return loop.error();
  auto made = try_to_make("make the sink " + name, [&] {
    return std::make_unique<SinkUnit>(
        name, config, share_of(memory_for_sinks(), common(config), sum_of_buffers(next.sinks)),
        std::move(*loop), shared_);
  });
  if (!made) return made.error();
  std::unique_ptr<SinkUnit> unit = std::move(*made);
  if (auto opened = unit->open(stored, [this] { gave_up(); }); !opened) return opened;
  const std::lock_guard lock(mutex_);
  sinks_.emplace(name, std::move(unit));
  return {};
}

Result<void> Graph::open_source(const std::string& name, const Config& next, const FormerNames& formerly,
                                const CheckpointContent& stored, const std::map<std::string, Loop>& loops) {
  const std::string before = name_before(formerly, name);
  std::vector<Outlet> outlets;
  std::map<Way, SinkUnit*> ways;
  for (const auto& [sink, unit] : sinks_) {
    if (!feeds(next, name, sink)) continue;
    if (!before.empty()) unit->rename_source(before, name);
    outlets.push_back(outlet(*unit, name, formerly));
    ways[{name, sink}] = unit.get();
  }
  auto legacy = legacies_.find(before);
  if (legacy == legacies_.end()) legacy = legacies_.find(name);
  auto unit = std::make_unique<SourceUnit>(name, next.sources.at(name), loops.at(name), shared_);
  auto opened = unit->open({
      .outlets = std::move(outlets),
      .limits = limits(next),
      .stored = stored,
      .legacy = legacy == legacies_.end() ? nullptr : &legacy->second,
      .until_eof = until_eof_,
      .passage = passage(name, next, *loops.at(name)),
  });
  if (!opened) return opened;
  known_sources_.insert(name);
  sources_.emplace(name, std::move(unit));
  ways_.merge(ways);
  return {};
}

Outlet Graph::outlet(SinkUnit& sink, const std::string& source, const FormerNames& formerly) const {
  Outlet outlet = sink.connect(source);
  outlet.formerly = name_before(formerly, sink.name());
  return outlet;
}

void Graph::end(const Going& going, Duration patience) {
  const TimePoint end = steady_now() + patience;
  for (const auto& [name, source] : sources_) {
    for (const SinkUnit* sink : going.sinks) source->pause(sink->name());
  }
  for (SourceUnit* source : going.sources) source->source().stop_reading();
  for (SinkUnit* sink : going.sinks) {
    if (sink->runs()) sink->drain();
  }
  // What is durable in a buffer is not waited for, but for a moment where the sink has it already.
  const TimePoint hands_end = std::min(end, steady_now() + SinkUnit::kHandsPatience);
  const auto finished = [&] {
    return std::all_of(going.sources.begin(), going.sources.end(),
                       [](const SourceUnit* unit) { return !unit->runs() || unit->source().stopped(); }) &&
           std::all_of(going.sinks.begin(), going.sinks.end(), [](const SinkUnit* unit) {
             return !unit->runs() || unit->given_up() || unit->is_acknowledged();
           });
  };
  const auto at_rest = [&] {
    return std::all_of(going.sinks.begin(), going.sinks.end(), [](const SinkUnit* unit) {
      return !unit->runs() || unit->given_up() || unit->is_at_rest();
    });
  };
  const auto waits = [&] {
    const TimePoint now = steady_now();
    return finished() ? !at_rest() && now < hands_end : now < end;
  };
  for (Duration pause = 100us; waits(); pause = std::min<Duration>(pause * 2, 10ms))
    std::this_thread::sleep_for(pause);

  for (const SinkUnit* sink : going.sinks) {
    std::unique_ptr<SinkUnit> unit = take_sink(sink->name());
    for (auto& [name, legacy] : legacies_) legacy.forget(unit->ledger());
    unit->end();
    if (unit->ledger().inflight_batches() > 0) {
      shared_.services.log.warn(
          unit->name(),
          "{} bytes in {} batches were not acknowledged: who comes under this name reads them again",
          unit->ledger().inflight_bytes(), unit->ledger().inflight_batches());
    }
    ended_.push_back(std::move(unit));
  }
  for (const SourceUnit* source : going.sources) {
    const std::string name = source->name();
    legacies_.insert_or_assign(name, sources_.at(name)->end());
    sources_.erase(name);
    std::erase_if(ways_, [&](const auto& way) { return way.first.first == name; });
  }
}

// What is done with the events of a source; null: nothing.
std::unique_ptr<Passage> Graph::passage(const std::string& source, const Config& next, EventLoop& loop) {
  auto pipeline = std::make_shared<const Pipeline>(
      next.plan, source, StageServices{shared_.host, shared_.services.metrics, shared_.services.log});
  if (pipeline->steps().empty()) return nullptr;
  return std::make_unique<TransformWindow>(std::move(pipeline), shared_.services.metrics,
                                           shared_.services.log, shared_.workers, shared_.budget,
                                           loop.parker());
}

// Sources that stay, and the sinks that are theirs now. All at once on the source's thread: no event meets
// the one without the other.
void Graph::reconnect(const Config& next, const FormerNames& formerly, const CheckpointContent& stored) {
  for (const auto& [name, source] : sources_) {
    SourceUnit::Ways ways;
    std::vector<Way> gone;
    for (const auto& [sink, unit] : sinks_) {
      if (!feeds(next, name, sink)) continue;
      SinkUnit*& way = ways_[{name, sink}];
      if (way == unit.get()) continue;
      way = unit.get();
      const std::string before = name_before(formerly, sink);
      if (!before.empty()) ways_.erase({name, before});
      ways.come.push_back(outlet(*unit, name, formerly));
    }
    for (const auto& [way, unit] : ways_) {
      if (way.first != name) continue;
      const auto there = sinks_.find(way.second);
      if (there != sinks_.end() && there->second.get() == unit && feeds(next, name, way.second)) continue;
      gone.push_back(way);
      ways.go.push_back(way.second);
    }
    for (const Way& way : gone) ways_.erase(way);
    ways.passage = passage(name, next, *source->loop());
    source->change(std::move(ways), stored);
  }
}

// Nothing refers to what has ended any more.
void Graph::settle(const Config& next, const FormerNames& formerly) {
  ended_.clear();
  shared_.adjust(next);
  for (const auto& [name, unit] : sources_) {
    unit->set_limits(limits(next));
    legacies_.erase(name);
  }
  for (const auto& [to, from] : formerly) legacies_.erase(from);
  for (auto it = legacies_.begin(); it != legacies_.end();) {
    it->second.files.clear();
    it = it->second.all_acknowledged() ? legacies_.erase(it) : std::next(it);
  }
  for (const auto& [name, unit] : sinks_) {
    const AnySinkConfig& config = next.sinks.at(name);
    for (const std::string& source : known_sources_) {
      if (!ways_.contains({source, name})) unit->close(source);
    }
    const std::lock_guard lock(mutex_);
    unit->set_inputs(config);
  }
  std::erase_if(known_sources_, [&](const std::string& name) { return !sources_.contains(name); });
  transforms_.clear();
  for (const TransformPlan::Node& node : next.plan->nodes()) {
    transforms_.push_back(
        std::make_unique<HealthEntry>(shared_.services.health, node.name, "transform", node.type));
    transforms_.back()->ok();
  }
  share_out();
}

std::size_t Graph::memory_for_sinks() const {
  const std::size_t limit = shared_.budget.limit_bytes();
  return limit - std::min(shared_.files.used_bytes(), limit / 2);
}

void Graph::share_out() {
  const std::lock_guard lock(mutex_);
  double sum = 0;
  for (const auto& [name, unit] : sinks_)
    sum += static_cast<double>(common(unit->config()).buffer.memory_bytes());
  const std::size_t memory = memory_for_sinks();
  for (const auto& [name, unit] : sinks_) unit->set_share(share_of(memory, common(unit->config()), sum));
}

void Graph::run() {
  for (const auto& [name, unit] : sources_) {
    if (!unit->runs()) unit->run();
  }
  // After the sources: on a shared thread what was read is delivered in the same pass.
  for (const auto& [name, unit] : sinks_) {
    if (!unit->runs()) unit->run();
  }
  for (const auto& [name, unit] : sinks_) start(*unit->loop());
  for (const auto& [name, unit] : sources_) start(*unit->loop());
  for (const auto& [name, unit] : sources_) unit->answer_audits();
}

// What the store holds, and what it would hold if its disk let it.
Result<CheckpointContent> Graph::stored() {
  (void)shared_.services.checkpointer.commit_now();  // a failure is in the log and in its health
  Result<CheckpointContent> content = shared_.services.store.load();
  if (content) shared_.services.checkpointer.complete(*content);
  return content;
}

FileLimits Graph::limits(const Config& config) const {
  const std::size_t sources = config.sources.size();
  return {std::max<std::size_t>(1, open_files_allowed(config.max_open_files) / sources),
          std::max<std::size_t>(1, open_files_allowed(SIZE_MAX) / sources), kFilesBesideBytes / sources};
}

// -- What others look at ----------------------------------------------------------------------------------

std::unique_ptr<SinkUnit> Graph::take_sink(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto node = sinks_.extract(name);
  return node.empty() ? nullptr : std::move(node.mapped());
}

void Graph::gave_up() {
  {
    const std::lock_guard lock(mutex_);
    if (!std::all_of(sinks_.begin(), sinks_.end(), [](const auto& item) { return item.second->given_up(); }))
      return;
  }
  if (shared_.services.on_all_given_up) shared_.services.on_all_given_up();
}

void Graph::show_metrics(MetricPage& page) {
  page.gauge("logflume_memory_used_bytes", "Memory in slabs, rings and buffers.", {},
             static_cast<double>(shared_.budget.used_bytes()));
  page.gauge("logflume_memory_files_bytes", "Of it, for what is known of files.", {},
             static_cast<double>(shared_.files.used_bytes()));
  page.gauge("logflume_memory_limit_bytes", "memory_limit.", {},
             static_cast<double>(shared_.budget.limit_bytes()));
  const std::lock_guard lock(mutex_);
  for (const auto& [name, unit] : sinks_) {
    const Labels labels{{"component", name}};
    page.gauge("logflume_sink_inflight_bytes", "Bytes handed to the sink and not acknowledged.", labels,
               static_cast<double>(unit->ledger().inflight_bytes()));
    page.gauge("logflume_sink_inflight_batches", "Batches handed to the sink and not acknowledged.", labels,
               static_cast<double>(unit->ledger().inflight_batches()));
    page.gauge("logflume_ring_deliveries", "Deliveries in the rings to the sink.", labels,
               static_cast<double>(unit->deliveries_in_rings()));
    page.gauge("logflume_ring_capacity", "Capacity of the sink's rings, deliveries.", labels,
               static_cast<double>(unit->ring_capacity()));
  }
}

}  // namespace logflume
