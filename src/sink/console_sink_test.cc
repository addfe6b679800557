#include "sink/console_sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>

#include <thread>

#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

ConsoleSinkConfig raw_config() {
  ConsoleSinkConfig config;
  config.encoding = Encoding::kRaw;
  return config;
}

std::string read_some(int fd) {
  std::string buffer(65536, '\0');
  const ssize_t size = ::read(fd, buffer.data(), buffer.size());
  buffer.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return buffer;
}

class ConsoleSinkTest : public testing::Test {
 protected:
  void SetUp() override {
    ::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    reader_ = UniqueFd(ends[0]);
    writer_ = UniqueFd(ends[1]);
  }

  UniqueFd reader_, writer_;
  SinkHarness harness_;
};

TEST_F(ConsoleSinkTest, RawWritesLinesAsTheyAre) {
  const auto sink = make_console_sink(raw_config(), harness_.context(), writer_.get());
  ASSERT_TRUE(sink->open());
  harness_.send("one\r\n\n");
  harness_.send(std::string_view("two\0\xff", 5));
  while (sink->do_work(steady_now()) != 0) {
  }
  EXPECT_EQ(read_some(reader_.get()), std::string("one\r\n\ntwo\0\xff\n", 12));
  EXPECT_EQ(harness_.acked(), 11u);
  EXPECT_EQ(harness_.metrics.sent_bytes.value(), 12u);
  EXPECT_EQ(harness_.metrics.sent_events.value(), 3u);
  EXPECT_TRUE(sink->drained());
}

TEST_F(ConsoleSinkTest, JsonWritesAnObjectALine) {
  ConsoleSinkConfig config;
  config.labels = {{"env", "prod"}};
  const auto sink = make_console_sink(config, harness_.context(), writer_.get());
  ASSERT_TRUE(sink->open());
  harness_.send("say \"hi\"\n");
  while (sink->do_work(steady_now()) != 0) {
  }
  const std::string line = read_some(reader_.get());
  EXPECT_EQ(
      line.find(R"({"message":"say \"hi\"","file":"/var/log/app.log","source":"app","host":"host.example",)"),
      0u)
      << line;
  EXPECT_NE(line.find(R"("env":"prod"})"
                      "\n"),
            std::string::npos)
      << line;
  EXPECT_EQ(harness_.metrics.sent_bytes.value(), line.size());
}

TEST_F(ConsoleSinkTest, AClosedPipeIsAFailureNotACrash) {
  const auto sink = make_console_sink(raw_config(), harness_.context(), writer_.get());
  ASSERT_TRUE(sink->open());
  reader_.reset();
  harness_.send("one\n");
  harness_.send("two\n");
  while (sink->do_work(steady_now()) != 0) {
  }
  EXPECT_EQ(harness_.health().status, HealthStatus::kFailing);
  EXPECT_EQ(harness_.acked(), 0u);
  EXPECT_EQ(harness_.errors("closed"), 1u);
  EXPECT_FALSE(sink->has_input());  // it takes nothing more
  EXPECT_EQ(sink->deadline(), kNever);
  EXPECT_TRUE(sink->drained());
  EXPECT_FALSE(harness_.all_acked());
}

// Goal: a reader that stands still stops neither the thread nor its end, and gets everything when it goes on.
// Method: a megabyte into a pipe (and a socket) that holds less, the loop stopped and another one started.
class ConsoleSinkBlockedTest : public testing::TestWithParam<bool> {};

TEST_P(ConsoleSinkBlockedTest, NeverBlocksItsThread) {
  ::signal(SIGPIPE, SIG_IGN);
  int ends[2];
  if (GetParam()) {
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
  } else {
    ASSERT_EQ(::pipe(ends), 0);
  }
  const UniqueFd reader(ends[0]), writer(ends[1]);
  std::string text;
  for (int i = 0; text.size() < 1'000'000; ++i) text += "line " + std::to_string(i) + "\n";

  SinkHarness harness;
  const auto sink = make_console_sink(raw_config(), harness.context(), writer.get());
  ASSERT_TRUE(sink->open());
  harness.loop.add(*sink);
  harness.loop.start();
  harness.send(text);
  std::string got;
  while (got.size() < text.size()) got += read_some(reader.get());
  EXPECT_EQ(got, text);
  while (!harness.all_acked()) std::this_thread::yield();
  harness.send(text);
  got = read_some(reader.get());  // it is writing, and soon blocked
  harness.loop.stop();            // returns all the same
  EXPECT_FALSE(sink->drained());
  EXPECT_EQ(harness.acked(), text.size());
}

INSTANTIATE_TEST_SUITE_P(Kinds, ConsoleSinkBlockedTest, testing::Bool(),
                         [](const auto& kind) { return kind.param ? "Socket" : "Pipe"; });

TEST(ConsoleSinkFileTest, WritesToAFile) {
  char name[] = "/tmp/logflume_console_XXXXXX";
  const UniqueFd file(::mkstemp(name));
  ASSERT_TRUE(file.valid());
  SinkHarness harness;
  const auto sink = make_console_sink(raw_config(), harness.context(), file.get());
  ASSERT_TRUE(sink->open());
  harness.send("one\ntwo");
  while (sink->do_work(steady_now()) != 0) {
  }
  std::string text(100, '\0');
  text.resize(static_cast<std::size_t>(::pread(file.get(), text.data(), text.size(), 0)));
  EXPECT_EQ(text, "one\ntwo\n");
  ::unlink(name);
}

}  // namespace
}  // namespace logflume
