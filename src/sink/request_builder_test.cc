#include "sink/request_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

BatchEncoder encoder_of(Encoding encoding) {
  SinkConfig config;
  config.encoding = encoding;
  return BatchEncoder(config, "host");
}
BatchEncoder raw_encoder() { return encoder_of(Encoding::kRaw); }

class RequestBuilderTest : public testing::Test {
 protected:
  Delivery charge(Delivery delivery) {
    harness_.ledger.charge(delivery.batch->bytes);
    return delivery;
  }
  Delivery deliver(std::string_view text, std::uint64_t file_id = 1) {
    return charge(harness_.make_delivery(text, file_id));
  }
  void complete(Request&& request) {
    finish(std::move(request), harness_.outcome);
    harness_.outcome.flush();
  }

  SinkHarness harness_;
  const TimePoint start_ = steady_now();
};

TEST_F(RequestBuilderTest, WaitsForItsLinger) {
  RequestBuilder builder(raw_encoder(), Framing::newlines(), 1, {1000, 100, 500ms}, harness_.budget);
  EXPECT_TRUE(builder.empty());
  EXPECT_EQ(builder.deadline(), kNever);
  builder.add(deliver("a\n"), start_);
  builder.add(deliver("b\n"), start_ + 400ms);
  EXPECT_FALSE(builder.ready(start_ + 499ms));
  EXPECT_EQ(builder.deadline(), start_ + 500ms);
  ASSERT_TRUE(builder.ready(start_ + 500ms));
  Request request = builder.take(start_ + 500ms);
  EXPECT_EQ(request.body.gather(), "a\nb\n");
  EXPECT_EQ(request.events, 2u);
  EXPECT_EQ(request.wire_bytes, 4u);
  EXPECT_TRUE(builder.empty());
  complete(std::move(request));
  EXPECT_EQ(harness_.acked(), 4u);
}

TEST_F(RequestBuilderTest, DrainingDoesNotLinger) {
  RequestBuilder builder(raw_encoder(), Framing::newlines(), 1, {1000, 100, 3600s}, harness_.budget);
  builder.add(deliver("a\n"), start_);
  EXPECT_FALSE(builder.ready(start_));
  builder.drain();
  EXPECT_TRUE(builder.ready(start_));
  complete(builder.take(start_));
}

TEST_F(RequestBuilderTest, ADeliveryIsFinishedWithItsLastRequest) {
  RequestBuilder builder(raw_encoder(), Framing::newlines(), 1, {1000, 2, 0s}, harness_.budget);
  builder.add(deliver("a\nb\nc\nd\ne"), start_);
  EXPECT_FALSE(builder.wants_more());
  std::vector<Request> requests;
  while (builder.ready(start_)) requests.push_back(builder.take(start_));
  ASSERT_EQ(requests.size(), 3u);
  EXPECT_EQ(requests[2].body.gather(), "e\n");
  complete(std::move(requests[2]));
  complete(std::move(requests[0]));
  EXPECT_EQ(harness_.acked(), 0u);
  complete(std::move(requests[1]));
  EXPECT_EQ(harness_.acked(), 9u);
  EXPECT_TRUE(harness_.all_acked());
}

TEST_F(RequestBuilderTest, ALargerSingleEventGoesAlone) {
  RequestBuilder builder(raw_encoder(), Framing::newlines(), 1, {10, 100, 0s}, harness_.budget);
  const std::string giant(5000, 'x');
  builder.add(deliver("a\nb\n" + giant + "\nc\nd\n"), start_);
  std::vector<std::string> bodies;
  while (builder.ready(start_)) {
    Request request = builder.take(start_);
    bodies.push_back(request.body.gather());
    complete(std::move(request));
  }
  EXPECT_EQ(bodies, (std::vector<std::string>{"a\nb\n", giant + "\n", "c\nd\n"}));
}

TEST_F(RequestBuilderTest, JsonArraysCountTheirBrackets) {
  RequestBuilder builder(raw_encoder(), Framing::json_array(), 1, {9, 100, 0s}, harness_.budget);
  builder.add(deliver("11\n22\n33\n44\n"), start_);  // "[11,22]" has 7 bytes, "[11,22,33]" 10
  Request first = builder.take(start_);
  EXPECT_EQ(first.body.gather(), "[11,22]");
  EXPECT_EQ(first.wire_bytes, 7u);
  Request second = builder.take(start_);
  EXPECT_EQ(second.body.gather(), "[33,44]");
  complete(std::move(first));
  complete(std::move(second));
}

