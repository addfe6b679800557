#include "telemetry/health.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "telemetry/json_text.h"

namespace logflume {

std::string_view to_string(HealthStatus status) {
  switch (status) {
    case HealthStatus::kOk:
      return "ok";
    case HealthStatus::kDegraded:
      return "degraded";
    case HealthStatus::kFailing:
      return "failing";
  }
  return "failing";
}

HealthEntry::HealthEntry(HealthBoard& board, std::string name, std::string kind, std::string type)
    : board_(board),
      state_(std::make_shared<ComponentHealth>(ComponentHealth{
          std::move(name), std::move(kind), std::move(type), HealthStatus::kOk, {}, wall_now_ns()})) {
  const std::lock_guard lock(board_.mutex_);
  board_.entries_.push_back(state_);
}

HealthEntry::~HealthEntry() {
  const std::lock_guard lock(board_.mutex_);
  std::erase(board_.entries_, state_);
}

void HealthEntry::ok() { set(HealthStatus::kOk, {}); }
void HealthEntry::degraded(std::string_view message) { set(HealthStatus::kDegraded, message); }
void HealthEntry::failing(std::string_view message) { set(HealthStatus::kFailing, message); }

void HealthEntry::set(HealthStatus status, std::string_view message) {
  // The usual call says ok to what is ok: no lock for that.
  if (status == HealthStatus::kOk && status_.load(std::memory_order_relaxed) == HealthStatus::kOk) return;
  const std::lock_guard lock(board_.mutex_);
  if (state_->status != status) {
    state_->status = status;
    state_->since_ns = wall_now_ns();
    status_.store(status, std::memory_order_relaxed);
  }
  if (state_->message != message) state_->message = message;
}

HealthStatus HealthBoard::status() const {
  const std::lock_guard lock(mutex_);
  HealthStatus worst = HealthStatus::kOk;
  for (const auto& entry : entries_) worst = std::max(worst, entry->status);
  return worst;
}

std::vector<ComponentHealth> HealthBoard::components() const {
  const std::lock_guard lock(mutex_);
  std::vector<ComponentHealth> all;
  all.reserve(entries_.size());
  for (const auto& entry : entries_) all.push_back(*entry);
  return all;
}

std::string HealthBoard::json() const {
  const std::vector<ComponentHealth> all = components();
  HealthStatus worst = HealthStatus::kOk;
  for (const ComponentHealth& component : all) worst = std::max(worst, component.status);

  std::string out = "{\"status\":";
  append_json_string(out, to_string(worst));
  out += ",\"components\":[";
  for (const ComponentHealth& component : all) {
    if (&component != all.data()) out += ',';
    out += "{\"name\":";
    append_json_string(out, component.name);
    out += ",\"kind\":";
    append_json_string(out, component.kind);
    out += ",\"type\":";
    append_json_string(out, component.type);
    out += ",\"status\":";
    append_json_string(out, to_string(component.status));
    out += ",\"message\":";
    append_json_string(out, component.message);
    out += ",\"since\":";
    append_json_string(out, rfc3339(component.since_ns));
    out += '}';
  }
  out += "]}\n";
  return out;
}

}  // namespace logflume
