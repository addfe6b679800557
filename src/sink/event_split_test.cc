#include "sink/event_split.h"

#include <gtest/gtest.h>

#include <map>

#include "sink/fields_for_test.h"
#include "sink/sink_test_fixture.h"
#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

using Texts = std::vector<std::string>;

// "value,value: line line", a part each.
Texts texts_of(const std::vector<EventSplit::Part>& parts) {
  Texts texts;
  for (const EventSplit::Part& part : parts) {
    std::string& text = texts.emplace_back();
    for (const auto& value : part.values) text += (text.empty() ? "" : ",") + value.value_or("-");
    text += ":";
    const EventView& view = *part.batch->view;
    EXPECT_EQ(view.size(), part.batch->events);
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < view.size(); ++i) {
      text += " " + std::string(view.line(i));
      bytes += view.line(i).size() + 1;
    }
    EXPECT_EQ(view.bytes(), bytes);
  }
  return texts;
}

class EventSplitTest : public ::testing::Test {
 protected:
  BatchRef words(std::string_view text, std::size_t frames = 1) {
    return with_first_word(harness_.make_delivery(text).batch, "level", frames);
  }
  Texts split(const BatchRef& batch, const Texts& names = {"level"}, std::size_t parts_max = 10) {
    EventSplit split(names, "host1", harness_.budget);
    excess_ = split.split(batch, parts_max, parts_);
    return texts_of(parts_);
  }
  Texts values(const BatchRef& batch) {
    EventSplit split({"level"}, "host1", harness_.budget);
    Texts values;
    split.visit(*batch, [&](const Template::Values& one) { values.push_back(one[0].value_or("-")); });
    return values;
  }

  SinkHarness harness_;
  std::vector<EventSplit::Part> parts_;
  std::size_t excess_ = 0;
};

TEST_F(EventSplitTest, HasAPartForEachValueInTheOrderOfTheEvents) {
  for (const std::size_t frames : {1U, 2U}) {
    const BatchRef batch = words("a 1\nb 2\nnone\nb 3\na 4\n 5\n", frames);
    std::map<std::string, int> got;
    for (const std::string& text : split(batch)) ++got[text];
    EXPECT_EQ(
        got, (std::map<std::string, int>{{"a: a 1 a 4", 1}, {"b: b 2 b 3", 1}, {"-: none", 1}, {":  5", 1}}));
    for (const EventSplit::Part& part : parts_) {
      EXPECT_EQ(part.batch->owed.end, batch->owed.end) << "it owes what the whole does";
      EXPECT_EQ(part.batch->text(), batch->text());
    }
    EXPECT_EQ(values(batch), (Texts{"a", "b", "-", "b", "a", ""}));
  }
}

TEST_F(EventSplitTest, WhatIsAllOfOneValueIsTheBatchItself) {
  const BatchRef batch = words("a 1\na 2\n");
  EXPECT_EQ(split(batch), Texts{"a: a 1 a 2"});
  EXPECT_EQ(parts_[0].batch, batch);
  EXPECT_EQ(split(words("")), Texts{});
}

TEST_F(EventSplitTest, EventsThatNoTransformHasSeenHaveNoFields) {
  EventSplit split({"level"}, "host1", harness_.budget);
  const BatchRef batch = harness_.make_delivery("a 1\nb 2\n").batch;
  split.split(batch, 10, parts_);
  ASSERT_EQ(parts_.size(), 1U);
  EXPECT_EQ(parts_[0].batch, batch);
  EXPECT_TRUE(parts_[0].values.empty());
  EXPECT_EQ(values(batch), (Texts{"-", "-"}));
}

TEST_F(EventSplitTest, FurtherValuesGoTogetherAndAreCounted) {
  EXPECT_EQ(split(words("a 1\nb 2\nc 3\na 4\nd 5\nc 6\n"), {"level"}, 2),
            (Texts{"a: a 1 a 4", "b: b 2", ": c 3 d 5 c 6"}));
  EXPECT_EQ(excess_, 3U);
  EXPECT_EQ(split(words("a 1\nb 2\n"), {"level"}, 2), (Texts{"a: a 1", "b: b 2"}));
  EXPECT_EQ(excess_, 0U);
}

TEST_F(EventSplitTest, WhatPartsTakeIsReservedUntilTheyGo) {
  const BatchRef batch = words("a 1\nb 2\n");
  const std::size_t before = harness_.budget.used_bytes();
  EXPECT_EQ(split(batch).size(), 2U);
  EXPECT_GT(harness_.budget.used_bytes(), before);
  parts_.clear();
  EXPECT_EQ(harness_.budget.used_bytes(), before);
}

TEST_F(EventSplitTest, ALongValueIsCutBetweenCharacters) {
  const std::string umlauts = [] {
    std::string text = "x";
    for (int i = 0; i < 1000; ++i) text += "\u00e4";
    return text;
  }();
  split(words(umlauts + " 1\n" + umlauts + "more 2\n"));
  ASSERT_EQ(parts_.size(), 1U) << "what is equal up to there is one";
  EXPECT_EQ(*parts_[0].values[0], umlauts.substr(0, Template::kFieldBytesMax - 1));
}

TEST_F(EventSplitTest, TakesValuesOfAnyKindAndKeysOfObjects) {
  const TestPipeline pipeline({{"p", test_transform("parse_json", "app")}}, "p");
  const TestBatch lines({R"({"n":1e3,"user":{"id":7,"name":"x y"}})",
                         R"({"n":true,"user":{"id":7,"name":"x y"}})", R"({"n":null,"user":"nobody"})",
                         R"({"n":{"a":1}})", "no JSON", R"({"n":1e3,"user":{"id":7,"name":"x y"}})"});
  const auto run = pipeline.pipeline().take_run();
  run->run(lines.ref(), false);
  run->run_in_order();
  auto* const made = new Batch(*lines.ref());
  const BatchRef batch(made);
  made->view = {run, &run->view(pipeline.pipeline().frames_of("out"))};
  made->events = static_cast<std::uint32_t>(made->view->size());
  EventSplit split({"n", "user.id", "user.name", "host"}, "host1", harness_.budget);
  split.split(batch, 100, parts_);
  Texts values;
  for (const EventSplit::Part& part : parts_) {
    std::string& text = values.emplace_back();
    for (const auto& value : part.values) text += value.value_or("-") + "|";
    text += std::to_string(part.batch->events);
  }
  EXPECT_EQ(values,
            (Texts{"1e3|7|x y|host1|2", "true|7|x y|host1|1", "-|-|-|host1|2", "{\"a\":1}|-|-|host1|1"}));
}

}  // namespace
}  // namespace logflume
