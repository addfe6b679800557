#include "topology/source_unit.h"

#include <fmt/format.h>

#include "topology/components.h"

namespace logflume {

SourceUnit::SourceUnit(std::string name, const AnySourceConfig& config, std::shared_ptr<EventLoop> loop,
                       Shared& shared)
    : name_(std::move(name)),
      config_(config),
      shared_(shared),
      loop_(std::move(loop)),
      metrics_(shared.services.metrics, name_),
      health_(shared.services.health, name_, "source", std::string(type_name(config_))) {}

SourceUnit::~SourceUnit() {
  if (source_) release();
}

Result<void> SourceUnit::open(Start start) {
  source_ = make_source(
      config_,
      SourceContext{
          .name = name_,
          .outlets = std::move(start.outlets),
          .metrics = metrics_,
          .health = health_,
          .log = shared_.services.log,
          .loop = *loop_,
          .slabs = shared_.slabs,
          .files = shared_.files,
          .files_beside_bytes = start.limits.files_beside_bytes,
          .files_changed = [&shared = shared_] { shared.files_changed(); },
          .global_rate = shared_.global_rate,
          .max_open_files = start.limits.open,
          .max_held_files = start.limits.held,
          .next_file_id = [&store = shared_.services.store] { return store.next_file_id(); },
          .mark_dirty = [&checkpointer = shared_.services.checkpointer] { checkpointer.mark_dirty(); },
          .checkpoint = start.stored,
          .until_eof = start.until_eof,
          .legacy = start.legacy,
      });
  Result<void> opened;
  loop_->call([&] { opened = source_->open(); });
  if (!opened) {
    Error error = opened.error();
    error.message = fmt::format("source {}: {}", name_, error.message);
    return error;
  }
  records_ = shared_.services.checkpointer.add_source(
      [source = source_.get()](CheckpointChanges& changes) { source->collect(changes); });
  return {};
}

void SourceUnit::run() {
  runs_ = true;
  loop_->call([this] { loop_->add(*source_); });
}

void SourceUnit::pause(const std::string& sink) {
  loop_->call([&] { source_->pause(sink); });
}

void SourceUnit::connect(Outlet outlet, const CheckpointContent& stored) {
  loop_->call([&] { source_->connect(std::move(outlet), stored); });
}

void SourceUnit::disconnect(const std::string& sink) {
  loop_->call([&] { source_->disconnect(sink); });
}

void SourceUnit::set_limits(FileLimits limits) {
  loop_->call([&] { source_->set_limits(limits.open, limits.held); });
}

SourceLegacy SourceUnit::end() {
  SourceLegacy legacy;
  if (records_ != 0) loop_->call([&] { legacy = source_->hand_over(); });
  release();
  return legacy;
}

void SourceUnit::release() {
  if (records_ != 0) shared_.services.checkpointer.remove_source(std::exchange(records_, 0));
  loop_->call([this] {
    loop_->remove(*source_);
    source_.reset();
  });
}

}  // namespace logflume
