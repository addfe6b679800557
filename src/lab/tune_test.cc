#include "lab/tune.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "base/temp_dir_for_test.h"
#include "lab/annotate.h"

namespace logflume {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Config config_with(AnySinkConfig sink) {
  Config config;
  config.sources.emplace("logs", FileSourceConfig{});
  config.sinks.emplace("out", std::move(sink));
  return config;
}

const FileSourceConfig& source_of(const Config& config) {
  return std::get<FileSourceConfig>(config.sources.at("logs"));
}

const Recommendation* find(const TuneAdvice& advice, const std::string& key) {
  const auto found = std::ranges::find(advice.changes, key, &Recommendation::key);
  return found == advice.changes.end() ? nullptr : &*found;
}

LabFigure about(double value) { return {value, value * 0.98, value * 1.02}; }

ReadFigure reads(ReadMode mode, double warm, double cold) {
  return {.mode = mode, .warm = about(warm), .cold = about(cold), .error = {}};
}

CompressionFigure figure(std::string_view name, std::uint64_t kib, double ratio, double mb) {
  return {.codec = &*std::ranges::find(codec_kinds(), name, &CodecKind::name),
          .block_bytes = kib * 1024,
          .ratio = ratio,
          .rate = mb * 1e6};
}

TEST(RecommendTest, AReadModeMustBeBetterBeyondTheSpreadAndNowhereWorse) {
  TuneFindings found;
  found.reads = {reads(ReadMode::kPread, 8e9, 1e9), reads(ReadMode::kMmap, 10e9, 1e9),
                 reads(ReadMode::kIoUring, 12e9, 0.5e9)};
  Config config = config_with(BlackholeSinkConfig{});
  TuneAdvice advice = recommend(found, 0, config);
  EXPECT_EQ(source_of(config).read_mode, ReadMode::kMmap);
  ASSERT_NE(find(advice, "sources.logs.read_mode"), nullptr);
  EXPECT_EQ(find(advice, "sources.logs.read_mode")->value, "mmap");
  EXPECT_THAT(find(advice, "sources.logs.read_mode")->why, HasSubstr("25 % faster than pread here, warm"));
  EXPECT_NEAR(find(advice, "sources.logs.read_mode")->gain.value(), 1.25, 1e-9);

  found.reads[1] = reads(ReadMode::kMmap, 6.4e9, 1e9);
  config = config_with(BlackholeSinkConfig{});
  advice = recommend(found, 0, config);
  EXPECT_EQ(source_of(config).read_mode, ReadMode::kPread);
  EXPECT_THAT(find(advice, "sources.logs.read_mode")->why, HasSubstr("25 % faster than mmap, warm"));

  found.reads.pop_back();
  found.reads[1].warm = {.median = 9e9, .low = 7e9, .high = 20e9};
  config = config_with(BlackholeSinkConfig{});
  advice = recommend(found, 0, config);
  EXPECT_EQ(source_of(config).read_mode, ReadMode::kAuto);
  EXPECT_THAT(advice.changes, IsEmpty());
  EXPECT_THAT(advice.remarks, Contains(HasSubstr("no way to read differs")));
}

TEST(RecommendTest, WhatThisMachineRefusesIsNotRecommended) {
  TuneFindings found;
  found.reads = {reads(ReadMode::kPread, 8e9, 1e9),
                 {.mode = ReadMode::kIoUring, .warm = about(1e12), .cold = about(1e12), .error = "refused"}};
  Config config = config_with(BlackholeSinkConfig{});
  recommend(found, 0, config);
  EXPECT_EQ(source_of(config).read_mode, ReadMode::kAuto);
}

TEST(RecommendTest, LinesDecideWhatTheSourceMustBear) {
  TuneFindings found;
  found.lines = {
      .lines = 100, .mean_bytes = 50'000, .longest_bytes = 900'000, .crlf = 0.99, .continued = 0.3};
  Config config = config_with(BlackholeSinkConfig{});
  const TuneAdvice advice = recommend(found, 0, config);
  EXPECT_EQ(source_of(config).max_line_bytes, 2U * 1024 * 1024);
  EXPECT_TRUE(source_of(config).strip_cr);
  EXPECT_THAT(advice.remarks, Contains(HasSubstr("30 % of the lines begin with a blank")));
}

TEST(RecommendTest, ManyFilesNeedDescriptorsAsFarAsThereAreAny) {
  TuneFindings found;
  found.files = 5000;
  found.open_files_max = 20'000;
  Config config = config_with(BlackholeSinkConfig{});
  TuneAdvice advice = recommend(found, 0, config);
  EXPECT_EQ(config.max_open_files, 8192U);
  found.open_files_max = 1024;
  config = config_with(BlackholeSinkConfig{});
  advice = recommend(found, 0, config);
  EXPECT_EQ(config.max_open_files, 1024U);
  EXPECT_THAT(advice.remarks, Contains(HasSubstr("the hard limit of open files is 1024")));
}

TEST(RecommendTest, TheSinkGetsWhatCarriesTheMostOverTheLink) {
  TuneFindings found;
  found.lines = {.lines = 1000, .mean_bytes = 50, .longest_bytes = 100, .crlf = 0, .continued = 0};
  found.compression = {figure("zstd 1", 256, 8, 500), figure("zstd 3", 256, 9, 350),
                       figure("zstd 1", 1024, 8.1, 400), figure("zstd 3", 1024, 9.1, 340)};
  Config config = config_with(KafkaSinkConfig{});
  TuneAdvice advice = recommend(found, 125e6, config);
  const auto& kafka = std::get<KafkaSinkConfig>(config.sinks.at("out"));
  EXPECT_EQ(kafka.compression, Compression::kZstd);
  EXPECT_EQ(kafka.options.at("compression.level"), "1");
  EXPECT_EQ(kafka.batch.max_bytes, 256U * 1024);
  EXPECT_EQ(kafka.batch.max_events, 10'000U);  // 5,243 lines fill a batch
  EXPECT_NEAR(find(advice, "sinks.out.compression")->gain.value(), 4, 1e-9);
  EXPECT_THAT(find(advice, "sinks.out.compression")->why,
              HasSubstr("500 MB/s of lines instead of 125 MB/s over 1 Gbit/s: ratio 8.0"));
  EXPECT_THAT(find(advice, "sinks.out.batch.max_bytes")->why,
              HasSubstr("8.1 and 400 MB/s by the default of 1MiB"));

  config = config_with(HttpSinkConfig{});
  advice = recommend(found, 0, config);
  const auto& http = std::get<HttpSinkConfig>(config.sinks.at("out"));
  EXPECT_EQ(http.compression, Compression::kZstd);
  EXPECT_EQ(http.compression_level, 1U);
  EXPECT_EQ(find(advice, "sinks.out.compression_level")->value, "1");
  EXPECT_THAT(find(advice, "sinks.out.compression")->why, HasSubstr("assumed: --link says another"));

  config = config_with(HttpSinkConfig{});
  advice = recommend(found, 1250e6, config);
  EXPECT_EQ(std::get<HttpSinkConfig>(config.sinks.at("out")).compression, Compression::kNone);
  EXPECT_THAT(advice.remarks, Contains(HasSubstr("carries more than the link does uncompressed")));

  config = config_with(FileSinkConfig{});
  advice = recommend(found, 0, config);
  EXPECT_EQ(std::get<FileSinkConfig>(config.sinks.at("out")).compression, Compression::kNone);
  EXPECT_THAT(advice.remarks, Contains(HasSubstr("zstd would store these lines in")));

  config = config_with(TcpSinkConfig{});
  EXPECT_THAT(recommend(found, 0, config).remarks, Contains(HasSubstr("This sink does not compress")));
}

TEST(RecommendTest, ShortLinesNeedMoreEventsABatch) {
  TuneFindings found;
  found.lines = {.lines = 1000, .mean_bytes = 20, .longest_bytes = 100, .crlf = 0, .continued = 0};
  found.growth = {.seconds = 2, .bytes = 20'000, .files = 1};
  found.compression = {figure("zstd 3", 1024, 9, 350)};
  Config config = config_with(HttpSinkConfig{});
  const TuneAdvice advice = recommend(found, 12.5e6, config);
  EXPECT_EQ(std::get<HttpSinkConfig>(config.sinks.at("out")).batch.max_events, 66'250U);
  EXPECT_THAT(advice.remarks, Contains(HasSubstr("at 10.0 kB/s a batch ends after 500ms with 4.9 KiB")));
}

TEST(RecommendTest, WhereNothingWasMeasuredNothingChanges) {
  Config config = config_with(KafkaSinkConfig{});
  const TuneAdvice advice = recommend({}, 0, config);
  EXPECT_THAT(advice.changes, IsEmpty());
  EXPECT_THAT(advice.remarks, IsEmpty());
}

TEST(MeasureLinesTest, CountsWhatASampleHolds) {
  const LineFigures figures = measure_lines("one\r\n  at two\r\nlonger line\r\nend");
  EXPECT_EQ(figures.lines, 4U);
  EXPECT_EQ(figures.longest_bytes, 12U);
  EXPECT_DOUBLE_EQ(figures.crlf, 0.75);
  EXPECT_DOUBLE_EQ(figures.continued, 0.25);
  EXPECT_EQ(measure_lines("").lines, 0U);
}

TEST(AnnotateTest, CommentsStandAtTheirKeys) {
  const std::string yaml =
      "version: 1\nsources:\n  logs:\n    read_mode: mmap\nsinks:\n  out:\n    type: http\n";
  EXPECT_EQ(annotate_yaml(yaml,
                          {{"sources.logs.read_mode", "25 % faster"},
                           {"sinks.out.type", "a reason that is too long to stand behind the value"},
                           {"sinks.out.missing", "nowhere"}},
                          36),
            "version: 1\nsources:\n  logs:\n    read_mode: mmap  # 25 % faster\nsinks:\n  out:\n"
            "    # a reason that is too long to\n    # stand behind the value\n    type: http\n");
}

TEST(TuneTest, MeasuresFilesWithoutChangingThem) {
  const TempDir dir;
  std::string text;
  for (int i = 0; i < 250'000; ++i)
    text += "2026-11-23 INFO request " + std::to_string(i * 7919) + " served\n";
  std::ofstream(dir / "a.log", std::ios::binary) << text;
  const auto written = std::filesystem::last_write_time(dir / "a.log");
  const Result<UserFiles> files = find_user_files({"*.log"}, dir.path());
  ASSERT_TRUE(files);
  TuneOptions options;
  options.watch = 0s;
  const Result<TuneFindings> found = measure_files(*files, options);
  ASSERT_TRUE(found) << found.error().text();
  EXPECT_EQ(found->files, 1U);
  EXPECT_EQ(found->bytes, text.size());
  EXPECT_GT(found->lines.lines, 50'000U);
  EXPECT_EQ(found->growth.files, 0U);
  EXPECT_EQ(found->reads.size(), 3U);
  EXPECT_GT(found->reads.front().error.empty() ? found->reads.front().warm.median : 1, 0);
  EXPECT_FALSE(found->compression.empty());
  EXPECT_EQ(std::filesystem::last_write_time(dir / "a.log"), written);

  options.stop = [] { return true; };
  const Result<TuneFindings> stopped = measure_files(*files, options);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, Errc::kBusy);
}

TEST(TuneTest, SeesFilesGrow) {
  const TempDir dir;
  std::ofstream(dir / "a.log", std::ios::binary) << "one line\n";
  const Result<UserFiles> files = find_user_files({"*.log"}, dir.path());
  ASSERT_TRUE(files);
  std::ofstream(dir / "a.log", std::ios::binary | std::ios::app) << "another\n";
  TuneOptions options;
  options.watch = 0s;
  const Result<TuneFindings> found = measure_files(*files, options);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->growth.files, 1U);
  EXPECT_EQ(found->growth.bytes, 8U);
}

}  // namespace
}  // namespace logflume
