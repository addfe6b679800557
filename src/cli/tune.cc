// `logflume tune`: a configuration for the user's own files, with the figures that speak for it.
#include "lab/tune.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/printable.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/progress.h"
#include "cli/stop_signals.h"
#include "cli/tail_config.h"
#include "config/checks.h"
#include "config/load.h"
#include "lab/annotate.h"
#include "lab/json_writer.h"
#include "lab/words.h"

namespace logflume {
namespace {

constexpr std::size_t kCommentWidth = 100;

struct Arguments {
  TailRequest request;
  std::string link;
  bool json = false;
  bool thorough = false;
};

int fail(int code, const std::string& message) {
  fmt::print(stderr, "logflume tune: {}\n", message);
  return code;
}

std::string counted(std::size_t count, const char* noun) {
  return fmt::format("{} {}{}", count, noun, count == 1 ? "" : "s");
}

// What is told of the files before the configuration.
std::vector<std::string> headlines(const UserFiles& files, const TuneFindings& found) {
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{} of {}{}{}{}.", counted(files.files.size(), "file"),
                              human_bytes(static_cast<double>(found.bytes)),
                              files.truncated ? ", and more that were not looked at" : "",
                              files.empty > 0 ? fmt::format("; {} empty", files.empty) : "",
                              files.archives > 0 ? fmt::format("; {} compressed", files.archives) : ""));
  if (files.unreadable > 0) {
    lines.push_back(fmt::format("{} cannot be read: {}.", counted(files.unreadable, "other"),
                                printable(files.unreadable_why, 200)));
  }
  if (found.lines.lines > 0) {
    lines.push_back(
        fmt::format("Lines of {:.0f} bytes on average, the longest {} bytes, in a sample of {}.",
                    found.lines.mean_bytes, found.lines.longest_bytes,
                    human_bytes(found.lines.mean_bytes * static_cast<double>(found.lines.lines))));
  }
  if (found.growth.files > 0) {
    lines.push_back(fmt::format("{} grew, by {}/s together, some {:.0f} lines a second, in {:.0f} s.",
                                counted(found.growth.files, "file"), human_bytes(found.growth.rate()),
                                found.growth.rate() / std::max(found.lines.mean_bytes, 1.0),
                                found.growth.seconds));
  } else if (!files.files.empty()) {
    lines.push_back(fmt::format("None of them grew in {:.0f} s.", found.growth.seconds));
  }
  if (!files.files.empty()) {
    lines.push_back(
        fmt::format("At most {} of them were read, several times and out of the cache; nothing was written.",
                    human_bytes(static_cast<double>(kTuneReadBytes + kTuneSampleBytes))));
  }
  return lines;
}

std::string with_comments(const std::string& yaml, const std::vector<std::string>& head,
                          const TuneAdvice& advice) {
  std::string out =
      "# Recommended by logflume tune, from what was measured on these files on this machine.\n";
  for (const std::string& line : head) out += wrap_words(line, kCommentWidth, "# ", "# ");
  std::vector<std::pair<std::string, std::string>> comments;
  for (const Recommendation& one : advice.changes) comments.emplace_back(one.key, one.why);
  out += annotate_yaml(yaml, comments, kCommentWidth);
  if (!advice.remarks.empty()) out += "\n# Left as it is:\n";
  for (const std::string& remark : advice.remarks)
    out += wrap_words("* " + remark, kCommentWidth, "#   ", "#   ");
  return out;
}

void write_figure(JsonWriter& json, const char* key, const LabFigure& figure) {
  json.key(key).open('{').key("median").number(figure.median).key("low").number(figure.low);
  json.key("high").number(figure.high).close('}');
}

std::string as_json(const UserFiles& files, const TuneFindings& found, const TuneAdvice& advice,
                    const std::vector<std::string>& head, const std::string& yaml) {
  const auto count = [](std::uint64_t value) { return std::to_string(value); };
  JsonWriter json;
  json.open('{').key("files").open('{').key("count").raw(count(files.files.size()));
  json.key("bytes").raw(count(found.bytes)).key("empty").raw(count(files.empty));
  json.key("archives").raw(count(files.archives)).key("unreadable").raw(count(files.unreadable)).close('}');
  json.key("lines").open('{').key("sampled").raw(count(found.lines.lines));
  json.key("mean_bytes")
      .number(found.lines.mean_bytes)
      .key("longest_bytes")
      .raw(count(found.lines.longest_bytes));
  json.close('}').key("growth").open('{').key("seconds").number(found.growth.seconds);
  json.key("files")
      .raw(count(found.growth.files))
      .key("bytes_per_second")
      .number(found.growth.rate())
      .close('}');
  json.key("reads").open('[');
  for (const ReadFigure& read : found.reads) {
    json.open('{').key("mode").text(std::string(read_mode_name(read.mode))).key("error").text(read.error);
    if (read.error.empty()) {
      write_figure(json, "warm_bytes_per_cpu_second", read.warm);
      write_figure(json, "cold_bytes_per_second", read.cold);
    }
    json.close('}');
  }
  json.close(']').key("compression").open('[');
  for (const CompressionFigure& figure : found.compression) {
    json.open('{').key("codec").text(figure.codec->name).key("block_bytes").raw(count(figure.block_bytes));
    json.key("ratio").number(figure.ratio).key("bytes_per_cpu_second").number(figure.rate).close('}');
  }
  json.close(']').key("recommendations").open('[');
  for (const Recommendation& one : advice.changes) {
    json.open('{').key("key").text(one.key).key("value").text(one.value).key("why").text(one.why);
    json.key("gain").number(one.gain).close('}');
  }
  json.close(']').key("remarks").texts(advice.remarks).key("summary").texts(head);
  json.key("config").text(yaml).close('}');
  return json.take();
}

