#include "transform/window.h"

#include <gmock/gmock.h>

#include <optional>
#include <random>

#include "telemetry/log.h"
#include "transform/counted_allocations_for_test.h"
#include "transform/transform_test_fixture.h"

namespace logflume {
namespace {

// A configuration of transforms from "app" to the sinks, as YAML would say it.
template <typename Set>
AnyTransformConfig transform(const std::string& type, std::vector<std::string> inputs, const Set& set) {
  for (const TransformType& known : transform_types()) {
    if (known.name != type) continue;
    AnyTransformConfig made = known.make();
    const auto put = [&](const std::string& key, FieldValue value) {
      for (const FieldDescription& field : known.description.fields) {
        if (field.name == key) field.set(made.inner(), std::move(value));
      }
    };
    put("inputs", inputs);
    set(put);
    return made;
  }
  ADD_FAILURE() << "no type " << type;
  return {};
}

std::shared_ptr<const Pipeline> pipeline(const TransformPlan::Transforms& transforms,
                                         const TransformPlan::Sinks& sinks) {
  auto plan = TransformPlan::compile(transforms, sinks);
  if (const auto* errors = std::get_if<std::vector<PlanError>>(&plan)) {
    ADD_FAILURE() << errors->front().error.message;
    return nullptr;
  }
  static MetricRegistry metrics;
  static Log log(LogLevel::kOff);
  return std::make_shared<const Pipeline>(std::get<std::shared_ptr<const TransformPlan>>(plan), "app",
                                          StageServices{"host", metrics, log});
}

TransformPlan::Transforms json_and_filter() {
  return {{"p", transform("parse_json", {"app"}, [](const auto&) {})},
          {"f",
           transform("filter", {"p"}, [](const auto& put) { put("condition", std::string("n % 2 == 0")); })}};
}

std::vector<std::string> lines(std::size_t first, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t n = first; n < first + count; ++n)
    out.push_back("{\"n\":" + std::to_string(n) + ",\"text\":\"some text that is there\"}");
  return out;
}

class TransformWindowTest : public testing::Test {
 protected:
  TransformWindowTest() {
    for (const char* name : {"even", "all"}) {
      ledgers_.push_back(std::make_unique<SinkLedger>(name, 1 << 30, [] {}));
      lanes_.push_back(std::make_unique<Lanes>());
      outlets_.push_back({name, ledgers_.back().get(), lanes_.back().get(), &parker_, {}});
    }
  }
  // As the feeder does.
  void take(TransformWindow& window, const BatchRef& batch, std::size_t outlets = 2, bool again = false) {
    std::vector<Passage::Member> members;
    for (std::size_t i = 0; i < outlets; ++i) {
      if (cursors_.size() == i) cursors_.emplace_back(new Cursor(*ledgers_[i], 7, 0, Seam()));
      ledgers_[i]->charge(batch->charged_bytes());
      members.push_back({i, cursors_[i]});
    }
    window.take(batch, std::move(members), again, /*newest=*/false);
  }
  std::vector<std::string> delivered(std::size_t outlet) {
    std::vector<std::string> out;
    while (!lanes_[outlet]->empty()) {
      const bool behind = lanes_[outlet]->has_backlog();
      std::optional<Delivery> taken = lanes_[outlet]->try_pop_live();
      if (!taken && behind) taken = lanes_[outlet]->try_pop_backlog();
      const Delivery& delivery = *taken;
      const Batch& batch = *delivery.batch;
      EXPECT_EQ(batch.view ? batch.view->size() : batch.events, batch.events);
      for (std::size_t i = 0; batch.view && i < batch.view->size(); ++i)
        out.emplace_back(batch.view->line(i));
      if (!batch.view) plain_ += batch.events;
      ledgers_[outlet]->acknowledge({&delivery, 1});
    }
    return out;
  }

