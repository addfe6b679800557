#include "io/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/temp_dir_for_test.h"
#include "ring/idle_strategy.h"
#include "ring/spsc_ring.h"

namespace logflume {
namespace {

// Long enough never to be reached by a loop that works.
constexpr auto kPatience = 60s;

bool done_in_time(std::future<void>&& done) { return done.wait_for(kPatience) == std::future_status::ready; }

// Runs `task` on the loop's thread and waits for it.
bool run_on(EventLoop& loop, const std::function<void()>& task) {
  auto done = std::make_shared<std::promise<void>>();
  loop.post([task, done] {
    task();
    done->set_value();
  });
  return done_in_time(done->get_future());
}

class TestAgent : public Agent {
 public:
  std::size_t do_work(TimePoint now) override {
    passes_.fetch_add(1);
    return work ? work(now) : 0;
  }
  bool is_idle() const override { return idle && idle(); }
  bool has_input() const override { return input && input(); }
  TimePoint deadline() const override { return due; }

  int passes() const { return passes_.load(); }

  std::function<std::size_t(TimePoint)> work;
  std::function<bool()> idle;
  std::function<bool()> input;
  TimePoint due = kNever;

 private:
  std::atomic<int> passes_{0};
};

class TestEvent {
 public:
  explicit TestEvent(unsigned initial = 0) : fd_(::eventfd(initial, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  int fd() const { return fd_.get(); }
  void signal() const {
    const std::uint64_t one = 1;
    ASSERT_EQ(::write(fd(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  }
  void clear() const {
    std::uint64_t count = 0;
    ASSERT_EQ(::read(fd(), &count, sizeof count), static_cast<ssize_t>(sizeof count));
  }
  void close() { fd_.reset(); }

 private:
  UniqueFd fd_;
};

// Goal: a hand-over wakes a parked loop, always.
// Method: two loops send one element to and fro, so that one lost wake-up stops them; random pauses let the
// receiver spin, yield or sleep when the element comes. One of them parks right after its work.
TEST(EventLoopTest, NeverMissesAWakeUp) {
  constexpr int kRounds = 20'000;
  std::array<SpscRing<int>, 2> rings{SpscRing<int>(1), SpscRing<int>(1)};
  std::array<TestAgent, 2> agents;
  std::array<EventLoop, 2> loops{EventLoop("ping"), EventLoop("pong")};
  std::promise<void> finished;
  for (std::size_t i = 0; i < 2; ++i) {
    agents[i].input = [&, i] { return !rings[i].empty(); };
    agents[i].idle = [i] { return i == 0; };
    agents[i].work = [&, i, random = std::mt19937(static_cast<unsigned>(i))](TimePoint) mutable {
      std::optional<int> item = rings[i].try_pop();
      if (!item) return std::size_t{0};
      if (*item == kRounds) {
        finished.set_value();
        return std::size_t{1};
      }
      // Now and then as long as it takes the other loop to fall asleep.
      const auto pauses = random() % (random() % 8 == 0 ? 20'000 : 200);
      for (auto pause = pauses; pause > 0; --pause) cpu_relax();
      EXPECT_TRUE(rings[1 - i].try_push(*item + 1));
      loops[1 - i].parker().wake();
      return std::size_t{1};
    };
    loops[i].add(agents[i]);
    loops[i].start();
  }
  ASSERT_TRUE(rings[0].try_push(1));
  loops[0].parker().wake();
  const bool in_time = done_in_time(finished.get_future());
  for (EventLoop& loop : loops) loop.stop();
  EXPECT_TRUE(in_time);
}

TEST(EventLoopTest, DoesNotRunWhileThereIsNothingToDo) {
  TestAgent agent;
  EventLoop loop("idle");
  loop.add(agent);
  loop.start();
  ASSERT_TRUE(run_on(loop, [] {}));
  std::this_thread::sleep_for(50ms);  // a loop that spins or polls makes thousands of passes
  EXPECT_LT(agent.passes(), 50);
}

TEST(EventLoopTest, CallsAnAgentAtItsDeadlineAndNotBefore) {
  TestAgent agent;
  std::promise<void> reached;
  const TimePoint due = steady_now() + 20ms;
  int early = 0;
  agent.due = due;
  agent.work = [&](TimePoint now) -> std::size_t {
    if (agent.due == kNever) return 0;
    if (now < due) {
      ++early;
      return 0;
    }
    agent.due = kNever;
    reached.set_value();
    return 1;
  };
  EventLoop loop("deadline");
  loop.add(agent);
  loop.start();
  EXPECT_TRUE(done_in_time(reached.get_future()));
  loop.stop();
  EXPECT_GE(steady_now(), due);
  EXPECT_LT(early, 50) << "it polled instead of sleeping";
}

TEST(EventLoopTest, HonoursTheEarliestOfSeveralDeadlines) {
  std::array<TestAgent, 3> agents;
  std::vector<std::size_t> order;
  std::promise<void> all;
  const TimePoint start = steady_now();
  for (std::size_t i = 0; i < 3; ++i) {
    agents[i].due = start + (3 - i) * 5ms;
    agents[i].work = [&, i](TimePoint now) -> std::size_t {
      if (now < agents[i].due) return 0;
      agents[i].due = kNever;
      order.push_back(i);
      if (order.size() == 3) all.set_value();
      return 1;
    };
  }
  EventLoop loop("deadlines");
  for (TestAgent& agent : agents) loop.add(agent);
  loop.start();
  EXPECT_TRUE(done_in_time(all.get_future()));
  loop.stop();
  EXPECT_EQ(order.size(), 3U);
}

TEST(EventLoopTest, RunsTheHandlerAndThenTheAgents) {
  TestAgent agent;
  TestEvent event;
  EventLoop loop("fd");
  std::promise<void> worked;
  bool ready = false;
  agent.work = [&](TimePoint) -> std::size_t {
    if (!std::exchange(ready, false)) return 0;
    worked.set_value();
    return 1;
  };
  loop.add(agent);
  ASSERT_TRUE(loop.watch(event.fd(), EPOLLIN, [&](std::uint32_t events) {
    EXPECT_EQ(events, static_cast<std::uint32_t>(EPOLLIN));
    event.clear();
    ready = true;
  }));
  loop.start();
  event.signal();
  EXPECT_TRUE(done_in_time(worked.get_future()));
}

// The pattern of a live tail: an event, a bit of work, an event, ...
TEST(EventLoopTest, MakesFewPassesForEachEvent) {
  constexpr int kEvents = 500;
  TestAgent agent;
  TestEvent event;
  EventLoop loop("tail");
  std::atomic<int> handled{0};
  bool ready = false;
  agent.work = [&](TimePoint) -> std::size_t {
    if (!std::exchange(ready, false)) return 0;
    handled.fetch_add(1);
    handled.notify_one();
    return 1;
  };
  loop.add(agent);
  ASSERT_TRUE(loop.watch(event.fd(), EPOLLIN, [&](std::uint32_t) {
    event.clear();
    ready = true;
  }));
  loop.start();
  for (int i = 0; i < kEvents; ++i) {
    event.signal();
    handled.wait(i);
  }
  loop.stop();
  EXPECT_EQ(handled, kEvents);
  EXPECT_LT(agent.passes(), 100 * kEvents);
}

// An agent that says so is not asked a second time: a pass for each event, not two.
TEST(EventLoopTest, ParksRightAfterAPassThatLeftNothing) {
  constexpr int kEvents = 100;
  TestAgent agent;
  TestEvent event;
  EventLoop loop("tail");
  std::atomic<int> handled{0};
  std::atomic<int> passes_before{0};
  bool ready = false;
  agent.work = [&](TimePoint) -> std::size_t {
    if (!std::exchange(ready, false)) return 0;
    handled.fetch_add(1);
    handled.notify_one();
    return 1;
  };
  agent.idle = [] { return true; };
  loop.add(agent);
  ASSERT_TRUE(loop.watch(event.fd(), EPOLLIN, [&](std::uint32_t) {
    event.clear();
    ready = true;
  }));
  loop.start();
  for (int i = 0; i < kEvents; ++i) {
    if (i == kEvents / 2) passes_before = agent.passes();  // by now it has stopped to spin
    event.signal();
    handled.wait(i);
    std::this_thread::sleep_for(2ms);
  }
  loop.stop();
  EXPECT_EQ(handled, kEvents);
  EXPECT_LT(agent.passes() - passes_before, kEvents / 2 * 3 / 2);
}

// What a task has changed shows in the pass that follows it, whatever the agents said before.
TEST(EventLoopTest, APostedTaskIsFollowedByAPassOfIdleAgents) {
  constexpr int kTasks = 200;
  TestAgent agent;
  EventLoop loop("tasks");
  bool given = false;
  std::atomic<int> handled{0};
  agent.work = [&](TimePoint) -> std::size_t {
    if (!std::exchange(given, false)) return 0;
    handled.fetch_add(1);
    handled.notify_one();
    return 1;
  };
  agent.idle = [] { return true; };
  loop.add(agent);
  loop.start();
  for (int i = 0; i < kTasks; ++i) {
    loop.post([&] { given = true; });
    handled.wait(i);
  }
  EXPECT_EQ(handled, kTasks);
}

TEST(EventLoopTest, ALoopWhoseInputNeverEndsStillSeesItsDescriptors) {
  TestAgent agent;
  agent.work = [](TimePoint) -> std::size_t { return 1; };
  agent.idle = [] { return true; };
  agent.input = [] { return true; };
  TestEvent event;
  EventLoop loop("input");
  std::promise<void> handled;
  loop.add(agent);
  ASSERT_TRUE(loop.watch(event.fd(), EPOLLIN, [&](std::uint32_t) {
    event.clear();
    handled.set_value();
  }));
  loop.start();
  ASSERT_TRUE(run_on(loop, [] {}));
  event.signal();
  EXPECT_TRUE(done_in_time(handled.get_future()));
}

TEST(EventLoopTest, ABusyLoopStillSeesItsDescriptors) {
  TestAgent agent;
  agent.work = [](TimePoint) -> std::size_t { return 1; };
  TestEvent event;
  EventLoop loop("busy");
  std::promise<void> handled;
  loop.add(agent);
  ASSERT_TRUE(loop.watch(event.fd(), EPOLLIN, [&](std::uint32_t) {
    event.clear();
    handled.set_value();
  }));
  loop.start();
  ASSERT_TRUE(run_on(loop, [] {}));
  event.signal();
  EXPECT_TRUE(done_in_time(handled.get_future()));
}

TEST(EventLoopTest, AHandlerMayUnwatchItself) {
  TestEvent event(1);  // stays readable
  EventLoop loop("unwatch");
  int calls = 0;
  auto witness = std::make_shared<int>(7);
  std::promise<void> called;
  ASSERT_TRUE(loop.watch(event.fd(), EPOLLIN, [&, witness](std::uint32_t) {
    loop.unwatch(event.fd());
    EXPECT_EQ(*witness, 7) << "the handler lives while it runs";
    if (++calls == 1) called.set_value();
  }));
  loop.start();
  EXPECT_TRUE(done_in_time(called.get_future()));
  EXPECT_TRUE(run_on(loop, [] {}));
  loop.stop();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(witness.use_count(), 1);
}

TEST(EventLoopTest, DropsReadyEventsOfUnwatchedDescriptors) {
  std::array<TestEvent, 2> events{TestEvent(1), TestEvent(1)};  // ready together, before the first wait
  EventLoop loop("stale");
  int calls = 0;
  std::promise<void> called;
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(loop.watch(events[i].fd(), EPOLLIN, [&](std::uint32_t) {
      if (++calls == 1) called.set_value();
      for (const TestEvent& event : events) loop.unwatch(event.fd());
    }));
  }
  loop.start();
  EXPECT_TRUE(done_in_time(called.get_future()));
  EXPECT_TRUE(run_on(loop, [] {}));
  loop.stop();
  EXPECT_EQ(calls, 1);
}

TEST(EventLoopTest, ANewDescriptorWithAnOldNumberGetsNoOldEvents) {
  std::array<TestEvent, 2> events{TestEvent(1), TestEvent(1)};
  EventLoop loop("reuse");
  UniqueFd fresh;  // never ready
  int old_calls = 0;
  int fresh_calls = 0;
  std::promise<void> called;
  for (std::size_t i = 0; i < 2; ++i) {
    ASSERT_TRUE(loop.watch(events[i].fd(), EPOLLIN, [&, i](std::uint32_t) {
      ++old_calls;
      events[i].clear();
      const int number = events[1 - i].fd();
      loop.unwatch(number);
      events[1 - i].close();
      UniqueFd quiet(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
      if (quiet.get() != number) {
        ASSERT_EQ(::dup2(quiet.get(), number), number);
        quiet = UniqueFd(number);
      }
      fresh = std::move(quiet);
      ASSERT_TRUE(loop.watch(fresh.get(), EPOLLIN, [&](std::uint32_t) { ++fresh_calls; }));
      called.set_value();
    }));
  }
  loop.start();
  EXPECT_TRUE(done_in_time(called.get_future()));
  EXPECT_TRUE(run_on(loop, [] {}));
  loop.stop();
  EXPECT_EQ(old_calls, 1);
  EXPECT_EQ(fresh_calls, 0);
}

TEST(EventLoopTest, RewatchChangesTheEvents) {
  TestEvent event(1);
  EventLoop loop("rewatch");
  std::promise<void> called;
  ASSERT_TRUE(loop.watch(event.fd(), 0, [&](std::uint32_t ready) {
    EXPECT_EQ(ready, static_cast<std::uint32_t>(EPOLLOUT));
    loop.unwatch(event.fd());
    called.set_value();
  }));
  ASSERT_TRUE(loop.rewatch(event.fd(), EPOLLOUT));
  loop.start();
  EXPECT_TRUE(done_in_time(called.get_future()));
}

// Goal: a descriptor of which nothing is to be told does not wake the thread, not even inside of the kernel.
// Method: events of inotify, and how often the thread went to sleep again.
TEST(EventLoopTest, RewatchOfNothingLetsTheThreadSleep) {
  const TempDir dir;
  const UniqueFd changes(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
  ASSERT_GE(::inotify_add_watch(changes.get(), dir.path().c_str(), IN_CREATE), 0);
  EventLoop loop("silent");
  std::atomic<int> calls{0};
  ASSERT_TRUE(loop.watch(changes.get(), EPOLLIN | EPOLLET, [&](std::uint32_t) { calls.fetch_add(1); }));
  loop.start();
  std::string status;
  ASSERT_TRUE(run_on(loop, [&] {
    status = "/proc/self/task/" + std::to_string(::gettid()) + "/status";
    ASSERT_TRUE(loop.rewatch(changes.get(), 0));
    ASSERT_TRUE(loop.rewatch(changes.get(), 0));
  }));
  const auto sleeps = [&] {
    std::ifstream file(status);
    for (std::string word; file >> word;) {
      if (word == "voluntary_ctxt_switches:") break;
    }
    int count = -1;
    file >> count;
    return count;
  };
  const int before = sleeps();
  constexpr int kChanges = 100;
  for (int i = 0; i < kChanges; ++i) {
    std::ofstream(dir.path() + "/" + std::to_string(i));
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_LT(sleeps() - before, kChanges / 4);
  EXPECT_EQ(calls.load(), 0);
  ASSERT_TRUE(run_on(loop, [&] { ASSERT_TRUE(loop.rewatch(changes.get(), EPOLLIN | EPOLLET)); }));
  for (int i = 0; i < 1000 && calls.load() == 0; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_GT(calls.load(), 0) << "what came meanwhile is told";
  loop.stop();
}

TEST(EventLoopTest, SaysWhyItCannotWatch) {
  EventLoop loop("errors");
  TestEvent event;
  const auto ignore = [](std::uint32_t) {};
  ASSERT_TRUE(loop.watch(event.fd(), EPOLLIN, ignore));
  EXPECT_EQ(loop.watch(event.fd(), EPOLLIN, ignore).error().code, Errc::kInvalidArgument);
  const UniqueFd regular(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(loop.watch(regular.get(), EPOLLIN, ignore).error().code, Errc::kUnsupported);
  EXPECT_EQ(loop.rewatch(regular.get(), EPOLLIN).error().code, Errc::kNotFound);
  EXPECT_FALSE(loop.watch(-1, EPOLLIN, ignore));
  loop.unwatch(regular.get());
  loop.unwatch(event.fd());
  EXPECT_TRUE(loop.watch(event.fd(), EPOLLIN, ignore));
}

TEST(EventLoopTest, RunsWhatSeveralThreadsPostInTheOrderOfEach) {
  constexpr std::size_t kTasks = 5'000;
  EventLoop loop("post");
  std::array<std::vector<std::size_t>, 3> ran;
  loop.start();
  {
    std::vector<std::jthread> threads;
    for (auto& mine : ran) {
      threads.emplace_back([&loop, &mine] {
        for (std::size_t i = 0; i < kTasks; ++i) loop.post([&mine, i] { mine.push_back(i); });
      });
    }
  }
  loop.stop();  // what was posted before still runs
  for (const auto& mine : ran) {
    ASSERT_EQ(mine.size(), kTasks);
    for (std::size_t i = 0; i < kTasks; ++i) ASSERT_EQ(mine[i], i);
  }
}

TEST(EventLoopTest, DropsWhatIsPostedAfterStop) {
  EventLoop loop("late");
  loop.start();
  loop.stop();
  auto token = std::make_shared<int>();
  loop.post([token] { FAIL(); });
  EXPECT_EQ(token.use_count(), 1);
}

TEST(EventLoopTest, StopsFromItsOwnThreadAndFromSeveralAtOnce) {
  {
    EventLoop loop("self");
    loop.start();
    loop.post([&] { loop.stop(); });
  }
  EventLoop loop("many");
  loop.start();
  std::vector<std::jthread> threads;
  for (int i = 0; i < 3; ++i) threads.emplace_back([&] { loop.stop(); });
}

TEST(EventLoopTest, StopsWithoutHavingStarted) {
  EventLoop loop("never");
  loop.stop();
}

TEST(EventLoopTest, StopsWhileAgentsAreBusy) {
  TestAgent agent;
  agent.work = [](TimePoint) -> std::size_t { return 1; };
  EventLoop loop("busy");
  loop.add(agent);
  loop.start();
  ASSERT_TRUE(run_on(loop, [] {}));
  loop.stop();
  const int passes = agent.passes();
  std::this_thread::yield();
  EXPECT_EQ(agent.passes(), passes);
}

TEST(EventLoopTest, NamesItsThreadAndLeavesSignalsToTheMainThread) {
  EventLoop loop("a-name-that-is-too-long");
  sigset_t before;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &before), 0);
  loop.start();
  std::array<char, 16> name{};
  sigset_t blocked;
  ASSERT_TRUE(run_on(loop, [&] {
    ::pthread_getname_np(::pthread_self(), name.data(), name.size());
    ::pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
  }));
  EXPECT_STREQ(name.data(), "a-name-that-is-");
  for (int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) EXPECT_TRUE(sigismember(&blocked, number)) << number;
  for (int number : {SIGBUS, SIGSEGV, SIGABRT}) EXPECT_FALSE(sigismember(&blocked, number)) << number;
  sigset_t after;
  ASSERT_EQ(::pthread_sigmask(SIG_BLOCK, nullptr, &after), 0);
  EXPECT_EQ(sigismember(&before, SIGTERM), sigismember(&after, SIGTERM)) << "the caller's mask is as it was";
}

// Makes epoll_pwait2() fail with `error` on this thread and those that it starts.
void refuse_pwait2(unsigned error) {
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_pwait2, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  }};
  const sock_fprog filter{static_cast<unsigned short>(program.size()), program.data()};
  ASSERT_EQ(::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0) << std::strerror(errno);
}

TEST(EventLoopTest, WorksWhereTheKernelLacksPwait2) {
  for (const unsigned error : {unsigned{ENOSYS}, unsigned{EPERM}}) {
    std::jthread thread([error] {
      refuse_pwait2(error);
      TestAgent agent;
      std::promise<void> reached;
      const TimePoint due = steady_now() + 5'500us;
      int early = 0;
      agent.due = due;
      agent.work = [&](TimePoint now) -> std::size_t {
        if (agent.due == kNever) return 0;
        if (now < due) {
          ++early;
          return 0;
        }
        agent.due = kNever;
        reached.set_value();
        return 1;
      };
      EventLoop loop("fallback");
      loop.add(agent);
      loop.start();
      EXPECT_TRUE(done_in_time(reached.get_future()));
      EXPECT_TRUE(run_on(loop, [] {}));  // out of a wait without a deadline
      loop.stop();
      EXPECT_LT(early, 50);
    });
  }
}

TEST(EventLoopTest, AgentsComeAndGoWhileItRuns) {
  EventLoop loop("loop");
  TestAgent stays, goes;
  int called = 0;
  loop.call([&] { ++called; });  // here: it does not run
  loop.add(stays);
  loop.start();
  loop.call([&] {
    ++called;
    loop.add(goes);
  });
  while (goes.passes() == 0) std::this_thread::yield();
  loop.call([&] { loop.remove(goes); });
  const int passes = goes.passes();
  const int others = stays.passes();
  while (stays.passes() < others + 10) loop.parker().wake();
  EXPECT_EQ(goes.passes(), passes);
  loop.stop();
  loop.call([&] { ++called; });
  EXPECT_EQ(called, 3);
}

}  // namespace
}  // namespace logflume
