// A reload as `logflume reload` asks for it, and the agent's answer.
#pragma once

#include <condition_variable>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/unique_fd.h"
#include "config/difference.h"

namespace logflume {

struct ReloadRequest {
  bool dry_run = false;
  bool force = false;  // sinks whose peers do not answer too: they are tried for ever, as at a start
  // Absolute; empty: those that the agent was started with.
  std::vector<std::string> paths;

  std::string json() const;
  static std::optional<ReloadRequest> from_json(std::string_view text);
};

struct ReloadAnswer {
  enum class Result { kApplied, kDryRun, kRefused, kInvalid };
  Result result = Result::kRefused;
  std::string message;      // why not
  std::string diagnostics;  // of the configuration
  Difference difference;

  std::string json() const;
};

// The way of requests to the thread that can serve them.
//
// Threads: ask() from any, the rest from the one that serves.
class ReloadQueue {
 public:
  ReloadQueue();
  // To be polled for reading: serve() has something to do.
  int fd() const { return wake_.get(); }
  // Blocks until it is served, or the queue is closed.
  ReloadAnswer ask(ReloadRequest request);
  void serve(const std::function<ReloadAnswer(const ReloadRequest&)>& reload);
  // Who waits, or comes, is refused.
  void close();

 private:
  struct Waiting {
    ReloadRequest request;
    std::optional<ReloadAnswer> answer;
  };
  UniqueFd wake_;  // an eventfd
  std::mutex mutex_;
  std::condition_variable answered_;
  std::list<Waiting*> waiting_;  // guarded by mutex_, as is closed_
  bool closed_ = false;
};

std::vector<std::string> absolute_paths(const std::vector<std::string>& paths);

}  // namespace logflume
