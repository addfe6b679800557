#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temp_dir_for_test.h"
#include "lab/experiment.h"

namespace logflume {
namespace {

using ::testing::HasSubstr;

// Cases that a test gives.
class FakeExperiment final : public LabExperiment {
 public:
  std::string name() const override { return "fake"; }
  std::string question() const override { return "What?"; }
  std::vector<std::string> settings() const override { return {"case"}; }
  std::vector<LabColumn> columns() const override {
    return {{"operations", "operations", LabUnit::kPerSecond},
            {"cpu_time", "CPU", LabUnit::kSeconds},
            {"extra", "extra", LabUnit::kCount}};
  }
  std::uint64_t disk_bytes(const LabOptions&) const override { return disk_bytes_; }
  Result<std::vector<LabCase>> cases(const LabOptions& options) override {
    directory_ = options.directory;
    if (!directory_.empty()) std::ofstream(directory_ + "/file") << "x";
    return cases_;
  }
  void conclude(LabReport& report) override { report.advice.push_back("Do nothing."); }

  void add(std::string name, std::function<Result<LabWork>()> run) {
    cases_.push_back({{name},
                      [this, name]() -> Result<void> {
                        order_ += "<" + name;
                        return {};
                      },
                      std::move(run),
                      "",
                      ""});
  }

  std::vector<LabCase> cases_;
  std::string order_;
  std::string directory_;
  std::uint64_t disk_bytes_ = 0;
};

LabWork ten(double seconds) {
  LabWork work;
  work.operations = 10;
  work.seconds = seconds;
  work.others = {{"extra", seconds}};
  return work;
}

const auto kSilent = [](double, const std::string&) {};

TEST(LabRunner, takes_cases_by_turns_and_prepares_each) {
  FakeExperiment experiment;
  for (const char* name : {"a", "b"}) {
    experiment.add(name, [&experiment, name]() -> Result<LabWork> {
      experiment.order_ += name;
      return ten(1);
    });
  }
  ASSERT_TRUE(run_experiment(experiment, {}, 2, kSilent));
  EXPECT_EQ(experiment.order_, "<aa<bb<aa<bb");
}

TEST(LabRunner, reports_medians_of_the_repetitions) {
  FakeExperiment experiment;
  double seconds = 0;
  experiment.add("a", [&seconds]() -> Result<LabWork> { return ten(seconds += 1); });
  const auto report = run_experiment(experiment, {}, 3, kSilent);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->rows[0].repeats, 3);
  EXPECT_EQ(report->figure(0, "extra")->median, 2);
  EXPECT_EQ(report->figure(0, "extra")->low, 1);
  EXPECT_EQ(report->figure(0, "extra")->high, 3);
  EXPECT_EQ(report->figure(0, "operations")->median, 5);
  EXPECT_THAT(report->advice, ::testing::ElementsAre("Do nothing."));
}

TEST(LabRunner, gives_no_advice_where_there_is_no_spread_to_judge_by) {
  FakeExperiment experiment;
  experiment.add("a", []() -> Result<LabWork> { return ten(1); });
  const auto report = run_experiment(experiment, {}, 2, kSilent);
  ASSERT_TRUE(report);
  EXPECT_THAT(report->advice, ::testing::ElementsAre(HasSubstr("fewer than 3")));
}

TEST(LabRunner, a_case_that_cannot_run_is_tried_once_and_leaves_the_others) {
  FakeExperiment experiment;
  int tried = 0;
  experiment.add("forbidden", [&tried]() -> Result<LabWork> {
    ++tried;
    return errno_error(EPERM, "io_uring_setup");
  });
  experiment.add("allowed", []() -> Result<LabWork> { return ten(1); });
  const auto report = run_experiment(experiment, {}, 3, kSilent);
  ASSERT_TRUE(report);
  EXPECT_EQ(tried, 1);
  EXPECT_THAT(report->rows[0].error, HasSubstr("Operation not permitted"));
  EXPECT_FALSE(report->figure(0, "operations"));
  EXPECT_TRUE(report->figure(1, "operations"));
}

TEST(LabRunner, time_of_helping_threads_is_taken_off) {
  FakeExperiment experiment;
  experiment.add("a", []() -> Result<LabWork> {
    LabWork work = ten(1);
    work.usage = LabUsage{2, 1.5, 0, 0, 0, 0};
    work.foreign_cpu_seconds = 1;
    return work;
  });
  const auto report = run_experiment(experiment, {}, 1, kSilent);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->figure(0, "cpu_time")->median, 0.05);
  EXPECT_EQ(report->figure(0, "operations")->median, 5);
}

