// `logflume lab`: what this machine does, measured, and what to configure on it.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/nearest_name.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "cli/progress.h"
#include "cli/stop_signals.h"
#include "lab/experiment.h"
#include "lab/report.h"

namespace logflume {
namespace {

constexpr int kQuickRepeats = 5;
constexpr int kThoroughRepeats = 9;
constexpr const char* kTakesFile = "compress";

struct Arguments {
  std::vector<std::string> names;
  bool json = false;
  bool thorough = false;
  bool fio = false;
  int repeats = 0;
  std::string html;
  std::string directory;
  std::string bytes, seconds, link;
  std::string file;
  std::vector<std::string> only;
};

int fail(int code, const std::string& message) {
  fmt::print(stderr, "logflume lab: {}\n", message);
  return code;
}

int list_experiments() {
  for (const LabEntry& entry : lab_experiments()) {
    fmt::print("{:<13}{}\n", entry.name, entry.make()->question());
  }
  fmt::print("{:<13}{}\n", "all", "All of them, one after the other.");
  return kExitOk;
}

// Those that were named, each once. Errors: kInvalidArgument.
Result<std::vector<LabEntry>> chosen_experiments(const std::vector<std::string>& names) {
  std::vector<LabEntry> found;
  std::vector<std::string> known{"all"};
  for (const LabEntry& entry : lab_experiments()) known.push_back(entry.name);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      const std::string near = nearest_name(name, known);
      return Error{Errc::kInvalidArgument, 0,
                   fmt::format("there is no experiment \"{}\"{}", name,
                               near.empty() ? "" : fmt::format(": did you mean \"{}\"?", near))};
    }
  }
  for (const LabEntry& entry : lab_experiments()) {
    const bool named = std::any_of(names.begin(), names.end(), [&entry](const std::string& name) {
      return name == "all" || name == entry.name;
    });
    if (named) found.push_back(entry);
  }
  return found;
}

Result<LabOptions> options_of(const Arguments& arguments) {
  LabOptions options;
  options.thorough = arguments.thorough;
  options.directory = arguments.directory;
  options.file = arguments.file;
  options.fio = arguments.fio;
  options.only = arguments.only;
  options.stop = &StopSignals::stopped;
  if (!arguments.seconds.empty()) {
    const auto time = parse_duration(arguments.seconds);
    if (!time) return Error{Errc::kInvalidArgument, 0, "--time: " + time.error().message};
    options.seconds = std::chrono::duration<double>(*time).count();
  }
  const auto size = [](const std::string& text, const char* option) -> Result<std::uint64_t> {
    if (text.empty()) return std::uint64_t{0};
    auto bytes = parse_bytes(text);
    if (!bytes) return Error{Errc::kInvalidArgument, 0, option + (": " + bytes.error().message)};
    return bytes;
  };
  const auto bytes = size(arguments.bytes, "--bytes");
  if (!bytes) return bytes.error();
  options.bytes = *bytes;
  if (!arguments.link.empty()) {
    const auto link = parse_link_speed(arguments.link);
    if (!link) return Error{Errc::kInvalidArgument, 0, "--link: " + link.error().message};
    options.link_bytes_per_second = static_cast<double>(*link);
  }
  return options;
}

