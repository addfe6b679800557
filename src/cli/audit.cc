// logflume audit: what became of each byte of each file, and whether the sum is right; or of one line.
#include <fmt/format.h>
#include <simdjson.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "api/control_client.h"
#include "base/printable.h"
#include "cli/audit_find.h"
#include "cli/audit_service.h"
#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"

namespace logflume {
namespace {

// A page of an agent that runs: it may wait for a commit, and for sources that do not answer.
constexpr Duration kPatience = std::chrono::seconds(60);
constexpr std::size_t kTargetBytesMax = 4096;

struct Arguments {
  std::string data_dir;
  std::vector<std::string> config_paths;
  std::vector<std::string> files;
  std::string find;
  bool at_rest = false;
  bool json = false;
};

int fail(const Error& error) {
  fmt::print(stderr, "logflume: {}\n", printable(error.text()));
  return kExitFailure;
}

std::string absolute(const std::string& path) {
  std::error_code error;
  const auto full = std::filesystem::absolute(path, error);
  return error ? path : full.lexically_normal().string();
}

// Prints pages one after the other as one answer.
class Printing {
 public:
  Printing(bool json, std::string data_dir) : json_(json), data_dir_(std::move(data_dir)) {}

  void note(const std::string& note) { fmt::print(stderr, "logflume: {}\n", printable(note)); }
  void page(const AuditAnswer& answer) {
    if (answer.shown == 0) return;
    if (json_) {
      fmt::print("{}\n{}", shown_ == 0 ? "[" : ",", answer.body);
    } else {
      fmt::print("{}{}", shown_ == 0 ? "" : "\n", answer.body);
    }
    shown_ += answer.shown;
    faulty_ += answer.faulty;
  }
  int finish(bool some_were_named) {
    if (json_) fmt::print("{}]\n", shown_ == 0 ? "[" : "\n");
    if (shown_ == 0 && some_were_named) {
      fmt::print(stderr, "logflume: no such file is known in {}\n", printable(data_dir_));
      return kExitFailure;
    }
    if (faulty_ == 0) return kExitOk;
    fmt::print(stderr, "logflume: the sum is wrong for {} of {} file{}\n", faulty_, shown_,
               shown_ == 1 ? "" : "s");
    return kExitFailure;
  }

