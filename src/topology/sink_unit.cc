#include "topology/sink_unit.h"

#include <fmt/format.h>

#include <utility>

#include "buffer/buffer_state.h"
#include "config/difference.h"
#include "topology/components.h"

namespace logflume {

namespace {

// A fifth is for lines that have just been written (SinkLedger::has_room_for_live()).
std::size_t inflight_max(const AnySinkConfig& config, std::uint64_t memory_bytes) {
  const bool on_disk = common(config).buffer.on_disk();
  return static_cast<std::size_t>(
      0.8 * static_cast<double>(on_disk ? BufferUnit::window_bytes(memory_bytes) : memory_bytes));
}

}  // namespace

SinkUnit::SinkUnit(std::string name, const AnySinkConfig& config, const MemoryShare& share,
                   std::shared_ptr<EventLoop> loop, Shared& shared)
    : name_(std::move(name)),
      config_(config),
      shared_(shared),
      loop_(std::move(loop)),
      encoded_(share.encoded_max, &shared.budget),
      ledger_(name_, inflight_max(config_, share.waiting_max),
              [&checkpointer = shared.services.checkpointer] { checkpointer.mark_dirty(); }),
      metrics_(shared.services.metrics, name_),
      health_(std::make_unique<HealthEntry>(shared.services.health, name_, "sink",
                                            std::string(type_name(config_)))),
      buffer_(BufferUnit::make(name_, former_name(config_), common(config_).buffer, share.waiting_max,
                               ledger_, inbox_, metrics_, *loop_, shared)),
      outcome_(buffer_ ? static_cast<AckTarget&>(buffer_->buffer()) : ledger_, metrics_) {
  if (AuditJournal* journal = shared_.services.journal) {
    // What a buffer has, its sink does not have yet: it notes that itself.
    ledger_.note_in(journal->feed(buffer_ ? BatchStage::kReleased : BatchStage::kAcknowledged, name_));
  }
  shared_.services.checkpointer.add_ledger(ledger_);
}

SinkUnit::~SinkUnit() { end(); }

Result<void> SinkUnit::open(CheckpointContent& stored, std::function<void()> on_given_up) {
  if (buffer_) {
    if (auto opened = buffer_->open(stored); !opened) {
      Error error = opened.error();
      error.message = fmt::format("sink {}: buffer: {}", name_, error.message);
      return error;
    }
  }
  const auto give_up = [this, on_given_up = std::move(on_given_up)](std::string_view why) {
    if (!shared_.services.reader_may_leave)
      shared_.services.log.error(name_, "{}: nothing more is written", why);
    given_up_.store(true);
    on_given_up();
  };
  SinkContext context{name_,
                      buffer_ ? buffer_->out() : inbox_,
                      outcome_,
                      metrics_,
                      *health_,
                      shared_.services.log,
                      *loop_,
                      shared_.workers,
                      encoded_,
                      shared_.outputs,
                      posix_disk(),
                      shared_.host,
                      [&checkpointer = shared_.services.checkpointer] { return checkpointer.commit_now(); },
                      give_up,
                      {}};
  for (const SinkStateRecord& state : stored.states) {
    if (state.sink == name_ && !is_buffer_state(state.key)) context.states.push_back(state);
  }
  sink_ = make_sink(config_, std::move(context));
  Result<void> opened;
  loop_->call([&] { opened = sink_->open(); });
  if (!opened) {
    Error error = opened.error();
    error.message = fmt::format("sink {}: {}", name_, error.message);
    return error;
  }
  return {};
}

Outlet SinkUnit::connect(const std::string& source) {
  Lanes* lanes = nullptr;
  inbox_loop().call([&] { lanes = &inbox_.open(source); });
  return {name_, &ledger_, lanes, &inbox_loop().parker(), {}};
}

void SinkUnit::rename_source(const std::string& source, const std::string& to) {
  inbox_loop().call([&] { inbox_.rename(source, to); });
}

void SinkUnit::close(const std::string& source) {
  inbox_loop().call([&] { inbox_.close(source); });
}

void SinkUnit::run() {
  runs_ = true;
  if (buffer_) buffer_->start();
  loop_->call([this] { loop_->add(*sink_); });
}

void SinkUnit::stop_lingering() {
  if (buffer_ || !std::exchange(lingers_, false)) return;
  loop_->post([sink = sink_.get()] { sink->drain(); });
}

void SinkUnit::drain() {
  if (buffer_) buffer_->buffer().drain();
  loop_->post([sink = sink_.get()] { sink->drain(); });
}

void SinkUnit::stop_threads() {
  if (buffer_) buffer_->stop();
  loop_->stop();
}

void SinkUnit::set_share(const MemoryShare& share) {
  encoded_.set_limit(share.encoded_max);
  ledger_.set_inflight_max(inflight_max(config_, share.waiting_max));
}

std::size_t SinkUnit::deliveries_in_rings() const {
  return inbox_.size_approx() + (buffer_ ? buffer_->out().size_approx() : 0);
}

std::size_t SinkUnit::ring_capacity() const {
  return inbox_.capacity() + (buffer_ ? buffer_->out().capacity() : 0);
}

bool SinkUnit::is_at_rest() const {
  return is_acknowledged() && (!buffer_ || buffer_->buffer().in_sinks_hands() == 0);
}

void SinkUnit::end() {
  if (!sink_) return;
  if (buffer_) buffer_->stop();
  loop_->call([this] {
    loop_->remove(*sink_);
    if (runs_ && is_at_rest()) sink_->at_rest();
    sink_.reset();
  });
  runs_ = false;
  buffer_.reset();
  shared_.services.checkpointer.remove_ledger(ledger_);
  health_.reset();  // its successor is about to have the name
}

}  // namespace logflume
