#include "checkpoint/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

CursorRecord cursor(std::uint64_t offset, std::uint64_t delivered, std::uint64_t begin = 0) {
  return {1, "bus", offset, 0, 0, begin, delivered, delivered / 10};
}

RangeRecord row(std::uint64_t begin, std::uint64_t end, RangeKind kind = RangeKind::kDiscarded,
                std::string sink = "bus") {
  return {1, std::move(sink), begin, end, kind, "why", end - begin, 1, 0};
}

std::uint64_t sum(const SinkAudit& sink) {
  std::uint64_t bytes = sink.delivered.bytes + sink.pending.bytes + sink.unread.bytes;
  for (const auto& [reason, part] : sink.exceptions) bytes += part.bytes;
  return bytes;
}

// The one sink, its sum checked against the size when there is no fault.
SinkAudit audit(std::uint64_t size, const CursorRecord& of, const std::vector<RangeRecord>& rows = {},
                const std::vector<InFlight>& in_flight = {}) {
  const FileAudit file = audit_file(size, {of}, rows, in_flight);
  EXPECT_EQ(file.sinks.size(), 1u);
  if (file.balanced()) {
    EXPECT_EQ(sum(file.sinks[0]), file.size_bytes);
  }
  return file.sinks[0];
}

std::vector<std::string> faults(const SinkAudit& sink) {
  std::vector<std::string> texts;
  for (const AuditFault& fault : sink.faults) texts.push_back(text_of(fault));
  return texts;
}

TEST(AuditTest, PartsAddUpToTheSize) {
  const SinkAudit sink =
      audit(200, cursor(100, 70),
            {row(20, 30), row(50, 70, RangeKind::kSkipped, ""), row(150, 160, RangeKind::kLost)},
            {{1, "bus", 130, 0}});
  EXPECT_THAT(faults(sink), IsEmpty());
  EXPECT_EQ(sink.delivered.bytes, 70u);
  EXPECT_EQ(sink.pending.bytes, 30u);
  EXPECT_EQ(sink.unread.bytes, 60u);
  EXPECT_EQ(sink.exceptions.at({RangeKind::kLost, "why"}).bytes, 10u);
}

TEST(AuditTest, WhatABufferGaveUpLaterIsNotDelivered) {
  const SinkAudit sink =
      audit(200, cursor(100, 90),
            {row(0, 10), row(20, 30, RangeKind::kDiscardedLater), row(90, 120, RangeKind::kDiscardedLater)});
  EXPECT_THAT(faults(sink), IsEmpty());
  EXPECT_EQ(sink.delivered.bytes, 70u);
  EXPECT_EQ(sink.delivered.events, 7u);
  ASSERT_EQ(sink.delivered.ranges.size(), 2u);
  EXPECT_EQ(sink.delivered.ranges[0].begin, 10u);
  EXPECT_EQ(sink.delivered.ranges[0].end, 20u);
  EXPECT_EQ(sink.delivered.ranges[1].begin, 30u);
  EXPECT_EQ(sink.delivered.ranges[1].end, 90u);
  EXPECT_EQ(sink.exceptions.at({RangeKind::kDiscarded, "why"}).bytes, 30u);
}

TEST(AuditTest, WhatIsBeforeASinkNeedsAReason) {
  EXPECT_THAT(faults(audit(100, cursor(100, 60, 40), {row(0, 40, RangeKind::kSkipped)})), IsEmpty());
  EXPECT_THAT(faults(audit(100, cursor(100, 60, 40), {row(0, 30, RangeKind::kSkipped)})),
              ElementsAre("gap [30, 40)"));
  EXPECT_THAT(faults(audit(100, cursor(100, 60, 40))), ElementsAre("gap [0, 40)"));
}

TEST(AuditTest, AGapIsFound) {
  EXPECT_THAT(faults(audit(100, cursor(100, 90))), ElementsAre("gap [0, 100): 10 bytes somewhere in it"));
}

TEST(AuditTest, AnOverlapIsFound) {
  EXPECT_THAT(faults(audit(100, cursor(100, 95), {row(10, 20)})),
              ElementsAre("overlap [0, 100): 5 bytes somewhere in it"));
  EXPECT_THAT(faults(audit(100, cursor(100, 80), {row(10, 20), row(15, 25, RangeKind::kFiltered)})),
              ElementsAre("overlap [15, 20)"));
  // A discard that the cursor has not come to, and a loss of what is in flight.
  EXPECT_THAT(faults(audit(100, cursor(50, 50), {row(60, 70)})), ElementsAre("overlap [60, 70)"));
  EXPECT_THAT(faults(audit(100, cursor(50, 50), {row(60, 90, RangeKind::kLost)}, {{1, "bus", 70, 0}})),
              ElementsAre("overlap [60, 70)"));
}

TEST(AuditTest, RangesThatWereJoinedCountTheirBytes) {
  RangeRecord joined = row(10, 90);
  joined.bytes = 30;
  EXPECT_THAT(faults(audit(100, cursor(100, 70), {joined})), IsEmpty());
  EXPECT_THAT(faults(audit(100, cursor(100, 60), {joined, row(20, 30, RangeKind::kFiltered)})), IsEmpty());
}

TEST(AuditTest, AFileThatIsShorterThanWhatWasReadOfItIsTakenAsItWas) {
  EXPECT_EQ(audit_file(10, {cursor(100, 100)}, {}, {}).size_bytes, 100u);
}

}  // namespace
}  // namespace logflume
