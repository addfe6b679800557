#include "multiline/event_rules.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

#include "multiline/event_rules_model.h"

namespace logflume {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

EventRules rules_of(const MultilineConfig& config) { return std::move(*EventRules::compile(config)); }

// The lines of each event, their newlines too; what is not over is the last one.
std::vector<std::string> split(const MultilineConfig& config, std::string_view text) {
  EventRules rules = rules_of(config);
  EventRules::Open open;
  EventRules::Ends ends;
  const std::size_t rest = rules.find_ends(text, open, ends);
  std::vector<std::string> events;
  std::size_t begin = 0;
  for (const std::uint32_t end : ends.at) {
    const std::size_t next = std::min<std::size_t>(end + 1, text.size());
    events.emplace_back(text.substr(begin, next - begin));
    begin = next;
  }
  EXPECT_EQ(rest, begin);
  EXPECT_EQ(open.lines > 0, rest < text.size());
  if (rest < text.size()) events.emplace_back(text.substr(rest));
  return events;
}

MultilineConfig patterns(std::string start, std::string further, std::string end) {
  MultilineConfig config;
  config.start_pattern = std::move(start);
  config.continue_pattern = std::move(further);
  config.end_pattern = std::move(end);
  return config;
}

TEST(EventRulesTest, AStartPatternBeginsEvents) {
  EXPECT_THAT(split(patterns("^#", "", ""), "a\nb\n#c\nd\n#e\n"), ElementsAre("a\nb\n", "#c\nd\n", "#e\n"));
}

TEST(EventRulesTest, AContinuePatternJoinsLinesToTheOneBefore) {
  EXPECT_THAT(split(patterns("", "^ ", ""), " a\n b\nc\nd\n e\n"), ElementsAre(" a\n b\n", "c\n", "d\n e\n"));
}

TEST(EventRulesTest, AnEndPatternEndsAnEventBehindItsLine) {
  EXPECT_THAT(split(patterns("", "", ";$"), "a\nb;\nc;\nd\n"), ElementsAre("a\nb;\n", "c;\n", "d\n"));
  EventRules rules = rules_of(patterns("", "", ";$"));
  EventRules::Open open;
  EventRules::Ends ends;
  EXPECT_EQ(rules.find_ends("a\nb;\n", open, ends), 5U) << "nothing is waited for";
}

TEST(EventRulesTest, LinesBetweenAnEndAndAStartAreEventsByThemselves) {
  EXPECT_THAT(
      split(patterns("^BEGIN", "", "END$"), "x\ny END\nBEGIN\n a\nEND\nz\nBEGIN END\nBEGIN\nBEGIN 2\n"),
      ElementsAre("x\n", "y END\n", "BEGIN\n a\nEND\n", "z\n", "BEGIN END\n", "BEGIN\n", "BEGIN 2\n"));
}

TEST(EventRulesTest, ALineThatNeitherBeginsNorContinuesIsAnEventByItself) {
  EXPECT_THAT(split(patterns("^#", "^ ", ""), "#a\n b\nc\n d\n e\n#f\n"),
              ElementsAre("#a\n b\n", "c\n", " d\n e\n", "#f\n"));
  EXPECT_THAT(split(patterns("^ ?#", "^ ", ""), "#a\n #b\n c\n"), ElementsAre("#a\n", " #b\n c\n"))
      << "a start is stronger";
}

TEST(EventRulesTest, ContinuingLinesMayEndAnEvent) {
  EXPECT_THAT(split(patterns("", "^ ", ";$"), "a\n b;\n c\nd;\n e\n"),
              ElementsAre("a\n b;\n", " c\n", "d;\n", " e\n"));
  EXPECT_THAT(split(patterns("^#", "^ ", ";$"), "#a\n b;\n c\n;\n#d\n"),
              ElementsAre("#a\n b;\n", " c\n", ";\n", "#d\n"));
}

TEST(EventRulesTest, AnEventThatHasReachedItsLimitsGoesOnAsTheNext) {
  MultilineConfig config = patterns("^#", "", "");
  config.max_lines = 2;
  EXPECT_THAT(split(config, "#\na\nb\nc\nd\n#\ne\n#\n"),
              ElementsAre("#\na\n", "b\nc\n", "d\n", "#\ne\n", "#\n"));
  config.max_lines = {};
  config.max_bytes = 7;
  EXPECT_THAT(split(config, "#23\n567\n#23\n5678\n#234567890\na\n"),
              ElementsAre("#23\n567\n", "#23\n", "5678\n", "#234567890\n", "a\n"))
      << "the last newline is not counted, and a line is never cut";
}

TEST(EventRulesTest, LimitsThatEndAnEventAreTold) {
  MultilineConfig config = patterns("^#", "", "");
  config.max_lines = 3;
  config.max_bytes = 10;
  EventRules rules = rules_of(config);
  EventRules::Open open;
  EventRules::Ends ends;
  rules.find_ends("#\na\nb\n#\na\nb\nc\n#234567\n9ab\n#\n", open, ends);
  EXPECT_THAT(ends.at, ElementsAre(5, 11, 13, 21, 25));
  ASSERT_EQ(ends.cuts.size(), 2U) << "an event of just so many lines is no cut";
  EXPECT_EQ(ends.cuts[0].index, 1U);
  EXPECT_EQ(ends.cuts[0].cut, EventRules::Cut::kMaxLines);
  EXPECT_EQ(ends.cuts[1].index, 3U);
  EXPECT_EQ(ends.cuts[1].cut, EventRules::Cut::kMaxBytes);
}

TEST(EventRulesTest, InsideAContainersLogMessagesAreAsked) {
  MultilineConfig config;
  config.inside = MultilineInside::kCri;
  config.preset = MultilinePreset::kJava;
  EXPECT_THAT(
      split(config,
            "t stdout F 2026-01-02 boom\nt stdout F java.lang.Error: x\nt stdout F \tat a.b(c)\n"
            "t stderr F \tat other(stream)\nt stdout F 2026-01-02 a lo\nt stdout P \tng\nt stdout F  line\n"),
      ElementsAre("t stdout F 2026-01-02 boom\nt stdout F java.lang.Error: x\nt stdout F \tat a.b(c)\n",
                  "t stderr F \tat other(stream)\n",
                  "t stdout F 2026-01-02 a lo\nt stdout P \tng\nt stdout F  line\n"));
  config = patterns("^#", "", ";$");
  config.inside = MultilineInside::kCri;
  EXPECT_THAT(
      split(config, "t stdout P #a;\nt stdout F b\nt stdout F #c\nnone of them\nt stdout F ;\n"),
      ElementsAre("t stdout P #a;\nt stdout F b\n", "t stdout F #c\n", "none of them\n", "t stdout F ;\n"))
      << "a line is told by its first part, and over with its last one";
}

std::string docker(std::string_view log, std::string_view stream = "stdout") {
  return fmt::format("{{\"log\":\"{}\",\"stream\":\"{}\",\"time\":\"t\"}}\n", log, stream);
}

TEST(EventRulesTest, InsideALogOfDockersMessagesAreAskedAsTheContainerWroteThem) {
  MultilineConfig config;
  config.inside = MultilineInside::kDocker;
  config.preset = MultilinePreset::kJava;
  const std::string trace = docker(R"(2026-01-02 \"boom\"\n)") + docker(R"(java.lang.Error: x\r\n)") +
                            docker(R"(\tat a.b(c)\n)") + docker(R"(\u0009at d.)") + docker(R"(e(f)\n)") +
                            docker(R"(Caused by: x.Y\n)");
  const std::string other = docker(R"(\tat other(stream)\n)", "stderr");
  const std::string parts = docker("2026-01-02 a lo") + docker(R"(\tng)") + docker(R"( line\n)");
  EXPECT_THAT(split(config, trace + other + parts + "none of them\n" + docker(R"(\tat a.b\n)")),
              ElementsAre(trace, other, parts, "none of them\n", docker(R"(\tat a.b\n)")));
  config = patterns("^#", "", ";$");
  config.inside = MultilineInside::kDocker;
  EXPECT_THAT(split(config, docker("#a;") + docker(R"(b\n)") + docker(R"(#c\n)") + docker(R"(d;\n)")),
              ElementsAre(docker("#a;") + docker(R"(b\n)"), docker(R"(#c\n)") + docker(R"(d;\n)")));
}

// Goal: parts of 16 KiB are known whatever is escaped in them, and lines that are too long for that are
// judged by the same first bytes however much of them is known.
TEST(EventRulesTest, ALineOfDockersIsJudgedToItsEnd) {
  MultilineConfig config;
  config.preset = MultilinePreset::kDocker;
  std::string escapes;
  while (escapes.size() < std::size_t{6} * 16 * 1024) escapes += R"(\u0001)";
  const std::string parts = docker(escapes) + docker(escapes) + docker(R"(\n)");
  EXPECT_THAT(split(config, parts + docker(R"(x\n)")), ElementsAre(parts, docker(R"(x\n)")));
  const std::string too_long = docker(std::string(EventRules::kHeadBytesMax, 'x'));
  EXPECT_THAT(split(config, too_long + docker(R"(x\n)")), ElementsAre(too_long, docker(R"(x\n)")));
  EventRules rules = rules_of(config);
  for (const std::size_t known : {EventRules::kHeadBytesMax, too_long.size() - 1}) {
    EventRules::Open open;
    EXPECT_TRUE(rules.judge(open, std::string_view(too_long).substr(0, known), 0).over_behind) << known;
  }
}

TEST(EventRulesTest, APatternThatIsWrongIsNamed) {
  const auto compiled = EventRules::compile(patterns("^#", "(", ""));
  ASSERT_FALSE(compiled.has_value());
  EXPECT_THAT(compiled.error().message, HasSubstr("continue_pattern: missing closing parenthesis"));
}

TEST(EventRulesTest, APatternThatGivesUpIsNamed) {
  EventRules rules = rules_of(patterns("^#", "^(a+)+$", ""));
  EventRules::Open open;
  EventRules::Ends ends;
  rules.find_ends("#\n" + std::string(5000, 'a') + "b\n", open, ends);
  EXPECT_STREQ(rules.take_gave_up().value_or(EventRules::GaveUp{"", 0}).pattern, "continue_pattern");
  EXPECT_FALSE(rules.take_gave_up().has_value());
}

// Goal: whatever the rules and the text, events are those of the model, and the same from each of them on.
TEST(EventRulesTest, AgreesWithTheModelFromEachEventOn) {
  const std::vector<std::string> starts = {"", "^#", "#", "^[a-c]", R"(^\d+-)"};
  const std::vector<std::string> continues = {"", "^ ", R"(^\s)", "a"};
  const std::vector<std::string> ends = {"", ";$", "^}", "b"};
  const std::vector<std::string> pieces = {"#", " ", "a", "b", ";", "}", "17-", "\t", "xyz", "\xff"};
  std::mt19937_64 random(4);
  for (int round = 0; round < 3000; ++round) {
    MultilineConfig config = patterns(starts[random() % starts.size()],
                                      continues[random() % continues.size()], ends[random() % ends.size()]);
    if (!config.has_pattern()) config.preset = static_cast<MultilinePreset>(1 + random() % 10);
    config.inside = static_cast<MultilineInside>(random() % 3);
    const MultilineInside wrapper = config.wrapper();
    if (random() % 3 == 0) config.max_lines = 1 + random() % 4;
    if (random() % 3 == 0) config.max_bytes = 1 + random() % 20;
    std::string text;
    for (std::uint64_t lines = random() % 30; lines > 0; --lines) {
      const char* const stream = random() % 4 == 0 ? "err" : "out";
      const bool wrapped = random() % 5 != 0, goes_on = random() % 3 == 0;
      if (wrapper == MultilineInside::kCri && wrapped)
        text += fmt::format("t std{} {} ", stream, goes_on ? "P" : "F");
      if (wrapper == MultilineInside::kDocker && wrapped) text += R"({"log":")";
      for (std::uint64_t n = random() % 4; n > 0; --n) {
        const std::string& piece = pieces[random() % pieces.size()];
        text += wrapper == MultilineInside::kDocker && piece == "\t" && random() % 4 != 0 ? "\\t" : piece;
      }
      if (wrapper == MultilineInside::kDocker && wrapped)
        text += fmt::format(R"({}","stream":"std{}","time":"t"}})", goes_on ? "" : "\\n", stream);
      if (lines > 1 || random() % 2 == 0) text += '\n';
    }
    EventRulesModel model(config);
    const std::vector<std::string> events = split(config, text);
    ASSERT_EQ(events, model.split(text)) << text;
    std::string_view rest = text;
    for (auto event = events.begin(); event != events.end(); ++event) {
      ASSERT_EQ(split(config, rest), std::vector(event, events.end())) << text;
      rest.remove_prefix(event->size());
    }
  }
}

}  // namespace
}  // namespace logflume
