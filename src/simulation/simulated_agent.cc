#include "simulation/simulated_agent.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "sink/file_sink.h"

namespace logflume {
namespace {

constexpr Duration kCommitInterval = 900ms;
constexpr std::size_t kBudgetBytes = 64 * 1024 * 1024;

}  // namespace

SimulatedAgent::SinkUnit::SinkUnit(SimulatedAgent& agent, const std::string& n,
                                   std::size_t inflight_bytes_max)
    : name(n),
      ledger(n, inflight_bytes_max, [&agent] { agent.dirty_ = true; }),
      metrics(agent.registry_, n),
      health(agent.board_, n, "sink", "simulated"),
      outcome(ledger, metrics),
      pending(agent.registry_.gauge("logflume_component_pending_events", "", {{"component", n}})),
      lanes(inbox.open("app")) {}

SinkContext SimulatedAgent::SinkUnit::context(SimulatedAgent& agent, const CheckpointContent& stored) {
  std::vector<SinkStateRecord> states;
  for (const SinkStateRecord& state : stored.states) {
    if (state.sink == name) states.push_back(state);
  }
  return SinkContext{name,
                     inbox,
                     outcome,
                     metrics,
                     health,
                     agent.log_,
                     agent.loop_,
                     agent.slabs_,
                     agent.budget_,
                     agent.outputs_,
                     agent.world_.disk,
                     "host",
                     [&agent] { return agent.commit_for_output(); },
                     {},
                     std::move(states)};
}

std::optional<std::string> SimulatedAgent::SinkUnit::wrong() const {
  const std::uint64_t received = metrics.received_events.value();
  const std::uint64_t sent = metrics.sent_events.value();
  const std::uint64_t discarded = metrics.registry
                                      .counter("logflume_component_discarded_events_total", "",
                                               {{"component", name}, {"reason", "rejected"}})
                                      .value();
  const auto waiting = static_cast<std::uint64_t>(pending.value());
  if (received == sent + discarded + waiting) return std::nullopt;
  return fmt::format("{} received {} events, sent {}, discarded {}, and {} are pending", name, received, sent,
                     discarded, waiting);
}

SimulatedAgent::SimulatedAgent(SimulatedWorld& world)
    : world_(world),
      log_(world.talks ? LogLevel::kDebug : LogLevel::kOff),
      checkpoint_health_(board_, "checkpoints", "core", "checkpoints"),
      budget_(kBudgetBytes),
      slabs_(budget_),
      loop_("simulation") {}

SimulatedAgent::~SimulatedAgent() {
  source_.reset();
  for (const auto& unit : sinks_) unit->sink.reset();
}

Result<std::unique_ptr<SimulatedAgent>> SimulatedAgent::start(SimulatedWorld& world, TimePoint now) {
  std::unique_ptr<SimulatedAgent> agent(new SimulatedAgent(world));
  agent->commit_at_ = now + kCommitInterval;
  if (auto opened = agent->open(); !opened) return std::move(opened).error();
  return agent;
}

Result<void> SimulatedAgent::open() {
  if (auto made = make_directories(world_.disk, kDataDir); !made) return made;
  auto store = CheckpointStore::open(kDataDir, world_.disk);
  if (!store) return std::move(store).error();
  store_ = std::move(*store);
  const auto stored = store_->load();
  if (!stored) return stored.error();
  for (const FileRecord& file : stored->files) {
    for (const CursorRecord& cursor : stored->cursors) {
      if (cursor.file_id != file.id) continue;
      log_.debug("simulation", "loaded: {} has file {} up to {}", cursor.sink, file.inode, cursor.offset);
    }
  }
  checkpointer_ =
      std::make_unique<Checkpointer>([this](const CheckpointChanges& changes) { return commit(changes); },
                                     registry_, checkpoint_health_, log_);
  for (const char* name : {kFileSink, kRemoteSink}) {
    sinks_.push_back(std::make_unique<SinkUnit>(*this, name, world_.inflight_bytes_max));
    checkpointer_->add_ledger(sinks_.back()->ledger);
  }
  FileSinkConfig config;
  config.encoding = Encoding::kRaw;
  config.path = world_.output_path;
  config.max_open_files = world_.max_open_files;
  config.retry = {1ms, 1ms};  // without jitter
  sinks_[0]->sink = make_file_sink(config, sinks_[0]->context(*this, *stored));
  auto remote = std::make_unique<ModelRemoteSink>(sinks_[1]->context(*this, *stored), world_.random,
                                                  world_.server, world_.remote);
  remote_ = remote.get();
  sinks_[1]->sink = std::move(remote);
  std::vector<Outlet> outlets;
  for (const auto& unit : sinks_) {
    if (auto opened = unit->sink->open(); !opened) return opened;
    outlets.push_back({unit->name, &unit->ledger, &unit->lanes, &loop_.parker(), {}});
  }
  source_ = std::make_unique<ModelSource>(
      ModelSourceContext{world_.random, world_.logs, slabs_, std::move(outlets),
                         [this] { return store_->next_file_id(); }, [this] { dirty_ = true; }});
  source_->open(*stored);
  checkpointer_->add_source([this](CheckpointChanges& changes) { source_->collect(changes); });
  return {};
}

// What is acknowledged by now is durable on success, as far as its cursor has come.
Result<void> SimulatedAgent::commit(const CheckpointChanges& changes) {
  auto committed = store_->commit(changes);
  if (!committed) return committed;
  world_.on_committed(changes);
  std::erase_if(remote_->acknowledged(), [&](const ModelRemoteSink::Acknowledged& done) {
    if (done.cursor->acked_offset() < done.end) return false;
    world_.server.acknowledged_durably(done.lines);
    return true;
  });
  return {};
}

Result<void> SimulatedAgent::commit_for_output() {
  auto committed = checkpointer_->commit_now();
  if (!committed) world_.on_output_at_risk();
  return committed;
}

std::size_t SimulatedAgent::step(TimePoint now) {
  switch (world_.random.below(5)) {
    case 0:
      return source_->do_work(now);
    case 1:
    case 2:
      return sinks_[0]->sink->do_work(now);
    case 3:
      return sinks_[1]->sink->do_work(now);
    default:
      if (!dirty_ || now < commit_at_) return 0;
      dirty_ = false;
      commit_at_ = now + kCommitInterval;
      if (!checkpointer_->commit_now()) dirty_ = true;
      return 1;
  }
}

TimePoint SimulatedAgent::deadline() const {
  TimePoint at = dirty_ ? commit_at_ : kNever;
  for (const auto& unit : sinks_) at = std::min(at, unit->sink->deadline());
  return at;
}

bool SimulatedAgent::idle() const {
  return !dirty_ && source_->exhausted() && std::all_of(sinks_.begin(), sinks_.end(), [](const auto& unit) {
    return unit->ledger.inflight_batches() == 0;
  });
}

void SimulatedAgent::stop(TimePoint now) {
  source_->stop();
  for (const auto& unit : sinks_) unit->sink->drain();
  for (int i = 0; i < 20; ++i) {
    for (const auto& unit : sinks_) unit->sink->do_work(now);
    now += 10ms;
  }
  for (const auto& unit : sinks_) {
    if (unit->ledger.inflight_batches() == 0) unit->sink->at_rest();
  }
  (void)checkpointer_->commit_now();
}

std::optional<std::string> SimulatedAgent::wrong() const {
  if (remote_->wrong()) return remote_->wrong();
  for (const auto& unit : sinks_) {
    if (auto wrong = unit->wrong()) return wrong;
  }
  return std::nullopt;
}

}  // namespace logflume
