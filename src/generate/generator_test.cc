#include "generate/generator.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "generate/verifier.h"

namespace logflume {
namespace {

namespace fs = std::filesystem;

class GeneratorTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "generator_XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    options_.outputs = {path("app.log")};
    options_.streams = {"w1"};
  }
  void TearDown() override { fs::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }

  std::vector<StreamSummary> run() {
    auto made = generate(options_, {[this] { return stop_; }, [](std::uint64_t, std::optional<double>) {}});
    EXPECT_TRUE(made) << made.error().text();
    return *std::move(made);
  }

  VerifyReport verify_directory(std::uint64_t expected) {
    Verifier verifier;
    EXPECT_TRUE(verifier.feed_path(directory_));
    verifier.expect("w1", expected);
    return verifier.report();
  }

  std::string directory_;
  GenerateOptions options_;
  bool stop_ = false;
};

TEST_F(GeneratorTest, WritesExactlyTheLinesAskedFor) {
  options_.lines = 12'345;
  const auto summary = run();
  EXPECT_EQ(summary[0].lines, 12'345U);
  EXPECT_EQ(summary[0].bytes, fs::file_size(path("app.log")));
  const VerifyReport report = verify_directory(12'345);
  EXPECT_EQ(report.lines, 12'345U);
  EXPECT_EQ(report.lost + report.duplicated + report.reordered + report.damaged, 0U);
}

TEST_F(GeneratorTest, EachRotationKeepsEveryLine) {
  for (const Rotation rotation : {Rotation::kRename, Rotation::kCopyTruncate, Rotation::kGzip}) {
    SetUp();
    options_.format = LineFormat::kJava;
    options_.lines = 20'000;
    options_.rotation = rotation;
    options_.rotate_every = {3000, false};
    options_.keep = 10;
    const auto summary = run();
    EXPECT_GE(summary[0].rotations, 5U);
    EXPECT_TRUE(fs::exists(path(rotation == Rotation::kGzip ? "app.log.1.gz" : "app.log.1")));
    const VerifyReport report = verify_directory(20'000);
    EXPECT_EQ(report.lines, 20'000U);
    EXPECT_EQ(report.lost + report.duplicated + report.damaged, 0U);
    TearDown();
  }
}

TEST_F(GeneratorTest, KeepsAtMostTheRotatedFilesAskedFor) {
  options_.lines = 10'000;
  options_.rotation = Rotation::kRename;
  options_.rotate_every = {100'000, true};
  options_.keep = 2;
  EXPECT_GT(run()[0].rotations, 5U);
  EXPECT_TRUE(fs::exists(path("app.log.2")));
  EXPECT_FALSE(fs::exists(path("app.log.3")));
}

TEST_F(GeneratorTest, RotatedFilesStartWithAWholeEvent) {
  options_.format = LineFormat::kJava;
  options_.lines = 5000;
  options_.rotation = Rotation::kRename;
  options_.rotate_every = {500, false};
  options_.keep = 20;
  run();
  for (const auto& entry : fs::directory_iterator(directory_)) {
    std::ifstream file(entry.path());
    std::string line;
    std::getline(file, line);
    EXPECT_TRUE(line.starts_with("20")) << line;
  }
}

TEST_F(GeneratorTest, SplitWritesLeaveNothingUnfinishedAtTheEnd) {
  options_.lines = 2000;
  options_.rate = Amount{200'000, false};
  options_.split_writes = true;
  run();
  const VerifyReport report = verify_directory(2000);
  EXPECT_EQ(report.lines, 2000U);
  EXPECT_EQ(report.lost + report.damaged, 0U);
}

TEST_F(GeneratorTest, SeveralOutputsHaveStreamsOfTheirOwn) {
  options_.outputs = {path("a.log"), path("b.log")};
  options_.streams = {"w1", "w2"};
  options_.lines = 100;
  EXPECT_EQ(run().size(), 2U);
  Verifier verifier;
  EXPECT_TRUE(verifier.feed_path(directory_));
  EXPECT_EQ(verifier.seen(), (std::map<std::string, std::uint64_t>{{"w1", 100}, {"w2", 100}}));
}

TEST_F(GeneratorTest, AStopRequestEndsTheRun) {
  stop_ = true;
  EXPECT_EQ(run()[0].lines, 0U);
}

TEST_F(GeneratorTest, AnOutputThatCannotBeOpenedIsAnErrorThatNamesIt) {
  options_.outputs = {path("missing/app.log")};
  const auto made = generate(options_, {[] { return false; }, [](std::uint64_t, std::optional<double>) {}});
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().text().find("missing/app.log"), std::string::npos);
}

TEST(ParseAmountTest, TellsBytesFromLines) {
  const auto lines = parse_amount("1000/s");
  ASSERT_TRUE(lines);
  EXPECT_EQ(lines->count, 1000U);
  EXPECT_FALSE(lines->in_bytes);
  const auto bytes = parse_amount("10MB/s");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(bytes->count, 10'000'000U);
  EXPECT_TRUE(bytes->in_bytes);
  for (const char* bad : {"", "/s", "0", "ten", "-1", "10 parsecs"}) EXPECT_FALSE(parse_amount(bad)) << bad;
}

}  // namespace
}  // namespace logflume
