// `logflume detect`: which format a log has, and the configuration for it.
#include "detect/detect.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "base/characters.h"
#include "base/clock.h"
#include "base/printable.h"
#include "base/read_at.h"
#include "base/unique_fd.h"
#include "cli/commands.h"
#include "cli/exit_codes.h"
#include "detect/sample.h"
#include "lab/json_writer.h"
#include "lab/words.h"

namespace logflume {
namespace {

constexpr std::size_t kCommentWidth = 100;
constexpr std::size_t kSampleBytesMax = 60;

struct Arguments {
  std::string file;
  bool json = false;
};

Result<std::string> read_begin(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd.valid()) return errno_error("open " + printable(path));
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return errno_error("stat " + printable(path));
  if (!S_ISREG(status.st_mode))
    return Error{Errc::kInvalidArgument, 0, printable(path) + " is no regular file"};
  std::string text(LogSample::kBytesMax, '\0');
  const Result<std::size_t> bytes = read_at(fd.get(), 0, text);
  if (!bytes) return bytes.error();
  text.resize(*bytes);
  for (const std::string_view magic : {"\x1F\x8B", "\x28\xB5\x2F\xFD", "BZh"}) {
    if (text.starts_with(magic))
      return Error{Errc::kInvalidArgument, 0,
                   printable(path) + " is compressed: detect looks at plain files"};
  }
  return text;
}

std::string percent(double share) {
  // What is not all is not 100 %.
  return share == 1 ? "all" : fmt::format("{:.1f} %", std::min(share * 100, 99.9));
}

std::string headline(const DetectedFormat& found) {
  if (found.lines == 0) return "The file has no line yet.";
  std::string text = fmt::format("{}: {} line{}", found.name, found.lines, found.lines == 1 ? "" : "s");
  if (found.events < found.lines)
    text += fmt::format(" in {} event{}", found.events, found.events == 1 ? "" : "s");
  text += found.transforms.empty() ? " looked at; no parser accepts half of them."
                                   : fmt::format(" looked at, {} of it accepted.", percent(found.share));
  return text;
}

std::string as_text(const DetectedFormat& found) {
  std::string out = wrap_words(headline(found), kCommentWidth, "# ", "# ");
  if (!found.others.empty()) {
    std::string others;
    for (const auto& [name, share] : found.others)
      others += fmt::format("{}{} ({})", others.empty() ? "Also possible: " : ", ", name, percent(share));
    out += wrap_words(others + ".", kCommentWidth, "# ", "# ");
  }
  std::size_t width = 0;
  for (const DetectedField& field : found.fields)
    width = std::max(width, count_characters(printable(field.name, 40)));
  for (const DetectedField& field : found.fields) {
    const std::string name = printable(field.name, 40);
    out += fmt::format("#   {}{}  {:<9}  {}\n", name, std::string(width - count_characters(name), ' '),
                       field.type, printable(field.sample, kSampleBytesMax));
  }
  return out + found.config;
}

std::string as_json(const DetectedFormat& found) {
  JsonWriter json;
  json.open('{').key("format").text(found.name).key("lines").raw(std::to_string(found.lines));
  json.key("events")
      .raw(std::to_string(found.events))
      .key("accepted")
      .number(found.share)
      .key("others")
      .open('[');
  for (const auto& [name, share] : found.others)
    json.open('{').key("format").text(name).key("accepted").number(share).close('}');
  json.close(']').key("fields").open('[');
  for (const DetectedField& field : found.fields) {
    json.open('{').key("name").text(field.name).key("type").text(field.type).key("sample").text(field.sample);
    json.key("events").raw(std::to_string(field.events)).close('}');
  }
  json.close(']').key("config").text(found.config).close('}');
  return json.take() + "\n";
}

int detect(const Arguments& arguments) {
  const Result<std::string> text = read_begin(arguments.file);
  if (!text) {
    fmt::print(stderr, "logflume detect: {}\n", text.error().text());
    return kExitFailure;
  }
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(arguments.file, error);
  const DetectedFormat found =
      detect_format(*text, {error ? arguments.file : absolute.lexically_normal().string(), wall_now_ns()});
  fmt::print("{}", arguments.json ? as_json(found) : as_text(found));
  return kExitOk;
}

}  // namespace

void add_detect_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "detect", "Tell which format a log has and which fields, and print the configuration to parse it");
  const auto arguments = std::make_shared<Arguments>();
  command->add_option("file", arguments->file, "The log; its first 1,000 lines are looked at")
      ->required()
      ->type_name("FILE");
  command->add_flag("--json", arguments->json, "All that was found, and the configuration, as JSON");
  command->callback([arguments, &chosen] { chosen = [arguments] { return detect(*arguments); }; });
}

}  // namespace logflume
