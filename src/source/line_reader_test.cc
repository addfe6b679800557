#include "source/line_reader.h"

#include <gtest/gtest.h>

#include <random>

#include "source/line_reader_model.h"

namespace logflume {
namespace {

class LineReaderTest : public testing::Test {
 protected:
  LineReader make(std::size_t max_bytes, const MultilineConfig& rules = {}) {
    return LineReader(*blocks_, slabs_, max_bytes, rules_of(rules));
  }
  static MultilineConfig starting_with(std::string pattern) {
    MultilineConfig config;
    config.start_pattern = std::move(pattern);
    return config;
  }

  MemoryBudget budget_{64 * 1024 * 1024};
  SlabPool slabs_{budget_};
  std::unique_ptr<BlockReader> blocks_ = make_pread_reader();
};

// What lines of multi-line events begin with: a start, a continuation, an end, parts of a trace and of a
// container's log.
constexpr std::string_view kHeads[] = {"#", "#", " ",          "\tat ",       ";",           "",
                                       "",  "",  "java.Error", "a stdout P ", "a stdout F ", "2026 "};

std::string random_log(std::mt19937_64& random, std::size_t lines, bool has_heads) {
  std::string text;
  for (std::size_t i = 0; i < lines; ++i) {
    if (has_heads) text += kHeads[random() % std::size(kHeads)];
    const std::uint64_t kind = random() % 200;
    const std::size_t size = kind == 0 ? random() % 400'000 : kind < 10 ? random() % 3000 : random() % 60;
    for (std::size_t j = 0; j < size; ++j) text += static_cast<char>('a' + (i + j) % 26);
    if (random() % 16 == 0) text += ';';
    if (i + 1 < lines || random() % 2 == 0) text += '\n';
  }
  return text;
}

MultilineConfig random_rules(std::mt19937_64& random) {
  MultilineConfig config;
  const std::uint64_t kind = random() % 10;
  if (kind < 3) config.start_pattern = "^#";
  if (kind == 1 || kind == 3 || kind == 5) config.continue_pattern = R"(^\s)";
  if (kind == 2 || kind == 4 || kind == 5) config.end_pattern = "^;|;$";
  if (kind == 6) config.preset = MultilinePreset::kJava;
  if (kind == 7) config.preset = MultilinePreset::kCri;
  if (kind > 7) config.start_pattern = "^#";
  if (random() % 3 == 0) config.max_lines = 1 + random() % 20;
  if (random() % 3 == 0) config.max_bytes = 1 + random() % (random() % 2 == 0 ? 200 : 1'000'000);
  return config;
}

// Goal: the same events whatever the growth of the file, the size of the reads and the room behind them.
// Method: against a split of the whole text, with lines longer than a read and longer than the limit.
TEST_F(LineReaderTest, EventsAreThoseOfTheWholeTextHoweverItIsRead) {
  std::mt19937_64 random(7);
#if defined(__SANITIZE_THREAD__)
  constexpr int kRounds = 100;  // one thread does all of it
#else
  constexpr int kRounds = 600;
#endif
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE(round);
    const MultilineConfig rules = round % 4 == 0 ? MultilineConfig{} : random_rules(random);
    const std::size_t max_bytes = round % 3 == 0 ? 50 : round % 3 == 1 ? 5000 : 1'000'000;
    LineReader reader = make(max_bytes, rules);
    const std::string text = random_log(random, random() % 400, rules.enabled());
    ModelFile log;
    ModelSink out;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t step =
          std::min<std::size_t>(rest.size(), 1 + random() % (random() % 2 == 0 ? 100 : 200'000));
      log.append(rest.substr(0, step));
      rest.remove_prefix(step);
      const auto report = read_to_end(reader, log, out, 64 + random() % 300'000,
                                      1 + static_cast<int>(random() % 3), rest.empty());
      ASSERT_EQ(report.status, ReadStatus::kEnd);
    }
    EXPECT_TRUE(out.intact);
    EXPECT_EQ(out.position, text.size());
    const auto expected = model_events(text, max_bytes, rules);
    ASSERT_EQ(out.events.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) ASSERT_TRUE(out.events[i] == expected[i]) << i;
  }
}

// Goal: sinks that stand at different events, one of which reads while the file grows and one when it is
// whole, get the same events. Method: as above, with reads by turns.
TEST_F(LineReaderTest, SinksAtDifferentEventsGetTheSame) {
  std::mt19937_64 random(8);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(round);
    const MultilineConfig rules = random_rules(random);
    LineReader reader = make(1'000'000, rules);
    const std::string text = random_log(random, random() % 200, true);
    ModelFile log;
    log.file.content->cursors.resize(2);
    ModelSink behind, ahead;
    for (std::string_view rest = text; !rest.empty();) {
      const std::size_t step = std::min<std::size_t>(rest.size(), 1 + random() % 50'000);
      log.append(rest.substr(0, step));
      rest.remove_prefix(step);
      read_to_end(reader, log, ahead, 64 + random() % 300'000, 9, rest.empty());
      if (behind.position == ahead.position || random() % 2 == 0) continue;
      ReadRequest request;
      request.position = behind.position;
      request.seam = behind.seam;
      request.limit = ahead.position;
      request.bytes_max = 64 + random() % 100'000;
      behind.room = 9;
      ASSERT_NE(reader.read(log.file, request, behind).status, ReadStatus::kError);
    }
    while (behind.position < ahead.position) {
      ReadRequest request;
      request.position = behind.position;
      request.seam = behind.seam;
      request.limit = ahead.position;
      behind.room = 9;
      ASSERT_EQ(reader.read(log.file, request, behind).status, ReadStatus::kMore);
    }
    ASSERT_TRUE(behind.intact && ahead.intact);
    ASSERT_EQ(behind.events.size(), ahead.events.size());
    ASSERT_TRUE(behind.events == ahead.events);
  }
}

TEST_F(LineReaderTest, EventsThatALimitHasEndedAreCounted) {
  MultilineConfig config = starting_with("^#");
  config.max_lines = 3;
  LineReader reader = make(1000, config);
  ModelFile log;
  ModelSink out;
  log.append("#\na\nb\nc\n#\na\nb\n#\n");
  read_to_end(reader, log, out, 1 << 18, 9, true);
  EXPECT_EQ(out.cut_by_lines, 1U);

  config = starting_with("^#");
  config.max_bytes = 300'000;  // more than a read
  LineReader bytes = make(1'000'000, config);
  std::string text = "#\n";
  while (text.size() < 700'000) text += "  a line of it\n";
  ModelFile long_log;
  ModelSink pieces;
  long_log.append(text);
  read_to_end(bytes, long_log, pieces, 1 << 18, 9, true);
  EXPECT_EQ(pieces.events.size(), 3U);
  EXPECT_EQ(pieces.cut_by_bytes, 2U);
  for (const ModelEvent& event : pieces.events) EXPECT_LE(event.text.size(), 300'000U);
}

TEST_F(LineReaderTest, AnEventThatIsOverIsNotWaitedFor) {
  MultilineConfig config;
  config.end_pattern = ";$";
  LineReader reader = make(1000, config);
  ModelFile log;
  ModelSink out;
  log.append("one\ntwo;\nthr");
  const ReadReport report = read_to_end(reader, log, out, 1 << 18, 9, false);
  EXPECT_EQ(out.events, (std::vector<ModelEvent>{{"one\ntwo;", false}}));
  EXPECT_FALSE(report.open_event);
}

TEST_F(LineReaderTest, AnOpenEventIsOverWhenNothingWasAddedToIt) {
  LineReader reader = make(1000, starting_with("^#"));
  ModelFile log;
  ModelSink out;
  log.append("#one\n  more\n#two\n  mo");
  ReadReport report = read_to_end(reader, log, out, 1 << 18, 9, false);
  EXPECT_EQ(out.events, (std::vector<ModelEvent>{{"#one\n  more", false}}));
  EXPECT_TRUE(report.open_event);
  EXPECT_EQ(report.partial_bytes, 9u);

  ReadRequest request;
  request.position = out.position;
  request.seam = out.seam;
  request.quiet_bytes = report.partial_bytes;
  log.append("re\n");
  report = reader.read(log.file, request, out);
  EXPECT_EQ(out.events.size(), 1u) << "it has grown";
  request.quiet_bytes = report.partial_bytes;
  report = reader.read(log.file, request, out);
  EXPECT_EQ(out.events.back(), (ModelEvent{"#two\n  more", false}));
  EXPECT_FALSE(report.open_event);
  EXPECT_EQ(report.partial_bytes, 0u);
}

// Goal: sinks at different positions of a file, each with an event there that is longer than a read, all get
// on. Method: they are served in turn, as FileSource does.
TEST_F(LineReaderTest, LongEventsOfSinksAtDifferentPositionsAreReadInTurn) {
  LineReader reader = make(1'000'000);
  ModelFile log;
  std::string first(900'000, 'a');
  std::string second(800'000, 'b');
  first.back() = second.back() = '\n';
  log.append(first);
  log.append(second);
  log.append(first);
  log.file.content->cursors.resize(2);
  ModelSink behind, ahead;
  ReadRequest skip;
  for (int i = 0; i < 10 && ahead.position < first.size(); ++i) reader.read(log.file, skip, ahead);
  ASSERT_EQ(ahead.position, first.size());
  ahead.events.clear();
  for (int turn = 0; turn < 10; ++turn) {
    ReadRequest request;
    request.position = behind.position;
    request.seam = behind.seam;
    request.limit = ahead.position;
    if (behind.events.empty()) reader.read(log.file, request, behind);
    request = {};
    request.position = ahead.position;
    request.seam = ahead.seam;
    if (ahead.events.empty()) reader.read(log.file, request, ahead);
  }
  EXPECT_TRUE(behind.events == (std::vector<ModelEvent>{{first.substr(0, first.size() - 1), false}}));
  EXPECT_TRUE(ahead.events == (std::vector<ModelEvent>{{second.substr(0, second.size() - 1), false}}));
}

TEST_F(LineReaderTest, AnUnfinishedLineStaysWhenTheLinesBeforeItAreOver) {
  LineReader reader = make(1000, starting_with("^#"));
  ModelFile log;
  ModelSink out;
  log.append("#one\n  mo");
  const ReadReport first = read_to_end(reader, log, out, 1 << 18, 9, false);
  ReadRequest request;
  request.quiet_bytes = first.partial_bytes;
  const ReadReport report = reader.read(log.file, request, out);
  EXPECT_EQ(out.events, (std::vector<ModelEvent>{{"#one", false}}));
  EXPECT_EQ(report.partial_bytes, 4u);
  EXPECT_FALSE(report.open_event);
}

// Goal: a limit at which no event ends by itself (another sink stands there, since a flush) ends one.
TEST_F(LineReaderTest, TheLimitEndsAnEvent) {
  LineReader reader = make(1000, starting_with("^#"));
  ModelFile log;
  ModelSink out;
  log.append("#one\n  more\n  and more\n#two\n");
  ReadRequest request;
  request.limit = 12;
  out.room = 9;
  EXPECT_EQ(reader.read(log.file, request, out).status, ReadStatus::kMore);
  EXPECT_EQ(out.events, (std::vector<ModelEvent>{{"#one\n  more", false}}));
  EXPECT_EQ(out.position, 12u);
}

TEST_F(LineReaderTest, AnOpenEventLongerThanAReadIsOverToo) {
  LineReader reader = make(1'000'000, starting_with("^#"));
  ModelFile log;
  ModelSink out;
  std::string text = "#one\n";
  while (text.size() < 600'000) text += "  a line of it\n";
  log.append(text);
  ReadReport report = read_to_end(reader, log, out, 1 << 18, 9, false);
  EXPECT_TRUE(out.events.empty());
  EXPECT_TRUE(report.open_event);
  EXPECT_EQ(report.partial_bytes, text.size());
  ReadRequest request;
  request.quiet_bytes = report.partial_bytes;
  reader.read(log.file, request, out);
  text.pop_back();
  ASSERT_EQ(out.events.size(), 1u);
  EXPECT_TRUE(out.events[0] == (ModelEvent{text, false}));
}

// Goal: an event whose end was found while there was no memory for it ends there later, too.
TEST_F(LineReaderTest, AnEventForWhichThereIsNoMemoryIsFoundAgain) {
  std::vector<MultilineConfig> rules(5, starting_with("^#"));
  rules[1] = {};
  rules[1].end_pattern = "^;";
  rules[2].max_bytes = 500'000;
  rules[3].max_lines = 40'000;
  rules[4] = {};
  rules[4].preset = MultilinePreset::kJava;
  std::string text = "#\n";
  while (text.size() < 600'000) text += "\tat line\n";
  text += ";\n  and more\n#\n#\n";
  for (const MultilineConfig& config : rules) {
    MemoryBudget budget{1'200'000};
    SlabPool slabs{budget};
    LineReader reader(*blocks_, slabs, 1'000'000, rules_of(config));
    ModelFile log;
    log.append(text);
    log.file.behind = true;  // no slab is kept for the next read
    ModelSink out;
    std::vector<SlabRef> others(2);
    for (SlabRef& slab : others) slab = slabs.try_acquire_large(400'000);
    int refused = 0;
    for (int i = 0; i < 20 && out.events.empty(); ++i) {
      ReadRequest request;
      out.room = 9;
      if (reader.read(log.file, request, out).status != ReadStatus::kNoMemory) continue;
      if (++refused == 3) others.clear();
    }
    EXPECT_EQ(refused, 3);
    ASSERT_EQ(out.events.size(), 1U);
    EXPECT_TRUE(out.events[0] == model_events(text, 1'000'000, config)[0]) << out.events[0].text.size();
  }
}

TEST_F(LineReaderTest, OtherBytesBeforeThePositionMeanTruncation) {
  LineReader reader = make(1000);
  ModelFile log;
  ModelSink out;
  log.append("one\ntwo\n");
  read_to_end(reader, log, out, 1 << 18, 9, false);
  ASSERT_EQ(::ftruncate(log.file.fd.get(), 0), 0);
  ASSERT_EQ(::lseek(log.file.fd.get(), 0, SEEK_SET), 0);
  log.append("another one\n");
  EXPECT_EQ(read_to_end(reader, log, out, 1 << 18, 9, false).status, ReadStatus::kTruncated);
  EXPECT_EQ(out.events.size(), 2u);
}

}  // namespace
}  // namespace logflume
