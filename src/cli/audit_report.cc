#include "cli/audit_report.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <string_view>

#include "base/printable.h"
#include "source/archive.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

std::string_view name_of(FilePlace place) {
  switch (place) {
    case FilePlace::kThere:
      return "there";
    case FilePlace::kGone:
      return "gone";
    case FilePlace::kMissing:
      return "missing";
    case FilePlace::kReplaced:
      return "replaced";
  }
  return "unknown";
}

std::string text_of(const std::vector<FileRange>& ranges) {
  constexpr std::size_t kShown = 4;
  std::string text;
  for (std::size_t i = 0; i < std::min(ranges.size(), kShown); ++i) {
    text += fmt::format("{}[{}, {})", i == 0 ? "" : " ", ranges[i].begin, ranges[i].end);
  }
  if (ranges.size() > kShown) text += fmt::format(" and {} more", ranges.size() - kShown);
  return text;
}

void append_line(std::string& out, std::string_view what, std::uint64_t bytes, std::string_view rest) {
  out += fmt::format("    {:<12} {:>14} bytes{}{}\n", what, bytes, rest.empty() ? "" : "  ", rest);
}

std::string json_of(const std::vector<FileRange>& ranges) {
  std::string out = "[";
  for (const FileRange& range : ranges)
    out += fmt::format("{}[{},{}]", out.size() > 1 ? "," : "", range.begin, range.end);
  return out + "]";
}

std::string json_of(const AuditPart& part) {
  return fmt::format("\"bytes\":{},\"events\":{},\"ranges\":{}", part.bytes, part.events,
                     json_of(part.ranges));
}

}  // namespace

AuditBooks::AuditBooks(CheckpointContent content, std::vector<InFlight> in_flight, const FormerNames& names)
    : names_(names), files_(std::move(content.files)) {
  for (CursorRecord& cursor : content.cursors) accounts_[cursor.file_id].cursors.push_back(std::move(cursor));
  for (RangeRecord& range : content.ranges) accounts_[range.file_id].ranges.push_back(std::move(range));
  for (InFlight& flight : in_flight) accounts_[flight.file_id].in_flight.push_back(std::move(flight));
  std::sort(files_.begin(), files_.end(),
            [](const FileRecord& a, const FileRecord& b) { return a.id < b.id; });
}

const std::vector<NameNote>& AuditBooks::former_names(std::uint64_t file_id) const {
  static const std::vector<NameNote> kNone;
  const auto it = names_.find(file_id);
  return it == names_.end() ? kNone : it->second;
}

AuditedFile AuditBooks::audit(const FileRecord& file) const {
  AuditedFile audited{file, FilePlace::kGone, former_names(file.id), {}};
  std::uint64_t size = file.size_bytes;
  struct stat info {};
  if (file.gone) {
    audited.place = FilePlace::kGone;
  } else if (::stat(file.path.c_str(), &info) != 0) {
    audited.place = FilePlace::kMissing;
  } else if (info.st_dev != file.device || info.st_ino != file.inode) {
    audited.place = FilePlace::kReplaced;
  } else {
    audited.place = FilePlace::kThere;
    // Of an archive what was found in it counts.
    if (!is_archive(file.path)) size = static_cast<std::uint64_t>(info.st_size);
  }
  const auto account = accounts_.find(file.id);
  const Account none;
  const Account& known = account == accounts_.end() ? none : account->second;
  audited.audit = audit_file(size, known.cursors, known.ranges, known.in_flight);
  return audited;
}

std::string identity_text(const AuditedFile& file) {
  const FileRecord& record = file.record;
  std::string out = fmt::format("  file {} of source {}, device {}, inode {}{}\n", record.id,
                                printable(record.source), record.device, record.inode,
                                file.place == FilePlace::kThere     ? ""
                                : file.place == FilePlace::kGone    ? ": its content is no longer there"
                                : file.place == FilePlace::kMissing ? ": not there now"
                                                                    : ": another file has its name now");
  for (const NameNote& name : file.former_names)
    out += fmt::format("  until {} {}\n", rfc3339(name.until_ns), printable(name.path));
  return out;
}

