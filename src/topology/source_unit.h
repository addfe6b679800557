// One source of a topology and all that belongs to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "config/config.h"
#include "io/event_loop.h"
#include "source/source.h"
#include "topology/services.h"

namespace logflume {

// How many files a source may have open.
struct FileLimits {
  std::size_t open = 1;
  std::size_t held = 1;                // deleted and not read to their end
  std::size_t files_beside_bytes = 0;  // SourceContext
};

// Threads:   the topology's.
// Lifecycle: open(), run(), end().
class SourceUnit {
 public:
  struct Start {
    std::vector<Outlet> outlets;
    FileLimits limits;
    const CheckpointContent& stored;
    const SourceLegacy* legacy = nullptr;  // of the source whose place it takes
    bool until_eof = false;
    std::unique_ptr<Passage> passage;
  };
  // What changes around a source that stays.
  struct Ways {
    std::vector<Outlet> come;
    std::vector<std::string> go;  // sinks
    std::unique_ptr<Passage> passage;
  };

  // `loop`: the thread that will run the source.
  SourceUnit(std::string name, const AnySourceConfig& config, std::shared_ptr<EventLoop> loop,
             Shared& shared);
  ~SourceUnit();
  SourceUnit(const SourceUnit&) = delete;
  SourceUnit& operator=(const SourceUnit&) = delete;

  // Errors: those of Source::open(), the source named.
  Result<void> open(Start start);
  // The thread runs the source from now on. REQUIRES: open() succeeded.
  void run();

  // It can be asked for what is on its way, or no more. REQUIRES: its thread runs.
  void answer_audits();
  void hide_from_audits();

  // What Source says of them, on its thread.
  void pause(const std::string& sink);
  void change(Ways ways, const CheckpointContent& stored);
  void set_limits(FileLimits limits);
  // The source goes. REQUIRES: it has stopped, or was not run.
  SourceLegacy end();

  const std::string& name() const { return name_; }
  const AnySourceConfig& config() const { return config_; }
  const std::shared_ptr<EventLoop>& loop() const { return loop_; }
  bool runs() const { return runs_; }
  // REQUIRES: open() was called, and end() was not.
  Source& source() const { return *source_; }
  std::uint64_t bytes_read() const { return metrics_.received_bytes.value(); }

 private:
  void release();

  const std::string name_;
  const AnySourceConfig config_;
  Shared& shared_;
  const std::shared_ptr<EventLoop> loop_;
  bool runs_ = false;
  ComponentMetrics metrics_;
  HealthEntry health_;
  std::unique_ptr<Source> source_;
  Checkpointer::SourceId records_ = 0;
};

}  // namespace logflume