// Goal: whatever the sizes, limits and splits, each event is in exactly one body, in order, and the bodies
// keep the limits. Method: random batches of several files through random limits, some of which go as they
// are, some with CRs to be stripped, some of events of several lines; half of the requests are split, some
// twice. Each event begins with a mark.
TEST_F(RequestBuilderTest, EveryEventOnceInOrderWithinLimits) {
  std::minstd_rand random(20'260'102);
  const auto up_to = [&](std::uint64_t most) {
    return std::uniform_int_distribution<std::uint64_t>(0, most)(random);
  };
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE(round);
    const std::size_t bodies = 1 + static_cast<std::size_t>(round % 2);
    const RequestLimits limits{1 + up_to(2000), 1 + up_to(50), 0s};
    RequestBuilder builder(raw_encoder(), Framing::newlines(), bodies, limits, harness_.budget);
    std::string expected, got;

    const auto check_and_complete = [&](Request&& request, bool limited) {
      const std::size_t size = request.body.size();
      const std::string& body = request.body.gather();
      EXPECT_EQ(body.size(), size);
      EXPECT_EQ(body.size(), request.wire_bytes);
      EXPECT_EQ(std::count(body.begin(), body.end(), '#'), static_cast<std::ptrdiff_t>(request.events));
      EXPECT_TRUE(body.starts_with('#') && body.ends_with('\n'));
      if (limited) {
        EXPECT_LE(request.events, limits.max_events);
        EXPECT_TRUE(request.events == 1 || request.wire_bytes <= limits.max_bytes);
      }
      got += body;
      complete(std::move(request));
    };

    const std::uint64_t deliveries = 1 + up_to(20);
    for (std::uint64_t i = 0, event = 0; i < deliveries; ++i) {
      enum { kAsItIs, kCr, kLines } const kind = std::array{kAsItIs, kCr, kLines}[up_to(up_to(1) * 2)];
      std::string text;
      std::vector<std::uint32_t> ends;
      for (std::uint64_t n = 1 + up_to(40); n > 0; --n) {
        std::string one = "#" + std::to_string(event++) + std::string(up_to(up_to(10) == 0 ? 3000 : 60), 'x');
        for (std::uint64_t lines = kind == kLines ? up_to(3) : 0; lines > 0; --lines) one += "\n at";
        expected += one + "\n";
        text += one;
        ends.push_back(static_cast<std::uint32_t>(text.size()));
        text += kind == kCr ? "\r\n" : "\n";
      }
      if (up_to(3) == 0) text.pop_back();
      Delivery delivery = deliver(text, 1 + i % 2);
      auto& batch = const_cast<Batch&>(*delivery.batch);
      batch.strip_cr = kind == kCr;
      if (kind == kLines) {
        batch.events = static_cast<std::uint32_t>(ends.size());
        batch.event_ends = std::move(ends);
      }
      builder.add(std::move(delivery), start_);
      while (!builder.wants_more()) {
        ASSERT_TRUE(builder.ready(start_));
        Request request = builder.take(start_);
        if (request.events < 2 || up_to(1) == 0) {
          check_and_complete(std::move(request), true);
          continue;
        }
        const std::uint64_t events = request.events;
        auto [front, back] = builder.split(std::move(request));
        EXPECT_EQ(front.events, events / 2);
        EXPECT_EQ(front.events + back.events, events);
        if (front.events >= 2) {
          auto [first, second] = builder.split(std::move(front));
          check_and_complete(std::move(first), true);
          check_and_complete(std::move(second), true);
        } else {
          check_and_complete(std::move(front), true);
        }
        check_and_complete(std::move(back), true);
      }
    }
    while (builder.ready(start_)) check_and_complete(builder.take(start_), true);
    EXPECT_TRUE(builder.empty());
    EXPECT_EQ(got, expected);
    EXPECT_TRUE(harness_.all_acked());
    ASSERT_FALSE(HasFailure());
  }
}

TEST_F(RequestBuilderTest, WhatGoesAsItIsIsNotCopied) {
  RequestBuilder builder(raw_encoder(), Framing::newlines(), 2, {1000, 100, 0s}, harness_.budget);
  Delivery first = deliver("a\nb\n");
  const char* const data = first.batch->data;
  builder.add(std::move(first), start_);
  builder.add(deliver("c"), start_);
  Request request = builder.take(start_);
  ASSERT_EQ(request.body.pieces.size(), 3U);
  EXPECT_EQ(request.body.pieces[0].data(), data);
  EXPECT_EQ(request.body.size(), 6U);
  EXPECT_EQ(request.body.gather(), "a\nb\nc\n");
  EXPECT_TRUE(request.body.pieces.empty());
  complete(std::move(request));
}

