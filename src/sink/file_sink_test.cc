#include "sink/file_sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>
#include <thread>

#include "checkpoint/checkpoint_store.h"
#include "sink/decompress_for_test.h"
#include "sink/fields_for_test.h"
#include "sink/file_output.h"
#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

namespace fs = std::filesystem;

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void append_file(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file << text;
}

class FileSinkTest : public testing::Test {
 protected:
  FileSinkTest() {
    char name[] = "/tmp/logflume_file_sink_XXXXXX";
    directory_ = ::mkdtemp(name);
    out_ = directory_ + "/out.log";
  }
  ~FileSinkTest() override { fs::remove_all(directory_); }

  FileSinkConfig raw_config(std::string path = {}) {
    FileSinkConfig config;
    config.encoding = Encoding::kRaw;
    config.path = path.empty() ? out_ : std::move(path);
    config.retry = {.initial = 1ms, .max = 1ms};
    return config;
  }

  static std::unique_ptr<Sink> start(SinkHarness& harness, FileSinkConfig config) {
    auto sink = make_file_sink(std::move(config), harness.context());
    const auto opened = sink->open();
    EXPECT_TRUE(opened) << opened.error().text();
    return sink;
  }
  static void run(Sink& sink) {
    while (sink.do_work(steady_now()) != 0) {
    }
  }

  std::string directory_, out_;
};

TEST_F(FileSinkTest, WritesAndAcknowledges) {
  SinkHarness harness;
  const auto sink = start(harness, raw_config(directory_ + "/new/dir/out.log"));
  harness.send("one\ntwo\n");
  harness.send("three", 2);
  EXPECT_TRUE(sink->has_input());
  run(*sink);
  EXPECT_EQ(read_file(directory_ + "/new/dir/out.log"), "one\ntwo\nthree\n");
  EXPECT_EQ(harness.acked(1), 8u);
  EXPECT_EQ(harness.acked(2), 5u);
  EXPECT_TRUE(sink->drained());
  EXPECT_EQ(harness.metrics.sent_bytes.value(), 14u);
  EXPECT_EQ(harness.metrics.received_events.value(), harness.metrics.sent_events.value());
}

TEST_F(FileSinkTest, JsonAndStrippedLinesAreEncoded) {
  SinkHarness harness;
  FileSinkConfig config = raw_config();
  config.encoding = Encoding::kJson;
  const auto sink = start(harness, config);
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += "x\n";  // more than one piece of JSON
  harness.send(text);
  run(*sink);
  const std::string written = read_file(out_);
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 20'000);
  EXPECT_EQ(written.find(R"({"message":"x",)"), 0u);
  EXPECT_EQ(harness.metrics.sent_bytes.value(), written.size());
}

TEST_F(FileSinkTest, LingerCollectsAGroup) {
  SinkHarness harness;
  FileSinkConfig config = raw_config();
  config.batch.linger = 10s;
  const auto sink = start(harness, config);
  const TimePoint now = steady_now();
  harness.send("one\n");
  sink->do_work(now);
  EXPECT_EQ(harness.acked(), 0u);
  EXPECT_EQ(sink->deadline(), now + 10s);
  EXPECT_FALSE(sink->drained());
  harness.send("two\n");
  sink->do_work(now + 9s);
  EXPECT_EQ(harness.acked(), 0u);
  sink->do_work(now + 10s);
  EXPECT_EQ(harness.acked(), 8u);
  harness.send("three\n");
  sink->drain();
  sink->do_work(now + 11s);
  EXPECT_EQ(harness.acked(), 14u);
}

TEST_F(FileSinkTest, WhatWasNotAcknowledgedIsCutAtTheStart) {
  std::vector<SinkStateRecord> states;
  {
    SinkHarness harness;
    const auto sink = start(harness, raw_config());
    harness.send("acknowledged\n");
    run(*sink);
    ASSERT_TRUE(harness.commit());
    states = harness.durable_states();
    harness.send("written, its acknowledgement lost\n");
    run(*sink);
    append_file(out_, "torn li");
  }
  SinkHarness harness(states);
  const auto sink = start(harness, raw_config());
  EXPECT_EQ(read_file(out_), "acknowledged\n");
  harness.send("again\n");
  run(*sink);
  EXPECT_EQ(read_file(out_), "acknowledged\nagain\n");
}

