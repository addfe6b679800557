// Threads for work that would hold up a loop: compression.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace logflume {

// Threads:   submit() from any. Jobs run one after the other on each thread, in no order that could be relied
//            on. They should take milliseconds: what is shared here is a lock.
// Lifecycle: a thread begins with the first job that finds none idle, and sleeps when there is nothing to do.
//            The destructor runs what was submitted and waits for it.
class WorkerPool {
 public:
  explicit WorkerPool(std::size_t threads_max);
  ~WorkerPool();
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  // How many jobs can run at a time; one where the system has no thread left, which then is the caller's.
  std::size_t threads_max() const { return threads_max_; }
  void submit(std::function<void()> job);

 private:
  void run();

  const std::size_t threads_max_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<std::function<void()>> jobs_;
  std::vector<std::thread> threads_;
  std::size_t idle_ = 0;
  bool stopping_ = false;
};

}  // namespace logflume
