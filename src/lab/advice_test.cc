// What the experiments conclude from figures that are given to them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/concurrency_advice.h"
#include "lab/hand_over.h"
#include "lab/layouts.h"
#include "lab/ring_advice.h"
#include "lab/scan_advice.h"
#include "lab/scanners.h"

namespace logflume {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

void add(LabReport& report, std::vector<std::string> settings,
         std::vector<std::optional<LabFigure>> figures) {
  report.rows.push_back({.settings = std::move(settings),
                         .figures = std::move(figures),
                         .note = {},
                         .error = {},
                         .group = {},
                         .repeats = 5});
}

// Within 2 %.
LabFigure about(double value) { return {value, value * 0.98, value * 1.02}; }
// Within a factor of 4.
LabFigure roughly(double value) { return {value, value / 4, value * 4}; }

LabReport ring_report() {
  LabReport report;
  report.settings = {"queue", "where", "capacity", "batch"};
  report.columns = {{"operations", "", LabUnit::kPerSecond},
                    {"time", "", LabUnit::kSeconds},
                    {"p50", "", LabUnit::kSeconds}};
  return report;
}

TEST(RingAdviceTest, SaysWhatTheFiguresShow) {
  LabReport report = ring_report();
  const auto row = [&report](const char* queue, const char* where, const char* capacity, const char* batch,
                             double ns) {
    add(report, {queue, where, capacity, batch}, {about(1e9 / ns), about(ns / 1e9), about(ns / 1e9)});
  };
  row(kSpscRing, kOneThread, "1024", "1", 2);
  row(kMutexDeque, kOneThread, "1024", "1", 30);
  row(kSpscRing, "two cores", "1024", "1", 20);
  row(kSpscUnpadded, "two cores", "1024", "1", 40);
  row(kMutexDeque, "two cores", "1024", "1", 400);
  row(kSpscRing, "two cores", "1024", "16", 4);
  row(kBoostSpsc, "two cores", "1024", "16", 8);
  row(kSpscRing, "two cores", "16", "16", 16);
  row(kSpscRing, "two cores", "256", "16", 4.01);
  row("sleep: eventfd", "two cores", "1", "1", 5000);
  const std::vector<std::string> advice = ring_advice(report, "two cores");
  EXPECT_THAT(advice, Contains(HasSubstr("2.00 ns with the SPSC ring and 30.0 ns with a mutex")));
  EXPECT_THAT(advice, Contains(HasSubstr("16 elements at a time carry 5.0x as much")));
  EXPECT_THAT(advice, Contains(HasSubstr("without padding carries 50 % less")));
  EXPECT_THAT(advice, Contains(HasSubstr("256 slots carries 90 %")));
  EXPECT_THAT(advice, Contains(HasSubstr("no queue here is faster between two cores")));
  EXPECT_THAT(advice, Contains(HasSubstr("takes 5.00 us, as long as 2.50 k hops")));
}

TEST(RingAdviceTest, SaysWhenAnotherIsFasterAndNothingOfNoise) {
  LabReport report = ring_report();
  add(report, {kSpscRing, kOneThread, "1024", "1"}, {roughly(5e8), roughly(2e-9)});
  add(report, {kMutexDeque, kOneThread, "1024", "1"}, {roughly(3e8), roughly(3e-9)});
  add(report, {kSpscRing, "two cores", "1024", "16"}, {about(1e8), about(1e-8)});
  add(report, {kBoostSpsc, "two cores", "1024", "16"}, {about(1.5e8), about(0.7e-8)});
  const std::vector<std::string> advice = ring_advice(report, "two cores");
  EXPECT_THAT(
      advice,
      Contains(HasSubstr("Boost spsc_queue carries 1.5x as much as the SPSC ring between two cores")));
  EXPECT_THAT(advice, Not(Contains(HasSubstr("mutex"))));
  EXPECT_THAT(advice, Not(Contains(HasSubstr("False sharing"))));
}

TEST(RingAdviceTest, OfNothingFollowsNothing) {
  EXPECT_THAT(ring_advice(ring_report(), "two cores"), IsEmpty());
}

TEST(ConcurrencyAdviceTest, ComparesMemoryAndLatency) {
  LabReport report;
  report.settings = {"way", "wanted"};
  report.columns = {{"readers", "", LabUnit::kCount},
                    {"resident", "", LabUnit::kBytes},
                    {"kernel", "", LabUnit::kBytes},
                    {"p50", "", LabUnit::kSeconds}};
  add(report, {kThreadsWay, "10000"}, {about(10'000), about(8 * 1024), about(32 * 1024), about(20e-6)});
  add(report, {kCoroutinesWay, "10000"}, {about(10'000), about(100), about(200), about(15e-6)});
  add(report, {kAsioWay, "10000"}, {about(10'000), about(1400), about(1100), about(16e-6)});
  add(report, {kEventLoopWay, "10000"}, {about(10'000), about(170), about(200), about(10e-6)});
  const std::vector<std::string> advice = concurrency_advice(report);
  EXPECT_THAT(advice, Contains(HasSubstr("10000 waiting readers take 390.6 MiB as threads and 3.5 MiB")));
  EXPECT_THAT(advice, Contains(HasSubstr("20.0 us with threads and 10.0 us with the event loop")));
  report.rows[0].figures[3] = roughly(12e-6);
  EXPECT_THAT(concurrency_advice(report), Contains(HasSubstr("about 10.0 us either way")));
  report.rows.erase(report.rows.begin());
  EXPECT_THAT(concurrency_advice(report), Not(Contains(HasSubstr("threads take"))));
}

TEST(ScanAdviceTest, NamesTheKernelAndTheLayouts) {
  LabReport report;
  report.settings = {"work", "by", "of"};
  report.columns = {{"rate", "", LabUnit::kBytesPerSecond}, {"operations", "", LabUnit::kPerSecond}};
  add(report, {kCountWork, "AVX2", "200 B lines"}, {about(80e9), about(1)});
  add(report, {kCountWork, "AVX2", "200 B lines, unaligned"}, {about(60e9), about(1)});
  add(report, {kCountWork, "byte by byte", "200 B lines"}, {about(2e9), about(1)});
  add(report, {kCounterWork, kPaddedCounters, "1 thread"}, {std::nullopt, about(2e9)});
  add(report, {kCounterWork, kPaddedCounters, "4 threads"}, {std::nullopt, about(8e9)});
  add(report, {kCounterWork, kPackedCounters, "4 threads"}, {std::nullopt, about(1e9)});
  add(report, {kCounterWork, kSharedCounter, "4 threads"}, {std::nullopt, about(0.1e9)});
  add(report, {kRecordWork, kPaddedRecords, "1 thread"}, {std::nullopt, about(1e9)});
  add(report, {kRecordWork, kPackedRecords, "1 thread"}, {std::nullopt, about(2e9)});
  add(report, {kRecordWork, kColumnRecords, "1 thread"}, {std::nullopt, about(3e9)});
  const std::vector<std::string> advice = scan_advice(report);
  EXPECT_THAT(advice, Contains(HasSubstr("takes AVX2 here: 80.0 GB/s, 40x as fast as byte by byte.")));
  EXPECT_THAT(advice, Contains(HasSubstr("25 % slower by AVX2")));
  EXPECT_THAT(advice,
              Contains(HasSubstr("are 8.0x slower than counters with a line each, and one atomic counter "
                                 "for all 80x")));
  EXPECT_THAT(advice, Contains(HasSubstr("2.0x as many a second as padded, 3.0x as a column")));
}

}  // namespace
}  // namespace logflume