TEST(LabRunner, can_be_told_to_take_some_of_the_cases) {
  FakeExperiment experiment;
  for (const char* name : {"read 4 KiB", "read 64 KiB", "mmap"}) {
    experiment.add(name, []() -> Result<LabWork> { return ten(1); });
  }
  experiment.cases_[2].group = "warm";
  LabOptions options;
  options.only = {"4 KiB", "warm: m"};
  const auto report = run_experiment(experiment, options, 1, kSilent);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->rows.size(), 3) << "64 KiB has the text too";
  options.only = {"ead 4"};
  EXPECT_EQ(run_experiment(experiment, options, 1, kSilent)->rows.size(), 1);
  options.only = {"nothing"};
  EXPECT_THAT(run_experiment(experiment, options, 1, kSilent).error().text(), HasSubstr("no case"));
}

TEST(LabRunner, its_directory_goes_with_it) {
  const TempDir parent;
  FakeExperiment experiment;
  experiment.disk_bytes_ = 1;
  LabOptions options;
  options.directory = parent.path();
  bool seen = false;
  experiment.add("a", [&]() -> Result<LabWork> {
    seen = std::filesystem::exists(experiment.directory_ + "/file");
    return ten(1);
  });
  ASSERT_TRUE(run_experiment(experiment, options, 1, kSilent));
  EXPECT_TRUE(seen);
  EXPECT_TRUE(experiment.directory_.starts_with(parent.path() + "/"));
  EXPECT_TRUE(std::filesystem::is_empty(parent.path()));
}

TEST(LabRunner, an_experiment_without_files_makes_none) {
  FakeExperiment experiment;
  experiment.add("a", []() -> Result<LabWork> { return ten(1); });
  LabOptions options;
  options.directory = "/nonexistent";
  ASSERT_TRUE(run_experiment(experiment, options, 1, kSilent));
  EXPECT_EQ(experiment.directory_, "");
}

TEST(LabRunner, says_what_room_is_missing) {
  const TempDir parent;
  FakeExperiment experiment;
  experiment.disk_bytes_ = std::uint64_t{1} << 60;
  LabOptions options;
  options.directory = parent.path();
  const auto report = run_experiment(experiment, options, 1, kSilent);
  ASSERT_FALSE(report);
  EXPECT_THAT(report.error().text(), HasSubstr("are free"));
  EXPECT_THAT(report.error().text(), HasSubstr("No space left"));
  options.directory = parent / "missing";
  EXPECT_EQ(run_experiment(experiment, options, 1, kSilent).error().code, Errc::kNotFound);
}

TEST(LabRunner, stops_between_repetitions_and_removes_its_files) {
  const TempDir parent;
  FakeExperiment experiment;
  experiment.disk_bytes_ = 1;
  LabOptions options;
  options.directory = parent.path();
  int runs = 0;
  options.stop = [&runs] { return runs == 2; };
  experiment.add("a", [&runs]() -> Result<LabWork> {
    ++runs;
    return ten(1);
  });
  const auto report = run_experiment(experiment, options, 100, kSilent);
  EXPECT_FALSE(report);
  EXPECT_EQ(runs, 2);
  EXPECT_TRUE(std::filesystem::is_empty(parent.path()));
}

}  // namespace
}  // namespace logflume
