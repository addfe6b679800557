// Each way that an experiment measures does its work: what went in comes out, every line is found. Short: the
// figures do not matter here, and sanitizers watch.
#include <gtest/gtest.h>

#include "lab/hand_over.h"
#include "lab/layouts.h"
#include "lab/pace.h"
#include "lab/processors.h"
#include "lab/scanners.h"

namespace logflume {
namespace {

constexpr Duration kShort = 2ms;

// Others' queues that ThreadSanitizer cannot follow: Boost's reads nodes that may just have been freed and
// finds out by a tag, moodycamel's orders by fences.
bool is_beyond_tsan([[maybe_unused]] const QueueKind& kind) {
#if defined(__SANITIZE_THREAD__)
  return kind.name == "Boost queue" || kind.name == "moodycamel";
#else
  return false;
#endif
}

TEST(HandOverTest, EachQueueGivesWhatItWasGiven) {
  const std::vector<Processor> processors = usable_processors();
  ASSERT_FALSE(processors.empty());
  const int first = processors.front().number;
  const int last = processors.back().number;
  for (const QueueKind& kind : queue_kinds()) {
    SCOPED_TRACE(kind.name);
    if (is_beyond_tsan(kind)) continue;
    for (const std::size_t batch : {std::size_t{1}, kHandOverBatchMax}) {
      const Result<LabWork> alone = kind.run({.capacity = 1024, .batch = batch, .time = kShort});
      ASSERT_TRUE(alone) << alone.error().text();
      EXPECT_GT(alone->operations, 0U);
      const Result<LabWork> between = kind.run(
          {.capacity = 1024, .batch = batch, .producers = {first}, .consumers = {last}, .time = kShort});
      ASSERT_TRUE(between) << between.error().text();
      EXPECT_GT(between->seconds.value(), 0);
      if (!kind.many) continue;
      const Result<LabWork> many = kind.run({.capacity = 64,
                                             .batch = 1,
                                             .producers = {first, last},
                                             .consumers = {first, last},
                                             .time = kShort});
      ASSERT_TRUE(many) << many.error().text();
    }
  }
}

TEST(HandOverTest, AProcessorThatIsNotThereIsAnError) {
  const int none = CPU_SETSIZE - 1;
  const Result<LabWork> work = queue_kinds()[0].run(
      {.capacity = 64, .batch = 1, .producers = {none}, .consumers = {none}, .time = kShort});
  EXPECT_FALSE(work);
}

TEST(HandOverTest, EachWayToSleepIsWokenUp) {
  const int processor = usable_processors().front().number;
  for (const WakeKind& kind : wake_kinds()) {
    const Result<LabWork> work = kind.run(processor, processor, kShort);
    ASSERT_TRUE(work) << kind.name;
    EXPECT_EQ(work->operations, 2 * work->latencies_ns.size());
  }
}

TEST(ScannersTest, EachFindsEveryLine) {
  for (const std::size_t line_bytes : {20U, 200U}) {
    const ScanText text(line_bytes);
    for (const Scanner& scanner : scanners()) {
      for (const bool aligned : {true, false}) {
        const Result<LabWork> work = scan(scanner, text, aligned, 0ms);
        EXPECT_TRUE(work) << scanner.work << " by " << scanner.by;
      }
    }
  }
}

TEST(LayoutsTest, EachThreadGoesOn) {
  std::vector<int> on;
  for (const Processor& processor : usable_processors()) on.push_back(processor.number);
  for (const Layout& layout : layouts()) {
    const Result<LabWork> work = layout.run(on, kShort);
    ASSERT_TRUE(work) << layout.name;
    EXPECT_GT(work->operations, 0U);
  }
}

TEST(PaceTest, WhatGetsInBetweenDoesNotCount) {
  Pace pace(10);
  const TimePoint begin = steady_now();
  for (std::uint64_t done = 10; done <= 100; done += 10) {
    if (done == 50) {  // something else runs
      while (steady_now() - begin < 50ms) {
      }
    }
    pace.passed(done);
  }
  EXPECT_LT(pace.seconds(100, begin), 0.05);
  Pace few(10);
  few.passed(10);
  EXPECT_GE(few.seconds(10, begin), 0.05);  // too few pieces: all of the time
}

}  // namespace
}  // namespace logflume