TEST_F(FileSinkTest, TheLengthIsDurableBeforeTheFirstWrite) {
  append_file(out_, "from before\n");
  std::vector<SinkStateRecord> states;
  {
    SinkHarness harness;
    const auto sink = start(harness, raw_config());
    harness.send("never acknowledged\n");
    run(*sink);
    EXPECT_EQ(harness.commits, 1);  // by the sink itself
    states = harness.durable_states();
  }
  ASSERT_EQ(states.size(), 1u);
  EXPECT_EQ(OutputRecord::decode(states[0].value)->length, 12u);
  SinkHarness harness(states);
  start(harness, raw_config());
  EXPECT_EQ(read_file(out_), "from before\n");
}

TEST_F(FileSinkTest, AFileOfSomebodyElseIsNeverCut) {
  std::vector<SinkStateRecord> states;
  {
    SinkHarness harness;
    const auto sink = start(harness, raw_config());
    harness.send("ours\n");
    run(*sink);
    ASSERT_TRUE(harness.commit());
    states = harness.durable_states();
  }
  // Another file under the path, and ours nowhere.
  append_file(directory_ + "/other", "a file that somebody else put here\n");
  fs::rename(directory_ + "/other", out_);
  SinkHarness harness(states);
  const auto sink = start(harness, raw_config());
  harness.send("appended\n");
  run(*sink);
  EXPECT_EQ(read_file(out_), "a file that somebody else put here\nappended\n");
}

TEST_F(FileSinkTest, AfterACleanStopNothingIsCut) {
  SinkHarness harness;
  const auto sink = start(harness, raw_config());
  harness.send("one\n");
  run(*sink);
  sink->at_rest();
  ASSERT_TRUE(harness.commit());
  EXPECT_TRUE(harness.durable_states().empty());
  append_file(out_, "by hand\n");

  SinkHarness next(harness.durable_states());
  next.start_at(4);
  const auto again = start(next, raw_config());
  next.send("two\n");
  run(*again);
  EXPECT_EQ(read_file(out_), "one\nby hand\ntwo\n");
}

TEST_F(FileSinkTest, AFileHasOneWriter) {
  SinkHarness first;
  SinkHarness second({}, "second");
  second.shared_outputs = &first.outputs;
  fs::create_directory_symlink(directory_, directory_ + "/link");
  const auto writer = start(first, raw_config());
  const auto other = start(second, raw_config(directory_ + "/link/out.log"));
  first.send("one\n");
  run(*writer);
  second.send("never\n");
  run(*other);
  EXPECT_FALSE(second.all_acked());
  EXPECT_EQ(second.health().status, HealthStatus::kDegraded);
  EXPECT_NE(second.health().message.find("is written by sink out as " + out_), std::string::npos)
      << second.health().message;
  EXPECT_EQ(read_file(out_), "one\n");

  writer->at_rest();  // its lines are safe now: it has no record any more
  std::this_thread::sleep_for(2ms);
  run(*other);
  EXPECT_TRUE(second.all_acked());
  EXPECT_EQ(read_file(out_), "one\nnever\n");
}

TEST_F(FileSinkTest, CutsAFileThatWasRotatedWhileStopped) {
  std::vector<SinkStateRecord> states;
  {
    SinkHarness harness;
    const auto sink = start(harness, raw_config());
    harness.send("acknowledged\n");
    run(*sink);
    ASSERT_TRUE(harness.commit());
    states = harness.durable_states();
    harness.send("lost\n");
    run(*sink);
  }
  fs::rename(out_, out_ + ".1");
  append_file(out_, "another\n");
  SinkHarness harness(states);
  const auto sink = start(harness, raw_config());
  EXPECT_EQ(read_file(out_ + ".1"), "acknowledged\n");
  EXPECT_EQ(read_file(out_), "another\n");
}

TEST_F(FileSinkTest, ATruncatedFileIsAppendedTo) {
  std::vector<SinkStateRecord> states;
  {
    SinkHarness harness;
    const auto sink = start(harness, raw_config());
    harness.send("one\ntwo\nthree\n");
    run(*sink);
    fs::resize_file(out_, 0);  // while it is open
    harness.send("four\n");
    run(*sink);
    EXPECT_EQ(read_file(out_), "four\n");
    ASSERT_TRUE(harness.commit());
    states = harness.durable_states();
  }
  fs::resize_file(out_, 2);  // while nobody has it open
  SinkHarness harness(states);
  const auto sink = start(harness, raw_config());
  harness.send("\nfive\n");
  run(*sink);
  EXPECT_EQ(read_file(out_), "fo\nfive\n");
}