// Columns of the terminal that standard output is; 0: it is none.
std::size_t terminal_width() {
  winsize size{};
  if (::isatty(STDOUT_FILENO) != 1 || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

bool colour_wanted() {
  const char* const no_colour = std::getenv("NO_COLOR");
  const char* const kind = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') &&
         (kind == nullptr || std::string(kind) != "dumb");
}

Result<void> write_file(const std::string& path, const std::string& text) {
  FILE* const file = std::fopen(path.c_str(), "we");
  if (file == nullptr) return errno_error("open " + path);
  const bool written = std::fwrite(text.data(), 1, text.size(), file) == text.size();
  const int write_errno = errno;
  if (std::fclose(file) != 0 || !written) return errno_error(written ? errno : write_errno, "write " + path);
  return {};
}

// Sees that it can be written to, before minutes of work and not after; whether it is a new file now.
Result<bool> claim_file(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (fd.valid()) return true;
  if (errno == EEXIST) fd = UniqueFd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("open " + path);
  return false;
}

void print_json(const std::vector<LabReport>& reports, bool as_list) {
  std::string out;
  for (const LabReport& report : reports) out += (out.empty() ? "" : ",\n") + lab_json(report);
  fmt::print("{}\n", as_list ? "[" + out + "]" : out);
}

// "lab compress app.log": what follows an experiment that takes a file, and is none itself, is that file.
void take_file(Arguments& arguments) {
  if (arguments.names.size() != 2 || arguments.names[0] != kTakesFile || !arguments.file.empty()) return;
  const std::string& second = arguments.names[1];
  const auto& known = lab_experiments();
  if (second == "all" || std::ranges::find(known, second, &LabEntry::name) != known.end()) return;
  arguments.file = second;
  arguments.names.pop_back();
}

int run_lab(Arguments arguments) {
  if (arguments.names.empty()) return list_experiments();
  take_file(arguments);
  Result<std::vector<LabEntry>> entries = chosen_experiments(arguments.names);
  if (!entries) return fail(kExitUsage, entries.error().message);
  Result<LabOptions> options = options_of(arguments);
  if (!options) return fail(kExitUsage, options.error().message);
  const int repeats = arguments.repeats > 0 ? arguments.repeats
                      : arguments.thorough  ? kThoroughRepeats
                                            : kQuickRepeats;
  bool new_page = false;
  if (!arguments.html.empty()) {
    const Result<bool> claimed = claim_file(arguments.html);
    if (!claimed) return fail(kExitFailure, claimed.error().text());
    new_page = *claimed;
  }
  const StopSignals signals;
  const bool as_list = entries->size() > 1;
  std::vector<LabReport> reports;
  bool measured = false;
  for (const LabEntry& entry : *entries) {
    Progress progress("lab " + entry.name);
    const auto experiment = entry.make();
    Result<LabReport> report =
        run_experiment(*experiment, *options, repeats,
                       [&progress](double done, const std::string& what) { progress.step(what, done); });
    progress.finish();
    if (!report) {
      if (new_page && reports.empty()) ::unlink(arguments.html.c_str());
      return fail(kExitFailure, entry.name + ": " + report.error().text());
    }
    measured = measured || std::any_of(report->rows.begin(), report->rows.end(),
                                       [](const LabRow& row) { return row.error.empty(); });
    if (!arguments.json) {
      fmt::print("{}{}", reports.empty() ? "" : "\n", lab_text(*report, terminal_width(), colour_wanted()));
      std::fflush(stdout);
    }
    reports.push_back(std::move(*report));
    if (arguments.html.empty()) continue;
    if (Result<void> written = write_file(arguments.html, lab_html(reports)); !written) {
      return fail(kExitFailure, written.error().text());
    }
  }
  if (arguments.json) print_json(reports, as_list);
  return measured ? kExitOk : kExitFailure;
}

}  // namespace

void add_lab_command(CLI::App& app, Command& chosen) {
  CLI::App* const command =
      app.add_subcommand("lab", "Measure what this machine does, and say what to configure on it");
  const auto arguments = std::make_shared<Arguments>();
  command
      ->add_option("NAME", arguments->names,
                   "Experiments, or all; without one they are listed. Behind compress: a file of yours")
      ->type_name("");
  command->add_flag("--json", arguments->json, "Results as JSON");
  command->add_option("--html", arguments->html, "Write a page with plots, too")->type_name("FILE");
  command->add_flag("--thorough", arguments->thorough, "All cases, and longer, instead of the quick form");
  command
      ->add_option(
          "--repeat", arguments->repeats,
          fmt::format("Repetitions of each case (default {}, thorough {})", kQuickRepeats, kThoroughRepeats))
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("N");
  command
      ->add_option("--dir", arguments->directory,
                   "Where the files to work on are made and removed (default the temporary directory)")
      ->type_name("DIR");
  command->add_option("--bytes", arguments->bytes, "Size of the file to work on, as 256MiB")
      ->type_name("SIZE");
  command->add_option("--time", arguments->seconds, "How long each repetition goes on, as 200ms")
      ->type_name("TIME");
  command
      ->add_option("--case", arguments->only,
                   "Only cases with this in their name, as \"pread 256 KiB\"; repeatable")
      ->type_name("TEXT");
  command->add_flag("--fio", arguments->fio,
                    "Run fio's equivalent of each case beside, where it is installed");
  command->add_option("--file", arguments->file, "Your own file to work on, where an experiment takes one")
      ->type_name("FILE");
  command
      ->add_option("--link", arguments->link,
                   "What the way to the receiver carries, as 1Gbit or 100MB (a second), for advice")
      ->type_name("SPEED");
  command->callback([arguments, &chosen] { chosen = [arguments] { return run_lab(*arguments); }; });
}

}  // namespace logflume
