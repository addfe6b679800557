#include "lab/figures.h"

#include <gtest/gtest.h>

#include <numeric>

namespace logflume {
namespace {

LabWork work_of(std::uint64_t bytes, std::uint64_t operations, std::uint64_t calls) {
  LabWork work;
  work.bytes = bytes;
  work.operations = operations;
  work.system_calls = calls;
  return work;
}

TEST(LabFigures, a_quantile_is_the_smallest_value_that_covers_its_share) {
  std::vector<std::uint32_t> hundred(100);
  std::iota(hundred.begin(), hundred.end(), 1);
  EXPECT_EQ(lab_quantile(hundred, 0.5), 50);
  EXPECT_EQ(lab_quantile(hundred, 0.99), 99);
  EXPECT_EQ(lab_quantile(hundred, 0.999), 100);
  EXPECT_EQ(lab_quantile(hundred, 0), 1);
  EXPECT_EQ(lab_quantile({7}, 0.5), 7);
}

TEST(LabFigures, the_median_of_an_even_number_lies_between_the_middle_two) {
  EXPECT_EQ(lab_figure({3, 1, 2}).median, 2);
  const LabFigure figure = lab_figure({4, 1, 3, 2});
  EXPECT_EQ(figure.median, 2.5);
  EXPECT_EQ(figure.low, 1);
  EXPECT_EQ(figure.high, 4);
  EXPECT_DOUBLE_EQ(lab_spread(figure), 0.6);
}

TEST(LabFigures, each_key_is_what_its_description_says) {
  LabWork work = work_of(2'000'000'000, 1000, 4000);
  work.latencies_ns = {100, 200, 300, 400};
  work.others = {{"copies", 2}};
  const LabUsage usage{2, 1, 30, 10, 500, 3};
  EXPECT_EQ(lab_value("rate", work, usage), 1e9);
  EXPECT_EQ(lab_value("operations", work, usage), 500);
  EXPECT_EQ(lab_value("time", work, usage), 0.002);
  EXPECT_EQ(lab_value("p50", work, usage), 200e-9);
  EXPECT_EQ(lab_value("p999", work, usage), 400e-9);
  EXPECT_EQ(lab_value("cpu", work, usage), 0.5);
  EXPECT_EQ(lab_value("cpu_percent", work, usage), 50);
  EXPECT_EQ(lab_value("cpu_time", work, usage), 0.001);
  EXPECT_EQ(lab_value("system_calls", work, usage), 4000);
  EXPECT_EQ(lab_value("calls_per_mb", work, usage), 2);
  EXPECT_EQ(lab_value("calls_per_operation", work, usage), 4);
  EXPECT_EQ(lab_value("switches", work, usage), 40);
  EXPECT_EQ(lab_value("voluntary", work, usage), 30);
  EXPECT_EQ(lab_value("involuntary", work, usage), 10);
  EXPECT_EQ(lab_value("switches_per_gb", work, usage), 20);
  EXPECT_EQ(lab_value("faults", work, usage), 500);
  EXPECT_EQ(lab_value("faults_per_gb", work, usage), 250);
  EXPECT_EQ(lab_value("major_faults", work, usage), 3);
  EXPECT_EQ(lab_value("copies", work, usage), 2);
  EXPECT_EQ(lab_value("unheard of", work, usage), std::nullopt);
}

TEST(LabFigures, what_was_not_measured_is_no_figure) {
  const LabUsage usage{1, 1, 0, 0, 0, 0};
  for (const char* key : {"rate", "operations", "time", "p50", "p99", "cpu", "cpu_time", "calls_per_mb",
                          "calls_per_operation", "switches_per_gb"}) {
    EXPECT_EQ(lab_value(key, LabWork(), usage), std::nullopt) << key;
  }
  EXPECT_EQ(lab_value("rate", work_of(1, 1, 1), LabUsage()), std::nullopt) << "in no time";
}

TEST(LabFigures, relative_is_to_the_best_of_the_group) {
  LabReport report;
  report.columns = {{"rate", "rate", LabUnit::kBytesPerSecond}, {"relative", "relative", LabUnit::kRatio}};
  for (const char* group : {"a", "a", "b", "b"}) {
    LabRow row;
    row.group = group;
    row.figures.resize(2);
    report.rows.push_back(row);
  }
  lab_relative(report, {{50, 60, 40}, {100}, {10, 12}, {}});
  EXPECT_EQ(report.figure(0, "relative")->median, 0.5);
  EXPECT_EQ(report.figure(0, "relative")->low, 0.4);
  EXPECT_EQ(report.figure(0, "relative")->high, 0.6);
  EXPECT_EQ(report.figure(1, "relative")->median, 1);
  EXPECT_EQ(report.figure(2, "relative")->median, 1);
  EXPECT_FALSE(report.figure(3, "relative"));
  EXPECT_FALSE(report.figure(0, "rate"));
}

TEST(LabFigures, a_difference_counts_when_no_repetition_overlaps) {
  EXPECT_TRUE(lab_above({10, 9, 11}, {7, 6, 8}));
  EXPECT_FALSE(lab_above({10, 8, 11}, {7, 6, 8}));
  EXPECT_FALSE(lab_above({7, 6, 8}, {10, 9, 11}));
}

TEST(LabFigures, says_how_much_faster) {
  EXPECT_EQ(lab_faster_text(112, 100, "pread"), "12 % faster than pread");
  EXPECT_EQ(lab_faster_text(310, 100, "pread"), "3.1 times as fast as pread");
  EXPECT_EQ(lab_faster_text(92, 100, "pread"), "8 % slower than pread");
}

}  // namespace
}  // namespace logflume
