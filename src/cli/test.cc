// logflume test: the tests that stand in a configuration.
#include <fmt/format.h>
#include <simdjson.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>

#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/dry_run.h"
#include "cli/exit_codes.h"
#include "transform/condition.h"

namespace logflume {
namespace {

// An object's members by name, each as JSON without blanks; nothing for what is no object.
using Members = std::map<std::string, std::string>;
std::optional<Members> members_of(simdjson::dom::parser& parser, const std::string& json) {
  simdjson::dom::object object;
  if (parser.parse(simdjson::padded_string(json)).get(object) != simdjson::SUCCESS) return std::nullopt;
  Members members;
  for (const auto& [name, value] : object)
    members.insert_or_assign(std::string(name), simdjson::minify(value));
  return members;
}

class Runner {
 public:
  explicit Runner(const Config& config) : config_(config) {}

  // What is wrong, as lines; none: it passes.
  std::vector<std::string> run(const TestCase& test) {
    faults_.clear();
    DryRun dry(config_, test.insert_at);
    dry.run(test.input);
    for (const TestCase::Output& output : test.outputs) {
      std::vector<const Frame*> frames = dry.frames_of(output.from);
      check(output, frames);
    }
    return std::move(faults_);
  }

 private:
  void check(const TestCase::Output& output, const std::vector<const Frame*>& frames) {
    std::vector<std::string> events, with_base;
    for (const Frame* frame : frames) {
      for (std::string& event : events_as_json(*frame, false)) events.push_back(std::move(event));
      for (std::string& event : events_as_json(*frame, true)) with_base.push_back(std::move(event));
    }
    if (output.count && *output.count != events.size())
      faults_.push_back(fmt::format("{}: {} events, {} expected", output.from, events.size(), *output.count));
    if (!output.events.empty()) compare(output, events, with_base);
    for (const std::string& text : output.conditions) condition(output.from, text, frames);
  }

  void compare(const TestCase::Output& output, const std::vector<std::string>& events,
               const std::vector<std::string>& with_base) {
    for (std::size_t i = 0; i < std::max(events.size(), output.events.size()); ++i) {
      if (i >= events.size()) {
        faults_.push_back(
            fmt::format("{}: event {} is missing\n    - {}", output.from, i + 1, output.events[i]));
        continue;
      }
      if (i >= output.events.size()) {
        faults_.push_back(
            fmt::format("{}: event {} is not expected\n    + {}", output.from, i + 1, events[i]));
        continue;
      }
      const auto wanted = members_of(parser_, output.events[i]);
      if (!wanted) {
        faults_.push_back(
            fmt::format("{}: what is expected is no JSON object: {}", output.from, output.events[i]));
        continue;
      }
      // What each event says of itself is compared where it is named.
      Members is = *members_of(parser_, events[i]);
      const Members whole = *members_of(parser_, with_base[i]);
      for (const std::string_view base : kBaseFieldNames) {
        const std::string name(base);
        const auto found = whole.find(name);
        if (found == whole.end()) continue;
        if (wanted->contains(name)) is.insert(*found);
        if (!wanted->contains(name)) is.erase(name);
      }
      if (is != *wanted) difference(output.from, i, *wanted, is);
    }
  }

  void difference(const std::string& from, std::size_t index, const Members& wanted, const Members& is) {
    std::string out = fmt::format("{}: event {} differs", from, index + 1);
    const auto line = [&](char sign, const std::string& name, const std::string& value) {
      out += fmt::format("\n    {} {}: {}", sign, name, value);
    };
    Members all = wanted;
    all.insert(is.begin(), is.end());
    for (const auto& [name, unused] : all) {
      const auto expected = wanted.find(name);
      const auto found = is.find(name);
      if (expected != wanted.end() && found != is.end() && expected->second == found->second) continue;
      if (expected != wanted.end()) line('-', name, expected->second);
      if (found != is.end()) line('+', name, found->second);
    }
    faults_.push_back(std::move(out));
  }

  void condition(const std::string& from, const std::string& text, const std::vector<const Frame*>& frames) {
    auto compiled = compile_condition("conditions", text, {});
    if (const auto* const error = std::get_if<TransformError>(&compiled)) {
      faults_.push_back(fmt::format("{}: {}: {}", from, text, error->message));
      return;
    }
    for (const Frame* frame : frames) {
      Condition met(std::get<SharedExpression>(compiled), "localhost");
      std::vector<std::uint32_t> rows;
      StageReport report;
      met.select(*frame, rows, report);
      for (std::size_t i = 0; i < frame->rows.size(); ++i) {
        if (std::ranges::binary_search(rows, frame->rows[i])) continue;
        faults_.push_back(fmt::format("{}: event {} does not meet {}\n    + {}", from, i + 1, text,
                                      events_as_json(*frame, false)[i]));
      }
    }
  }

  const Config& config_;
  simdjson::dom::parser parser_;
  std::vector<std::string> faults_;
};

int test(const std::vector<std::string>& paths) {
  const std::optional<Config> config = load_config_or_explain(paths);
  if (!config) return kExitConfiguration;
  std::size_t failed = 0;
  Runner runner(*config);
  for (const TestCase& one : config->tests) {
    const std::vector<std::string> faults = runner.run(one);
    fmt::print("{} {}\n", faults.empty() ? "ok    " : "FAILED", one.name);
    if (faults.empty()) continue;
    ++failed;
    fmt::print("  {}\n", one.place);
    for (const std::string& fault : faults) fmt::print("  {}\n", fault);
  }
  fmt::print("{} passed, {} failed\n", config->tests.size() - failed, failed);
  return failed == 0 ? kExitOk : kExitFailure;
}

}  // namespace

void add_test_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("test", "Run the tests that stand in a configuration, under `tests`");
  const auto paths = std::make_shared<std::vector<std::string>>();
  command->add_option("files", *paths, "Configuration files, or directories of *.yaml")
      ->type_name("FILE")
      ->required();
  command->callback([paths, &chosen] { chosen = [paths] { return test(*paths); }; });
}

}  // namespace logflume
