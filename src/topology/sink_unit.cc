#include "topology/sink_unit.h"

#include <fmt/format.h>

#include <algorithm>

#include "topology/components.h"

namespace logflume {

SinkUnit::SinkUnit(std::string name, const AnySinkConfig& config, std::size_t inflight_max, EventLoop& loop,
                   Shared& shared)
    : name_(std::move(name)),
      config_(config),
      shared_(shared),
      loop_(loop),
      ledger_(name_, inflight_max,
              [&checkpointer = shared.services.checkpointer] { checkpointer.mark_dirty(); }),
      metrics_(shared.services.metrics, name_),
      health_(shared.services.health, name_, "sink", std::string(type_name(config_))),
      outcome_(ledger_, metrics_) {
  shared_.services.checkpointer.add_ledger(ledger_);
}

SinkUnit::~SinkUnit() {
  sink_.reset();
  shared_.services.checkpointer.remove_ledger(ledger_);
}

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
                      health_,
                      shared_.services.log,
                      loop_,
                      shared_.slabs,
                      shared_.budget,
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
  if (auto opened = sink_->open(); !opened) {
    Error error = opened.error();
    error.message = fmt::format("sink {}: {}", name_, error.message);
    return error;
  }
  return {};
}

Outlet SinkUnit::connect() { return {name_, ledger_, inbox_.open(), loop_.parker()}; }

bool SinkUnit::feeds_on(const std::string& source) const {
  const std::vector<std::string>& inputs = common(config_).inputs;
  return std::find(inputs.begin(), inputs.end(), source) != inputs.end();
}

void SinkUnit::drain() {
  loop_.post([sink = sink_.get()] { sink->drain(); });
}

}  // namespace logflume
