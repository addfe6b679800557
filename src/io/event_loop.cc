#include "io/event_loop.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <future>
#include <system_error>
#include <utility>

#include "ring/idle_strategy.h"

namespace logflume {
namespace {

// A busy loop looks at its descriptors when either is reached: passes may be short or long.
constexpr unsigned kPassesPerPoll = 64;
constexpr Duration kPollInterval = 200us;

// How often a spin pauses before the next pass: the pause is what makes spinning cheap.
constexpr int kPausesPerSpin = 8;

// epoll hands back the descriptor and its generation. The parker has generation 0, which no watch gets.
constexpr std::uint64_t kParkerKey = 0;

std::uint64_t epoll_key(int fd, std::uint32_t generation) {
  return std::uint64_t{generation} << 32 | static_cast<std::uint32_t>(fd);
}

epoll_event make_event(std::uint32_t events, std::uint64_t key) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = key;
  return event;
}

// Signals are the main thread's, except those that an instruction raises on the thread that executes it.
sigset_t foreign_signals() {
  sigset_t set;
  ::sigfillset(&set);
  for (int own : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS}) ::sigdelset(&set, own);
  return set;
}

[[noreturn]] void die(const char* what) {
  std::perror(what);
  std::abort();
}

// The number of events that a wait returned; a signal's interruption is none.
int check_wait(int count) {
  if (count < 0 && errno != EINTR) die("logflume: epoll_wait");
  return std::max(count, 0);
}

}  // namespace

EventLoop::EventLoop(std::string name) : name_(std::move(name)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_.valid()) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  // Edge-triggered: each wake() is reported once although nobody reads the counter, which saves a system
  // call.
  epoll_event event = make_event(EPOLLIN | EPOLLET, kParkerKey);
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, parker_.fd(), &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

EventLoop::~EventLoop() { stop(); }

void EventLoop::add(Agent& agent) {
  assert(on_own_thread_or_stopped());
  agents_.push_back(&agent);
}

void EventLoop::remove(Agent& agent) {
  assert(on_own_thread_or_stopped());
  std::erase(agents_, &agent);
}

Result<void> EventLoop::watch(int fd, std::uint32_t events, Handler handler) {
  assert(on_own_thread_or_stopped());
  if (watches_.contains(fd)) {
    return Error{Errc::kInvalidArgument, 0, "watch descriptor " + std::to_string(fd) + ": already watched"};
  }
  if (++last_generation_ == 0) ++last_generation_;
  epoll_event event = make_event(events, epoll_key(fd, last_generation_));
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    Error error = errno_error("watch descriptor " + std::to_string(fd));
    if (error.os_errno == EPERM) error.code = Errc::kUnsupported;  // the file has no poll operation
    return error;
  }
  watches_.emplace(fd, std::make_shared<Watch>(Watch{last_generation_, std::move(handler), false}));
  return {};
}

Result<void> EventLoop::rewatch(int fd, std::uint32_t events) {
  assert(on_own_thread_or_stopped());
  const auto it = watches_.find(fd);
  if (it == watches_.end()) {
    return Error{Errc::kNotFound, 0, "change watch of descriptor " + std::to_string(fd) + ": not watched"};
  }
  // With a mask of nothing some descriptors (inotify) would still wake the thread, inside of the kernel.
  Watch& watch = *it->second;
  const bool silent = events == 0;
  if (silent && watch.silent) return {};
  const int change = silent ? EPOLL_CTL_DEL : watch.silent ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
  epoll_event event = make_event(events, epoll_key(fd, watch.generation));
  if (::epoll_ctl(epoll_.get(), change, fd, &event) != 0) {
    return errno_error("change watch of descriptor " + std::to_string(fd));
  }
  watch.silent = silent;
  return {};
}

