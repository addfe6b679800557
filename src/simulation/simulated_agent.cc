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
                                   const std::optional<DiskBufferConfig>& config)
    : name(n),
      ledger(n, agent.world_.inflight_bytes_max, [&agent] { agent.dirty_ = true; }),
      metrics(agent.registry_, n),
      health(agent.board_, n, "sink", "simulated"),
      buffer_health(agent.board_, n + ".buffer", "buffer", "disk"),
      buffer(config ? std::make_unique<DiskBuffer>(
                          *config, DiskBufferContext{
                                       n, buffer_directory(kDataDir, n), agent.world_.disk, ledger, inbox,
                                       buffered, agent.loop_.parker(), agent.loop_.parker(),
                                       agent.loop_.parker(), agent.slabs_, metrics, buffer_health, agent.log_,
                                       [&agent] { return agent.checkpointer_->commit_now(); },
                                       [&agent](CheckpointChanges changes) {
                                         return agent.checkpointer_->commit_now(std::move(changes));
                                       }})
                    : nullptr),
      outcome(buffer ? static_cast<AckTarget&>(*buffer) : ledger, metrics),
      pending(agent.registry_.gauge("logflume_component_pending_events", "", {{"component", n}})),
      lanes(inbox.open("app")) {}

SinkContext SimulatedAgent::SinkUnit::context(SimulatedAgent& agent, const CheckpointContent& stored) {
  std::vector<SinkStateRecord> states;
  for (const SinkStateRecord& state : stored.states) {
    if (state.sink == name && !is_buffer_state(state.key)) states.push_back(state);
  }
  return SinkContext{name,
                     buffer ? buffered : inbox,
                     outcome,
                     metrics,
                     health,
                     agent.log_,
                     agent.loop_,
                     agent.workers_,
                     agent.budget_,
                     agent.outputs_,
                     agent.world_.disk,
                     "host",
                     [&agent] { return agent.commit_for_output(); },
                     {},
                     std::move(states)};
}

std::size_t SimulatedAgent::SinkUnit::work_of_buffer(TimePoint now) {
  return buffer ? buffer->intake().do_work(now) + buffer->writer().do_work(now) : 0;
}

void SimulatedAgent::SinkUnit::note_stored(const std::vector<SinkStateRecord>& states) {
  for (const SinkStateRecord& state : states) {
    if (state.sink != name || !is_buffer_state(state.key)) continue;
    if (const auto decoded = BufferState::decode(state.value)) buffer_state = *decoded;
  }
}

bool SimulatedAgent::SinkUnit::is_stored(const ModelRemoteSink::Acknowledged& done) const {
  if (!buffer) return done.cursor->acked_offset() >= done.owed.end;
  // What is done out of order and not in the log comes again, as it does without a buffer.
  return done.owed.end <= buffer_state.done.low() ||
         (buffer_state.done.contains(done.owed.begin) && done.owed.end <= buffer_state.durable_to);
}

std::optional<std::string> SimulatedAgent::SinkUnit::wrong() const {
  const auto damaged =
      metrics.registry.counter("logflume_buffer_damaged_records_total", "", {{"component", name}}).value();
  if (damaged != 0) return fmt::format("the buffer of {} calls {} places damaged", name, damaged);
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
  auto stored = store_->load();
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
  for (const auto& [name, buffer] :
       {std::pair(kFileSink, world_.file_sink_buffer), std::pair(kRemoteSink, world_.remote_sink_buffer)}) {
    sinks_.push_back(std::make_unique<SinkUnit>(*this, name, buffer));
    SinkUnit& unit = *sinks_.back();
    checkpointer_->add_ledger(unit.ledger);
    unit.note_stored(stored->states);
    if (!unit.buffer) continue;
    if (auto opened = unit.buffer->open(*stored); !opened) return opened;
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
  for (const auto& unit : sinks_) unit->note_stored(changes.states);
  if (remote_ == nullptr) return {};
  std::erase_if(remote_->acknowledged(), [&](const ModelRemoteSink::Acknowledged& done) {
    if (!sinks_[1]->is_stored(done)) return false;
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
  const bool buffers = world_.file_sink_buffer || world_.remote_sink_buffer;
  switch (world_.random.below(buffers ? 8 : 5)) {
    case 0:
      return source_->do_work(now);
    case 1:
    case 2:
      return sinks_[0]->sink->do_work(now);
    case 3:
      return sinks_[1]->sink->do_work(now);
    case 5:
      return sinks_[0]->work_of_buffer(now);
    case 6:
      return sinks_[1]->work_of_buffer(now);
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
  for (const auto& unit : sinks_) {
    at = std::min(at, unit->sink->deadline());
    if (!unit->buffer) continue;
    at = std::min({at, unit->buffer->intake().deadline(), unit->buffer->writer().deadline()});
  }
  return at;
}

bool SimulatedAgent::idle() const {
  return !dirty_ && source_->exhausted() &&
         std::all_of(sinks_.begin(), sinks_.end(), [](const auto& unit) { return unit->idle(); });
}

void SimulatedAgent::stop(TimePoint now) {
  source_->stop();
  for (const auto& unit : sinks_) {
    if (unit->buffer) unit->buffer->drain();
    unit->sink->drain();
  }
  for (int i = 0; i < 20; ++i) {
    for (const auto& unit : sinks_) {
      unit->work_of_buffer(now);
      unit->sink->do_work(now);
    }
    now += 10ms;
  }
  for (const auto& unit : sinks_) {
    if (unit->at_rest()) unit->sink->at_rest();
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
