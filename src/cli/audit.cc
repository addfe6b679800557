// logflume audit: what became of each byte of each file, and whether the sum is right.
#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "base/printable.h"
#include "cli/audit_report.h"
#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"

namespace logflume {
namespace {

struct Arguments {
  std::string data_dir;
  std::vector<std::string> config_paths;
  std::vector<std::string> files;
  bool json = false;
};

// By identity where the file is there, so that any name of it will do; by its last path where it is not.
bool is_wanted(const std::vector<std::string>& wanted, const FileRecord& file) {
  if (wanted.empty()) return true;
  return std::any_of(wanted.begin(), wanted.end(), [&](const std::string& path) {
    if (path == file.path) return true;
    struct stat info {};
    return !file.gone && ::stat(path.c_str(), &info) == 0 && info.st_dev == file.device &&
           info.st_ino == file.inode;
  });
}

int fail(const Error& error) {
  fmt::print(stderr, "logflume: {}\n", printable(error.text()));
  return kExitFailure;
}

int audit(const Arguments& arguments) {
  const auto data_dir = data_dir_or_explain(arguments.data_dir, arguments.config_paths);
  if (!data_dir) return kExitConfiguration;
  std::uint64_t damaged = 0;
  auto content = CheckpointStore::read(*data_dir, &damaged);
  if (!content) return fail(content.error());
  if (damaged > 0) {
    fmt::print(stderr, "logflume: {} damaged record{} left out\n", damaged, damaged == 1 ? " is" : "s are");
  }
  const AuditBooks books(std::move(*content), {});
  std::size_t shown = 0;
  std::size_t faulty = 0;
  if (arguments.json) fmt::print("[");
  for (const FileRecord& record : books.files()) {
    if (!is_wanted(arguments.files, record)) continue;
    const AuditedFile file = books.audit(record);
    if (arguments.json) {
      fmt::print("{}\n{}", shown == 0 ? "" : ",", json_of(file));
    } else {
      fmt::print("{}{}", shown == 0 ? "" : "\n", text_of(file));
    }
    ++shown;
    if (!file.audit.balanced()) ++faulty;
  }
  if (arguments.json) fmt::print("{}]\n", shown == 0 ? "" : "\n");
  if (shown == 0 && !arguments.files.empty()) {
    fmt::print(stderr, "logflume: no such file is known in {}\n", printable(*data_dir));
    return kExitFailure;
  }
  if (faulty == 0) return kExitOk;
  fmt::print(stderr, "logflume: the sum is wrong for {} of {} file{}\n", faulty, shown,
             shown == 1 ? "" : "s");
  return kExitFailure;
}

}  // namespace

void add_audit_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "audit", "What became of each byte of each file: delivered, discarded, lost, pending");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("files", arguments->files, "Only these files")->type_name("FILE");
  CLI::Option* const data_dir =
      command->add_option("--data-dir", arguments->data_dir, "Where the checkpoints are")->type_name("DIR");
  command->add_option("-c,--config", arguments->config_paths, "Take data_dir from these configuration files")
      ->type_name("FILE")
      ->allow_extra_args(false)  // FILEs follow
      ->excludes(data_dir);
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([arguments, &chosen] { chosen = [arguments] { return audit(*arguments); }; });
}

}  // namespace logflume
