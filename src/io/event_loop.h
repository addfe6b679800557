// A thread's loop: runs agents while they have work, then spins, yields and parks in epoll until a file
// descriptor is ready, a deadline passes or another thread wakes it.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "ring/parker.h"

namespace logflume {

// A stage. Several may share a thread.
class Agent {
 public:
  virtual ~Agent() = default;
  // Does a bounded amount of what there is to do. Returns how much; 0 when there was nothing.
  virtual std::size_t do_work(TimePoint now) = 0;
  // True when the last do_work() has left nothing that another one would find before has_input(), the
  // deadline or an event of a descriptor: the loop may park without asking again.
  virtual bool is_idle() const { return false; }
  // True when do_work() would find something that another thread handed over. Asked after the loop has
  // announced that it parks, so that no hand-over is missed.
  virtual bool has_input() const { return false; }
  // do_work() is called soon after this time at the latest. Asked before each park. A deadline that stays in
  // the past keeps the loop from sleeping.
  virtual TimePoint deadline() const { return kNever; }
};

// Lifecycle: add() and watch(), start(), stop(). Not restartable.
// Threads:   watch(), rewatch(), unwatch(), add(), remove() on the loop's own thread, or while it does not
// run;
//            parker(), post(), stop() from any; start() and call() from the one that owns the loop. Handlers,
//            tasks and agents run on the loop's thread. It takes no signals except those that its own
//            instructions raise (SIGBUS, SIGSEGV, ...).
// Wake-ups:  whoever hands an agent something publishes it first and then calls parker().wake().
class EventLoop {
 public:
  using Handler = std::function<void(std::uint32_t ready)>;

  // `name` is the thread's, as ps and perf show it (at most 15 characters). Throws std::system_error when
  // there is no descriptor left.
  explicit EventLoop(std::string name);
  ~EventLoop();  // stop()s. Not on the loop's own thread.
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  Parker& parker() { return parker_; }

  // `agent` outlives the loop's thread. It runs from the next pass on.
  void add(Agent& agent);
  // It does not run any more. Nothing happens when it was not added. REQUIRES: not from an agent's do_work().
  void remove(Agent& agent);
  // Calls `handler` with the ready epoll events, before the agents' next do_work(). `events`: EPOLLIN etc.,
  // EPOLLET where wanted. While agents are busy a ready descriptor waits for at most some hundred
  // microseconds and the pass in progress. Errors: kInvalidArgument (`fd` is already watched), kUnsupported
  // (epoll cannot watch it, as for a regular file), kNoMemory, kIo.
  Result<void> watch(int fd, std::uint32_t events, Handler handler);
  // `events` of 0: nothing is told, not even errors. Errors: kNotFound (`fd` is not watched), kNoMemory, kIo.
  Result<void> rewatch(int fd, std::uint32_t events);
  // A handler may unwatch any descriptor, its own included; no event that was already ready is delivered
  // after that. Call it before closing `fd`. Nothing happens when `fd` is not watched.
  void unwatch(int fd);

  // Throws std::system_error when the system has no thread left.
  void start();
  bool started() const { return thread_.joinable(); }
  // Runs `task` on the loop's thread soon, in the order of posting; dropped if the loop has stopped. What was
  // posted before stop() was called still runs.
  void post(std::function<void()> task);
  // Runs `task` as the loop's own and returns when it is over; here and now where the loop does not run.
  void call(const std::function<void()>& task);
  // Ends the thread after the current pass and waits for it; on the loop's own thread it does not wait.
  void stop();

 private:
  struct Watch {
    std::uint32_t generation;  // tells a descriptor from an earlier one with the same number
    Handler handler;
    bool silent;
  };

  static constexpr int kEventsPerPoll = 128;
  using Events = std::array<epoll_event, kEventsPerPoll>;

  void run();
  std::size_t run_agents(TimePoint now);
  std::size_t run_posted();
  bool has_input() const;
  bool all_idle() const;
  void park(TimePoint now);
  void poll();
  int wait(Events& events, TimePoint deadline, TimePoint now);
  void dispatch(const Events& events, int count);
  bool on_own_thread_or_stopped() const;

  const std::string name_;
  Parker parker_;
  UniqueFd epoll_;
  std::vector<Agent*> agents_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::uint32_t last_generation_ = 0;
  bool has_pwait2_ = true;  // false once the kernel or a sandbox has refused it

  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by posted_mutex_, as is closed_
  bool closed_ = false;                        // no more tasks are taken
  std::atomic<bool> has_posted_{false};
  std::vector<std::function<void()>> running_;  // run_posted()'s, kept for its capacity

  std::atomic<bool> stopping_{false};
  std::atomic<std::thread::id> thread_id_{};
  std::mutex stop_mutex_;  // one stop() joins, the others wait for it
  std::thread thread_;
};

}  // namespace logflume
