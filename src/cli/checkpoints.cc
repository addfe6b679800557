// logflume checkpoints: what the agent knows of each file, and how far each sink has come.
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/printable.h"
#include "base/unique_fd.h"
#include "base/units.h"
#include "checkpoint/checkpoint_store.h"
#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"
#include "event/batch.h"
#include "source/archive.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

struct Arguments {
  std::string data_dir;
  std::vector<std::string> config_paths;
  bool json = false;
  std::string pattern;  // of show

  // Of reset.
  std::string source, sink, file;
  std::optional<std::uint64_t> to_offset;
  bool to_end = false;
  bool dry_run = false;
};

// What stands at a checkpoint's path now.
struct OnDisk {
  enum class State { kGone, kMissing, kReplaced, kThere };
  State state = State::kMissing;
  std::uint64_t size = 0;
  bool is_compressed = false;  // then offsets are those of what it holds, whose size nobody knows here
};

OnDisk look(const FileRecord& file) {
  if (file.gone) return {OnDisk::State::kGone, 0};
  struct stat info {};
  if (::stat(file.path.c_str(), &info) != 0) return {};
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (info.st_dev != file.device || info.st_ino != file.inode) return {OnDisk::State::kReplaced, size};
  return {OnDisk::State::kThere, size, is_archive(file.path)};
}

// One cursor with its file; a file that no sink has a cursor in stands alone.
struct Row {
  const FileRecord* file;
  const CursorRecord* cursor;  // may be null
  OnDisk on_disk;

  std::optional<std::uint64_t> lag() const {
    if (on_disk.state != OnDisk::State::kThere || cursor == nullptr || on_disk.is_compressed)
      return std::nullopt;
    if (on_disk.size < cursor->offset) return std::nullopt;
    return on_disk.size - cursor->offset;
  }
  std::string_view state() const {
    switch (on_disk.state) {
      case OnDisk::State::kGone:
        return "gone";
      case OnDisk::State::kMissing:
        return "missing";
      case OnDisk::State::kReplaced:
        return "replaced";
      case OnDisk::State::kThere:
        break;
    }
    if (cursor == nullptr) return "unread";
    if (on_disk.is_compressed) return "compressed";
    if (on_disk.size < cursor->offset) return "truncated";
    return on_disk.size == cursor->offset ? "current" : "behind";
  }
};

std::vector<Row> rows_of(const CheckpointContent& content) {
  std::multimap<std::uint64_t, const CursorRecord*> cursors;
  for (const CursorRecord& cursor : content.cursors) cursors.emplace(cursor.file_id, &cursor);
  std::vector<Row> rows;
  for (const FileRecord& file : content.files) {
    const OnDisk on_disk = look(file);
    const auto [begin, end] = cursors.equal_range(file.id);
    if (begin == end) rows.push_back({&file, nullptr, on_disk});
    for (auto cursor = begin; cursor != end; ++cursor) rows.push_back({&file, cursor->second, on_disk});
  }
  const auto key = [](const Row& row) {
    return std::tuple(std::string_view(row.file->source), std::string_view(row.file->path), row.file->id,
                      row.cursor != nullptr ? std::string_view(row.cursor->sink) : std::string_view());
  };
  std::sort(rows.begin(), rows.end(), [&](const Row& a, const Row& b) { return key(a) < key(b); });
  return rows;
}

// The pattern means the whole path, or the last name in it; * matches / too.
bool matches(const std::string& pattern, const std::string& path) {
  const std::string name = path.substr(path.rfind('/') + 1);
  return ::fnmatch(pattern.c_str(), path.c_str(), 0) == 0 || ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
}

int fail(const Error& error) {
  fmt::print(stderr, "logflume: {}\n", printable(error.text()));
  return kExitFailure;
}

void warn_of_damage(std::uint64_t damaged) {
  if (damaged == 0) return;
  fmt::print(stderr, "logflume: {} damaged record{} left out\n", damaged, damaged == 1 ? " is" : "s are");
}

void print_table(const std::vector<std::array<std::string, 6>>& table) {
  std::array<std::size_t, 6> widths{};
  for (const auto& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : table) {
    fmt::print("{:<{}}  {:<{}}  {:<{}}  {:>{}}  {:>{}}  {}\n", row[0], widths[0], row[1], widths[1], row[2],
               widths[2], row[3], widths[3], row[4], widths[4], row[5]);
  }
}

