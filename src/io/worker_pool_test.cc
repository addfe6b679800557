#include "io/worker_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <latch>
#include <set>
#include <thread>

namespace logflume {
namespace {

TEST(WorkerPool, RunsJobsAtTheSameTime) {
  WorkerPool pool(3);
  std::latch all_there(3);
  std::atomic<int> done = 0;
  for (int i = 0; i < 3; ++i) {
    pool.submit([&] {
      all_there.arrive_and_wait();  // for ever, if they came one by one
      ++done;
      done.notify_all();
    });
  }
  for (int seen = done; seen < 3; seen = done) done.wait(seen);
}

TEST(WorkerPool, HasNoMoreThreadsThanItMay) {
  std::mutex mutex;
  std::set<std::thread::id> threads;
  {
    WorkerPool pool(2);
    for (int i = 0; i < 200; ++i) {
      pool.submit([&] {
        const std::lock_guard lock(mutex);
        threads.insert(std::this_thread::get_id());
      });
    }
  }
  EXPECT_GE(threads.size(), 1u);
  EXPECT_LE(threads.size(), 2u);
}

TEST(WorkerPool, RunsWhatWasSubmittedBeforeItEnds) {
  std::atomic<int> ran = 0;
  {
    WorkerPool pool(1);
    for (int i = 0; i < 100; ++i) pool.submit([&] { ++ran; });
  }
  EXPECT_EQ(ran, 100);
}

}  // namespace
}  // namespace logflume
