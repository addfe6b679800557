#include "generate/verifier.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <filesystem>
#include <fstream>
#include <numeric>

#include "generate/line_source.h"

namespace logflume {
namespace {

std::vector<std::string> lines_of(const std::string& stream, std::size_t count,
                                  LineFormat format = LineFormat::kNginx) {
  LineSource source(*LineTemplates::make(format, stream.size(), 0, 1), stream, 0);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < count; ++i) {
    std::string line(source.next_size(), '\0');
    source.next(line.data());
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  return std::accumulate(lines.begin(), lines.end(), std::string());
}

std::string escaped(std::string text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      out += c;
    }
  }
  return out;
}

VerifyReport verify(std::string_view text, std::size_t piece = SIZE_MAX) {
  Verifier verifier;
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size())))
    verifier.feed(text.substr(0, piece));
  verifier.end_input();
  return verifier.report();
}

void expect_counts(const VerifyReport& report, std::uint64_t lines, std::uint64_t lost,
                   std::uint64_t duplicated, std::uint64_t reordered, std::uint64_t damaged) {
  EXPECT_EQ(report.lines, lines);
  EXPECT_EQ(report.lost, lost);
  EXPECT_EQ(report.duplicated, duplicated);
  EXPECT_EQ(report.reordered, reordered);
  EXPECT_EQ(report.damaged, damaged);
}

TEST(VerifierTest, ACompleteOutputIsGoodHoweverItIsCut) {
  const std::string text = joined(lines_of("a", 300)) + joined(lines_of("b", 200));
  for (const std::size_t piece : {std::size_t{1}, std::size_t{97}, std::size_t{4096}, SIZE_MAX}) {
    expect_counts(verify(text, piece), 500, 0, 0, 0, 0);
  }
}

TEST(VerifierTest, LostAndDuplicatedAreCountedAndNamed) {
  auto lines = lines_of("a", 100);
  const std::string again = lines[7];
  lines.erase(lines.begin() + 50);
  lines.push_back(again);
  const VerifyReport report = verify(joined(lines));
  expect_counts(report, 100, 1, 1, 0, 0);
  EXPECT_EQ(report.streams.at("a").lost_first, (std::vector<SequenceSet::Range>{{51, 51}}));
  EXPECT_EQ(report.streams.at("a").duplicated_first, (std::vector<std::uint64_t>{8}));
}

TEST(VerifierTest, ALineThatComesLateForTheFirstTimeIsReorderedNotDuplicated) {
  auto lines = lines_of("a", 10);
  std::swap(lines[3], lines[4]);
  expect_counts(verify(joined(lines)), 10, 0, 0, 1, 0);
}

TEST(VerifierTest, ADamagedLineIsAlsoLost) {
  auto lines = lines_of("a", 10);
  lines[3][5] ^= 1;
  const VerifyReport report = verify(joined(lines));
  expect_counts(report, 10, 1, 0, 0, 1);
  EXPECT_EQ(report.damaged_first, (std::vector<std::uint64_t>{4}));
}

TEST(VerifierTest, AMissingTailIsSeenOnlyWhenTheCountIsExpected) {
  const std::string text = joined(lines_of("a", 10));
  expect_counts(verify(text), 10, 0, 0, 0, 0);
  Verifier verifier;
  verifier.feed(text);
  verifier.end_input();
  verifier.expect("a", 12);
  verifier.expect("never-came", 3);
  expect_counts(verifier.report(), 10, 5, 0, 0, 0);
}

TEST(VerifierTest, TheMarkIsFoundInTheMessageOfJsonEvents) {
  for (const LineFormat format : {LineFormat::kNginx, LineFormat::kJson, LineFormat::kSyslog5424}) {
    std::string text;
    for (std::string line : lines_of("a", 50, format)) {
      line.pop_back();
      text += R"({"message":")" + escaped(line) +
              R"(","file":"/x","timestamp":"2026-01-02T03:04:05Z"})"
              "\n";
    }
    expect_counts(verify(text), 50, 0, 0, 0, 0);
  }
}

TEST(VerifierTest, AMultiLineMessageHoldsSeveralLines) {
  std::string text;
  std::string event;
  for (const std::string& line : lines_of("a", 400, LineFormat::kJava)) {
    if (!line.starts_with("\t") && !event.empty() && line.starts_with("1970")) {
      event.pop_back();
      text += R"({"host":"h","message":")" + escaped(event) + "\"}\n";
      event.clear();
    }
    event += line;
  }
  event.pop_back();
  text += R"({"host":"h","message":")" + escaped(event) + "\"}\n";
  expect_counts(verify(text), 400, 0, 0, 0, 0);
}

TEST(VerifierTest, RawJsonLinesWithAMessageOfTheirOwnAreRead) {
  expect_counts(verify(joined(lines_of("a", 50, LineFormat::kJson))), 50, 0, 0, 0, 0);
}

TEST(VerifierTest, ALastLineWithoutNewlineCounts) {
  std::string text = joined(lines_of("a", 10));
  text.pop_back();
  expect_counts(verify(text), 10, 0, 0, 0, 0);
  text.pop_back();
  expect_counts(verify(text), 10, 0, 0, 0, 1);
}

TEST(VerifierTest, AMissingFileIsAnError) {
  Verifier verifier;
  const Result<void> fed = verifier.feed_path(testing::TempDir() + "not-there.log");
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, Errc::kNotFound);
}

TEST(VerifierTest, ReportsHowFarItIsInTheFilesOnDisk) {
  const std::filesystem::path directory = std::filesystem::temp_directory_path() / "logflume-verifier-test";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory / "below");
  const std::string plain = joined(lines_of("a", 1000));
  std::ofstream(directory / "a.log") << plain;
  const std::string packed = (directory / "below" / "b.log.gz").string();
  gzFile file = ::gzopen(packed.c_str(), "wb");
  ::gzwrite(file, plain.data(), static_cast<unsigned>(plain.size()));
  ::gzclose(file);
  const std::uint64_t total = plain.size() + std::filesystem::file_size(packed);
  EXPECT_EQ(stored_bytes(directory.string()), total);
  EXPECT_EQ(stored_bytes("-"), std::nullopt);
  EXPECT_EQ(stored_bytes((directory / "none").string()), std::nullopt);

  Verifier verifier;
  std::uint64_t text = 0;
  std::uint64_t stored = 0;
  verifier.on_progress([&](std::uint64_t text_bytes, std::uint64_t stored_bytes) {
    EXPECT_GE(stored_bytes, stored);
    text = text_bytes;
    stored = stored_bytes;
  });
  ASSERT_TRUE(verifier.feed_path(directory.string()));
  EXPECT_EQ(text, 2 * plain.size());
  EXPECT_EQ(stored, total);
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace logflume
