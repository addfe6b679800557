#include "topology/topology.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/temp_dir_for_test.h"

namespace logflume {
namespace {

// What a reload does when a component cannot be opened: configurations that no loader would let pass.
class TopologyTest : public testing::Test {
 protected:
  TopologyTest() {
    auto opened = CheckpointStore::open(dir_ / "data");
    EXPECT_TRUE(opened) << opened.error().text();
    store_ = std::move(*opened);
    checkpointer_ = std::make_unique<Checkpointer>(*store_, metrics_, checkpoint_health_, log_);
    FileSourceConfig source;
    source.include = {dir_ / "*.log"};
    config_.sources["app"] = source;
    config_.sinks["out"] = sink("out.txt");
    log_.configure(LogLevel::kError, LogFormat::kText);
  }

  FileSinkConfig sink(const std::string& name) const {
    FileSinkConfig sink;
    sink.inputs = {"app"};
    sink.encoding = Encoding::kRaw;
    sink.batch.linger = Duration::zero();
    sink.path = dir_ / name;
    return sink;
  }
  void start() {
    auto built = Topology::build(
        config_, Services{metrics_, health_, log_, *store_, *checkpointer_, [] {}, true, false}, false);
    ASSERT_TRUE(built) << built.error().text();
    topology_ = std::move(*built);
    topology_->start();
  }
  void write(const std::string& line) {
    std::ofstream(dir_ / "a.log", std::ios::app) << line << "\n";
    written_ += line + "\n";
  }
  // Waits until the file has all that was written since `from`.
  void expect_in(const std::string& name, const std::string& from = "") {
    const std::string expected = written_.substr(from.empty() ? 0 : written_.find(from));
    std::string text;
    for (const TimePoint end = steady_now() + 20s; text != expected && steady_now() < end;) {
      std::this_thread::sleep_for(5ms);
      std::ifstream file(dir_ / name);
      text = (std::ostringstream() << file.rdbuf()).str();
    }
    EXPECT_EQ(text, expected) << name;
  }

  TempDir dir_;
  Log log_;
  MetricRegistry metrics_;
  HealthBoard health_;
  HealthEntry checkpoint_health_{health_, "checkpoints", "core", "sqlite"};
  std::unique_ptr<CheckpointStore> store_;
  std::unique_ptr<Checkpointer> checkpointer_;
  Config config_;
  std::unique_ptr<Topology> topology_;
  std::string written_;
};

TEST_F(TopologyTest, ANewSinkThatCannotOpenChangesNothing) {
  start();
  write("one");
  expect_in("out.txt");
  Config next = config_;
  next.sinks["good"] = sink("good.txt");
  next.sinks["worse"] = sink("no_file/");
  const auto applied = topology_->apply(next, 5s);
  ASSERT_FALSE(applied);
  EXPECT_NE(applied.error().message.find("sink worse: "), std::string::npos) << applied.error().message;
  EXPECT_TRUE(topology_->intact());
  write("two");
  expect_in("out.txt");
  next.sinks.erase("worse");
  ASSERT_TRUE(topology_->apply(next, 5s));
  write("three");
  expect_in("out.txt");
  expect_in("good.txt", "three");
  EXPECT_TRUE(topology_->stop(5s));
}

// The old sink had to end before the new one could be tried, as had the source; a rename is taken back too.
TEST_F(TopologyTest, WhatHadToStopForASinkThatCannotOpenRunsAgain) {
  config_.sinks["other"] = sink("other.txt");
  start();
  for (int i = 0; i < 3; ++i) {
    write("before " + std::to_string(i));
    Config next = config_;
    next.sinks["out"] = sink("no_file/");
    auto renamed = std::get<FileSinkConfig>(next.sinks["other"]);
    renamed.formerly = "other";
    next.sinks.erase("other");
    next.sinks["another"] = renamed;
    if (i == 1) {
      std::get<FileSourceConfig>(next.sources["app"]).strip_cr = true;
    } else if (i == 2) {
      auto source = std::get<FileSourceConfig>(next.sources["app"]);
      source.formerly = "app";
      next.sources.clear();
      next.sources["srv"] = source;
      for (auto& [name, any] : next.sinks) std::get<FileSinkConfig>(any).inputs = {"srv"};
    }
    ASSERT_FALSE(topology_->apply(next, 5s));
    EXPECT_TRUE(topology_->intact());
    write("after " + std::to_string(i));
    expect_in("out.txt");
    expect_in("other.txt");
  }
  // What it could not do then it can now.
  Config next = config_;
  next.sinks["out"] = sink("elsewhere.txt");
  ASSERT_TRUE(topology_->apply(next, 5s));
  write("last");
  expect_in("elsewhere.txt", "last");
  expect_in("other.txt");
  EXPECT_TRUE(topology_->stop(5s));
}

}  // namespace
}  // namespace logflume