TEST_F(FileSinkTest, AnUnreadableRecordCutsNothing) {
  append_file(out_, "precious\n");
  for (const char* value : {"", "1 2 3", "2 1 1 1 1", "1 1 1 1 1 1", "garbage"}) {
    SinkHarness harness({{"out", out_, value}});
    start(harness, raw_config());
    EXPECT_EQ(read_file(out_), "precious\n");
  }
}

TEST_F(FileSinkTest, ReopensAfterRotation) {
  SinkHarness harness;
  const auto sink = start(harness, raw_config());
  harness.send("one\n");
  run(*sink);
  fs::rename(out_, out_ + ".1");
  harness.send("two\n");
  run(*sink);
  EXPECT_EQ(read_file(out_ + ".1"), "one\n");
  EXPECT_EQ(read_file(out_), "two\n");
  // The rotated file's acknowledgements were durable before the new one was written.
  EXPECT_EQ(harness.committed_offsets.at(1), 4u);
  fs::remove(out_);
  harness.send("three\n");
  run(*sink);
  EXPECT_EQ(read_file(out_), "three\n");
  EXPECT_EQ(harness.acked(), 14u);
}

TEST_F(FileSinkTest, AnIdleRotatedOutputIsLetGo) {
  SinkHarness harness;
  const auto sink = start(harness, raw_config());
  harness.send("one\n");
  run(*sink);
  fs::remove(out_);
  const TimePoint sweep = sink->deadline();
  ASSERT_NE(sweep, kNever);
  sink->do_work(sweep);
  EXPECT_EQ(sink->deadline(), kNever);  // nothing is open
  ASSERT_TRUE(harness.commit());
  EXPECT_TRUE(harness.durable_states().empty());
}

TEST_F(FileSinkTest, ADiskThatIsFullIsTriedAgainWithoutTornLines) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  SinkHarness harness;
  const auto sink = start(harness, raw_config());
  harness.send("fits\n");
  run(*sink);
  // A write beyond 100 bytes is cut short, the next one fails.
  const rlimit small{100, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  harness.send(std::string(200, 'x') + "\n");
  TimePoint now = steady_now();
  for (int i = 0; i < 5; ++i) {
    sink->do_work(now);
    now = std::max(sink->deadline(), now) + 1ms;
  }
  EXPECT_EQ(read_file(out_), "fits\n");
  EXPECT_EQ(harness.acked(), 5u);
  EXPECT_EQ(harness.health().status, HealthStatus::kDegraded);
  EXPECT_NE(harness.health().message.find(out_), std::string::npos) << harness.health().message;
  EXPECT_FALSE(sink->drained());
  EXPECT_GE(harness.errors("write"), 3u);
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  harness.send("more\n");
  for (int i = 0; i < 3; ++i) {
    sink->do_work(now);
    now += 10ms;
  }
  EXPECT_EQ(read_file(out_), "fits\n" + std::string(200, 'x') + "\nmore\n");
  EXPECT_TRUE(harness.all_acked());
  EXPECT_EQ(harness.health().status, HealthStatus::kOk);
}

TEST_F(FileSinkTest, AnOutputThatCannotBeOpenedHoldsUpOnlyItsOwn) {
  SinkHarness harness;
  const auto sink = start(harness, raw_config(directory_ + "/{{ file_name }}"));
  fs::create_directory(directory_ + "/bad.log");  // no file can be written there
  harness.send("good\n", 1, "/var/log/good.log");
  harness.send("bad\n", 2, "/var/log/bad.log");
  TimePoint now = steady_now();
  for (int i = 0; i < 3; ++i) sink->do_work(now += 1s);
  EXPECT_EQ(harness.acked(1), 5u);
  EXPECT_EQ(read_file(directory_ + "/good.log"), "good\n");
  EXPECT_EQ(harness.health().status, HealthStatus::kDegraded);
  EXPECT_FALSE(sink->drained());
  harness.send("better\n", 1, "/var/log/good.log");
  harness.send("worse\n", 2, "/var/log/bad.log");
  harness.send("new\n", 3, "/var/log/new.log");
  sink->do_work(now += 1s);
  EXPECT_EQ(read_file(directory_ + "/good.log"), "good\nbetter\n");
  EXPECT_EQ(read_file(directory_ + "/new.log"), "new\n");
  EXPECT_EQ(harness.acked(2), 0u);

  fs::remove(directory_ + "/bad.log");
  sink->do_work(now += 1s);
  EXPECT_TRUE(harness.all_acked());
  EXPECT_TRUE(sink->drained());
  EXPECT_EQ(read_file(directory_ + "/bad.log"), "bad\nworse\n");
  EXPECT_EQ(harness.health().status, HealthStatus::kOk);
  EXPECT_EQ(harness.metrics.sent_events.value(), 5u);
}

