#include "topology/sink_unit.h"

#include <fmt/format.h>

#include "topology/components.h"

namespace logflume {

SinkUnit::SinkUnit(std::string name, const AnySinkConfig& config, const MemoryShare& share,
                   std::shared_ptr<EventLoop> loop, Shared& shared)
    : name_(std::move(name)),
      config_(config),
      shared_(shared),
      loop_(std::move(loop)),
      encoded_(share.encoded_max, &shared.budget),
      ledger_(name_, share.inflight_max,
              [&checkpointer = shared.services.checkpointer] { checkpointer.mark_dirty(); }),
      metrics_(shared.services.metrics, name_),
      health_(std::make_unique<HealthEntry>(shared.services.health, name_, "sink",
                                            std::string(type_name(config_)))),
      outcome_(ledger_, metrics_) {
  shared_.services.checkpointer.add_ledger(ledger_);
}

SinkUnit::~SinkUnit() { end(); }

Result<void> SinkUnit::open(const CheckpointContent& stored, std::function<void()> on_given_up) {
  const auto give_up = [this, on_given_up = std::move(on_given_up)](std::string_view why) {
    if (!shared_.services.reader_may_leave)
      shared_.services.log.error(name_, "{}: nothing more is written", why);
    given_up_.store(true);
    on_given_up();
  };
  SinkContext context{name_,
                      inbox_,
                      outcome_,
                      metrics_,
                      *health_,
                      shared_.services.log,
                      *loop_,
                      shared_.slabs,
                      encoded_,
                      shared_.outputs,
                      posix_disk(),
                      shared_.host,
                      [&checkpointer = shared_.services.checkpointer] { return checkpointer.commit_now(); },
                      give_up,
                      {}};
  for (const SinkStateRecord& state : stored.states) {
    if (state.sink == name_) context.states.push_back(state);
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
  loop_->call([&] { lanes = &inbox_.open(source); });
  return {name_, &ledger_, lanes, &loop_->parker(), {}};
}

void SinkUnit::rename_source(const std::string& source, const std::string& to) {
  loop_->call([&] { inbox_.rename(source, to); });
}

void SinkUnit::close(const std::string& source) {
  loop_->call([&] { inbox_.close(source); });
}

void SinkUnit::run() {
  runs_ = true;
  loop_->call([this] { loop_->add(*sink_); });
}

void SinkUnit::drain() {
  loop_->post([sink = sink_.get()] { sink->drain(); });
}

void SinkUnit::end() {
  if (!sink_) return;
  loop_->call([this] {
    loop_->remove(*sink_);
    if (runs_ && ledger_.inflight_batches() == 0) sink_->at_rest();
    sink_.reset();
  });
  runs_ = false;
  shared_.services.checkpointer.remove_ledger(ledger_);
  health_.reset();  // its successor is about to have the name
}

}  // namespace logflume
