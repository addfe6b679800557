#include "io/time_slice.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <thread>

#include "io/event_loop.h"
#include "io/worker_pool.h"

namespace logflume {
namespace {

// Of the calling thread; zero where the kernel tells none.
Duration time_slice() {
  std::array<char, 48> attributes{};
  if (::syscall(SYS_sched_getattr, 0, attributes.data(), attributes.size(), 0) != 0) return {};
  std::uint64_t runtime_ns = 0;
  std::memcpy(&runtime_ns, &attributes[24], sizeof runtime_ns);
  return std::chrono::nanoseconds(runtime_ns);
}

TEST(TimeSlice, AWorkerDoesNotHaveThatOfTheLoopThatStartsIt) {
  const Duration usual = time_slice();
  if (usual == Duration::zero()) GTEST_SKIP() << "before Linux 6.12";
  EventLoop loop("test");
  WorkerPool pool(1);
  Duration of_loop{}, of_worker{};
  std::atomic<bool> seen = false;
  loop.start();
  loop.call([&] {
    set_time_slice(kShortSlice);
    of_loop = time_slice();
    pool.submit([&] {
      of_worker = time_slice();
      seen = true;
      seen.notify_one();
    });
  });
  seen.wait(false);
  loop.stop();
  EXPECT_EQ(of_loop, kShortSlice);
  EXPECT_EQ(of_worker, usual);
}

TEST(TimeSlice, NothingElseChanges) {
  std::thread([] {
    ASSERT_EQ(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 7), 0);
    const sched_param none{};
    ASSERT_EQ(::sched_setscheduler(0, SCHED_BATCH, &none), 0);
    set_time_slice(kShortSlice);
    EXPECT_EQ(::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())), 7);
    EXPECT_EQ(::sched_getscheduler(0), SCHED_BATCH);
    ASSERT_EQ(::sched_setscheduler(0, SCHED_IDLE, &none), 0);
    set_time_slice(kShortSlice);
    EXPECT_EQ(::sched_getscheduler(0), SCHED_IDLE);
  }).join();
}

}  // namespace
}  // namespace logflume
