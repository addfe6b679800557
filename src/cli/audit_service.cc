#include "cli/audit_service.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <charconv>

#include "base/percent.h"
#include "cli/audit_find.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

constexpr std::size_t kPageFiles = 512;
constexpr std::size_t kPageBytes = 1024 * 1024;
constexpr std::size_t kFoundMax = 8;  // contents that one name had
constexpr Duration kCommitPatience = 3s;
constexpr Duration kFlushPatience = 3s;

bool parse(std::string_view text, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc{} && end == text.data() + text.size();
}

// A file that was asked for, as it stands there now.
struct Wanted {
  std::string path;
  bool there = false;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

std::vector<Wanted> look_at(const std::vector<std::string>& paths) {
  std::vector<Wanted> all;
  for (const std::string& path : paths) {
    struct stat info {};
    const bool there = ::stat(path.c_str(), &info) == 0;
    all.push_back({path, there, info.st_dev, info.st_ino});
  }
  return all;
}

bool is_it(const Wanted& wanted, const FileRecord& file) {
  return !file.gone && wanted.there && wanted.device == file.device && wanted.inode == file.inode;
}

// By identity, so that any name that leads to it will do, or by a name that it had last or before.
// `strictly`: where a file is there, it is that one and no other which had its name.
bool is_wanted(const std::vector<Wanted>& wanted, bool strictly, const AuditBooks& books,
               const FileRecord& file) {
  if (wanted.empty()) return true;
  const std::vector<NameNote>& names = books.former_names(file.id);
  return std::any_of(wanted.begin(), wanted.end(), [&](const Wanted& one) {
    if (strictly && one.there) return is_it(one, file);
    return one.path == file.path || is_it(one, file) ||
           std::any_of(names.begin(), names.end(),
                       [&](const NameNote& name) { return name.path == one.path; });
  });
}

void add(AuditAnswer& answer, const AuditRequest& request, const std::string& part) {
  if (answer.shown++ > 0) answer.body += request.text ? "\n" : ",\n";
  answer.body += part;
}

}  // namespace

std::string AuditRequest::target() const {
  std::string out = fmt::format("/audit?format={}&after={}", text ? "text" : "json", after);
  if (find) out += fmt::format("&find={}-{}", find->begin, find->end);
  for (const std::string& file : files) out += "&file=" + percent_encode(file, "-_.~/");
  return out;
}

std::optional<AuditRequest> AuditRequest::from_query(std::string_view query) {
  AuditRequest request;
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), field.size() + 1));
    const std::size_t equals = field.find('=');
    if (equals == field.npos) return std::nullopt;
    const std::string_view key = field.substr(0, equals);
    std::string encoded(field.substr(equals + 1));
    std::replace(encoded.begin(), encoded.end(), '+', ' ');
    const auto value = percent_decode(encoded);
    if (!value) return std::nullopt;
    if (key == "file") {
      request.files.push_back(*value);
    } else if (key == "format" && (*value == "text" || *value == "json")) {
      request.text = *value == "text";
    } else if (key == "after") {
      if (!parse(*value, request.after)) return std::nullopt;
    } else if (key == "find") {
      FileRange range;
      const std::size_t dash = value->find('-');
      if (dash == std::string::npos || !parse(std::string_view(*value).substr(0, dash), range.begin) ||
          !parse(std::string_view(*value).substr(dash + 1), range.end) || range.end <= range.begin) {
        return std::nullopt;
      }
      request.find = range;
    } else {
      return std::nullopt;
    }
  }
  if (request.find && request.files.size() != 1) return std::nullopt;
  return request;
}

std::string AuditAnswer::json(bool text) const {
  std::string out = fmt::format("{{\"next\":{},\"shown\":{},\"faulty\":{},\"notes\":[", next, shown, faulty);
  for (const std::string& note : notes) {
    if (out.back() != '[') out += ',';
    append_json_string(out, note);
  }
  if (!text) return out + "],\"files\":[" + body + "]}\n";
  out += "],\"text\":";
  append_json_string(out, body);
  return out + "}\n";
}

Result<AuditBooks> AuditService::books(const AuditRequest& request, AuditAnswer& answer) {
  const bool runs = running_.in_flight != nullptr;
  std::vector<InFlight> in_flight;
  std::uint64_t damaged = 0;
  Result<CheckpointContent> content = CheckpointContent{};
  if (!runs) {
    content = CheckpointStore::read(data_dir_, &damaged);
  } else {
    // How far sinks were fed first, and then what is stored: between the two things only move on from what is
    // on its way to what is done with, so that nothing seems to be missing.
    if (request.after == 0 && !running_.checkpointer->commit_within(kCommitPatience)) {
      answer.notes.emplace_back(
          "the checkpoint store cannot be written: what was acknowledged since then counts as pending");
    }
    content = CheckpointStore::read_page(data_dir_, request.after, kPageFiles, &damaged);
    if (!content) return content.error();
    std::vector<std::string> silent;
    in_flight = running_.in_flight->ask(content->files, silent);
    for (const std::string& source : silent) {
      answer.notes.push_back(
          fmt::format("the source {} does not answer: what is on its way counts as unread", source));
    }
    const std::uint64_t last = content->files.empty() ? 0 : content->files.back().id;
    if (content->files.size() == kPageFiles) answer.next = last;
    if (running_.checkpointer->commit_within(kCommitPatience)) {
      content = CheckpointStore::read_page(data_dir_, request.after, kPageFiles, &damaged);
    }
  }
  if (!content) return content.error();
  if (damaged > 0) {
    answer.notes.push_back(
        fmt::format("{} damaged record{} left out", damaged, damaged == 1 ? " is" : "s are"));
  }
  // After the store: what it says of a file, the journal has noted before.
  if (request.after == 0 && running_.journal != nullptr && running_.journal->enabled() &&
      !running_.journal->flush_within(kFlushPatience)) {
    answer.notes.emplace_back("the journal could not be written: it is behind");
  }
  if (request.after == 0) {
    auto names = read_former_names(posix_disk(), data_dir_);
    if (!names) answer.notes.push_back("the former names of files are not known: " + names.error().text());
    names_ = names ? std::move(*names) : FormerNames();
  }
  return AuditBooks(std::move(*content), std::move(in_flight), names_);
}

Result<AuditAnswer> AuditService::answer(const AuditRequest& request) {
  const std::lock_guard lock(mutex_);
  AuditAnswer answer;
  const Result<AuditBooks> books = this->books(request, answer);
  if (!books) return books.error();
  const std::vector<Wanted> wanted = look_at(request.files);
  for (const FileRecord& record : books->files()) {
    if (!is_wanted(wanted, request.find.has_value(), *books, record)) continue;
    const AuditedFile file = books->audit(record);
    if (!file.audit.balanced()) ++answer.faulty;
    if (!request.find) {
      add(answer, request, request.text ? text_of(file) : json_of(file));
    } else {
      const auto history = read_batch_history(posix_disk(), data_dir_, record.id, *request.find);
      if (!history) {
        answer.notes.push_back("the journal cannot be read: " + history.error().text());
      }
      const FoundLine found = find_line(file, *request.find, history ? *history : BatchHistory{});
      add(answer, request, request.text ? text_of(found) : json_of(found));
      if (answer.shown == kFoundMax) break;
    }
    if (running_.in_flight != nullptr && answer.body.size() >= kPageBytes) {
      answer.next = record.id;
      break;
    }
  }
  return answer;
}

}  // namespace logflume
