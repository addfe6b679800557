#include "lab/io_advice.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "lab/fio.h"
#include "lab/io_ways.h"

namespace logflume {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class IoAdvice : public ::testing::Test {
 protected:
  IoAdvice() {
    report_.settings = {"way", "block", "files"};
    report_.columns = {{"rate", "rate", LabUnit::kBytesPerSecond}};
  }

  void add(const std::string& group, const std::string& way, double gb_a_second, double spread = 0.01,
           const std::string& block = "256 KiB", const std::string& files = "1") {
    const double rate = gb_a_second * 1e9;
    LabRow row;
    row.settings = {way, block, files};
    row.group = group;
    row.repeats = 5;
    row.figures = {LabFigure{rate, rate * (1 - spread), rate * (1 + spread)}};
    report_.rows.push_back(row);
  }
  const std::vector<std::string>& advice() {
    conclude_io(report_);
    return report_.advice;
  }

  LabReport report_;
};

TEST_F(IoAdvice, AFasterModeIsNamed) {
  add("sequential, warm", agent_way_name("pread"), 10);
  add("sequential, warm", agent_way_name("mmap"), 12);
  add("sequential, warm", agent_way_name("io_uring"), 11);
  EXPECT_THAT(advice(), Contains(HasSubstr(
                            "set read_mode: mmap. On this machine it reads warm files at 12.0 GB/s, 20 % "
                            "faster than pread")));
}

TEST_F(IoAdvice, WhatChanceCouldDoIsNoReasonToChange) {
  add("sequential, cold", agent_way_name("pread"), 10, 0.2);
  add("sequential, cold", agent_way_name("mmap"), 12, 0.2);
  add("sequential, cold", agent_way_name("io_uring"), 5);
  EXPECT_THAT(advice(), Contains(HasSubstr("leave read_mode at auto")));
  EXPECT_THAT(advice(),
              Contains(HasSubstr("mmap is not measurably different, io_uring is 50 % slower than that")));
}

TEST_F(IoAdvice, AModeThatIsRefusedIsNamedOnce) {
  for (const char* group : {"sequential, warm", "sequential, cold"}) {
    add(group, agent_way_name("pread"), 10);
    add(group, agent_way_name("mmap"), 9);
  }
  std::size_t named = 0;
  for (const std::string& sentence : advice())
    named += sentence.find("io_uring cannot be had") != sentence.npos ? 1 : 0;
  EXPECT_EQ(named, 1U);
}

TEST_F(IoAdvice, SaysWhatTheKernelSaysOfPollingAFile) {
  LabRow row;
  row.settings = {"epoll ET, a file", "256 KiB", "1"};
  row.group = "sequential, warm";
  row.error = "epoll_ctl: Operation not permitted";
  row.figures.resize(1);
  report_.rows.push_back(row);
  EXPECT_THAT(advice(), Contains(HasSubstr("\"epoll_ctl: Operation not permitted\". What waits")));
}

TEST_F(IoAdvice, WithoutFiguresThereIsNone) {
  EXPECT_THAT(advice(), IsEmpty());
  EXPECT_THAT(report_.plots, IsEmpty());
}

TEST_F(IoAdvice, PlotsAGroupWithASeriesForEachNumberOfFiles) {
  add("random, cold", "pread", 1);
  add("random, cold", "io_uring", 2);
  add("random, cold", "io_uring", 3, 0.01, "256 KiB", "64");
  conclude_io(report_);
  ASSERT_EQ(report_.plots.size(), 1U);
  const LabPlot& plot = report_.plots[0];
  EXPECT_THAT(plot.labels, ::testing::ElementsAre("pread, 256 KiB", "io_uring, 256 KiB"));
  ASSERT_EQ(plot.series.size(), 2U);
  EXPECT_EQ(plot.series[0].name, "1 file");
  EXPECT_EQ(plot.series[0].values[1], 2000);
  EXPECT_EQ(plot.series[1].values[0], std::nullopt);
  EXPECT_EQ(plot.series[1].values[1], 3000);
}

TEST(Fio, TheCommandDoesWhatTheCaseDoes) {
  FioJob job;
  job.engine = "io_uring";
  job.options = {"--fixedbufs"};
  job.files = 4;
  job.file_bytes = 32 * 1024 * 1024;
  job.block_bytes = 4096;
  job.random = true;
  job.direct = true;
  job.again = true;
  job.in_flight = 4;
  job.time = 250ms;
  const std::string command = fio_command(job);
  for (const char* part :
       {"--ioengine=io_uring", "--rw=randread", "--bs=4k", "--nrfiles=4", "--filesize=32m", "--runtime=250ms",
        "--time_based", "--direct=1", "--iodepth=4", "--fixedbufs", "--fadvise_hint=0"}) {
    EXPECT_THAT(command, HasSubstr(part));
  }
  job.again = false;
  job.options = {"--fadvise_hint=random"};
  EXPECT_THAT(fio_command(job), Not(HasSubstr("time_based")));
  EXPECT_THAT(fio_command(job), Not(HasSubstr("fadvise_hint=0")));
}

TEST(Fio, WhatItTakesForItselfIsTakenOff) {
  const auto plain = fio_ratio({1e6, 0.9e6, 1.1e6}, {1e6, 1e6, 1e6}, 0);
  ASSERT_TRUE(plain);
  EXPECT_DOUBLE_EQ(plain->median, 1);
  EXPECT_DOUBLE_EQ(plain->low, 0.9);
  const auto corrected = fio_ratio({1e6, 1e6, 1e6}, {0.8e6, 0.8e6, 0.8e6}, 0.25e-6);
  ASSERT_TRUE(corrected);
  EXPECT_DOUBLE_EQ(corrected->median, 1);
  EXPECT_FALSE(fio_ratio({1e6, 1e6, 1e6}, {5e6, 5e6, 5e6}, 0.25e-6)) << "nothing would be left";
  EXPECT_FALSE(fio_ratio({1e6, 1e6, 1e6}, {0, 0, 0}, 0));
}

}  // namespace
}  // namespace logflume
