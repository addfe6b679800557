#include "config/test_cases.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>

#include "base/nearest_name.h"

namespace logflume {
namespace {

class Reader {
 public:
  explicit Reader(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  TestCase test(const YamlEntry& entry) {
    TestCase test;
    test.name = entry.key.text;
    test.place = entry.key.at.text();
    if (!is_map(entry, "a test", {"insert_at", "input", "outputs"})) return test;
    for (const YamlEntry& key : entry.value.entries) {
      if (key.key.text == "insert_at") test.insert_at = text(key);
      if (key.key.text == "input") test.input = texts(key);
      if (key.key.text == "outputs") outputs(key, test);
    }
    for (const char* needed : {"insert_at", "input", "outputs"}) {
      if (entry.value.find(needed) == nullptr)
        diagnostics_.error(entry.key.at, fmt::format("test \"{}\" needs \"{}\"", excerpt(test.name), needed));
    }
    return test;
  }

 private:
  bool is_map(const YamlEntry& entry, std::string_view what, std::initializer_list<const char*> keys) {
    if (entry.value.kind != YamlNode::Kind::kMap) {
      diagnostics_.error(entry.value.at, fmt::format("{} is {}", what, describe_kind(entry.value.kind)),
                         fmt::format("a map with {}", quoted_list({keys.begin(), keys.end()})));
      return false;
    }
    for (const YamlEntry& key : entry.value.entries) {
      if (std::ranges::any_of(keys, [&](const char* known) { return key.key.text == known; })) continue;
      const std::string near = nearest_name(key.key.text, {keys.begin(), keys.end()});
      diagnostics_.error(key.key.at, fmt::format("unknown key \"{}\" in {}", excerpt(key.key.text), what),
                         quoted_list({keys.begin(), keys.end()}),
                         near.empty() ? std::string() : fmt::format("did you mean \"{}\"?", near));
    }
    return true;
  }

  void outputs(const YamlEntry& entry, TestCase& test) {
    if (entry.value.kind != YamlNode::Kind::kMap || entry.value.entries.empty()) {
      diagnostics_.error(entry.value.at, "outputs: a map from components to what is expected of them");
      return;
    }
    for (const YamlEntry& one : entry.value.entries) {
      TestCase::Output output;
      output.from = one.key.text;
      if (!is_map(one, "an expected output", {"count", "events", "conditions"})) continue;
      for (const YamlEntry& key : one.value.entries) {
        if (key.key.text == "count") output.count = number(key);
        if (key.key.text == "events") output.events = texts(key);
        if (key.key.text == "conditions") output.conditions = texts(key);
      }
      if (!output.count && output.events.empty() && output.conditions.empty())
        diagnostics_.error(one.key.at, fmt::format("nothing is expected of \"{}\"", excerpt(output.from)),
                           "count, events or conditions");
      test.outputs.push_back(std::move(output));
    }
  }

  std::string text(const YamlEntry& entry) {
    if (entry.value.kind == YamlNode::Kind::kScalar) return entry.value.text;
    if (!entry.value.broken)
      diagnostics_.error(entry.value.at,
                         fmt::format("{} is {}", entry.key.text, describe_kind(entry.value.kind)), "a text");
    return {};
  }

  std::vector<std::string> texts(const YamlEntry& entry) {
    if (entry.value.kind == YamlNode::Kind::kScalar) return {entry.value.text};
    std::vector<std::string> out;
    if (entry.value.kind != YamlNode::Kind::kList) {
      diagnostics_.error(entry.value.at,
                         fmt::format("{} is {}", entry.key.text, describe_kind(entry.value.kind)),
                         "a list of texts");
    }
    for (const YamlNode& item : entry.value.items) {
      if (item.kind == YamlNode::Kind::kScalar) {
        out.push_back(item.text);
      } else {
        diagnostics_.error(item.at,
                           fmt::format("{}: {} is no text", entry.key.text, describe_kind(item.kind)),
                           "a text: put it into quotes");
      }
    }
    return out;
  }

  std::optional<std::uint64_t> number(const YamlEntry& entry) {
    const std::string digits = text(entry);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error == std::errc() && end == digits.data() + digits.size() && !digits.empty()) return value;
    diagnostics_.error(entry.value.at,
                       fmt::format("{}: \"{}\" is not a whole number", entry.key.text, excerpt(digits)));
    return {};
  }

  Diagnostics& diagnostics_;
};

}  // namespace

std::vector<TestCase> read_test_cases(const YamlNode& tests, Diagnostics& diagnostics) {
  std::vector<TestCase> cases;
  if (tests.kind == YamlNode::Kind::kNull) return cases;
  if (tests.kind != YamlNode::Kind::kMap) {
    diagnostics.error(tests.at, fmt::format("tests is {}", describe_kind(tests.kind)),
                      "a map from names to tests");
    return cases;
  }
  Reader reader(diagnostics);
  for (const YamlEntry& entry : tests.entries) cases.push_back(reader.test(entry));
  return cases;
}

}  // namespace logflume
