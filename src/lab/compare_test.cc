#include "lab/compare.h"

#include <gtest/gtest.h>

namespace logflume {
namespace {

LabReport report() {
  LabReport made;
  made.settings = {"queue", "batch"};
  made.columns = {{"rate", "rate", LabUnit::kPerSecond}};
  const auto row = [&made](const char* queue, const char* batch, double rate) {
    made.rows.push_back({.settings = {queue, batch},
                         .figures = {LabFigure{rate, rate, rate}},
                         .note = {},
                         .error = {},
                         .group = {},
                         .repeats = 1});
  };
  row("ring", "16", 20);
  row("ring", "1", 5);
  row("mutex", "1", 2);
  return made;
}

TEST(CompareTest, WhatNoiseCouldExplainIsNoDifference) {
  EXPECT_DOUBLE_EQ(times({20, 19, 21}, {10, 9, 11}).value(), 2);
  EXPECT_DOUBLE_EQ(times({10, 5, 11}, {20, 19, 40}).value(), 0.5);  // overlapping at the ends only
  EXPECT_FALSE(times({20, 9, 21}, {10, 9, 11}));  // the other's median was among its repetitions
  EXPECT_FALSE(times({10, 10, 10}, {10, 10, 10}));
  EXPECT_FALSE(times({10, 10, 10}, {0, 0, 0}));
}

TEST(CompareTest, RatiosAreWrittenAsPeopleSayThem) {
  EXPECT_EQ(ratio_text(0.88), "12 % less");
  EXPECT_EQ(ratio_text(1.4), "40 % more");
  EXPECT_EQ(ratio_text(2.51), "2.5x as much");
  EXPECT_EQ(ratio_text(31.2), "31x as much");
}

TEST(CompareTest, RowsAreFoundByTheirSettings) {
  const LabReport made = report();
  const LabRows rows(made);
  EXPECT_DOUBLE_EQ(rows.figure({{"queue", "ring"}, {"batch", "1"}}, "rate")->median, 5);
  EXPECT_DOUBLE_EQ(rows.figure({{"queue", "mutex"}}, "rate")->median, 2);
  EXPECT_FALSE(rows.figure({{"queue", "mutex"}, {"batch", "16"}}, "rate"));
  EXPECT_FALSE(rows.figure({{"no such setting", "x"}}, "rate"));
  EXPECT_EQ(rows.values("batch"), (std::vector<std::string>{"16", "1"}));
  EXPECT_EQ(rows.values("batch", {{"queue", "mutex"}}), std::vector<std::string>{"1"});
}

TEST(CompareTest, APlotKeepsTheOrderOfWhatIsNoNumber) {
  LabReport made = report();
  made.rows[0].settings[1] = "64KiB";
  made.rows[1].settings[1] = "1MiB";
  made.rows[2].settings[1] = "4MiB";
  EXPECT_EQ(plot_of(made, "rate", "batch", "queue", {}).labels,
            (std::vector<std::string>{"64KiB", "1MiB", "4MiB"}));
}

TEST(CompareTest, APlotHasNumbersInTheirOrderAndGapsWhereNothingWasMeasured) {
  const LabPlot plot = plot_of(report(), "rate", "batch", "queue", {});
  EXPECT_EQ(plot.labels, (std::vector<std::string>{"1", "16"}));
  ASSERT_EQ(plot.series.size(), 2U);
  EXPECT_EQ(plot.series[0].name, "ring");
  EXPECT_EQ(plot.series[0].values, (std::vector<std::optional<double>>{5, 20}));
  EXPECT_EQ(plot.series[1].values, (std::vector<std::optional<double>>{2, std::nullopt}));
}

}  // namespace
}  // namespace logflume