// What a service would run: the configuration that `logflume tail` stands for, without what a look at lines
// wants.
Result<Config> service_config(TailRequest request) {
  const std::string usual = Config().data_dir;
  const bool possible = check_data_dir(usual).empty();
  if (request.data_dir.empty()) {
    std::error_code error;
    const std::filesystem::path temporary = std::filesystem::temp_directory_path(error);
    request.data_dir =
        possible || error ? usual : (temporary / fmt::format("logflume-{}", ::getuid())).string();
  }
  Result<Config> config = tail_config(request);
  if (!config) return config;
  config->log_level = Config().log_level;
  auto source = config->sources.extract(config->sources.begin());
  source.key() = "logs";
  std::visit([](auto& sink) { sink.inputs = {"logs"}; }, config->sinks.begin()->second);
  config->sources.insert(std::move(source));
  return config;
}

Result<void> something_to_read(const UserFiles& files, const std::vector<std::string>& patterns) {
  if (!files.files.empty() || files.empty + files.archives > 0) return {};
  if (files.unreadable > 0) return Error{Errc::kPermission, 0, files.unreadable_why};
  std::string named;
  for (const std::string& pattern : patterns) named += (named.empty() ? "" : ", ") + pattern;
  std::error_code ignored;
  const bool is_directory = patterns.size() == 1 && std::filesystem::is_directory(patterns[0], ignored);
  return Error{Errc::kNotFound, 0,
               "no file matches " + printable(named, 200) +
                   (is_directory ? ": it is a directory, whose files a glob like DIR/*.log names" : "")};
}

int tune(Arguments arguments) {
  TailRequest& request = arguments.request;
  std::error_code error;
  request.directory = std::filesystem::current_path(error).string();
  if (error) return fail(kExitFailure, "the working directory cannot be found: " + error.message());
  double link = 0;
  if (!arguments.link.empty()) {
    const auto speed = parse_link_speed(arguments.link);
    if (!speed) return fail(kExitUsage, "--link: " + speed.error().message);
    link = static_cast<double>(*speed);
  }
  Result<Config> config = service_config(request);
  if (!config) return fail(kExitUsage, config.error().text());
  const Result<UserFiles> files = find_user_files(request.patterns, request.directory);
  if (!files) return fail(kExitUsage, files.error().text());
  if (const Result<void> any = something_to_read(*files, request.patterns); !any) {
    return fail(kExitFailure, any.error().text());
  }

  TuneFindings found;
  if (!files->files.empty()) {
    const StopSignals signals;
    Progress progress("tune");
    TuneOptions options;
    options.thorough = arguments.thorough;
    options.stop = &StopSignals::stopped;
    options.progress = [&progress](const std::string& what, double done) { progress.step(what, done); };
    Result<TuneFindings> measured = measure_files(*files, options);
    progress.finish();
    if (!measured) return fail(kExitFailure, measured.error().text());
    found = std::move(*measured);
  }
  TuneAdvice advice = recommend(found, link, *config);
  if (files->files.empty()) {
    advice.remarks.push_back(
        fmt::format("There was nothing to measure: {} empty, {} compressed. These are defaults.",
                    files->empty, files->archives));
  }
  const std::string yaml = to_yaml(*config);
  // What is recommended must load.
  const LoadedConfig loaded = load_config_texts({{"(tune)", yaml}}, Environment());
  if (!loaded.config) {
    fmt::print(stderr, "{}", render(loaded.diagnostics));
    return kExitUsage;
  }
  const std::vector<std::string> head = headlines(*files, found);
  const std::string text = with_comments(yaml, head, advice);
  fmt::print("{}", arguments.json ? as_json(*files, found, advice, head, text) + "\n" : text);
  return kExitOk;
}

}  // namespace

void add_tune_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("tune", "Measure on your own files, and print the configuration to use for them");
  const auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("patterns", arguments->request.patterns,
                   "Globs of the files: * ? [a-z] {a,b} and ** for directories")
      ->required()
      ->type_name("PATTERN");
  command
      ->add_option(
          "--to", arguments->request.to,
          "Where lines shall go: console, file:PATH, tcp://HOST:PORT, http(s)://..., kafka://HOST:PORT/TOPIC")
      ->type_name("URI")
      ->capture_default_str();
  command
      ->add_option("--link", arguments->link,
                   "What the way there carries, as 1Gbit or 100MB (a second); default 1Gbit")
      ->type_name("SPEED");
  command->add_option("--data-dir", arguments->request.data_dir, "Where the agent will keep its checkpoints")
      ->type_name("DIR");
  command->add_flag("--json", arguments->json,
                    "Everything that was measured, and the configuration, as JSON");
  command->add_flag("--thorough", arguments->thorough, "More repetitions, and all compression levels");
  command->callback([arguments, &chosen] { chosen = [arguments] { return tune(*arguments); }; });
}

}  // namespace logflume
