#include "cli/audit_find.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <numeric>

#include "base/printable.h"
#include "base/unique_fd.h"
#include "source/archive.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kShownSteps = 8;  // of a sink, and of reads: the last ones

bool overlap(FileRange a, FileRange b) { return a.begin < b.end && b.begin < a.end; }
FileRange common(FileRange a, FileRange b) { return {std::max(a.begin, b.begin), std::min(a.end, b.end)}; }

void add_fates(std::vector<FoundLine::Fate>& fates, FileRange line, std::string_view what,
               const std::string& reason, const AuditPart& part) {
  const std::uint64_t bytes =
      std::accumulate(part.ranges.begin(), part.ranges.end(), std::uint64_t{0},
                      [](std::uint64_t sum, const FileRange& range) { return sum + range.bytes(); });
  for (const FileRange& range : part.ranges) {
    if (!overlap(range, line)) continue;
    fates.push_back({common(range, line), std::string(what), reason, part.bytes < bytes});
  }
}

std::vector<FoundLine::Fate> fates_of(const SinkAudit& sink, FileRange line) {
  std::vector<FoundLine::Fate> fates;
  add_fates(fates, line, "delivered", "", {sink.delivered.bytes, 0, sink.delivered.ranges});
  for (FoundLine::Fate& fate : fates) fate.perhaps = false;  // its ranges are what the others leave
  for (const auto& [key, part] : sink.exceptions)
    add_fates(fates, line, range_kind_name(key.first), key.second, part);
  add_fates(fates, line, "pending", "", sink.pending);
  add_fates(fates, line, "unread", "", sink.unread);
  std::stable_sort(fates.begin(), fates.end(),
                   [](const auto& a, const auto& b) { return a.range.begin < b.range.begin; });
  return fates;
}

std::string_view name_of(BatchStage stage) {
  switch (stage) {
    case BatchStage::kRead:
      return "read";
    case BatchStage::kAcknowledged:
      return "acknowledged";
    case BatchStage::kReleased:
      return "released";
  }
  return "unknown";
}

std::string text_of(const BatchHistory::Step& step) {
  const BatchNote& note = step.note;
  return fmt::format(
      "{} {}{}: bytes [{}, {}), {} events", name_of(step.stage), rfc3339(note.at_ns),
      note.batch == 0 ? " in a batch of an earlier run" : fmt::format(" in batch {}", note.batch),
      note.range.begin, note.range.end, note.events);
}

void append_steps(std::string& out, std::string_view indent, const std::vector<BatchHistory::Step>& steps) {
  const std::size_t first = steps.size() > kShownSteps ? steps.size() - kShownSteps : 0;
  if (first > 0) out += fmt::format("{}{} times before\n", indent, first);
  for (std::size_t i = first; i < steps.size(); ++i) out += fmt::format("{}{}\n", indent, text_of(steps[i]));
}

std::string json_of(const std::vector<BatchHistory::Step>& steps) {
  std::string out = "[";
  for (const BatchHistory::Step& step : steps) {
    const BatchNote& note = step.note;
    if (out.size() > 1) out += ',';
    out += fmt::format("{{\"stage\":\"{}\",\"at\":\"{}\",\"batch\":{},\"range\":[{},{}],\"events\":{}}}",
                       name_of(step.stage), rfc3339(note.at_ns), note.batch, note.range.begin, note.range.end,
                       note.events);
  }
  return out + "]";
}

// What stands at `offset` of the file, decompressed.
class Content {
 public:
  static Result<Content> open(const std::string& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd.valid()) return errno_error("open " + path);
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return errno_error("look at " + path);
    if (!S_ISREG(info.st_mode)) return Error{Errc::kInvalidArgument, 0, path + " is no regular file"};
    Content content(std::move(fd));
    if (!is_archive(path)) return content;
    content.archive_ = std::make_unique<Archive>(*archive_format_of(path));
    Archive& archive = *content.archive_;
    archive.begin({static_cast<std::uint64_t>(info.st_size), 0});
    while (archive.stage() == Archive::Stage::kUnverified) {
      const auto stage = archive.verify(content.fd_.get(), 16 * kReadBytes);
      if (!stage) return stage.error();
    }
    if (archive.stage() != Archive::Stage::kComplete)
      return Error{Errc::kCorrupt, 0, path + " is not a whole archive: it is not read before it is"};
    return content;
  }
  Result<std::size_t> read(std::uint64_t offset, std::span<char> to) {
    if (archive_) return archive_->read(fd_.get(), offset, to);
    const ssize_t n = ::pread(fd_.get(), to.data(), to.size(), static_cast<off_t>(offset));
    if (n < 0) return errno_error("read");
    return static_cast<std::size_t>(n);
  }

 private:
  explicit Content(UniqueFd fd) : fd_(std::move(fd)) {}
  UniqueFd fd_;
  std::unique_ptr<Archive> archive_;
};

}  // namespace

Result<LineAddress> parse_line_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  const Error wrong{Errc::kInvalidArgument, 0, "\"" + text + "\" is neither FILE:LINE nor FILE:@OFFSET"};
  if (colon == std::string::npos || colon == 0) return wrong;
  LineAddress address{text.substr(0, colon), false, 0};
  std::string_view digits = std::string_view(text).substr(colon + 1);
  address.is_offset = digits.starts_with('@');
  if (address.is_offset) digits.remove_prefix(1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), address.number);
  if (error != std::errc{} || end != digits.data() + digits.size()) return wrong;
  if (!address.is_offset && address.number == 0)
    return Error{Errc::kInvalidArgument, 0, "\"" + text + "\": the first line is 1"};
  if (address.number == UINT64_MAX) return wrong;
  return address;
}