 private:
  const bool json_;
  const std::string data_dir_;
  std::size_t shown_ = 0;
  std::size_t faulty_ = 0;
};

Result<AuditAnswer> parse_answer(const std::string& text, bool json) {
  const Error wrong{Errc::kCorrupt, 0, "the agent's answer is not understood"};
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  AuditAnswer answer;
  std::uint64_t shown = 0, faulty = 0;
  simdjson::dom::array notes;
  if (parser.parse(text).get(object) != simdjson::SUCCESS ||
      object["next"].get(answer.next) != simdjson::SUCCESS ||
      object["shown"].get(shown) != simdjson::SUCCESS || object["faulty"].get(faulty) != simdjson::SUCCESS ||
      object["notes"].get(notes) != simdjson::SUCCESS) {
    return wrong;
  }
  answer.shown = shown;
  answer.faulty = faulty;
  for (const simdjson::dom::element note : notes) {
    std::string_view one;
    if (note.get(one) == simdjson::SUCCESS) answer.notes.emplace_back(one);
  }
  if (!json) {
    std::string_view body;
    if (object["text"].get(body) != simdjson::SUCCESS) return wrong;
    answer.body = body;
    return answer;
  }
  simdjson::dom::array files;
  if (object["files"].get(files) != simdjson::SUCCESS) return wrong;
  for (const simdjson::dom::element file : files) {
    if (!answer.body.empty()) answer.body += ",\n";
    answer.body += simdjson::minify(file);
  }
  return answer;
}

// Asks the agent that runs there for all pages. kNotFound: there is none.
Result<void> ask_running(const std::string& data_dir, AuditRequest request, Printing& printing) {
  do {
    const Result<ControlReply> reply = ask_agent(data_dir, "GET", request.target(), "", kPatience);
    if (!reply) return reply.error();
    if (reply->status != 200) {
      return Error{Errc::kIo, 0, fmt::format("the agent answers {}: {}", reply->status, reply->body)};
    }
    const Result<AuditAnswer> answer = parse_answer(reply->body, !request.text);
    if (!answer) return answer.error();
    for (const std::string& note : answer->notes) printing.note(note);
    printing.page(*answer);
    request.after = answer->next;
  } while (request.after != 0);
  return {};
}

Result<void> look_at_rest(AuditService& service, const AuditRequest& request, Printing& printing) {
  const Result<AuditAnswer> answer = service.answer(request);
  if (!answer) return answer.error();
  for (const std::string& note : answer->notes) printing.note(note);
  printing.page(*answer);
  return {};
}

// A URL has no room for any number of names.
std::vector<AuditRequest> split(const AuditRequest& request) {
  std::vector<AuditRequest> parts(1, request);
  parts.back().files.clear();
  for (const std::string& file : request.files) {
    if (!parts.back().files.empty() && parts.back().target().size() + 3 * file.size() > kTargetBytesMax) {
      parts.push_back(request);
      parts.back().files.clear();
    }
    parts.back().files.push_back(file);
  }
  return parts;
}

int audit(const Arguments& arguments) {
  const auto data_dir = data_dir_or_explain(arguments.data_dir, arguments.config_paths);
  if (!data_dir) return kExitConfiguration;
  AuditRequest request;
  request.text = !arguments.json;
  for (const std::string& file : arguments.files) request.files.push_back(absolute(file));
  if (!arguments.find.empty()) {
    Result<LineAddress> address = parse_line_address(arguments.find);
    if (!address) {
      fmt::print(stderr, "logflume audit: {}\n", printable(address.error().message));
      return kExitUsage;
    }
    const Result<FileRange> range = locate_line(*address);
    if (!range) {
      if (range.error().code == Errc::kNotFound && range.error().os_errno != 0) {
        fmt::print(stderr,
                   "logflume: {}: its lines cannot be counted; a byte of it can be asked for: {}:@OFFSET\n",
                   printable(range.error().text()), printable(address->path));
        return kExitFailure;
      }
      return fail(range.error());
    }
    request.find = *range;
    request.files.push_back(absolute(address->path));
  }
  Printing printing(arguments.json, *data_dir);
  AuditService service(*data_dir);
  for (const AuditRequest& part : split(request)) {
    auto done = arguments.at_rest ? Result<void>(Error{Errc::kNotFound, 0, ""})
                                  : ask_running(*data_dir, part, printing);
    if (!done && done.error().code == Errc::kNotFound) done = look_at_rest(service, part, printing);
    if (!done) return fail(done.error());
  }
  return printing.finish(!request.files.empty());
}

}  // namespace

void add_audit_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand(
      "audit", "What became of each byte of each file: delivered, discarded, lost, pending");
  const auto arguments = std::make_shared<Arguments>();
  CLI::Option* const files =
      command->add_option("files", arguments->files, "Only these files")->type_name("FILE");
  CLI::Option* const data_dir =
      command->add_option("--data-dir", arguments->data_dir, "Where the checkpoints are")->type_name("DIR");
  command->add_option("-c,--config", arguments->config_paths, "Take data_dir from these configuration files")
      ->type_name("FILE")
      ->allow_extra_args(false)  // FILEs follow
      ->excludes(data_dir);
  command
      ->add_option("--find", arguments->find,
                   "What became of one line, counted in the file as it is now, or of a byte: FILE:@OFFSET")
      ->type_name("FILE:LINE")
      ->excludes(files);
  command->add_flag("--at-rest", arguments->at_rest, "Do not ask the agent that runs there");
  command->add_flag("--json", arguments->json, "As JSON");
  command->callback([arguments, &chosen] { chosen = [arguments] { return audit(*arguments); }; });
}

}  // namespace logflume
