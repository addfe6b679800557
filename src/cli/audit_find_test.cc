#include "cli/audit_find.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "base/temp_dir_for_test.h"
#include "cli/audit_service.h"

namespace logflume {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(LineAddressTest, IsAFileAndALineOrAnOffset) {
  const auto line = parse_line_address("/var/log/a:b.log:12");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->path, "/var/log/a:b.log");
  EXPECT_FALSE(line->is_offset);
  EXPECT_EQ(line->number, 12u);
  const auto offset = parse_line_address("a.log:@0");
  ASSERT_TRUE(offset);
  EXPECT_TRUE(offset->is_offset);
  for (const char* wrong : {"a.log", ":5", "a.log:", "a.log:0", "a.log:-1", "a.log:@", "a.log:5x",
                            "a.log:@-1", "a.log:18446744073709551615", "a.log:99999999999999999999"})
    EXPECT_FALSE(parse_line_address(wrong)) << wrong;
}

TEST(LocateLineTest, CountsLinesAcrossReads) {
  const TempDir dir;
  const std::string path = dir / "a.log";
  const std::string long_line(700'000, 'x');
  std::ofstream(path) << "one\n\n" << long_line << "\nlast";
  const auto at = [&](std::uint64_t line) { return locate_line({path, false, line}); };
  EXPECT_EQ(at(1)->end, 4u);
  EXPECT_EQ(at(2)->begin, 4u);
  EXPECT_EQ(at(2)->end, 5u);
  EXPECT_EQ(at(3)->begin, 5u);
  EXPECT_EQ(at(3)->end, 700'006u);
  EXPECT_EQ(at(4)->begin, 700'006u);
  EXPECT_EQ(at(4)->end, 700'010u) << "without a newline";
  EXPECT_THAT(at(5).error().text(), HasSubstr("has 4 lines now"));
  EXPECT_EQ(locate_line({dir / "none", false, 1}).error().code, Errc::kNotFound);
  EXPECT_EQ(locate_line({dir / "none", true, 7})->begin, 7u) << "of a file that is gone too";
  EXPECT_FALSE(locate_line({dir.path(), false, 1}));
}

AuditedFile file_of(std::uint64_t size, std::vector<CursorRecord> cursors, std::vector<RangeRecord> ranges,
                    std::vector<InFlight> flights) {
  AuditedFile file;
  file.record.id = 1;
  file.record.path = "/var/log/a.log";
  file.audit = audit_file(size, cursors, ranges, flights);
  return file;
}

TEST(FindLineTest, SaysWhatBecameOfIt) {
  const RangeRecord filtered{1, "bus", 20, 30, RangeKind::kFiltered, "debug", 10, 1, 0};
  const AuditedFile file = file_of(100, {{1, "bus", 60, 0, 0, 0, 50, 5}}, {filtered}, {{1, "bus", 80, 0}});
  const auto fate = [&](std::uint64_t begin, std::uint64_t end) {
    const FoundLine found = find_line(file, {begin, end}, {});
    std::string text;
    for (const FoundLine::Fate& one : found.sinks.at(0).fates)
      text += one.what + (one.reason.empty() ? "" : ":" + one.reason) + " ";
    return text;
  };
  EXPECT_EQ(fate(0, 20), "delivered ");
  EXPECT_EQ(fate(20, 30), "filtered:debug ");
  EXPECT_EQ(fate(15, 25), "delivered filtered:debug ");
  EXPECT_EQ(fate(60, 61), "pending ");
  EXPECT_EQ(fate(80, 81), "unread ");
  EXPECT_EQ(fate(79, 81), "pending unread ");
  EXPECT_TRUE(find_line(file, {100, 101}, {}).beyond_end);
}

TEST(FindLineTest, OneOfSeveralJoinedRangesIsPerhapsIt) {
  RangeRecord joined{1, "bus", 20, 60, RangeKind::kDiscarded, "rejected_400", 10, 1, 0};
  const AuditedFile file = file_of(100, {{1, "bus", 100, 0, 0, 0, 90, 9}}, {joined}, {});
  EXPECT_TRUE(file.audit.balanced());
  EXPECT_THAT(text_of(find_line(file, {30, 40}, {})), HasSubstr("perhaps discarded: rejected_400"));
  EXPECT_THAT(text_of(find_line(file, {60, 70}, {})), Not(HasSubstr("perhaps")));
}

TEST(FindLineTest, SaysWhenAndWhatOnlyTheJournalKnows) {
  BatchHistory history;
  history.has_journal = true;
  history.steps.push_back({BatchStage::kRead, "app", {42, 1, {50, 100}, 1'000'000'000, 5}});
  history.steps.push_back({BatchStage::kAcknowledged, "bus", {42, 1, {50, 100}, 2'000'000'000, 5}});
  const AuditedFile file = file_of(100, {{1, "bus", 40, 0, 0, 0, 40, 4}}, {}, {{1, "bus", 100, 0}});
  const std::string text = text_of(find_line(file, {60, 70}, history));
  EXPECT_THAT(text, HasSubstr("read 1970-01-01T00:00:01.000Z in batch 42: bytes [50, 100), 5 events"));
  EXPECT_THAT(text, HasSubstr("acknowledged 1970-01-01T00:00:02.000Z in batch 42"));
  EXPECT_THAT(text, HasSubstr("pending\n      the sink has it, and not yet all that is before it"));
  EXPECT_THAT(text_of(find_line(file, {60, 70}, {})), HasSubstr("no journal"));
  EXPECT_THAT(json_of(find_line(file, {60, 70}, history)), HasSubstr("\"batch\":42"));
}

TEST(AuditRequestTest, SurvivesItsWayThroughAUrl) {
  AuditRequest request;
  request.files = {"/var/log/a b&c=d%+?#\xff.log"};
  request.text = true;
  request.after = 7;
  request.find = FileRange{5, 9};
  const std::string target = request.target();
  ASSERT_TRUE(target.starts_with("/audit?"));
  const auto parsed = AuditRequest::from_query(std::string_view(target).substr(7));
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->files, request.files);
  EXPECT_TRUE(parsed->text);
  EXPECT_EQ(parsed->after, 7u);
  EXPECT_EQ(parsed->find->end, 9u);
  EXPECT_TRUE(AuditRequest::from_query(""));
  for (const char* wrong : {"a", "x=1", "after=", "after=-1", "format=xml", "find=1-2", "file=a&find=2-2",
                            "file=a&find=3", "file=%", "file=%4", "file=%zz", "file=a&file=b&find=1-2"})
    EXPECT_FALSE(AuditRequest::from_query(wrong)) << wrong;
}

}  // namespace
}  // namespace logflume
