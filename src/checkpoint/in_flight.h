// What only the running agent knows of files: how far their sinks were fed. Asked for by an audit.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "checkpoint/checkpoint_store.h"

namespace logflume {

// [the acknowledged offset, fed) is on its way to the sink.
struct InFlight {
  std::uint64_t file_id = 0;
  std::string sink;
  std::uint64_t fed = 0;
  std::uint64_t size_bytes = 0;  // of the file, which may have no name any more; 0: not known
};

// The sources that can be asked.
//
// Threads: any. After remove() returned a source is not asked any more, so what it hangs on may go.
class InFlightBoard {
 public:
  // Adds what it knows of `files`, those of other sources left out. False: it did not answer in time.
  using Ask = std::function<bool(std::span<const FileRecord> files, std::vector<InFlight>& found)>;

  void add(const std::string& source, Ask ask) {
    const std::lock_guard lock(mutex_);
    sources_[source] = std::move(ask);
  }
  void remove(const std::string& source) {
    const std::lock_guard lock(mutex_);
    sources_.erase(source);
  }
  // Of these files. The sources that did not answer are named in `silent`.
  std::vector<InFlight> ask(std::span<const FileRecord> files, std::vector<std::string>& silent) {
    std::vector<InFlight> found;
    const std::lock_guard lock(mutex_);
    for (const auto& [source, ask] : sources_) {
      if (!ask(files, found)) silent.push_back(source);
    }
    return found;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, Ask> sources_;  // guarded by mutex_, which is held while one is asked
};

}  // namespace logflume
