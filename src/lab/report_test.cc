#include "lab/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "lab/embedded.h"

namespace logflume {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LabReport sample() {
  LabReport report;
  report.experiment = "io";
  report.question = "Which way is fastest?";
  report.machine.cpu = "Some CPU";
  report.machine.cores = 2;
  report.repeats = 5;
  report.settings = {"way", "block"};
  report.columns = {{"rate", "rate", LabUnit::kBytesPerSecond},
                    {"p99", "p99", LabUnit::kSeconds},
                    {"calls_per_mb", "calls/MB", LabUnit::kCount}};
  report.rows = {{{"pread", "256 KiB"},
                  {LabFigure{7.1e9, 7e9, 7.5e9}, LabFigure{84e-6, 8e-5, 9e-5}, LabFigure{3.81, 3.81, 3.81}},
                  "fio --x",
                  "",
                  "warm",
                  5},
                 {{"mmap", "-"}, {LabFigure{5e9, 4e9, 6e9}, std::nullopt, std::nullopt}, "", "", "warm", 5},
                 {{"io_uring", "64 KiB"}, {}, "", "io_uring_setup: Operation not permitted", "cold", 0}};
  report.advice = {"On this machine use pread."};
  return report;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

std::string line_with(const std::string& text, const std::string& word) {
  for (const std::string& line : lines_of(text)) {
    if (line.find(word) != line.npos) return line;
  }
  return "no line has " + word;
}

TEST(LabText, values_have_three_digits_and_a_unit) {
  EXPECT_EQ(lab_value_text(7.123e9, LabUnit::kBytesPerSecond), "7.12 GB/s");
  EXPECT_EQ(lab_value_text(999.9e6, LabUnit::kBytesPerSecond), "1.00 GB/s");
  EXPECT_EQ(lab_value_text(12, LabUnit::kBytesPerSecond), "12.0 B/s");
  EXPECT_EQ(lab_value_text(84e-9, LabUnit::kSeconds), "84.0 ns");
  EXPECT_EQ(lab_value_text(1.5e-4, LabUnit::kSeconds), "150 us");
  EXPECT_EQ(lab_value_text(0, LabUnit::kSeconds), "0.00 ns");
  EXPECT_EQ(lab_value_text(12, LabUnit::kCount), "12");
  EXPECT_EQ(lab_value_text(0, LabUnit::kCount), "0");
  EXPECT_EQ(lab_value_text(12.34, LabUnit::kCount), "12.3");
  EXPECT_EQ(lab_value_text(123456, LabUnit::kCount), "123 k");
  EXPECT_EQ(lab_value_text(2.5e6, LabUnit::kPerSecond), "2.50 M/s");
  EXPECT_EQ(lab_value_text(0.123, LabUnit::kSecondsPerGB), "0.12 s/GB");
  EXPECT_EQ(lab_value_text(2.1, LabUnit::kPercentOfCore), "2.1 %");
  EXPECT_EQ(lab_value_text(98.2, LabUnit::kPercentOfCore), "98 %");
  EXPECT_EQ(lab_value_text(65536, LabUnit::kBytes), "64.0 KiB");
  EXPECT_EQ(lab_value_text(3.2, LabUnit::kRatio), "3.20x");
  EXPECT_EQ(lab_value_text(0.047, LabUnit::kRatio), "0.047x");
  EXPECT_EQ(lab_value_text(0.0047, LabUnit::kCount), "0.0047");
  EXPECT_EQ(lab_value_text(0.00002, LabUnit::kCount), "2e-05");
  EXPECT_EQ(lab_size_text(256 * 1024), "256 KiB");
  EXPECT_EQ(lab_size_text(1024 * 1024), "1 MiB");
}

TEST(LabText, shows_machine_table_notes_and_advice_in_this_order) {
  const std::string text = lab_text(sample(), 0, false);
  std::size_t last = 0;
  for (const char* part : {"lab io: Which way is fastest?", "Some CPU, 2 cores", "way  ", "pread", "mmap",
                           "io_uring", "  1  fio --x", "* On this machine use pread."}) {
    const std::size_t at = text.find(part);
    ASSERT_NE(at, text.npos) << part << "\n" << text;
    EXPECT_GE(at, last) << part;
    last = at;
  }
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST(LabText, columns_stand_below_each_other) {
  const std::string text = lab_text(sample(), 0, false);
  EXPECT_EQ(line_with(text, "calls/MB"), "#  way       block              rate      p99  calls/MB");
  EXPECT_EQ(line_with(text, "pread  "), "1  pread     256 KiB   7.10 GB/s ±4%  84.0 us      3.81");
  EXPECT_EQ(line_with(text, "mmap"), "2  mmap      -        5.00 GB/s ±20%        -         -");
}

TEST(LabText, a_case_that_cannot_run_says_why) {
  EXPECT_EQ(line_with(lab_text(sample(), 0, false), "io_uring"),
            "3  io_uring  64 KiB   io_uring_setup: Operation not permitted");
}

TEST(LabText, leaves_out_the_last_columns_where_they_do_not_fit) {
  const std::string text = lab_text(sample(), 45, false);
  EXPECT_EQ(line_with(text, "1  pread"), "1  pread     256 KiB   7.10 GB/s ±4%  84.0 us");
  EXPECT_THAT(text, HasSubstr("(too narrow for: calls/MB)"));
}

TEST(LabText, groups_stand_apart_and_the_best_of_each_is_coloured) {
  const std::vector<std::string> lines = lines_of(lab_text(sample(), 0, true));
  const auto mmap =
      std::find_if(lines.begin(), lines.end(), [](auto& l) { return l.find("mmap") != l.npos; });
  EXPECT_EQ(*(mmap + 1), "");
  EXPECT_THAT(*(mmap - 1), ::testing::StartsWith("\x1b[32m"));
  EXPECT_THAT(*mmap, Not(HasSubstr("\x1b")));
}

TEST(LabText, long_sentences_are_wrapped) {
  LabReport report = sample();
  report.advice = {"one two three four five six seven eight nine ten eleven twelve"};
  EXPECT_THAT(lab_text(report, 30, false),
              HasSubstr("* one two three four five six\n  seven eight nine ten eleven\n  twelve\n"));
}

TEST(LabJson, has_figures_by_key_and_leaves_out_what_is_missing) {
  const std::string json = lab_json(sample());
  EXPECT_THAT(json, HasSubstr(R"("columns":[{"key":"rate","title":"rate","unit":"bytes/s"})"));
  EXPECT_THAT(
      json,
      HasSubstr(R"("figures":{"rate":{"median":5000000000,"low":4000000000,"high":6000000000}},"note":"")"));
  EXPECT_THAT(json,
              HasSubstr(R"("figures":{},"note":"","error":"io_uring_setup: Operation not permitted"})"));
}

TEST(LabJson, what_is_no_number_is_null) {
  LabReport report = sample();
  report.rows[0].figures[0]->high = std::numeric_limits<double>::infinity();
  EXPECT_THAT(lab_json(report), HasSubstr(R"("high":null)"));
}

TEST(LabHtml, text_cannot_leave_its_place) {
  LabReport report = sample();
  report.rows[0].settings[0] = "</script><b>\"&\xff";
  report.plots = {{"<i>", "x", "y", {"</script>"}, {{"<!--", {1.0, std::nullopt}}}, false, false}};
  const std::string page = lab_html({report});
  std::size_t ends = 0;
  for (std::size_t at = 0; (at = page.find("</script", at)) != page.npos; ++at) ++ends;
  EXPECT_EQ(ends, 3) << "the data, Chart.js and the page's own";
  EXPECT_THAT(page, HasSubstr("&lt;/script&gt;&lt;b&gt;&quot;&amp;"));
  EXPECT_THAT(page, HasSubstr(R"(\u003c/script>\u003cb>\")"));
  EXPECT_THAT(page, Not(HasSubstr("<!--")));
}

TEST(LabHtml, tables_and_advice_are_there_without_a_script) {
  const std::string page = lab_html({sample()});
  EXPECT_THAT(
      page,
      HasSubstr(
          "<td>pread</td><td>256 KiB</td><td class=\"figure\" title=\"7.00 GB/s to 7.50 GB/s\">7.10 GB/s"));
  EXPECT_THAT(page,
              HasSubstr("<td class=\"error\" colspan=\"3\">io_uring_setup: Operation not permitted</td>"));
  EXPECT_THAT(page, HasSubstr("<li>On this machine use pread.</li>"));
  EXPECT_THAT(page, HasSubstr("Some CPU, 2 cores"));
}

TEST(LabHtml, carries_the_library_whole) {
  EXPECT_GT(embedded_chart_js().size(), 100'000);
  EXPECT_THAT(std::string(embedded_chart_js().substr(0, 200)), HasSubstr("Chart.js"));
  EXPECT_EQ(embedded_chart_js().find("</script"), std::string_view::npos);
}

}  // namespace
}  // namespace logflume