void EventLoop::unwatch(int fd) {
  assert(on_own_thread_or_stopped());
  if (watches_.erase(fd) == 0) return;
  // Fails only when the descriptor was closed first, and then the kernel has removed it.
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void EventLoop::start() {
  assert(!thread_.joinable() && !stopping_.load(std::memory_order_relaxed));
  // Blocked before the thread exists, so that it inherits the mask: no signal finds it unprepared.
  const sigset_t blocked = foreign_signals();
  sigset_t before;
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void EventLoop::post(std::function<void()> task) {
  {
    const std::lock_guard lock(posted_mutex_);
    if (closed_) return;
    posted_.push_back(std::move(task));
    // Release: pairs with the acquire in has_input() and run_posted(). The mutex would order it alone; the
    // flag spares the loop that mutex in every pass.
    has_posted_.store(true, std::memory_order_release);
  }
  parker_.wake();
}

void EventLoop::call(const std::function<void()>& task) {
  if (!thread_.joinable()) return task();
  std::promise<void> done;
  post([&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

void EventLoop::stop() {
  // Release: pairs with the acquire in run() and has_input(); what was posted before is seen there.
  stopping_.store(true, std::memory_order_release);
  parker_.wake();
  if (thread_id_.load(std::memory_order_acquire) == std::this_thread::get_id()) return;

  const std::lock_guard stop_lock(stop_mutex_);
  if (thread_.joinable()) thread_.join();
  std::vector<std::function<void()>> dropped;  // destroyed without the lock: a task may own anything
  const std::lock_guard lock(posted_mutex_);
  closed_ = true;
  dropped.swap(posted_);
}

void EventLoop::run() {
  ::pthread_setname_np(::pthread_self(), name_.substr(0, 15).c_str());
  thread_id_.store(std::this_thread::get_id(), std::memory_order_release);

  IdleStrategy idle;
  TimePoint now = steady_now();
  TimePoint polled = now;
  unsigned passes_since_poll = 0;
  while (!stopping_.load(std::memory_order_acquire)) {
    const std::size_t posted = run_posted();  // first: is_idle() is of the agents' last pass
    const std::size_t done = posted + run_agents(now);
    bool parked = false;
    if (done != 0) idle.worked();
    const bool may_park = done == 0 || (all_idle() && !has_input());
    if (done != 0 && may_park) now = steady_now();
    if (!may_park) {
      if (++passes_since_poll >= kPassesPerPoll || now - polled >= kPollInterval) {
        if (!watches_.empty()) poll();
        polled = now;
        passes_since_poll = 0;
      }
    } else {
      switch (idle.next()) {
        case IdleStrategy::Action::kSpin:
          for (int i = 0; i < kPausesPerSpin; ++i) cpu_relax();
          break;
        case IdleStrategy::Action::kYield:
          ::sched_yield();
          break;
        case IdleStrategy::Action::kPark:
          park(now);
          parked = true;
          break;
      }
    }
    const TimePoint before = std::exchange(now, steady_now());
    if (parked) {
      idle.parked(now - before);
      polled = now;
      passes_since_poll = 0;
    }
  }

  run_posted();
  thread_id_.store({}, std::memory_order_release);
}

std::size_t EventLoop::run_agents(TimePoint now) {
  std::size_t done = 0;
  // By index: an agent may add another.
  for (std::size_t i = 0; i < agents_.size(); ++i) done += agents_[i]->do_work(now);
  return done;
}

std::size_t EventLoop::run_posted() {
  // Pairs with the release in post().
  if (!has_posted_.load(std::memory_order_acquire)) return 0;
  {
    const std::lock_guard lock(posted_mutex_);
    running_.swap(posted_);
    has_posted_.store(false, std::memory_order_relaxed);
  }
  const std::size_t count = running_.size();
  for (std::function<void()>& task : running_) task();
  running_.clear();
  return count;
}

bool EventLoop::has_input() const {
  // Both pair with the releases in post() and stop().
  if (has_posted_.load(std::memory_order_acquire) || stopping_.load(std::memory_order_acquire)) return true;
  return std::any_of(agents_.begin(), agents_.end(), [](const Agent* agent) { return agent->has_input(); });
}

bool EventLoop::all_idle() const {
  return std::all_of(agents_.begin(), agents_.end(), [](const Agent* agent) { return agent->is_idle(); });
}

void EventLoop::park(TimePoint now) {
  Events events;
  int count = 0;
  parker_.announce();
  if (!has_input()) {
    TimePoint deadline = kNever;
    for (const Agent* agent : agents_) deadline = std::min(deadline, agent->deadline());
    count = wait(events, deadline, now);
  }
  parker_.retract();  // before the handlers run: nobody needs to wake a loop that is up
  dispatch(events, count);
}

void EventLoop::poll() {
  Events events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerPoll, 0);
  dispatch(events, check_wait(count));
}

int EventLoop::wait(Events& events, TimePoint deadline, TimePoint now) {
  const bool for_ever = deadline == kNever;
  const Duration span = for_ever ? Duration::zero() : std::max<Duration>(deadline - now, Duration::zero());
  if (has_pwait2_) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(span);
    timespec timeout{};
    timeout.tv_sec = seconds.count();
    timeout.tv_nsec = (span - seconds).count();
    const int count =
        ::epoll_pwait2(epoll_.get(), events.data(), kEventsPerPoll, for_ever ? nullptr : &timeout, nullptr);
    // Linux before 5.11 does not know it, and old container sandboxes answer EPERM to what they do not know.
    has_pwait2_ = count >= 0 || (errno != ENOSYS && errno != EPERM);
    if (has_pwait2_) return check_wait(count);
  }
  // Rounded up: a wake-up before the deadline would find nothing to do and sleep again.
  const auto span_ms =
      std::chrono::ceil<std::chrono::milliseconds>(std::min<Duration>(span, std::chrono::hours(1))).count();
  return check_wait(
      ::epoll_wait(epoll_.get(), events.data(), kEventsPerPoll, for_ever ? -1 : static_cast<int>(span_ms)));
}

void EventLoop::dispatch(const Events& events, int count) {
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    const std::uint64_t key = event.data.u64;
    if (key == kParkerKey) continue;
    const auto it = watches_.find(static_cast<int>(static_cast<std::uint32_t>(key)));
    // An earlier handler of this round may have unwatched it, or closed it and watched another of its number.
    if (it == watches_.end() || it->second->generation != key >> 32) continue;
    const std::shared_ptr<Watch> watch = it->second;  // the handler may unwatch itself
    watch->handler(event.events);
  }
}

bool EventLoop::on_own_thread_or_stopped() const {
  const std::thread::id id = thread_id_.load(std::memory_order_acquire);
  return id == std::thread::id{} || id == std::this_thread::get_id();
}

}  // namespace logflume
