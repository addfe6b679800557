// `logflume generate`: realistic numbered logs, and the proof that a sink has them all.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "base/units.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/progress.h"
#include "cli/stop_signals.h"
#include "generate/generator.h"
#include "generate/verifier.h"

namespace logflume {
namespace {

struct Arguments {
  std::string format = "nginx";
  std::vector<std::string> outputs;
  std::uint32_t files = 1;
  std::uint64_t lines = UINT64_MAX;
  std::string bytes, duration, rate, rotate_every;
  std::string rotation;
  std::uint32_t keep = 5;
  std::uint64_t line_bytes = 0;
  std::string writer;
  std::uint64_t seed = 0;
  bool seeded = false;
  bool split_writes = false;
  bool json = false;

  std::vector<std::string> verify;
  std::vector<std::string> expect;
  std::vector<std::string> expect_from;
  std::vector<std::string> allow;
};

const std::map<std::string, LineFormat>& formats() {
  static const std::map<std::string, LineFormat> map{{"nginx", LineFormat::kNginx},
                                                     {"json", LineFormat::kJson},
                                                     {"java", LineFormat::kJava},
                                                     {"syslog", LineFormat::kSyslog5424},
                                                     {"syslog-rfc3164", LineFormat::kSyslog3164}};
  return map;
}

const std::map<std::string, Rotation>& rotations() {
  static const std::map<std::string, Rotation> map{
      {"rename", Rotation::kRename}, {"copytruncate", Rotation::kCopyTruncate}, {"gzip", Rotation::kGzip}};
  return map;
}

template <typename Map>
std::vector<std::string> keys(const Map& map) {
  std::vector<std::string> names;
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

template <typename Map>
std::string alternatives(const Map& map) {
  return fmt::format("{}", fmt::join(keys(map), "|"));
}

int fail(int code, const std::string& message) {
  fmt::print(stderr, "logflume generate: {}\n", message);
  return code;
}

// Outputs: as given, or FILES of them where one name has "{}" or gets "-N" before its extension.
std::vector<std::string> output_paths(const Arguments& arguments) {
  if (arguments.outputs.empty()) return {"-"};
  if (arguments.files == 1) return arguments.outputs;
  std::vector<std::string> paths;
  const std::string& pattern = arguments.outputs.front();
  for (std::uint32_t number = 1; number <= arguments.files; ++number) {
    const std::string digits = std::to_string(number);
    if (const std::size_t at = pattern.find("{}"); at != std::string::npos) {
      paths.push_back(pattern.substr(0, at) + digits + pattern.substr(at + 2));
    } else {
      const std::filesystem::path path(pattern);
      const std::string name = path.stem().string() + "-" + digits + path.extension().string();
      paths.push_back((path.parent_path() / name).string());
    }
  }
  return paths;
}

// One stream an output, all of one length.
std::vector<std::string> stream_names(const std::string& writer, std::size_t count) {
  if (count == 1) return {writer};
  const std::size_t width = std::to_string(count).size();
  std::vector<std::string> names;
  for (std::size_t number = 1; number <= count; ++number) {
    names.push_back(fmt::format("{}-{:0{}}", writer, number, width));
  }
  return names;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

// Names the option in front of what parse() has to say about its value.
template <typename Parse>
bool take(const std::string& text, const char* option, Parse parse, int& exit_code) {
  if (text.empty()) return true;
  auto value = parse(text);
  if (value) return true;
  exit_code = fail(kExitUsage, fmt::format("{}: {}", option, value.error().message));
  return false;
}

void print_summary(const std::vector<StreamSummary>& streams) {
  std::string out = "{\"streams\":[";
  for (const StreamSummary& stream : streams) {
    out += fmt::format(R"({}{{"stream":"{}","file":"{}","lines":{},"bytes":{},"rotations":{}}})",
                       &stream == &streams.front() ? "" : ",", stream.stream, json_escaped(stream.path),
                       stream.lines, stream.bytes, stream.rotations);
  }
  fmt::print("{}]}}\n", out);
}

int write_logs(const Arguments& arguments) {
  GenerateOptions options;
  options.format = formats().at(arguments.format);
  if (arguments.files > 1 && arguments.outputs.size() != 1) {
    return fail(kExitUsage, "--files needs exactly one --out, which names them all");
  }
  options.outputs = output_paths(arguments);
  const bool to_stdout =
      std::find(options.outputs.begin(), options.outputs.end(), "-") != options.outputs.end();
  options.lines = arguments.lines;
  if (!arguments.rotation.empty()) options.rotation = rotations().at(arguments.rotation);
  options.keep = arguments.keep;
  options.line_bytes = arguments.line_bytes;
  options.split_writes = arguments.split_writes;
  options.seed = arguments.seeded ? arguments.seed : std::random_device{}();

  int code = 0;
  const auto read = [&](const std::string& text, const char* option, auto parse, auto& into) {
    return take(
        text, option,
        [&](const std::string& given) {
          auto value = parse(given);
          if (value) into = *value;
          return value;
        },
        code);
  };
  if (!read(arguments.bytes, "--bytes", parse_bytes, options.bytes) ||
      !read(arguments.duration, "--duration", parse_duration, options.duration) ||
      !read(arguments.rate, "--rate", parse_amount, options.rate) ||
      !read(arguments.rotate_every, "--rotate-every", parse_amount, options.rotate_every)) {
    return code;
  }
  const bool endless = options.lines == UINT64_MAX && options.bytes == UINT64_MAX && !options.duration;
  if (endless && !options.rate && !to_stdout) {
    return fail(kExitUsage,
                "how much? Give --lines, --bytes or --duration, or a --rate to go on until stopped");
  }
  if (options.rotation != Rotation::kNone && options.rotate_every.count == 0) {
    return fail(kExitUsage, "--rotate needs --rotate-every, in lines (1000) or bytes (10MB)");
  }
  if (options.rotation != Rotation::kNone && to_stdout)
    return fail(kExitUsage, "standard output cannot be rotated");
  if (options.split_writes && !options.rate) return fail(kExitUsage, "--split-writes needs a --rate");
  if (arguments.json && to_stdout)
    return fail(kExitUsage, "--json and the lines cannot both go to standard output");

  // A new name a run: who writes to the same file again starts another sequence.
  const std::string writer =
      arguments.writer.empty() ? fmt::format("s{:08x}", std::random_device{}()) : arguments.writer;
  options.streams = stream_names(writer, options.outputs.size());
  for (const std::string& stream : options.streams) {
    if (!is_stream_name(stream)) {
      return fail(
          kExitUsage,
          fmt::format("--writer-id: \"{}\" is no stream name: expected at most {} letters, digits, - or _",
                      stream, kMarkStreamMax));
    }
  }

  const StopSignals signals;
  Progress progress("generate");
  auto written =
      generate(options, {&StopSignals::stopped, [&progress](std::uint64_t bytes, std::optional<double> done) {
                           progress.update(bytes, done);
                         }});
  progress.finish();
  if (!written) {
    return fail(written.error().code == Errc::kInvalidArgument ? kExitUsage : kExitFailure,
                written.error().text());
  }
  if (arguments.json) print_summary(*written);
  return 0;
}

std::string range_text(const SequenceSet::Range& range) {
  return range.first == range.last ? std::to_string(range.first)
                                   : fmt::format("{}-{}", range.first, range.last);
}

// "lost 3 to 7, 12 ..." for whoever looks for the reason.
void print_examples(const VerifyReport& report) {
  constexpr std::size_t kStreamsShown = 10;
  std::size_t shown = 0;
  for (const auto& [name, stream] : report.streams) {
    if (stream.lost + stream.duplicated + stream.reordered == 0) continue;
    if (++shown > kStreamsShown) {
      fmt::print("  and other streams\n");
      break;
    }
    std::vector<std::string> lost;
    for (const SequenceSet::Range& range : stream.lost_first) lost.push_back(range_text(range));
    fmt::print("  stream {}:", name);
    if (!lost.empty()) fmt::print(" lost {} ({})", stream.lost, fmt::join(lost, ", "));
    if (stream.duplicated > 0)
      fmt::print(" duplicated {} ({})", stream.duplicated, fmt::join(stream.duplicated_first, ", "));
    if (stream.reordered > 0)
      fmt::print(" reordered {} ({})", stream.reordered, fmt::join(stream.reordered_first, ", "));
    fmt::print("\n");
  }
  if (report.damaged > 0) fmt::print("  damaged at line {}\n", fmt::join(report.damaged_first, ", "));
}

void print_report_json(const VerifyReport& report, bool good) {
  std::string streams;
  for (const auto& [name, stream] : report.streams) {
    streams +=
        fmt::format(R"({}"{}":{{"lost":{},"duplicated":{},"reordered":{}}})", streams.empty() ? "" : ",",
                    name, stream.lost, stream.duplicated, stream.reordered);
  }
  fmt::print(
      R"({{"ok":{},"lines":{},"lost":{},"duplicated":{},"reordered":{},"damaged":{},"streams":{{{}}}}})"
      "\n",
      good, report.lines, report.lost, report.duplicated, report.reordered, report.damaged, streams);
}

// Of all that is to be read; nothing where an end is not known.
std::optional<std::uint64_t> bytes_to_read(const Arguments& arguments) {
  std::uint64_t total = 0;
  for (const auto* paths : {&arguments.expect_from, &arguments.verify}) {
    for (const std::string& path : *paths) {
      const std::optional<std::uint64_t> bytes = stored_bytes(path);
      if (!bytes) return std::nullopt;
      total += *bytes;
    }
  }
  return total;
}

int verify_logs(const Arguments& arguments) {
  Verifier verifier;
  for (const std::string& text : arguments.expect) {
    const std::size_t equals = text.find('=');
    const std::string digits = equals == std::string::npos ? text : text.substr(equals + 1);
    if (digits.empty() || digits.size() > 15 || digits.find_first_not_of("0123456789") != std::string::npos) {
      return fail(kExitUsage, fmt::format("--expect: \"{}\": expected LINES or STREAM=LINES", text));
    }
    if (equals == std::string::npos) {
      verifier.expect_each(std::stoull(digits));
    } else {
      verifier.expect(text.substr(0, equals), std::stoull(digits));
    }
  }
  Progress progress("verify");
  const std::optional<std::uint64_t> total = bytes_to_read(arguments);
  std::uint64_t text_before = 0;  // of the originals
  std::uint64_t stored_before = 0;
  std::uint64_t text = 0;
  std::uint64_t stored = 0;
  const auto show = [&](std::uint64_t text_bytes, std::uint64_t stored_bytes) {
    text = text_before + text_bytes;
    stored = stored_before + stored_bytes;
    progress.update(text, total ? std::optional(static_cast<double>(stored) /
                                                static_cast<double>(std::max<std::uint64_t>(*total, 1)))
                                : std::nullopt);
  };
  if (!arguments.expect_from.empty()) {
    Verifier originals;
    originals.on_progress(show);
    for (const std::string& path : arguments.expect_from) {
      if (Result<void> fed = originals.feed_path(path); !fed) return fail(kExitFailure, fed.error().text());
    }
    for (const auto& [stream, last] : originals.seen()) verifier.expect(stream, last);
    text_before = text;
    stored_before = stored;
  }
  verifier.on_progress(show);
  for (const std::string& path : arguments.verify) {
    if (Result<void> fed = verifier.feed_path(path); !fed) return fail(kExitFailure, fed.error().text());
  }
  progress.finish();

  const VerifyReport report = verifier.report();
  const auto allowed = [&arguments](const char* what) {
    return std::find(arguments.allow.begin(), arguments.allow.end(), what) != arguments.allow.end();
  };
  const bool good = report.lost == 0 && report.damaged == 0 &&
                    (report.duplicated == 0 || allowed("duplicated")) &&
                    (report.reordered == 0 || allowed("reordered"));
  if (arguments.json) {
    print_report_json(report, good);
  } else {
    fmt::print("lines      {}\nlost       {}\nduplicated {}\nreordered  {}\ndamaged    {}\n", report.lines,
               report.lost, report.duplicated, report.reordered, report.damaged);
    print_examples(report);
  }
  if (report.lines == 0 && report.lost == 0)
    fmt::print(stderr, "logflume generate: there was not one line to verify\n");
  return good ? 0 : kExitFailure;
}

// CLI11 takes -1 for the largest number.
CLI::Validator not_negative() {
  return CLI::Validator(
      [](const std::string& text) { return text.starts_with('-') ? text + " is negative" : std::string(); },
      "");
}

}  // namespace

void add_generate_command(CLI::App& app, Command& chosen) {
  CLI::App* const command =
      app.add_subcommand("generate", "Write numbered logs, or verify that an output has every line");
  const auto arguments = std::make_shared<Arguments>();

  command->add_option("--format", arguments->format, "What the lines look like (default nginx)")
      ->check(CLI::IsMember(keys(formats())).description(""))
      ->type_name(alternatives(formats()));
  command->add_option("--out", arguments->outputs, "File to append to; repeatable; default standard output")
      ->type_name("FILE");
  command->add_option("--files", arguments->files, "So many files, named by --out with {} for the number")
      ->check(CLI::Range(1U, 100'000U).description(""))
      ->type_name("N");
  command->add_option("--lines", arguments->lines, "Lines for each file")
      ->check(not_negative().description(""))
      ->type_name("N");
  command->add_option("--bytes", arguments->bytes, "Bytes for each file, as 4GB")->type_name("SIZE");
  command->add_option("--duration", arguments->duration, "Stop after this time, as 10s")->type_name("TIME");
  command
      ->add_option("--rate", arguments->rate, "For each file: 10MB/s, or 1000/s for lines; default unlimited")
      ->type_name("AMOUNT/s");
  command->add_option("--rotate", arguments->rotation, "Rotate as logrotate does")
      ->check(CLI::IsMember(keys(rotations())).description(""))
      ->type_name(alternatives(rotations()));
  command->add_option("--rotate-every", arguments->rotate_every, "10MB, or 1000 for lines")
      ->type_name("AMOUNT");
  command->add_option("--rotate-keep", arguments->keep, "Rotated files to keep (default 5)")
      ->check(CLI::Range(1U, 10'000U).description(""))
      ->type_name("N");
  command->add_option("--line-bytes", arguments->line_bytes, "Exact size of each line, newline included")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{16 * 1024 * 1024}).description(""))
      ->type_name("N");
  command
      ->add_option("--writer-id", arguments->writer,
                   "Name in the marks; -1, -2 ... is added for several files")
      ->type_name("NAME");
  CLI::Option* const seed = command->add_option("--seed", arguments->seed, "Repeat the same lines")
                                ->check(not_negative().description(""))
                                ->type_name("N");
  command->add_flag("--split-writes", arguments->split_writes, "End each append within a line");
  command->add_flag("--json", arguments->json, "Results as JSON");

  CLI::Option* const verify =
      command
          ->add_option("--verify", arguments->verify,
                       "Check these outputs instead; directories and - too; exit 1 when not complete")
          ->type_name("FILE");
  command->add_option("--expect", arguments->expect, "Lines that each stream, or STREAM, must have")
      ->type_name("[STREAM=]LINES")
      ->needs(verify);
  command
      ->add_option("--expect-from", arguments->expect_from,
                   "The originals, whose last numbers must have come")
      ->type_name("FILE")
      ->needs(verify);
  command->add_option("--allow", arguments->allow, "Do not fail for these")
      ->check(CLI::IsMember({"duplicated", "reordered"}).description(""))
      ->type_name("duplicated|reordered")
      ->delimiter(',')
      ->needs(verify);

  command->callback([arguments, seed, verify, &chosen] {
    arguments->seeded = seed->count() > 0;
    const bool verifies = verify->count() > 0;
    chosen = [arguments, verifies] { return verifies ? verify_logs(*arguments) : write_logs(*arguments); };
  });
}

}  // namespace logflume
