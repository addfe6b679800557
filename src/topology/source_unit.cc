#include "topology/source_unit.h"

#include <fmt/format.h>

#include "topology/components.h"

namespace logflume {

SourceUnit::SourceUnit(std::string name, const AnySourceConfig& config, EventLoop& loop, Shared& shared)
    : name_(std::move(name)),
      config_(config),
      shared_(shared),
      loop_(loop),
      metrics_(shared.services.metrics, name_),
      health_(shared.services.health, name_, "source", std::string(type_name(config_))) {}

SourceUnit::~SourceUnit() {
  if (records_ != 0) shared_.services.checkpointer.remove_source(records_);
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
          .loop = loop_,
          .slabs = shared_.slabs,
          .global_rate = shared_.global_rate.get(),
          .max_open_files = start.max_open_files,
          .max_held_files = start.max_held_files,
          .next_file_id = [&store = shared_.services.store] { return store.next_file_id(); },
          .mark_dirty = [&checkpointer = shared_.services.checkpointer] { checkpointer.mark_dirty(); },
          .checkpoint = start.stored,
          .until_eof = start.until_eof,
          .legacy = start.legacy,
      });
  if (auto opened = source_->open(); !opened) {
    Error error = opened.error();
    error.message = fmt::format("source {}: {}", name_, error.message);
    return error;
  }
  records_ = shared_.services.checkpointer.add_source(
      [source = source_.get()](CheckpointChanges& changes) { source->collect(changes); });
  return {};
}

}  // namespace logflume
