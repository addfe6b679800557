#include "sink/encode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "event/newlines.h"
#include "sink/json_text.h"

namespace logflume {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct BatchOptions {
  bool strip_cr = false;
  bool truncated = false;
};

// The batch views `text`, which must stay.
Batch& fill(Batch& batch, std::string_view text, BatchOptions options = {}) {
  batch.data = text.data();
  batch.bytes = text.size();
  batch.unterminated = !text.empty() && text.back() != '\n';
  batch.events = static_cast<std::uint32_t>(count_newlines(text)) + (batch.unterminated ? 1 : 0);
  batch.strip_cr = options.strip_cr;
  batch.truncated = options.truncated;
  batch.origin = std::make_shared<Origin>(Origin{"app", "/var/log/app.log", 7});
  batch.wall_ns = 1'767'323'045'678'901'234;  // 2026-01-02T03:04:05.678901234Z
  return batch;
}

std::vector<std::string> events_of(std::string_view text, BatchOptions options = {}) {
  Batch batch;
  EventIndex index;
  index.build(fill(batch, text, options));
  EXPECT_EQ(index.size(), batch.events);
  std::vector<std::string> events;
  for (std::size_t i = 0; i < index.size(); ++i) events.emplace_back(index[i]);
  return events;
}

SinkConfig config(Encoding encoding, std::map<std::string, std::string> labels = {}) {
  SinkConfig made;
  made.encoding = encoding;
  made.labels = std::move(labels);
  return made;
}

std::string encoded(Encoding encoding, std::string_view text, BatchOptions options = {},
                    std::map<std::string, std::string> labels = {}) {
  Batch batch;
  fill(batch, text, options);
  BatchEncoder encoder(config(encoding, std::move(labels)), "web-1");
  std::string whole;
  encoder.append(batch, whole);

  // Event by event must be the same bytes.
  encoder.begin(batch);
  EXPECT_EQ(encoder.events(), batch.events);
  std::string one_by_one;
  for (std::size_t i = 0; i < encoder.events(); ++i) {
    const std::size_t before = one_by_one.size();
    const std::size_t appended = encoder.append_event(i, one_by_one);
    EXPECT_EQ(one_by_one.size(), before + appended);
  }
  EXPECT_EQ(one_by_one, whole);
  return whole;
}

std::string json_line(std::string_view message) {
  return R"({"message":")" + std::string(message) +
         R"(","file":"/var/log/app.log","source":"app","host":"web-1","timestamp":"2026-01-02T03:04:05.678901234Z"})" +
         "\n";
}

TEST(EventIndexTest, EventsAreTheLinesWithoutTheirNewlines) {
  EXPECT_THAT(events_of(""), IsEmpty());
  EXPECT_THAT(events_of("a\n\nbc\n"), ElementsAre("a", "", "bc"));
  EXPECT_THAT(events_of("\n"), ElementsAre(""));
}

TEST(EventIndexTest, AnUnterminatedLastEventCounts) {
  EXPECT_THAT(events_of("a"), ElementsAre("a"));
  EXPECT_THAT(events_of("a\nbc"), ElementsAre("a", "bc"));
}

TEST(EventIndexTest, OneCrBeforeANewlineIsStrippedOnRequest) {
  EXPECT_THAT(events_of("a\r\nb\n\r\nc\r\r\nd\re\r\n"), ElementsAre("a\r", "b", "\r", "c\r\r", "d\re\r"));
  EXPECT_THAT(events_of("a\r\nb\n\r\nc\r\r\nd\re\r\n", {.strip_cr = true}),
              ElementsAre("a", "b", "", "c\r", "d\re"));
  EXPECT_THAT(events_of("a\r\nb\r", {.strip_cr = true}), ElementsAre("a", "b"));
}

TEST(EventIndexTest, ACrWhereALongLineWasCutBelongsToIt) {
  EXPECT_THAT(events_of("abc\r", {.strip_cr = true, .truncated = true}), ElementsAre("abc\r"));
  EXPECT_THAT(events_of("abc\r\n", {.strip_cr = true, .truncated = true}), ElementsAre("abc"));
}

