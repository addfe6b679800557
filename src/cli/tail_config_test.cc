#include "cli/tail_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/load.h"

namespace logflume {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TailRequest request(std::string to) {
  return {
      .patterns = {"*.log", "/var/log/x"}, .to = std::move(to), .data_dir = "/data", .directory = "/here"};
}

template <typename Sink>
Sink sink(const std::string& to) {
  const Result<Config> config = tail_config(request(to));
  EXPECT_TRUE(config) << to;
  const Sink* found = config ? std::get_if<Sink>(&config->sinks.at("out")) : nullptr;
  EXPECT_NE(found, nullptr) << to;
  return found == nullptr ? Sink{} : *found;
}

TEST(TailConfigTest, RelativePatternsAreTakenFromTheWorkingDirectory) {
  const Result<Config> config = tail_config(request("console"));
  ASSERT_TRUE(config);
  const auto& source = std::get<FileSourceConfig>(config->sources.at("tail"));
  EXPECT_THAT(source.include, ElementsAre("/here/*.log", "/var/log/x"));
  EXPECT_EQ(source.start_at, StartAt::kBeginning);
  EXPECT_EQ(config->data_dir, "/data");
}

TEST(TailConfigTest, EachDestinationIsItsSinkInRaw) {
  EXPECT_EQ(sink<ConsoleSinkConfig>("console").encoding, Encoding::kRaw);
  EXPECT_EQ(sink<FileSinkConfig>("file:out.log").path, "/here/out.log");
  EXPECT_EQ(sink<FileSinkConfig>("file:/x/out.log").path, "/x/out.log");
  EXPECT_EQ(sink<FileSinkConfig>("file:///x/out.log").path, "/x/out.log");
  EXPECT_THAT(sink<TcpSinkConfig>("tcp://h:514").addresses, ElementsAre("h:514"));
  EXPECT_EQ(sink<HttpSinkConfig>("https://h/in?x=1").uri, "https://h/in?x=1");
  const auto kafka = sink<KafkaSinkConfig>("kafka://a:9092,b:9092/logs");
  EXPECT_EQ(kafka.bootstrap_servers, "a:9092,b:9092");
  EXPECT_EQ(kafka.topic, "logs");
  EXPECT_EQ(kafka.batch.linger, 50ms) << "the default of its type";
}

TEST(TailConfigTest, OtherDestinationsAreRefusedWithWhatThereIs) {
  for (const char* to : {"", "ftp://h/", "tcp://h", "tcp://:1", "kafka://h:1", "kafka://h:1/",
                         "file:", "file://host/x", "out.log"}) {
    const Result<Config> config = tail_config(request(to));
    ASSERT_FALSE(config) << to;
    EXPECT_THAT(config.error().text(), HasSubstr("expected console, file:PATH"));
  }
}

TEST(TailConfigTest, WhatItStandsForValidates) {
  for (const char* to : {"console", "file:out", "tcp://h:514", "http://h/", "kafka://h:1/t"}) {
    const Result<Config> config = tail_config(request(to));
    ASSERT_TRUE(config);
    const LoadedConfig loaded =
        load_config_texts({{"tail", to_yaml(*config)}}, Environment(), {.check_paths = false});
    EXPECT_TRUE(loaded.config) << render(loaded.diagnostics);
  }
}

}  // namespace
}  // namespace logflume