// Two days' outputs of one file: the later one must not run ahead of the first, for the file's cursor could
// not follow and a crash would repeat its lines.
TEST_F(FileSinkTest, AnOutputThatCannotBeOpenedHoldsUpTheRestOfItsFile) {
  constexpr std::int64_t kDayNs = 86'400'000'000'000;
  SinkHarness harness;
  const auto sink = start(harness, raw_config(directory_ + "/%Y-%m-%d.log"));
  fs::create_directory(directory_ + "/1970-01-02.log");
  TimePoint now = steady_now();
  for (int day = 1; day <= 3; ++day) {
    ASSERT_TRUE(
        harness.send(harness.make_delivery(fmt::format("{}\n", day), 1, "/var/log/a.log", day * kDayNs)));
  }
  ASSERT_TRUE(harness.send(harness.make_delivery("other\n", 2, "/var/log/b.log", 4 * kDayNs)));
  sink->do_work(now);
  EXPECT_EQ(harness.acked(1), 0u);
  EXPECT_EQ(read_file(directory_ + "/1970-01-03.log"), "");
  EXPECT_EQ(harness.acked(2), 6u);
  ASSERT_TRUE(harness.send(harness.make_delivery("5\n", 1, "/var/log/a.log", 5 * kDayNs)));
  sink->do_work(now += 1s);
  EXPECT_EQ(read_file(directory_ + "/1970-01-06.log"), "");

  fs::remove(directory_ + "/1970-01-02.log");
  sink->do_work(now += 1s);
  EXPECT_TRUE(harness.all_acked());
  for (int day = 1; day <= 5; ++day) {
    if (day == 4) continue;
    EXPECT_EQ(read_file(directory_ + fmt::format("/1970-01-{:02}.log", day + 1)), fmt::format("{}\n", day));
  }
}

TEST_F(FileSinkTest, AFifoUnderThePathDoesNotHangIt) {
  ASSERT_EQ(::mkfifo(out_.c_str(), 0600), 0);
  SinkHarness harness;
  const auto sink = start(harness, raw_config());
  harness.send("one\n");
  sink->do_work(steady_now());
  EXPECT_EQ(harness.health().status, HealthStatus::kDegraded);
  EXPECT_EQ(harness.acked(), 0u);
}

TEST_F(FileSinkTest, DeliveryGoesOnWhenCheckpointsFail) {
  SinkHarness harness;
  harness.commit_result = [] { return Result<void>(errno_error(ENOSPC, "checkpoint")); };
  const auto sink = start(harness, raw_config());
  harness.send("one\n");
  run(*sink);
  EXPECT_EQ(read_file(out_), "one\n");
  EXPECT_TRUE(harness.all_acked());
  EXPECT_EQ(harness.errors("checkpoint"), 1u);
}

TEST_F(FileSinkTest, TemplatedPathsStayInTheirDirectoryAndFewAreOpen) {
  SinkHarness harness;
  FileSinkConfig config = raw_config(directory_ + "/out/{{ file }}/%Y-%m-%d.log");
  config.max_open_files = 3;
  const auto sink = start(harness, config);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 60; ++i) {
    const int file = i % 10;
    const std::string path = "/../../etc/" + std::to_string(file);
    const std::string line = std::to_string(i) + "\n";
    harness.send(line, static_cast<std::uint64_t>(file) + 1, path);
    expected["_.._.._etc_" + std::to_string(file)] += line;
    if (i % 7 == 0) run(*sink);
  }
  run(*sink);
  EXPECT_TRUE(harness.all_acked());
  std::map<std::string, std::string> got;
  for (const auto& entry : fs::recursive_directory_iterator(directory_)) {
    if (!entry.is_regular_file()) continue;
    EXPECT_EQ(entry.path().filename(), "2026-01-02.log");
    got[entry.path().parent_path().filename()] = read_file(entry.path());
  }
  EXPECT_EQ(got, expected);
  ASSERT_TRUE(harness.commit());
  EXPECT_LE(harness.durable_states().size(), 3u);  // closed outputs need no record
}

