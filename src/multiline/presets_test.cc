#include "multiline/presets.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "multiline/event_rules.h"
#include "multiline/event_rules_model.h"

namespace logflume {
namespace {

const std::map<std::string, MultilinePreset> kPresets = {
    {"java", MultilinePreset::kJava},     {"python", MultilinePreset::kPython},
    {"go", MultilinePreset::kGo},         {"ruby", MultilinePreset::kRuby},
    {"dotnet", MultilinePreset::kDotnet}, {"rust", MultilinePreset::kRust},
    {"php", MultilinePreset::kPhp},       {"node", MultilinePreset::kNode},
    {"cri", MultilinePreset::kCri},       {"docker", MultilinePreset::kDocker}};

EventRules rules_of(MultilinePreset preset) {
  MultilineConfig config;
  config.preset = preset;
  return std::move(*EventRules::compile(config));
}

// The events of a log, without their last newline; the last one is over as well.
std::vector<std::string> split(EventRules& rules, std::string_view text) {
  EventRules::Open open;
  EventRules::Ends ends;
  const std::size_t rest = rules.find_ends(text, open, ends);
  std::vector<std::string> events;
  std::size_t begin = 0;
  for (const std::uint32_t end : ends.at) {
    events.emplace_back(text.substr(begin, end - begin));
    begin = std::size_t{end} + 1;
  }
  if (rest < text.size()) events.emplace_back(text.substr(rest, text.size() - rest - 1));
  return events;
}

std::vector<std::string> sample(const std::string& preset) {
  std::ifstream file(LOGFLUME_SOURCE_DIR "/tests/traces/" + preset + ".txt", std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  std::vector<std::string> events;
  constexpr std::string_view kDivider = "\n===\n";
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(kDivider, begin), text.size() - 1);
    events.push_back(text.substr(begin, end - begin));
    begin = end + kDivider.size();
  }
  return events;
}

std::string join(const std::vector<std::string>& events) {
  std::string text;
  for (const std::string& event : events) text.append(event).append("\n");
  return text;
}

std::vector<std::string> with_newlines(std::vector<std::string> events) {
  for (std::string& event : events) event += '\n';
  return events;
}

class PresetTest : public testing::TestWithParam<std::string> {};

TEST_P(PresetTest, EachTraceIsOneEvent) {
  const std::vector<std::string> expected = sample(GetParam());
  ASSERT_GT(expected.size(), 5U);
  EventRules rules = rules_of(kPresets.at(GetParam()));
  EXPECT_EQ(split(rules, join(expected)), expected);
}

// Goal: whoever begins again at an event, or saw only part of it at first, comes to the same events, and so
// does who asks for each line. Method: lines of all samples at random; from each event on, and up to each
// line, it is asked anew.
TEST_P(PresetTest, WhatBelongsToAnEventDependsOnItsOwnLinesOnly) {
  std::vector<std::string> lines = {"",  " ",   "\t", "\r", "plain", "2026-01-02 INFO record",
                                    "}", "...", "^",  "#",  "#1"};
  for (const auto& [name, preset] : kPresets) {
    std::string line;
    for (const char c : join(sample(name))) {
      if (c == '\n')
        lines.push_back(std::exchange(line, {}));
      else
        line += c;
    }
  }
  EventRules rules = rules_of(kPresets.at(GetParam()));
  MultilineConfig config;
  config.preset = kPresets.at(GetParam());
  EventRulesModel model(config);
  std::mt19937_64 random(3);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> chosen;
    // Neighbours mostly, so that there are traces.
    for (std::size_t at = random() % lines.size(); chosen.size() < 40; ++at) {
      if (random() % 8 == 0) at = random();
      chosen.push_back(lines[at % lines.size()]);
    }
    const std::string text = join(chosen);
    const std::vector<std::string> events = split(rules, text);
    ASSERT_EQ(model.split(text), with_newlines(events));
    std::size_t begin = 0;
    for (std::size_t i = 0; i < events.size(); ++i) {
      ASSERT_EQ(split(rules, std::string_view(text).substr(begin)),
                std::vector(events.begin() + static_cast<std::ptrdiff_t>(i), events.end()));
      begin += events[i].size() + 1;
    }
    ASSERT_EQ(begin, text.size());
    for (std::size_t end = text.find('\n'); end != text.npos; end = text.find('\n', end + 1)) {
      std::vector<std::string> early = split(rules, std::string_view(text).substr(0, end + 1));
      ASSERT_FALSE(early.empty());
      early.pop_back();  // it may go on
      ASSERT_TRUE(std::equal(early.begin(), early.end(), events.begin()));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, PresetTest, testing::ValuesIn([] {
                           std::vector<std::string> names;
                           names.reserve(kPresets.size());
                           for (const auto& [name, preset] : kPresets) names.push_back(name);
                           return names;
                         }()),
                         [](const auto& one) { return one.param; });

TEST(PresetRulesTest, ATraceBelongsToTheRecordBeforeItAndNotToAnOrdinaryLine) {
  const std::map<std::string, std::string> traces = {
      {"java", "java.lang.Error: why\n\tat a.B.c(B.java:1)"},
      {"python", "Traceback (most recent call last):\n  File \"a.py\", line 1\nValueError: why"},
      {"dotnet", "System.Exception: why\n   at A.B()"},
      {"node", "Error: why\n    at a (/a.js:1:2)"}};
  for (const auto& [name, trace] : traces) {
    EventRules rules = rules_of(kPresets.at(name));
    for (const std::string record :
         {"2026-01-02 failed", "[worker] failed", "ERROR failed", "E, [2026] failed",
          "Jan  2 03:04:05 failed", "warn: failed", "<3>failed", "{\"a\": 1}"}) {
      EXPECT_EQ(split(rules, join({record, trace})).size(), 1U) << name << ", " << record;
    }
    for (const std::string line : {"failed", "Errors were seen", "", "MainThread", "decide", "-"}) {
      EXPECT_EQ(split(rules, join({line, trace})).size(), 2U) << name << ", " << line;
    }
  }
}

TEST(PresetRulesTest, AnIndentedLineBelongsToTheLineBefore) {
  for (const auto& [name, preset] : kPresets) {
    EventRules rules = rules_of(preset);
    EXPECT_EQ(split(rules, "one\n  more\n\tand more\ntwo\n").size(),
              name == "cri" || name == "docker" ? 4U : 2U)
        << name;
  }
}

TEST(PresetRulesTest, EveryByteMayStandInALine) {
  std::mt19937_64 random(5);
  for (const auto& [name, preset] : kPresets) {
    EventRules rules = rules_of(preset);
    std::string text;
    for (int i = 0; i < 200'000; ++i) {
      const std::uint64_t kind = random() % 8;
      text += kind == 0 ? '\n' : kind == 1 ? "\r\t :.'(^#"[random() % 9] : static_cast<char>(random());
    }
    text += '\n';
    EXPECT_EQ(join(split(rules, text)), text);
  }
}

}  // namespace
}  // namespace logflume