// Each step moves the whole body.
TEST_F(RequestBuilderTest, ABodyGrowsByFewStepsWhereTwiceItsSizeIsRefused) {
  MemoryBudget budget(900 * 1024);
  RequestBuilder builder(raw_encoder(), Framing::newlines(), 1, {1 << 20, 1 << 20, 3600s}, budget);
  std::size_t steps = 0;
  std::size_t before = 0;
  const std::string lines(7999, 'x');
  for (int i = 0; i < 200 && !builder.ready(start_); ++i) {
    builder.add(deliver(lines + '\n'), start_);
    steps += budget.used_bytes() != before ? 1 : 0;
    before = budget.used_bytes();
  }
  EXPECT_GT(before, 700u * 1024);
  EXPECT_LT(steps, 20u);
  builder.drain();
  while (builder.ready(start_)) complete(builder.take(start_));
}

TEST_F(RequestBuilderTest, AUsedUpBudgetMakesSmallRequestsAndNeverStops) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += std::to_string(i) + std::string(90, 'x') + "\n";
  Delivery delivery = deliver(text);
  MemoryBudget budget(100 * 1024);
  RequestBuilder builder(raw_encoder(), Framing::newlines(), 1, {1 << 20, 10'000, 3600s}, budget);
  builder.add(std::move(delivery), start_);
  std::string got;
  std::size_t requests = 0;
  while (builder.ready(start_)) {
    Request request = builder.take(start_);
    EXPECT_LE(request.body.size(), 128u * 1024);
    EXPECT_LE(budget.used_bytes(), budget.limit_bytes());
    got += request.body.gather();
    ++requests;
    complete(std::move(request));
  }
  builder.drain();
  while (builder.ready(start_)) {
    Request request = builder.take(start_);
    got += request.body.gather();
    complete(std::move(request));
  }
  EXPECT_EQ(got, text);
  EXPECT_GT(requests, 1u);
  EXPECT_EQ(budget.used_bytes(), 0u);
}

TEST_F(RequestBuilderTest, ReservesWhatItHoldsAndGivesItBack) {
  Delivery delivery = deliver(std::string(800, 'x') + "\n" + std::string(200'000, 'y') + "\n");
  MemoryBudget budget(10 << 20);
  RequestBuilder builder(raw_encoder(), Framing::newlines(), 1, {1 << 20, 100, 0s}, budget);
  builder.add(std::move(delivery), start_);
  Request request = builder.take(start_);
  EXPECT_GE(budget.used_bytes(), request.body.size());
  complete(std::move(request));
  EXPECT_EQ(budget.used_bytes(), 0u);
}

// Goal: an event that becomes six times as long costs no more than the body that it is in.
TEST_F(RequestBuilderTest, AGiantEventHasNoCopyBesideItsBody) {
  const std::string giant(1 << 20, '\x01');
  for (const std::size_t bodies : {1u, 2u}) {
    MemoryBudget budget(100 << 20);
    RequestBuilder builder(encoder_of(Encoding::kJson), Framing::json_array(), bodies, {1 << 20, 100, 0s},
                           budget);
    builder.add(deliver(giant + "\n" + giant + "\n"), start_);
    ASSERT_TRUE(builder.ready(start_));
    EXPECT_LT(budget.used_bytes(), bodies * (7u << 20));
    Request request = builder.take(start_);
    EXPECT_EQ(request.events, 1u);
    EXPECT_GT(request.wire_bytes, 6u << 20);
    EXPECT_LE(bodies * request.body.bytes.capacity(), budget.used_bytes());
    EXPECT_EQ(request.body.size(), request.wire_bytes);
    complete(std::move(request));
    ASSERT_TRUE(builder.ready(start_));
    complete(builder.take(start_));
    EXPECT_EQ(budget.used_bytes(), 0u);
  }
  EXPECT_TRUE(harness_.all_acked());
}

TEST_F(RequestBuilderTest, AGiantEventWaitsForWhatTheSinkHasReserved) {
  MemoryBudget budget(100 * 1024);
  const auto make = [&] {
    return RequestBuilder(raw_encoder(), Framing::newlines(), 1, {1 << 20, 100, 0s}, budget);
  };
  RequestBuilder first = make();
  RequestBuilder second = make();
  const std::string giant = std::string(200'000, 'x') + "\n";
  first.add(deliver(giant, 1), start_);
  ASSERT_TRUE(first.ready(start_));
  EXPECT_GE(budget.used_bytes(), giant.size());  // more than there is, but all of it is known
  second.add(deliver(giant, 2), start_);
  EXPECT_FALSE(second.ready(start_));
  EXPECT_FALSE(second.empty());
  EXPECT_FALSE(second.wants_more());
  second.retry(start_);
  EXPECT_FALSE(second.ready(start_));
  complete(first.take(start_));
  EXPECT_EQ(budget.used_bytes(), 0u);
  second.retry(start_);
  ASSERT_TRUE(second.ready(start_));
  Request request = second.take(start_);
  EXPECT_EQ(request.body.gather(), giant);
  complete(std::move(request));
  EXPECT_EQ(budget.used_bytes(), 0u);
  EXPECT_TRUE(harness_.all_acked());
}

}  // namespace
}  // namespace logflume
