#include "lab/waiting_readers.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

constexpr ReaderResources kPlenty = {
    .open_files = 1'000'000, .threads = 1'000'000, .memory_bytes = 1ULL << 40, .ports = 28'000};

TEST(WaitingReadersTest, ThereAreAsManyAsTheTightestLimitAllows) {
  EXPECT_EQ(reader_limit(10'000, kPlenty).readers, 10'000U);
  EXPECT_EQ(reader_limit(10'000, kPlenty).reason, "");

  ReaderResources few = kPlenty;
  few.open_files = 1024;
  EXPECT_EQ(reader_limit(10'000, few).readers, 960U);
  EXPECT_EQ(reader_limit(10'000, few).reason, "the hard limit of open files is 1024 (ulimit -Hn)");
  few.threads = 100;
  EXPECT_EQ(reader_limit(10'000, few).readers, 100U);
  EXPECT_NE(reader_limit(10'000, few).reason.find("pids.max"), std::string::npos);
  few = kPlenty;
  few.memory_bytes = 96 * 1024 * 50;
  EXPECT_EQ(reader_limit(10'000, few).readers, 50U);
  few = kPlenty;
  few.open_files = 3;
  EXPECT_EQ(reader_limit(10'000, few).readers, 0U);
}

TEST(WaitingReadersTest, EveryWayReadsWhatIsSentToIt) {
  for (const ReaderKind kind :
       {ReaderKind::kThreads, ReaderKind::kCoroutines, ReaderKind::kAsioCoroutines, ReaderKind::kEventLoop}) {
    SCOPED_TRACE(static_cast<int>(kind));
    const Result<WaitingFigures> figures = measure_waiting(kind, 50, 200);
    ASSERT_TRUE(figures) << figures.error().text();
    EXPECT_EQ(figures->readers, 50U);
    EXPECT_EQ(figures->refused, "");
    EXPECT_EQ(figures->latencies_ns.size(), 200U);
    EXPECT_GT(figures->cpu_seconds, 0);
  }
}

}  // namespace
}  // namespace logflume