void append_field(std::string& out, std::string_view name, std::string_view text) {
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}

std::string json_of(const Row& row, bool details) {
  const FileRecord& file = *row.file;
  std::string out = "{";
  append_field(out, "source", file.source);
  out += ',';
  append_field(out, "path", file.path);
  out += ',';
  if (row.cursor != nullptr) {
    append_field(out, "sink", row.cursor->sink);
    out += fmt::format(",\"offset\":{},", row.cursor->offset);
  } else {
    out += "\"sink\":null,\"offset\":null,";
  }
  const auto lag = row.lag();
  out += lag ? fmt::format("\"lag_bytes\":{},", *lag) : "\"lag_bytes\":null,";
  append_field(out, "state", row.state());
  if (details) {
    out += fmt::format(
        ",\"file_id\":{},\"device\":{},\"inode\":{},\"birth_ns\":{},\"prefix_bytes\":{},"
        "\"prefix_hash\":\"{:016x}\",\"gone\":{}",
        file.id, file.device, file.inode, file.birth_ns, file.prefix_bytes, file.prefix_hash, file.gone);
    out += ",\"updated\":\"" + rfc3339(file.updated_ns) + "\"";
    if (row.cursor != nullptr) {
      out += fmt::format(",\"seam_bytes\":{},\"seam_hash\":\"{:016x}\"", row.cursor->seam_bytes,
                         row.cursor->seam_hash);
    }
  }
  return out + "}";
}

void print_json(const std::vector<Row>& rows, bool details) {
  fmt::print("[");
  for (const Row& row : rows) fmt::print("{}\n{}", &row == rows.data() ? "" : ",", json_of(row, details));
  fmt::print("{}]\n", rows.empty() ? "" : "\n");
}

int list(const Arguments& arguments) {
  const auto data_dir = data_dir_or_explain(arguments.data_dir, arguments.config_paths);
  if (!data_dir) return kExitConfiguration;
  std::uint64_t damaged = 0;
  const auto content = CheckpointStore::read(*data_dir, &damaged);
  if (!content) return fail(content.error());
  warn_of_damage(damaged);
  const std::vector<Row> rows = rows_of(*content);
  if (arguments.json) {
    print_json(rows, false);
    return kExitOk;
  }
  std::vector<std::array<std::string, 6>> table{{"SOURCE", "PATH", "SINK", "OFFSET", "LAG", "STATE"}};
  for (const Row& row : rows) {
    const auto lag = row.lag();
    table.push_back({printable(row.file->source), printable(row.file->path),
                     row.cursor != nullptr ? printable(row.cursor->sink) : "-",
                     row.cursor != nullptr ? std::to_string(row.cursor->offset) : "-",
                     lag ? human_bytes(static_cast<double>(*lag)) : "-", std::string(row.state())});
  }
  print_table(table);
  return kExitOk;
}

int show(const Arguments& arguments) {
  const auto data_dir = data_dir_or_explain(arguments.data_dir, arguments.config_paths);
  if (!data_dir) return kExitConfiguration;
  std::uint64_t damaged = 0;
  const auto content = CheckpointStore::read(*data_dir, &damaged);
  if (!content) return fail(content.error());
  warn_of_damage(damaged);
  std::vector<Row> rows = rows_of(*content);
  std::erase_if(rows, [&](const Row& row) { return !matches(arguments.pattern, row.file->path); });
  if (arguments.json) {
    print_json(rows, true);
  } else {
    const FileRecord* last = nullptr;
    for (const Row& row : rows) {
      const FileRecord& file = *row.file;
      if (last != &file) {
        fmt::print("{}{}\n  source       {}\n  file id      {}\n", last == nullptr ? "" : "\n",
                   printable(file.path), printable(file.source), file.id);
        fmt::print("  identity     device {}, inode {}, born {}\n", file.device, file.inode,
                   file.birth_ns == 0 ? "unknown" : rfc3339(file.birth_ns));
        fmt::print("  begins with  {} bytes of hash {:016x}\n", file.prefix_bytes, file.prefix_hash);
        fmt::print("  updated      {}\n", rfc3339(file.updated_ns));
      }
      last = &file;
      if (row.cursor == nullptr) {
        fmt::print("  no sink      {}\n", row.state());
        continue;
      }
      const auto lag = row.lag();
      fmt::print("  sink {:<7} offset {}, {}{}; {} bytes before it of hash {:016x}\n",
                 printable(row.cursor->sink), row.cursor->offset, row.state(),
                 lag ? fmt::format(" ({} bytes to read)", *lag) : "", row.cursor->seam_bytes,
                 row.cursor->seam_hash);
    }
  }
  if (!rows.empty()) return kExitOk;
  fmt::print(stderr, "logflume: no checkpoint of a file that matches {}\n", printable(arguments.pattern));
  return kExitFailure;
}

