// The state of each component, as /healthz shows it.
//
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace logflume {

enum class HealthStatus { kOk, kDegraded, kFailing };
std::string_view to_string(HealthStatus status);

struct ComponentHealth {
  std::string name;
  std::string kind;  // source, transform, sink, or core (checkpoints, api)
  std::string type;  // file, kafka ...
  HealthStatus status = HealthStatus::kOk;
  std::string message;        // empty when ok
  std::int64_t since_ns = 0;  // wall clock of the last change of status
};

class HealthBoard;

// One component's entry; it leaves the board when destroyed.
class HealthEntry {
 public:
  HealthEntry(HealthBoard& board, std::string name, std::string kind, std::string type);
  ~HealthEntry();
  HealthEntry(const HealthEntry&) = delete;
  HealthEntry& operator=(const HealthEntry&) = delete;

  // Saying ok() to what is ok costs one load.
  void ok();
  void degraded(std::string_view message);
  void failing(std::string_view message);

 private:
  void set(HealthStatus status, std::string_view message);
  HealthBoard& board_;
  std::shared_ptr<ComponentHealth> state_;  // guarded by the board
  std::atomic<HealthStatus> status_{HealthStatus::kOk};
};

class HealthBoard {
 public:
  // The worst of all components.
  HealthStatus status() const;
  std::vector<ComponentHealth> components() const;
  // {"status": ..., "components": [{"name", "kind", "type", "status", "message", "since"}]}
  std::string json() const;

 private:
  friend class HealthEntry;
  mutable std::mutex mutex_;
  std::vector<std::shared_ptr<ComponentHealth>> entries_;
};

}  // namespace logflume
