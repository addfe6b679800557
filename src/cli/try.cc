// logflume try: what transforms make of some lines, stage by stage.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/civil_time.h"
#include "base/printable.h"
#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/dry_run.h"
#include "cli/exit_codes.h"
#include "config/load.h"
#include "expression/functions.h"
#include "transform/condition.h"

namespace logflume {
namespace {

constexpr std::size_t kLinesMax = 10'000;
constexpr std::size_t kRowsShown = 20;
constexpr std::size_t kCellBytes = 32;

struct Arguments {
  std::vector<std::string> config;
  std::vector<std::string> transforms;
  std::string at;
  std::string expression;
  std::string file = "-";
  bool no_colour = false;
};

// -- A table ----------------------------------------------------------------------------------------------

std::string_view kind_name(ValueKind kind) {
  static constexpr std::string_view kNames[] = {"-",         "null",     "bool",   "int",    "double",
                                                "timestamp", "duration", "string", "number", "json"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string shown(const FieldValueRef& value) {
  switch (value.kind) {
    case ValueKind::kMissing:
      return "";
    case ValueKind::kNull:
      return "null";
    case ValueKind::kBool:
      return value.slot.integer != 0 ? "true" : "false";
    case ValueKind::kInt:
      return std::to_string(value.slot.integer);
    case ValueKind::kDouble:
      return fmt::format("{}", value.slot.real);
    case ValueKind::kTimestamp:
      return format_rfc3339(value.slot.integer);
    case ValueKind::kDuration:
      return format_seconds(value.slot.integer);
    default:
      return printable(value.text(), kCellBytes);
  }
}

class Table {
 public:
  Table(const Frame& frame, bool colours) : colours_(colours) {
    const std::size_t rows = std::min(frame.rows.size(), kRowsShown);
    const auto add = [&](std::string head, std::string kind, auto cell) {
      Column column{std::move(head), std::move(kind), {}, 0};
      for (std::size_t i = 0; i < rows; ++i) column.cells.push_back(cell(frame.rows[i]));
      const bool empty =
          std::ranges::all_of(column.cells, [](const std::string& text) { return text.empty(); });
      if (!empty) columns_.push_back(std::move(column));
    };
    if (frame.message_is_line && frame.find(kMessageField) == nullptr)
      add("message", "string", [&](std::uint32_t row) { return printable(frame.line(row), kCellBytes); });
    for (const FrameField& field : frame.fields) {
      std::string kinds;
      for (const std::uint32_t row : frame.rows) {
        const std::string name(kind_name(field.find(row).kind));
        if (name != "-" && kinds.find(name) == std::string::npos) kinds += (kinds.empty() ? "" : "|") + name;
      }
      const std::string object(field.object);
      add(object.empty() ? std::string(field.name) : object + "." + std::string(field.name), kinds,
          [&](std::uint32_t row) { return shown(field.find(row)); });
    }
    for (Column& column : columns_) {
      column.width = std::max(column.head.size(), column.kind.size());
      for (const std::string& cell : column.cells) column.width = std::max(column.width, cell.size());
    }
    rows_ = rows;
  }

  std::string text() const {
    std::string out;
    line(out, "\x1b[1m", [](const Column& column) { return column.head; });
    line(out, "\x1b[2m", [](const Column& column) { return column.kind; });
    for (std::size_t row = 0; row < rows_; ++row)
      line(out, "", [&](const Column& column) { return column.cells[row]; });
    return out;
  }

 private:
  struct Column {
    std::string head;
    std::string kind;
    std::vector<std::string> cells;
    std::size_t width;
  };
  template <typename Cell>
  void line(std::string& out, const char* colour, Cell cell) const {
    out += "  ";
    if (colours_) out += colour;
    std::string text;
    for (const Column& column : columns_) text += fmt::format("{:<{}}  ", cell(column), column.width);
    text.erase(text.find_last_not_of(' ') + 1);
    out += text;
    if (colours_ && *colour != 0) out += "\x1b[0m";
    out += '\n';
  }

  const bool colours_;
  std::vector<Column> columns_;
  std::size_t rows_ = 0;
};

// -- The command ------------------------------------------------------------------------------------------

// A configuration of these transforms, one behind the other, each as YAML: "{type: parse_json}".
std::optional<Config> config_of(const std::vector<std::string>& transforms) {
  std::string text = "data_dir: /tmp\nsources: {lines: {type: file, include: [/dev/null]}}\n";
  std::string last = "lines";
  if (!transforms.empty()) text += "transforms:\n";
  for (std::size_t i = 0; i < transforms.size(); ++i) {
    const std::size_t open = transforms[i].find('{');
    const std::string name = fmt::format("t{}", i + 1);
    if (open == std::string::npos) {
      text += fmt::format("  {}: {{inputs: [{}], type: {}}}\n", name, last, transforms[i]);
    } else {
      text += fmt::format("  {}: {{inputs: [{}], {}\n", name, last, transforms[i].substr(open + 1));
    }
    last = name;
  }
  text += fmt::format("sinks: {{out: {{type: blackhole, inputs: [{}]}}}}\n", last);
  LoadedConfig loaded =
      load_config_texts({{"--transform", text}}, Environment::of_process(), {.check_paths = false});
  fmt::print(stderr, "{}", render(loaded.diagnostics, false));
  return std::move(loaded.config);
}

int values_of(const std::string& text, const Frame& frame) {
  auto compiled = compile_value("--expr", text, {});
  if (const auto* const error = std::get_if<TransformError>(&compiled)) {
    fmt::print(stderr, "logflume try: --expr:{}: {}\n  {}\n  {}^\n", error->at + 1, error->message, text,
               std::string(error->at, ' '));
    if (!error->hint.empty()) fmt::print(stderr, "  {}\n", error->hint);
    return kExitUsage;
  }
  const Expression& expression = *std::get<SharedExpression>(compiled);
  FieldReader reader(expression.fields(), "localhost");
  Evaluation evaluation;
  std::vector<Value> values(frame.rows.size());
  reader.begin(frame, evaluation);
  expression.values(evaluation, {frame.rows.data(), 0, static_cast<std::uint32_t>(frame.rows.size())},
                    values.data());
  for (const Value& value : values) {
    if (value.is_fault()) {
      fmt::print("error: {}\n", to_text(value.fault));
    } else {
      fmt::print("{}\n", to_text(value));
    }
  }
  return kExitOk;
}

int try_lines(const Arguments& arguments) {
  std::optional<Config> config =
      arguments.config.empty() ? config_of(arguments.transforms) : load_config_or_explain(arguments.config);
  if (!config) return arguments.config.empty() ? kExitUsage : kExitConfiguration;
  std::string at = arguments.at.empty() ? config->sources.begin()->first : arguments.at;
  if (!config->sources.contains(at) && !config->transforms.contains(at)) {
    fmt::print(stderr, "logflume try: there is no source or transform \"{}\"\n", printable(at));
    return kExitUsage;
  }
  auto lines = read_lines(arguments.file, kLinesMax);
  if (!lines) {
    fmt::print(stderr, "logflume try: {}\n", lines.error().text());
    return kExitFailure;
  }
  const bool colours =
      !arguments.no_colour && ::isatty(STDOUT_FILENO) == 1 && std::getenv("NO_COLOR") == nullptr;
  DryRun run(*config, at);
  if (lines->empty() && !arguments.expression.empty()) lines->emplace_back();  // one that asks for no field
  run.run(*lines);
  const std::vector<DryRun::Stage> stages = run.stages();
  if (!arguments.expression.empty()) {
    const Frame* const last =
        stages.empty() ? run.frames_of(at).front() : stages.back().outputs.front().second;
    return values_of(arguments.expression, *last);
  }
  fmt::print("{} lines\n", lines->size());
  for (const DryRun::Stage& stage : stages) {
    fmt::print("\n{} ({}): {} events in, {:.1f} us\n", stage.name, stage.type, stage.count.received_events,
               std::chrono::duration<double, std::micro>(stage.took).count());
    for (const auto& [reason, count] : stage.report.errors) fmt::print("  {} x {}\n", count, reason);
    for (const auto& [name, frame] : stage.outputs) {
      const std::size_t rest = frame->rows.size() - std::min(frame->rows.size(), kRowsShown);
      fmt::print("-> {}: {} events\n", name, frame->rows.size());
      if (!frame->rows.empty()) fmt::print("{}", Table(*frame, colours).text());
      if (rest != 0) fmt::print("  and {} more\n", rest);
    }
  }
  return kExitOk;
}

}  // namespace

void add_try_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("try", "Show what transforms make of some lines: the columns after each stage");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("file", arguments->file, "Lines to try; standard input where there is none")
      ->type_name("FILE");
  CLI::Option* config =
      command->add_option("-c,--config", arguments->config, "Configuration files with the transforms")
          ->type_name("FILE");
  command
      ->add_option("-t,--transform", arguments->transforms,
                   "A transform instead, as in '{type: filter, condition: \"status >= 500\"}' or parse_json; "
                   "several go "
                   "one behind the other")
      ->type_name("YAML")
      ->excludes(config)
      ->allow_extra_args(false);
  command
      ->add_option("--at", arguments->at,
                   "The source or transform that gets the lines (default the first source)")
      ->type_name("NAME");
  command
      ->add_option("-e,--expr", arguments->expression,
                   "Print the value of an expression for each event instead")
      ->type_name("EXPRESSION");
  command->add_flag("--no-colour,--no-color", arguments->no_colour, "No colours, also on a terminal");
  command->callback([arguments, &chosen] { chosen = [arguments] { return try_lines(*arguments); }; });
}

}  // namespace logflume