  MetricRegistry metrics_;
  Log log_{LogLevel::kError, LogFormat::kText};
  WorkerPool workers_{3};
  MemoryBudget budget_{std::size_t{1} << 30};
  Parker parker_;
  std::vector<std::unique_ptr<SinkLedger>> ledgers_;
  std::vector<std::unique_ptr<Lanes>> lanes_;
  std::vector<Outlet> outlets_;
  std::vector<CursorRef> cursors_;
  std::uint64_t plain_ = 0;
};

// Goal: whoever runs the batches, they come out in the order in which they went in, and the books balance.
// Method: batches of random sizes, far more than there are places, drained at random moments.
TEST_F(TransformWindowTest, BatchesComeOutInTheirOrder) {
  const auto made = pipeline(json_and_filter(), {{"even", {{"f"}, {}}}, {"all", {{"app"}, {}}}});
  std::mt19937 random(4);
  std::vector<std::unique_ptr<TestBatch>> batches;
  std::vector<std::string> expected, got;
  std::uint64_t events = 0;
  {
    TransformWindow window(made, metrics_, log_, workers_, budget_, parker_);
    for (int round = 0; round < 400; ++round) {
      while (!window.has_room()) window.hand_on(outlets_);
      const std::size_t count = 1 + random() % (round % 10 == 0 ? 2000 : 20);
      batches.push_back(std::make_unique<TestBatch>(lines(events, count)));
      for (const std::string& line : lines(events, count)) {
        if (events++ % 2 == 0) expected.push_back(line);
      }
      take(window, batches.back()->ref());
      if (random() % 4 == 0) window.hand_on(outlets_);
      if (random() % 50 == 0) window.drain(outlets_);
      for (std::string& line : delivered(0)) got.push_back(std::move(line));
      delivered(1);
    }
    window.drain(outlets_);
    EXPECT_TRUE(window.empty());
  }
  for (std::string& line : delivered(0)) got.push_back(std::move(line));
  delivered(1);
  EXPECT_EQ(got, expected);
  EXPECT_EQ(plain_, events) << "what no transform stands before is as it was";
  ComponentMetrics filter(metrics_, "f");
  EXPECT_EQ(filter.received_events.value(), events);
  EXPECT_EQ(filter.sent_events.value(), expected.size());
  for (const auto& ledger : ledgers_) {
    EXPECT_EQ(ledger->inflight_batches(), 0u);
    EXPECT_EQ(ledger->inflight_bytes(), 0u) << "what the fields take was charged, and is given back";
  }
  batches.clear();
  EXPECT_EQ(budget_.used_bytes(), 0u);
}

TEST_F(TransformWindowTest, ABatchOfWhichNothingIsLeftIsAcknowledgedAsAWhole) {
  const auto made = pipeline(
      {{"f", transform("filter", {"app"}, [](const auto& put) { put("condition", std::string("false")); })}},
      {{"even", {{"f"}, {}}}, {"all", {{"f"}, {}}}});
  const TestBatch batch(lines(0, 10));
  TransformWindow window(made, metrics_, log_, workers_, budget_, parker_);
  take(window, batch.ref());
  window.drain(outlets_);
  EXPECT_THAT(delivered(0), testing::IsEmpty());
  EXPECT_EQ(cursors_[0]->acked_offset(), batch.ref()->owed.end);
}

TransformPlan::Transforms counting(std::uint64_t hours) {
  return {{"p", transform("parse_json", {"app"}, [](const auto&) {})},
          {"a", transform("aggregate", {"p"}, [&](const auto& put) {
             put("fields", std::map<std::string, std::string>{{"n", "count"}, {"sum", "sum(n)"}});
             put("window", Duration(std::chrono::hours(hours)));
           })}};
}

// Goal: each sink gets what became of the events that it was given; that moves no cursor.
// Method: one of two sinks stays behind for a batch, and is given it later.
TEST_F(TransformWindowTest, WhatIsMadeOfEventsIsForThoseWhoHadThem) {
  const auto made = pipeline(counting(24 * 365), {{"even", {{"a"}, {}}}, {"all", {{"a"}, {}}}});
  const std::int64_t now_ns = wall_now_ns();
  const TestBatch first(lines(0, 10), {.wall_ns = now_ns}),
      second(lines(10, 5), {.begin = first.ref()->owed.end, .wall_ns = now_ns}),
      third(lines(15, 1), {.begin = second.ref()->owed.end, .wall_ns = now_ns});
  {
    TransformWindow window(made, metrics_, log_, workers_, budget_, parker_);
    take(window, first.ref());
    take(window, second.ref(), 1);
    window.drain(outlets_);
    EXPECT_THAT(delivered(0), testing::IsEmpty());
    EXPECT_THAT(delivered(1), testing::IsEmpty());
    EXPECT_LT(window.deadline(TimePoint{}), TimePoint{} + std::chrono::hours(24 * 365) + 1s);
    EXPECT_GT(budget_.used_bytes(), 0U) << "of what is kept";
    window.finish("all", outlets_);
    EXPECT_THAT(delivered(0), testing::IsEmpty());
    EXPECT_THAT(delivered(1), testing::ElementsAre(testing::HasSubstr(R"("n":10,"sum":45)")));
    take(window, third.ref());
    window.drain(outlets_);
    window.finish(outlets_);
    EXPECT_THAT(delivered(0), testing::ElementsAre(testing::HasSubstr(R"("n":16,"sum":120)")));
    EXPECT_THAT(delivered(1), testing::ElementsAre(testing::HasSubstr(R"("n":1,"sum":15)")));
  }
  EXPECT_EQ(cursors_[0]->acked_offset(), third.ref()->owed.end);
  EXPECT_EQ(cursors_[1]->acked_offset(), first.ref()->owed.end) << "it was not given the second one";
  for (const auto& ledger : ledgers_) EXPECT_EQ(ledger->inflight_bytes(), 0U);
  EXPECT_EQ(budget_.used_bytes(), 0U);
  ComponentMetrics books(metrics_, "a");
  EXPECT_EQ(books.received_events.value(), 16U);
  EXPECT_THAT(metrics_.text(), testing::HasSubstr(R"(discarded_events_total{component="a",reason="a"} 16)"));
}

TEST_F(TransformWindowTest, AReloadMovesWhatItLeavesAsItIs) {
  const TransformPlan::Sinks sinks{{"even", {{"a"}, {}}}, {"all", {{"a"}, {}}}};
  auto plan =
      std::get<std::shared_ptr<const TransformPlan>>(TransformPlan::compile(counting(24 * 365), sinks));
  const auto with_state = [&](const TransformPlan::Transforms& transforms, const TransformPlan::Sinks& to) {
    return std::get<std::shared_ptr<const TransformPlan>>(TransformPlan::compile(transforms, to))
        ->with_state_of(*plan);
  };
  const auto window_of = [&](const std::shared_ptr<const TransformPlan>& of) {
    return std::make_unique<TransformWindow>(
        std::make_shared<const Pipeline>(of, "app", StageServices{"host", metrics_, log_}), metrics_, log_,
        workers_, budget_, parker_);
  };
  const auto change = [&](std::unique_ptr<TransformWindow>& window, std::unique_ptr<TransformWindow> next) {
    window->drain(outlets_);
    next->take_over(*window);
    window->finish(outlets_);
    window = std::move(next);
  };
  const TestBatch first(lines(0, 10), {.wall_ns = wall_now_ns()});
  auto window = window_of(plan);
  take(*window, first.ref());
  change(window, window_of(with_state(counting(24 * 365), sinks)));
  EXPECT_THAT(delivered(0), testing::IsEmpty());
  EXPECT_THAT(delivered(1), testing::IsEmpty());
  take(*window, first.ref());
  change(window, window_of(with_state(counting(24 * 364), sinks)));
  EXPECT_THAT(delivered(0), testing::ElementsAre(testing::HasSubstr(R"("n":20,)")));
  EXPECT_THAT(delivered(1), testing::ElementsAre(testing::HasSubstr(R"("n":20,)")));
  window.reset();
  EXPECT_EQ(budget_.used_bytes(), 0U);
}

// Once stages have the memory that such batches need, no event takes any.
TEST_F(TransformWindowTest, NoEventAllocates) {
  TransformPlan::Transforms transforms = json_and_filter();
  transforms.emplace(
      "s", transform("set", {"f"}, [](const auto& put) {
        put("fields", std::map<std::string, std::string>{{"twice", "n * 2"}, {"loud", "text.upperAscii()"}});
      }));
  const auto made = pipeline(transforms, {{"even", {{"s"}, {}}}});
  const auto allocations_of = [&](std::size_t events) {
    const TestBatch batch(lines(0, events));
    for (int warm = 0; warm < 3; ++warm) {
      const auto run = made->take_run();
      run->run(batch.ref(), false);
    }
    const CountedAllocations counted;
    {
      const auto run = made->take_run();
      run->run(batch.ref(), false);
      run->run_in_order();
    }
    return counted.count();
  };
  const std::uint64_t few = allocations_of(100);
  EXPECT_LT(few, 20u) << "a batch";
  // A batch that is much larger than usual takes some blocks of its own.
  EXPECT_LT(allocations_of(10'000), few + 10) << "a hundred times as many events";
}

}  // namespace
}  // namespace logflume