// Where the cursor would stand, with the seam before it as the file has it now.
Result<CursorRecord> moved_cursor(const Row& row, const Arguments& arguments) {
  CursorRecord moved = *row.cursor;
  moved.offset = arguments.to_offset.value_or(0);
  if (moved.offset != 0 || arguments.to_end) {
    if (row.on_disk.state != OnDisk::State::kThere) {
      return Error{Errc::kNotFound, 0, fmt::format("the file is {}", row.state())};
    }
    if (row.on_disk.is_compressed) {
      return Error{Errc::kUnsupported, 0, "the file is compressed: it can only be read from its beginning"};
    }
    // O_NONBLOCK: the name may have become a FIFO's since it was looked at.
    const UniqueFd fd(::open(row.file->path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd.valid()) return errno_error("open");
    struct stat info {};
    if (::fstat(fd.get(), &info) != 0) return errno_error("stat");
    if (info.st_dev != row.file->device || info.st_ino != row.file->inode || !S_ISREG(info.st_mode)) {
      return Error{Errc::kNotFound, 0, "the file was replaced"};
    }
    const auto size = static_cast<std::uint64_t>(info.st_size);
    if (arguments.to_end) {
      // After the last newline: an incomplete last line is not the end of anything.
      std::string tail(std::min<std::uint64_t>(size, 1024 * 1024), '\0');
      const ssize_t got = ::pread(fd.get(), tail.data(), tail.size(), static_cast<off_t>(size - tail.size()));
      if (got != static_cast<ssize_t>(tail.size())) return errno_error(got < 0 ? errno : EIO, "read");
      const auto newline = tail.rfind('\n');
      moved.offset = newline == std::string::npos ? size : size - tail.size() + newline + 1;
    }
    if (moved.offset > size) {
      return Error{Errc::kInvalidArgument, 0, fmt::format("it ends at {}", size)};
    }
    moved.seam_bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(moved.offset, Seam::kBytesMax));
    char seam[Seam::kBytesMax];
    const ssize_t got =
        ::pread(fd.get(), seam, moved.seam_bytes, static_cast<off_t>(moved.offset - moved.seam_bytes));
    if (got != static_cast<ssize_t>(moved.seam_bytes)) return errno_error(got < 0 ? errno : EIO, "read");
    moved.seam_hash = XXH3_64bits(seam, moved.seam_bytes);
    if (moved.seam_bytes > 0 && seam[moved.seam_bytes - 1] != '\n') {
      fmt::print(stderr, "logflume: {}: {} is within a line: its rest will be an event of its own\n",
                 printable(row.file->path), moved.offset);
    }
  } else {
    moved.seam_bytes = 0;
    moved.seam_hash = XXH3_64bits("", 0);
  }
  return moved;
}

// For the audit: what is passed by is not delivered. Backwards the sink begins anew.
void note_reset(const CursorRecord& before, CursorRecord& moved, CheckpointChanges& changes) {
  std::uint64_t begin = before.offset;
  if (moved.offset <= before.offset) {
    begin = 0;
    moved.begin = moved.offset;
    moved.delivered_bytes = moved.delivered_events = 0;
    changes.resets.push_back({moved.file_id, moved.sink});
  }
  if (begin == moved.offset) return;
  changes.ranges.push_back({moved.file_id, moved.sink, begin, moved.offset, RangeKind::kSkipped,
                            "checkpoint_reset", moved.offset - begin, 0, wall_now_ns()});
}

