// A source that reads the log files of a simulation, by the contract of the real one: each sink at its own
// cursor, a file recorded with all cursors before it is fed, positions from the checkpoint store after a
// crash.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "checkpoint/checkpoint_store.h"
#include "checkpoint/outlet.h"
#include "io/event_loop.h"
#include "simulation/log_files.h"
#include "simulation/random.h"

namespace logflume {

struct ModelSourceContext {
  Random& random;
  LogFiles& logs;
  SlabPool& slabs;
  std::vector<Outlet> outlets;
  std::function<std::uint64_t()> next_file_id;
  std::function<void()> mark_dirty;
};

class ModelSource final : public Agent {
 public:
  explicit ModelSource(ModelSourceContext context) : context_(std::move(context)) {}

  // Goes on where `stored` says.
  void open(const CheckpointContent& stored);
  std::size_t do_work(TimePoint now) override;
  void collect(CheckpointChanges& changes);
  void stop() { stopped_ = true; }
  // All that is whole in the files was fed.
  bool exhausted() const;

 private:
  struct File {
    std::uint64_t id = 0;
    LogFile* log = nullptr;
    std::shared_ptr<const Origin> origin;
    std::vector<CursorRef> cursors;  // in the order of the outlets
  };
  void adopt(LogFile& log, std::uint64_t id);
  void find_new();
  void forget_done();
  bool feed(File& file, std::size_t outlet, TimePoint now);

  ModelSourceContext context_;
  std::vector<File> files_;
  std::size_t seen_ = 0;  // of the log files
  CheckpointChanges news_;
  bool stopped_ = false;
};

}  // namespace logflume