std::string text_of(const AuditedFile& file) {
  std::string out = fmt::format("{}: {} bytes\n{}", printable(file.record.path), file.audit.size_bytes,
                                identity_text(file));
  if (file.audit.sinks.empty()) out += "  no sink has read of it yet\n";
  for (const SinkAudit& sink : file.audit.sinks) {
    out += fmt::format("  sink {}\n", printable(sink.sink));
    append_line(out, "delivered", sink.delivered.bytes,
                sink.delivered.bytes == 0
                    ? ""
                    : fmt::format("{} events {}", sink.delivered.events, text_of(sink.delivered.ranges)));
    for (const auto& [key, part] : sink.exceptions) {
      append_line(
          out, range_kind_name(key.first), part.bytes,
          fmt::format("{}{} {}", printable(key.second),
                      part.events == 0 ? "" : fmt::format(", {} events", part.events), text_of(part.ranges)));
    }
    if (sink.pending.bytes > 0)
      append_line(out, "pending", sink.pending.bytes,
                  "read and not acknowledged " + text_of(sink.pending.ranges));
    if (sink.unread.bytes > 0)
      append_line(out, "unread", sink.unread.bytes,
                  file.place == FilePlace::kThere ? "" : "looked for by the agent, or counted as lost");
    for (const AuditFault& fault : sink.faults) out += fmt::format("    ERROR: {}\n", text_of(fault));
    if (sink.faults.empty()) append_line(out, "sum", file.audit.size_bytes, "= the file");
  }
  return out;
}

std::string identity_json(const AuditedFile& file) {
  const FileRecord& record = file.record;
  std::string out = fmt::format("\"id\":{},\"source\":", record.id);
  append_json_string(out, record.source);
  out += ",\"path\":";
  append_json_string(out, record.path);
  out += ",\"former_names\":[";
  for (const NameNote& name : file.former_names) {
    if (out.back() != '[') out += ',';
    out += "{\"path\":";
    append_json_string(out, name.path);
    out += fmt::format(",\"until\":\"{}\"}}", rfc3339(name.until_ns));
  }
  out += fmt::format("],\"device\":{},\"inode\":{},\"place\":\"{}\",\"size_bytes\":{}", record.device,
                     record.inode, name_of(file.place), file.audit.size_bytes);
  return out;
}

std::string json_of(const AuditedFile& file) {
  std::string out =
      fmt::format("{{{},\"balanced\":{},\"sinks\":[", identity_json(file), file.audit.balanced());
  for (const SinkAudit& sink : file.audit.sinks) {
    if (&sink != file.audit.sinks.data()) out += ',';
    out += "{\"sink\":";
    append_json_string(out, sink.sink);
    out += fmt::format(",\"acknowledged\":{},\"delivered\":{{{}}},\"exceptions\":[", sink.acknowledged,
                       json_of(sink.delivered));
    bool first = true;
    for (const auto& [key, part] : sink.exceptions) {
      out += fmt::format("{}{{\"kind\":\"{}\",\"reason\":", first ? "" : ",", range_kind_name(key.first));
      append_json_string(out, key.second);
      out += fmt::format(",{}}}", json_of(part));
      first = false;
    }
    out += fmt::format(
        "],\"pending_bytes\":{},\"pending_ranges\":{},\"unread_bytes\":{},\"unread_ranges\":{},\"faults\":[",
        sink.pending.bytes, json_of(sink.pending.ranges), sink.unread.bytes, json_of(sink.unread.ranges));
    for (const AuditFault& fault : sink.faults) {
      if (&fault != sink.faults.data()) out += ',';
      append_json_string(out, text_of(fault));
    }
    out += "]}";
  }
  return out + "]}";
}

}  // namespace logflume