// A delivery whose lines go to files by their first words.
Delivery by_level(SinkHarness& harness, std::string_view text, std::uint64_t file_id = 1,
                  std::size_t frames = 1) {
  Delivery delivery = harness.make_delivery(text, file_id);
  delivery.batch = with_first_word(delivery.batch, "level", frames);
  return delivery;
}

TEST_F(FileSinkTest, EventsGoToFilesByTheirFields) {
  SinkHarness harness;
  const auto sink = start(harness, raw_config(directory_ + "/{{ level ?? no level }}.log"));
  ASSERT_TRUE(harness.send(by_level(harness, "a 1\n../../b 2\n\n.. 3\na 4\n", 1)));
  ASSERT_TRUE(harness.send(by_level(harness, "a 5\nlast 6", 1, 2)));
  ASSERT_TRUE(harness.send(by_level(harness, "", 2)));
  run(*sink);
  EXPECT_EQ(read_file(directory_ + "/a.log"), "a 1\na 4\na 5\n");
  EXPECT_EQ(read_file(directory_ + "/.._.._b.log"), "../../b 2\n");
  EXPECT_EQ(read_file(directory_ + "/_.log"), ".. 3\n");
  EXPECT_EQ(read_file(directory_ + "/no level.log"), "\n");
  EXPECT_EQ(read_file(directory_ + "/last.log"), "last 6\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 5);
  EXPECT_TRUE(harness.all_acked());
  EXPECT_TRUE(sink->drained());
  EXPECT_EQ(harness.metrics.sent_events.value(), 7U);
  EXPECT_EQ(harness.metrics.received_events.value(), 7U);
}

// Each event is in one file once, whatever cannot be written meanwhile.
TEST_F(FileSinkTest, AnOutputThatFailsHoldsUpTheWholeDelivery) {
  SinkHarness harness;
  const auto sink = start(harness, raw_config(directory_ + "/{{ level }}.log"));
  fs::create_directory(directory_ + "/b.log");
  ASSERT_TRUE(harness.send(by_level(harness, "a 1\nb 2\na 3\n", 1)));
  ASSERT_TRUE(harness.send(by_level(harness, "a 4\nc 5\n", 2)));
  ASSERT_TRUE(harness.send(by_level(harness, "a 6\n", 1)));
  for (int i = 0; i < 20; ++i) sink->do_work(steady_now());
  EXPECT_EQ(harness.acked(1), 0U);
  EXPECT_EQ(read_file(directory_ + "/b.log"), "");
  EXPECT_GT(harness.errors("write"), 0U);
  fs::remove(directory_ + "/b.log");
  for (int i = 0; i < 200 && !harness.all_acked(); ++i) {
    sink->do_work(steady_now());
    std::this_thread::sleep_for(1ms);
  }
  EXPECT_TRUE(harness.all_acked());
  const std::string a = read_file(directory_ + "/a.log");
  EXPECT_EQ(a.size(), 16U) << a;
  EXPECT_LT(a.find("a 1\na 3\n"), a.find("a 6\n")) << "in the order of their file";
  EXPECT_NE(a.find("a 4\n"), a.npos);
  EXPECT_EQ(read_file(directory_ + "/b.log"), "b 2\n");
  EXPECT_EQ(read_file(directory_ + "/c.log"), "c 5\n");
  EXPECT_EQ(harness.metrics.sent_events.value(), 6U);
}

TEST_F(FileSinkTest, FieldsMakeNoMorePathsAtOnceThanMayBeOpen) {
  SinkHarness harness;
  FileSinkConfig config = raw_config(directory_ + "/{{ level ?? rest }}.log");
  config.max_open_files = 4;
  const auto sink = start(harness, config);
  std::string text;
  for (int i = 0; i < 100; ++i) text += "w" + std::to_string(i % 50) + " x\n";
  ASSERT_TRUE(harness.send(by_level(harness, text)));
  ASSERT_TRUE(harness.send(by_level(harness, "w7 y\nw0 z\n")));
  run(*sink);
  EXPECT_TRUE(harness.all_acked());
  EXPECT_EQ(std::distance(fs::directory_iterator(directory_), {}), 5);
  EXPECT_EQ(read_file(directory_ + "/w0.log"), "w0 x\nw0 x\nw0 z\n");
  EXPECT_EQ(read_file(directory_ + "/w7.log"), "w7 y\n");
  const std::string rest = read_file(directory_ + "/rest.log");
  EXPECT_EQ(std::count(rest.begin(), rest.end(), '\n'), 94);
  EXPECT_EQ(harness.errors("too_many_outputs"), 94U);
  EXPECT_EQ(harness.metrics.sent_events.value(), 102U);
}

TEST(ConfinePathTest, NoPartLeadsOutOfTheDirectory) {
  EXPECT_EQ(confine_path("/a/../b", 3), "/a/__/b");
  EXPECT_EQ(confine_path("/a/./b/..", 3), "/a/_/b/__");
  EXPECT_EQ(confine_path("/../b/c", 6), "/../b/c");  // the template's own
  EXPECT_EQ(confine_path("/a/", 3), "/a/_");
  EXPECT_EQ(confine_path("/a/..b/c..", 3), "/a/..b/c..");
  const std::string longest(255, 'x');
  EXPECT_EQ(confine_path("/a/" + longest, 3), "/a/" + longest);
  const std::string cut = confine_path("/a/" + longest + "y", 3),
                    other = confine_path("/a/" + longest + "z", 3);
  EXPECT_EQ(cut.size(), 3 + 255u);
  EXPECT_NE(cut, other);
}

TEST_F(FileSinkTest, BadPathsAreRefusedAtOpen) {
  for (const char* path : {"/tmp/{{ non sense }}", "/tmp/{{ file", "", "/tmp/dir/"}) {
    SinkHarness harness;
    FileSinkConfig config = raw_config();
    config.path = path;
    const auto sink = make_file_sink(config, harness.context());
    const auto opened = sink->open();
    ASSERT_FALSE(opened) << path;
    EXPECT_EQ(opened.error().code, Errc::kInvalidArgument);
  }
}

class CompressedFileSinkTest : public FileSinkTest, public testing::WithParamInterface<Compression> {};

TEST_P(CompressedFileSinkTest, EachCommitEndsAWholeMember) {
  std::vector<SinkStateRecord> states;
  FileSinkConfig config = raw_config();
  config.compression = GetParam();
  std::string big;
  for (int i = 0; i < 100'000; ++i) big += "line " + std::to_string(i * 7919) + "\n";
  {
    SinkHarness harness;
    const auto sink = start(harness, config);
    harness.send(big);
    run(*sink);
    harness.send("two");
    run(*sink);
    EXPECT_EQ(decompress_all(GetParam(), read_file(out_)), big + "two\n");
    EXPECT_EQ(harness.metrics.sent_bytes.value(), big.size() + 4);
    ASSERT_TRUE(harness.commit());
    states = harness.durable_states();
    harness.send(big);
    run(*sink);
  }
  SinkHarness harness(states);
  const auto sink = start(harness, config);
  EXPECT_EQ(decompress_all(GetParam(), read_file(out_)), big + "two\n");
}

INSTANTIATE_TEST_SUITE_P(Formats, CompressedFileSinkTest,
                         testing::Values(Compression::kGzip, Compression::kZstd));

// -- kill -9 ----------------------------------------------------------------------------------------------

constexpr std::size_t kLineBytes = 16;
std::string numbered_line(std::uint64_t number) { return fmt::format("line {:010}\n", number); }

// The agent of the test below: feeds numbered lines from the cursor that is stored, for ever or up to
// `lines`. Writes a byte to `progress` with each group.
[[noreturn]] void run_agent(const std::string& directory, FileSinkConfig config, std::uint64_t lines,
                            unsigned seed, int progress) {
  auto store = CheckpointStore::open(directory + "/data");
  if (!store) ::_exit(3);
  if (!(*store)->quarantined().empty()) ::_exit(4);
  auto content = (*store)->load();
  if (!content) ::_exit(5);
  SinkHarness harness(content->states);
  std::uint64_t offset = 0;
  for (const CursorRecord& cursor : content->cursors) offset = cursor.offset;
  harness.start_at(offset);
  const auto commit = [&]() -> Result<void> {
    CheckpointChanges changes;
    FileRecord file;  // a cursor is only kept beside the file that it stands in
    file.id = 1;
    file.source = "app";
    file.path = "/var/log/app.log";
    changes.files.push_back(file);
    harness.ledger.take(changes);
    return (*store)->commit(changes);
  };
  harness.commit_result = commit;

  const std::string output = config.path;
  auto sink = make_file_sink(std::move(config), harness.context());
  if (!sink->open()) ::_exit(6);
  // What a failure has to be explained with.
  std::string trace = fmt::format("agent {} from line {}, {} bytes in {}", ::getpid(), offset / kLineBytes,
                                  fs::exists(output) ? fs::file_size(output) : 0, output);
  for (const SinkStateRecord& state : content->states) trace += ", record " + state.value;
  append_file(directory + "/trace", trace + "\n");

  std::minstd_rand random(seed);
  while (offset < lines * kLineBytes) {
    for (auto batches = random() % 4 + 1; batches > 0; --batches) {
      std::string text;
      for (auto n = random() % 200 + 1; n > 0 && offset < lines * kLineBytes; --n, offset += kLineBytes) {
        text += numbered_line(offset / kLineBytes);
      }
      if (!text.empty() && !harness.send(harness.make_delivery(text))) ::_exit(7);
    }
    while (sink->do_work(steady_now()) != 0) {
    }
    if (harness.errors("checkpoint") != 0) ::_exit(8);
    if (random() % 4 == 0 && !commit()) ::_exit(9);
    if (::write(progress, "", 1) != 1) ::_exit(10);
  }
  ::_exit(harness.all_acked() && commit() ? 0 : 11);
}

// Goal: kill -9 at any moment neither loses nor repeats a line in the output, rotations included.
// Method: a child process writes numbered lines with a real checkpoint store and is killed at random moments;
// now and then the output is renamed, while the child runs or after it was killed. The outputs, one after the
// other, must be the numbers from 0.
TEST_F(FileSinkTest, KillNeitherLosesNorRepeatsALine) {
  fs::create_directory(directory_ + "/data");
  const auto seed = std::random_device{}();
  SCOPED_TRACE(seed);
  std::minstd_rand random(seed);
  int rotations = 0;
  const auto rotate = [&] {
    if (fs::exists(out_)) fs::rename(out_, out_ + "." + std::to_string(++rotations));
  };
  const auto pause = [&](unsigned most_us) { ::usleep(static_cast<useconds_t>(random() % most_us)); };
  for (int round = 0; round < 25; ++round) {
    const auto child_seed = static_cast<unsigned>(random());
    int progress[2];
    ASSERT_EQ(::pipe(progress), 0);
    const UniqueFd reader(progress[0]);
    UniqueFd writer(progress[1]);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) run_agent(directory_, raw_config(), 1ULL << 40, child_seed, writer.get());
    writer.reset();
    // Killed within some group; one in five at its start.
    const auto wait_for_groups = [&](unsigned most) {
      char byte;
      for (auto groups = random() % most; groups > 0 && ::read(reader.get(), &byte, 1) == 1; --groups) {
      }
    };
    if (random() % 5 != 0) wait_for_groups(12);
    pause(10'000);
    if (random() % 3 == 0) {
      rotate();
      wait_for_groups(4);
      pause(5'000);
    }
    ASSERT_EQ(::kill(child, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the agent ended by itself: " << WEXITSTATUS(status);
    if (random() % 4 == 0) rotate();
  }
  const UniqueFd nowhere(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  std::uint64_t lines = 1000;
  if (auto content = CheckpointStore::read(directory_ + "/data"); content && !content->cursors.empty()) {
    lines += content->cursors[0].offset / kLineBytes;
  }
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) run_agent(directory_, raw_config(), lines, 1, nowhere.get());
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << WEXITSTATUS(status);

  std::string all;
  for (int i = 1; i <= rotations; ++i) all += read_file(out_ + "." + std::to_string(i));
  all += read_file(out_);
  for (std::uint64_t i = 0; i < lines; ++i) {
    ASSERT_EQ(all.substr(i * kLineBytes, kLineBytes), numbered_line(i)) << read_file(directory_ + "/trace");
  }
  EXPECT_EQ(all.size(), lines * kLineBytes) << read_file(directory_ + "/trace");
}

}  // namespace
}  // namespace logflume