Result<FileRange> locate_line(const LineAddress& address) {
  if (address.is_offset) return FileRange{address.number, address.number + 1};
  auto content = Content::open(address.path);
  if (!content) return content.error();
  std::string memory(kReadBytes, '\0');
  std::uint64_t lines = 0;  // whole ones before `begin`
  std::uint64_t begin = 0;
  for (std::uint64_t offset = 0;;) {
    const auto got = content->read(offset, memory);
    if (!got) return got.error();
    if (*got == 0) {
      if (offset > begin && lines + 1 == address.number) return FileRange{begin, offset};
      return Error{Errc::kNotFound, 0,
                   fmt::format("{} has {} line{} now", address.path, lines + (offset > begin ? 1 : 0),
                               lines + (offset > begin ? 1 : 0) == 1 ? "" : "s")};
    }
    for (const char* at = memory.data(); at < memory.data() + *got;) {
      const std::size_t left = static_cast<std::size_t>(memory.data() + *got - at);
      const auto* newline = static_cast<const char*>(std::memchr(at, '\n', left));
      if (newline == nullptr) break;
      const std::uint64_t end = offset + static_cast<std::uint64_t>(newline - memory.data()) + 1;
      if (++lines == address.number) return FileRange{begin, end};
      begin = end;
      at = newline + 1;
    }
    offset += *got;
  }
}

FoundLine find_line(const AuditedFile& file, FileRange range, const BatchHistory& history) {
  FoundLine found{
      file, range, range.begin >= file.audit.size_bytes, {}, {}, history.has_journal, history.since_ns};
  for (const SinkAudit& sink : file.audit.sinks)
    found.sinks.push_back({sink.sink, fates_of(sink, range), {}});
  for (const BatchHistory::Step& step : history.steps) {
    if (step.stage == BatchStage::kRead) {
      found.reads.push_back(step);
      continue;
    }
    const auto sink = std::find_if(found.sinks.begin(), found.sinks.end(),
                                   [&](const auto& one) { return one.name == step.component; });
    if (sink != found.sinks.end()) {
      sink->steps.push_back(step);
    } else {
      found.sinks.push_back({step.component, {}, {step}});  // one that is there no more
    }
  }
  return found;
}

std::string text_of(const FoundLine& found) {
  std::string out = fmt::format("{}: bytes [{}, {})\n{}", printable(found.file.record.path),
                                found.range.begin, found.range.end, identity_text(found.file));
  if (found.beyond_end)
    out += fmt::format("  behind the end: nothing is known beyond {} bytes\n", found.file.audit.size_bytes);
  append_steps(out, "  ", found.reads);
  if (!found.has_journal) {
    out += "  no journal tells when: audit.enabled is off, or nothing was noted yet\n";
  } else if (found.reads.empty() && !found.beyond_end) {
    out += fmt::format("  the journal, which begins {}, does not tell when it was read\n",
                       rfc3339(found.journal_since_ns));
  }
  for (const FoundLine::Sink& sink : found.sinks) {
    out += fmt::format("  sink {}\n", printable(sink.name));
    for (const FoundLine::Fate& fate : sink.fates) {
      const bool whole = fate.range.begin == found.range.begin && fate.range.end == found.range.end;
      out += fmt::format("    {}{}{}{}\n", fate.perhaps ? "perhaps " : "", fate.what,
                         fate.reason.empty() ? "" : fmt::format(": {}", printable(fate.reason)),
                         whole ? "" : fmt::format(", bytes [{}, {})", fate.range.begin, fate.range.end));
      if (fate.perhaps) out += "      one of several that are stored as one range; otherwise delivered\n";
      if (fate.what == "pending" && !sink.steps.empty() &&
          sink.steps.back().stage == BatchStage::kAcknowledged) {
        out += "      the sink has it, and not yet all that is before it\n";
      }
    }
    append_steps(out, "    ", sink.steps);
  }
  if (found.file.audit.sinks.empty()) out += "  no sink has read of it yet\n";
  return out;
}

std::string json_of(const FoundLine& found) {
  std::string out =
      fmt::format("{{{},\"range\":[{},{}],\"beyond_end\":{},\"journal\":{}", identity_json(found.file),
                  found.range.begin, found.range.end, found.beyond_end, found.has_journal);
  if (found.has_journal) out += fmt::format(",\"journal_since\":\"{}\"", rfc3339(found.journal_since_ns));
  out += fmt::format(",\"reads\":{},\"sinks\":[", json_of(found.reads));
  for (const FoundLine::Sink& sink : found.sinks) {
    if (&sink != found.sinks.data()) out += ',';
    out += "{\"sink\":";
    append_json_string(out, sink.name);
    out += ",\"fates\":[";
    for (const FoundLine::Fate& fate : sink.fates) {
      if (&fate != sink.fates.data()) out += ',';
      out += fmt::format("{{\"what\":\"{}\",\"reason\":", fate.what);
      append_json_string(out, fate.reason);
      out +=
          fmt::format(",\"perhaps\":{},\"range\":[{},{}]}}", fate.perhaps, fate.range.begin, fate.range.end);
    }
    out += fmt::format("],\"steps\":{}}}", json_of(sink.steps));
  }
  return out + "]}";
}

}  // namespace logflume