TEST(BatchEncoderTest, RawIsTheTextWithTheMissingNewlineAdded) {
  EXPECT_EQ(encoded(Encoding::kRaw, "a\n\nb\n"), "a\n\nb\n");
  EXPECT_EQ(encoded(Encoding::kRaw, "a\nb"), "a\nb\n");
  EXPECT_EQ(encoded(Encoding::kRaw, std::string_view("\0\xff\r\n", 4)), std::string("\0\xff\r\n", 4));
  EXPECT_EQ(encoded(Encoding::kRaw, ""), "");
}

TEST(BatchEncoderTest, RawStripsCrOnRequest) {
  EXPECT_EQ(encoded(Encoding::kRaw, "a\r\n\r\nb\r\r\nc\rd\n", {.strip_cr = true}), "a\n\nb\r\nc\rd\n");
  EXPECT_EQ(encoded(Encoding::kRaw, "a\r\nb\r", {.strip_cr = true}), "a\nb\n");
  EXPECT_EQ(encoded(Encoding::kRaw, "ab\r", {.strip_cr = true, .truncated = true}), "ab\r\n");
}

TEST(BatchEncoderTest, IdentityIsClaimedOnlyWhereNothingChanges) {
  Batch batch;
  fill(batch, "a\r\n");
  EXPECT_TRUE(BatchEncoder(config(Encoding::kRaw), "h").is_identity(batch));
  EXPECT_FALSE(BatchEncoder(config(Encoding::kJson), "h").is_identity(batch));
  batch.strip_cr = true;
  EXPECT_FALSE(BatchEncoder(config(Encoding::kRaw), "h").is_identity(batch));
}

TEST(BatchEncoderTest, JsonIsAnObjectALine) {
  EXPECT_EQ(encoded(Encoding::kJson, "hello\n\nsay \"hi\""),
            json_line("hello") + json_line("") + json_line(R"(say \"hi\")"));
  EXPECT_EQ(encoded(Encoding::kJson, std::string_view("\xff\0\n", 3)), json_line("\uFFFD\\u0000"));
  EXPECT_EQ(encoded(Encoding::kJson, ""), "");
}

TEST(BatchEncoderTest, LabelsFollowInTheOrderOfTheirKeys) {
  EXPECT_EQ(encoded(Encoding::kJson, "m\n", {}, {{"team", "a\"b"}, {"env", "prod"}}),
            R"({"message":"m","file":"/var/log/app.log","source":"app","host":"web-1",)"
            R"("timestamp":"2026-01-02T03:04:05.678901234Z","env":"prod","team":"a\"b"})"
            "\n");
}

TEST(BatchEncoderTest, ALabelReplacesAFixedFieldButNeverTheMessage) {
  EXPECT_EQ(encoded(Encoding::kJson, "m\n", {}, {{"host", "h2"}, {"timestamp", "t"}, {"message", "lost"}}),
            R"({"message":"m","file":"/var/log/app.log","source":"app","host":"h2","timestamp":"t"})"
            "\n");
}

TEST(BatchEncoderTest, AnyPathBecomesValidJson) {
  Batch batch;
  fill(batch, "m\n");
  batch.origin = std::make_shared<Origin>(Origin{"app", "/log/\xff\"\n", 7});
  BatchEncoder encoder(config(Encoding::kJson, {}), "web-1");
  std::string out;
  encoder.append(batch, out);
  EXPECT_THAT(out, ::testing::HasSubstr("\"file\":\"/log/\uFFFD\\\"\\n\""));
}

TEST(BatchEncoderTest, NextBatchHasItsOwnOriginAndTime) {
  Batch first, second;
  fill(first, "1\n");
  fill(second, "2\n");
  second.origin = std::make_shared<Origin>(Origin{"db", "/var/log/db.log", 8});
  second.wall_ns = 0;
  BatchEncoder encoder(config(Encoding::kJson, {}), "web-1");
  std::string out;
  encoder.append(first, out);
  encoder.append(second, out);
  encoder.append(first, out);
  EXPECT_EQ(
      out,
      json_line("1") +
          R"({"message":"2","file":"/var/log/db.log","source":"db","host":"web-1","timestamp":"1970-01-01T00:00:00.000000000Z"})"
          "\n" +
          json_line("1"));
}