int reset(const Arguments& arguments) {
  const auto named = data_dir_or_explain(arguments.data_dir, arguments.config_paths);
  if (!named) return kExitConfiguration;
  const std::string& data_dir = *named;

  // Opening would create it.
  struct stat info {};
  if (const std::string path = data_dir + "/checkpoints.db"; ::stat(path.c_str(), &info) != 0) {
    return fail(errno_error("open " + path));
  }
  std::unique_ptr<CheckpointStore> store;
  CheckpointContent content;
  if (arguments.dry_run) {
    auto read = CheckpointStore::read(data_dir);
    if (!read) return fail(read.error());
    content = std::move(*read);
  } else {
    auto opened = CheckpointStore::open(data_dir);
    if (!opened) {
      if (opened.error().code == Errc::kBusy) {
        fmt::print(stderr, "logflume: {}: stop it first, or use --dry-run\n",
                   printable(opened.error().text()));
        return kExitFailure;
      }
      return fail(opened.error());
    }
    store = std::move(*opened);
    if (!store->quarantined().empty()) {
      fmt::print(stderr,
                 "logflume: the checkpoints were damaged; moved to {}, and what could be read is kept\n",
                 printable(store->quarantined()));
    }
    auto loaded = store->load();
    if (!loaded) return fail(loaded.error());
    content = std::move(*loaded);
  }

  CheckpointChanges changes;
  bool failed = false;
  for (const Row& row : rows_of(content)) {
    if (row.cursor == nullptr || row.file->gone) continue;
    if (!arguments.source.empty() && row.file->source != arguments.source) continue;
    if (!arguments.sink.empty() && row.cursor->sink != arguments.sink) continue;
    if (!arguments.file.empty() && !matches(arguments.file, row.file->path)) continue;
    auto moved = moved_cursor(row, arguments);
    if (!moved) {
      fmt::print(stderr, "logflume: {}, sink {}: left at {}: {}\n", printable(row.file->path),
                 printable(row.cursor->sink), row.cursor->offset, moved.error().text());
      failed = true;
      continue;
    }
    fmt::print("{}, sink {}: {} -> {}\n", printable(row.file->path), printable(row.cursor->sink),
               row.cursor->offset, moved->offset);
    note_reset(*row.cursor, *moved, changes);
    changes.cursors.push_back(std::move(*moved));
  }
  if (changes.cursors.empty() && !failed) {
    fmt::print(stderr, "logflume: no checkpoint matches\n");
    return kExitFailure;
  }
  if (store != nullptr) {
    if (auto committed = store->commit(changes); !committed) return fail(committed.error());
  } else {
    fmt::print(stderr, "logflume: dry run: nothing was changed\n");
  }
  return failed ? kExitFailure : kExitOk;
}

}  // namespace

void add_checkpoints_command(CLI::App& app, Command& chosen) {
  CLI::App* command =
      app.add_subcommand("checkpoints", "Look at and repair how far each sink has read each file");
  command->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* description, int (*run)(const Arguments&)) {
    CLI::App* sub = command->add_subcommand(name, description);
    CLI::Option* const data_dir =
        sub->add_option("--data-dir", arguments->data_dir, "Where the checkpoints are")->type_name("DIR");
    sub->add_option("-c,--config", arguments->config_paths, "Take data_dir from these configuration files")
        ->type_name("FILE")
        ->excludes(data_dir);
    sub->callback([arguments, run, &chosen] { chosen = [arguments, run] { return run(*arguments); }; });
    return sub;
  };
  CLI::App* list_command = add("list", "Each file and sink: offset, lag and state", list);
  list_command->add_flag("--json", arguments->json, "As JSON");

  CLI::App* show_command = add("show", "All that is known of files", show);
  show_command->add_option("pattern", arguments->pattern, "Path, file name or glob")
      ->required()
      ->type_name("PATTERN");
  show_command->add_flag("--json", arguments->json, "As JSON");

  CLI::App* reset_command = add("reset", "Read files again, from their beginning or another place", reset);
  reset_command->add_option("--source", arguments->source, "Only files of this source")->type_name("NAME");
  reset_command->add_option("--sink", arguments->sink, "Only the cursors of this sink")->type_name("NAME");
  reset_command->add_option("--file", arguments->file, "Only files that match")->type_name("PATTERN");
  CLI::Option* const to_offset =
      reset_command->add_option("--to-offset", arguments->to_offset, "Go on at this byte, not at 0")
          ->type_name("BYTES");
  reset_command->add_flag("--to-end", arguments->to_end, "Skip all complete lines there are")
      ->excludes(to_offset);
  reset_command->add_flag("--dry-run", arguments->dry_run, "Only say what would change");
}

}  // namespace logflume
