#include "lab/processors.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

std::vector<std::string> names(const std::vector<ProcessorPair>& pairs) {
  std::vector<std::string> all;
  for (const ProcessorPair& pair : pairs) all.push_back(pair.name);
  return all;
}

TEST(ProcessorsTest, APairOfEachKindThatThereIs) {
  // Two sockets; the first has two caches of two cores, one of which has two threads.
  const std::vector<Processor> machine = {
      {.number = 0, .core = 0, .package = 0, .cache = 0}, {.number = 1, .core = 1, .package = 0, .cache = 0},
      {.number = 2, .core = 2, .package = 0, .cache = 2}, {.number = 3, .core = 0, .package = 1, .cache = 3},
      {.number = 4, .core = 0, .package = 0, .cache = 0},
  };
  const std::vector<ProcessorPair> pairs = processor_pairs(machine);
  EXPECT_EQ(names(pairs), (std::vector<std::string>{"one processor", "siblings", "two cores", "two caches",
                                                    "two sockets"}));
  EXPECT_EQ(pairs[1].first, 0);
  EXPECT_EQ(pairs[1].second, 4);
  EXPECT_EQ(pairs[4].second, 3);
}

TEST(ProcessorsTest, OneProcessorIsAPairWithItself) {
  const std::vector<Processor> machine = {{.number = 5}};
  const std::vector<ProcessorPair> pairs = processor_pairs(machine);
  ASSERT_EQ(names(pairs), std::vector<std::string>{"one processor"});
  EXPECT_EQ(pairs[0].second, 5);
}

TEST(ProcessorsTest, AThreadIsPinnedAndFreedAgain) {
  const std::vector<Processor> processors = usable_processors();
  ASSERT_FALSE(processors.empty());
  {
    const Pinned pinned(processors.back().number);
    ASSERT_TRUE(pinned.result());
    EXPECT_EQ(::sched_getcpu(), processors.back().number);
    EXPECT_EQ(usable_processors().size(), 1U);
  }
  EXPECT_EQ(usable_processors().size(), processors.size());
  EXPECT_FALSE(Pinned(CPU_SETSIZE - 1).result());
}

}  // namespace
}  // namespace logflume