TEST(BatchEncoderTest, TellsWhatAnEventBecomes) {
  const std::string text = "plain\n\"quoted\"\t\x01\n\xff\xc3\xa4 \xe2\x82\nr\r\n";
  Batch batch;
  fill(batch, text);
  for (const Encoding encoding : {Encoding::kRaw, Encoding::kJson}) {
    BatchEncoder encoder(config(encoding, {{"a", "b"}}), "web-1");
    encoder.begin(batch);
    ASSERT_EQ(encoder.events(), 4u);
    for (std::size_t i = 0; i < encoder.events(); ++i) {
      std::string out;
      EXPECT_EQ(encoder.append_event(i, out), encoder.event_bytes(i));
      EXPECT_EQ(out.size(), encoder.event_bytes(i));
    }
  }
}

TEST(TimestampTest, IsRfc3339InUtcWithNanoseconds) {
  const auto text = [](std::int64_t ns) {
    std::string out;
    append_timestamp(ns, out);
    return out;
  };
  EXPECT_EQ(text(0), "1970-01-01T00:00:00.000000000Z");
  EXPECT_EQ(text(999'999'999), "1970-01-01T00:00:00.999999999Z");
  EXPECT_EQ(text(1'709'251'199'000'000'001), "2024-02-29T23:59:59.000000001Z");
  EXPECT_EQ(text(4'107'542'399'000'000'000), "2100-02-28T23:59:59.000000000Z");
  EXPECT_EQ(text(4'107'542'400'000'000'000), "2100-03-01T00:00:00.000000000Z");
  EXPECT_EQ(text(-1), "1969-12-31T23:59:59.999999999Z");
}

// Goal: what is written of a view of a batch is the same, whether by events or by runs of its text. Method:
// random lines, of which random ones are left, some with a line of their own in their place.
TEST(BatchEncoderTest, RunsOfTheTextAreWhatTheEventsAre) {
  std::mt19937 random(7);
  std::size_t in_runs = 0;
  for (int round = 0; round < 300; ++round) {
    std::string text;
    const std::size_t lines = 1 + random() % 20;
    for (std::size_t i = 0; i < lines; ++i) text += std::string(random() % 4, 'a') + '\n';
    if (random() % 2 == 0 && text.size() > 1 && text[text.size() - 2] != '\n') text.pop_back();
    Batch batch;
    fill(batch, text, {.strip_cr = random() % 8 == 0});
    const bool seen_by_a_stage = random() % 8 != 0;
    EventIndex index;
    index.build(batch);
    Frame frame;
    frame.batch = &batch;
    frame.lines = &index;
    Columns columns;
    columns.begin(text, index.size());
    Column& own_lines = columns.at(columns.index_of("message"));
    for (std::uint32_t row = 0; row < index.size(); ++row) {
      if (random() % 4 == 0) continue;
      frame.rows.push_back(row);
      TextRef ref;
      if (random() % 4 == 0 && columns.copy("***", ref))
        own_lines.add(row, ValueKind::kString, Slot{.text = ref});
    }
    if (random() % 2 == 0) {
      frame.line_columns = &columns;
      frame.line_column = &own_lines;
    }
    EventView view;
    view.set({&frame});
    if (seen_by_a_stage) batch.view = {std::shared_ptr<void>(), &view};

    BatchEncoder encoder(config(Encoding::kRaw), "web-1");
    encoder.begin(batch);
    std::string by_events, by_runs;
    for (std::size_t i = 0; i < encoder.events(); ++i) encoder.append_event(i, by_events);
    for (std::size_t i = 0; i < encoder.events();) {
      const TextRun run = encoder.run_from(i);
      in_runs += run.events;
      if (run.events == 0) {
        encoder.append_event(i++, by_runs);
        continue;
      }
      EXPECT_GE(run.text.data(), text.data());
      EXPECT_LE(run.text.data() + run.text.size(), text.data() + text.size());
      by_runs += run.text;
      i += run.events;
    }
    EXPECT_EQ(by_runs, by_events);
    std::string whole;
    encoder.append(batch, whole);
    EXPECT_EQ(whole, by_events);
  }
  EXPECT_GT(in_runs, 500U);
}

}  // namespace
}  // namespace logflume
