// logflume buffer: what the disk buffers hold, whether it can be read, and repairs where not.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/nearest_name.h"
#include "base/printable.h"
#include "base/units.h"
#include "buffer/stored_buffer.h"
#include "checkpoint/data_dir_lock.h"
#include "cli/commands.h"
#include "cli/config_files.h"
#include "cli/exit_codes.h"
#include "disk/segment_log.h"
#include "disk/segment_repair.h"
#include "disk/segments.h"
#include "sink/json_text.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

struct Arguments {
  std::string data_dir;
  std::vector<std::string> config_paths;
  std::vector<std::string> sinks;
  bool json = false;
  bool all = false;  // of cat
};

int fail(const Error& error) {
  fmt::print(stderr, "logflume: {}\n", printable(error.text()));
  return kExitFailure;
}

// The buffers that are meant, or an exit code when it was said what is wrong.
std::variant<std::vector<StoredBuffer>, int> buffers_of(const Arguments& arguments) {
  const auto named = data_dir_or_explain(arguments.data_dir, arguments.config_paths);
  if (!named) return kExitConfiguration;
  const std::string& data_dir = *named;
  if (const auto status = posix_disk().status(data_dir); !status) return fail(status.error());
  std::uint64_t damaged = 0;
  auto stored = CheckpointStore::read(data_dir, &damaged);
  if (!stored) {
    // Without checkpoints nobody is done with anything.
    if (stored.error().code != Errc::kNotFound) return fail(stored.error());
    stored = CheckpointContent{};
  }
  if (damaged != 0) {
    fmt::print(stderr, "logflume: {} damaged checkpoint record{} left out\n", damaged,
               damaged == 1 ? " is" : "s are");
  }
  auto buffers = find_buffers(data_dir, *stored);
  if (!buffers) return fail(buffers.error());
  std::vector<std::string> names;
  for (const StoredBuffer& buffer : *buffers) names.push_back(buffer.sink);
  for (const std::string& sink : arguments.sinks) {
    if (std::find(names.begin(), names.end(), sink) != names.end()) continue;
    const std::string near = nearest_name(sink, names);
    fmt::print(stderr, "logflume buffer: there is no buffer of a sink \"{}\" in {}{}\n", printable(sink),
               printable(data_dir),
               near.empty() ? "" : fmt::format(": did you mean \"{}\"?", printable(near)));
    return kExitUsage;
  }
  std::erase_if(*buffers, [&](const StoredBuffer& buffer) {
    return !arguments.sinks.empty() &&
           std::find(arguments.sinks.begin(), arguments.sinks.end(), buffer.sink) == arguments.sinks.end();
  });
  return std::move(*buffers);
}

// What one look at a buffer has found.
struct Found {
  std::uint64_t segments = 0;
  std::uint64_t size_bytes = 0;
  std::uint64_t records = 0;
  std::optional<std::uint64_t> first_position;
  std::uint64_t last_position = 0;  // where there is a first one
  std::vector<LogDamage> damages;
};

Result<Found> look(const StoredBuffer& buffer) {
  Found found;
  const auto segments = list_segments(posix_disk(), buffer.directory);
  if (!segments) return segments.error();
  found.segments = segments->size();
  for (const Segment& segment : *segments) found.size_bytes += segment.file_bytes;
  const auto scanned = scan(posix_disk(), buffer,
                            {[&](const LogRecord& record, const BufferedBatch&) {
                               ++found.records;
                               if (!found.first_position) found.first_position = record.position;
                               found.last_position = record.position;
                               return true;
                             },
                             [&](const LogDamage& damage) { found.damages.push_back(damage); }});
  if (!scanned) return scanned.error();
  return found;
}

struct InFile {
  std::string path;
  std::uint64_t begin;
  std::uint64_t end;
};

// An empty one is that of a segment's header.
InFile place_of(const StoredBuffer& buffer, const LogDamage& damage) {
  const Segment segment{damage.segment, 0};
  const std::string path = segment_path(buffer.directory, damage.segment);
  if (damage.begin == damage.end) return {path, 0, kSegmentHeaderBytes};
  return {path, segment.offset_of(damage.begin), segment.offset_of(damage.end)};
}

std::string text_of(const StoredBuffer& buffer, const LogDamage& damage) {
  const InFile place = place_of(buffer, damage);
  std::string text = fmt::format("{}: bytes {} to {} are damaged", place.path, place.begin, place.end);
  if (damage.begin == damage.end) return text + ": the header, which costs no event";
  if (damage.items) return text + fmt::format(": {} event{}", *damage.items, *damage.items == 1 ? "" : "s");
  return text + ": an unknown number of events";
}

void append_field(std::string& out, std::string_view name, std::string_view text) {
  append_json_string(out, name);
  out += ':';
  append_json_string(out, text);
}

std::string number_or_null(const std::optional<std::uint64_t>& number) {
  return number ? std::to_string(*number) : "null";
}

// The array, a line for each.
void print_json(const std::vector<std::string>& objects) {
  fmt::print("[");
  for (const std::string& object : objects) {
    fmt::print("{}\n{}", &object == objects.data() ? "" : ",", object);
  }
  fmt::print("{}]\n", objects.empty() ? "" : "\n");
}

std::string row_json(const StoredBuffer& buffer, const Found& found) {
  std::string out = "{";
  append_field(out, "sink", buffer.sink);
  out += ',';
  append_field(out, "directory", buffer.directory);
  std::optional<std::uint64_t> events, bytes, last;
  if (buffer.state) events = buffer.state->events, bytes = buffer.state->bytes;
  if (found.first_position) last = found.last_position;
  return out + fmt::format(
                   ",\"segments\":{},\"size_bytes\":{},\"records\":{},\"pending_events\":{},"
                   "\"pending_bytes\":{},\"first_position\":{},\"last_position\":{}}}",
                   found.segments, found.size_bytes, found.records, number_or_null(events),
                   number_or_null(bytes), number_or_null(found.first_position), number_or_null(last));
}

void print_table(const std::vector<std::array<std::string, 8>>& table) {
  std::array<std::size_t, 8> widths{};
  for (const auto& row : table) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const auto& row : table) {
    fmt::print("{:<{}}", row[0], widths[0]);
    for (std::size_t i = 1; i < row.size(); ++i) fmt::print("  {:>{}}", row[i], widths[i]);
    fmt::print("\n");
  }
}

int list(const Arguments& arguments) {
  const auto buffers = buffers_of(arguments);
  if (const int* code = std::get_if<int>(&buffers)) return *code;
  std::vector<std::string> objects;
  std::vector<std::array<std::string, 8>> table{
      {"SINK", "SEGMENTS", "SIZE", "RECORDS", "PENDING", "BYTES", "FIRST", "LAST"}};
  std::size_t damaged = 0;
  for (const StoredBuffer& buffer : std::get<std::vector<StoredBuffer>>(buffers)) {
    const Result<Found> found = look(buffer);
    if (!found) return fail(found.error());
    damaged += found->damages.size();
    objects.push_back(row_json(buffer, *found));
    const auto& state = buffer.state;
    table.push_back({printable(buffer.sink), std::to_string(found->segments),
                     human_bytes(static_cast<double>(found->size_bytes)), std::to_string(found->records),
                     state ? std::to_string(state->events) : "-",
                     state ? human_bytes(static_cast<double>(state->bytes)) : "-",
                     found->first_position ? std::to_string(*found->first_position) : "-",
                     found->first_position ? std::to_string(found->last_position) : "-"});
  }
  if (arguments.json) {
    print_json(objects);
  } else {
    print_table(table);
  }
  if (damaged != 0) {
    fmt::print(stderr, "logflume: {} damaged range{}: see logflume buffer verify\n", damaged,
               damaged == 1 ? "" : "s");
  }
  return kExitOk;
}

std::string batch_json(const LogRecord& record, const BufferedBatch& batch) {
  std::string out = fmt::format("{{\"position\":{},", record.position);
  append_field(out, "source", batch.source);
  out += ',';
  append_field(out, "file", batch.path);
  out += fmt::format(",\"begin\":{},\"end\":{},\"events\":{},\"text\":\"", batch.owed.begin, batch.owed.end,
                     record.items);
  append_json_escaped(batch.text, out);
  return out + "\"}\n";
}

int cat(const Arguments& arguments) {
  const auto buffers = buffers_of(arguments);
  if (const int* code = std::get_if<int>(&buffers)) return *code;
  const StoredBuffer& buffer = std::get<std::vector<StoredBuffer>>(buffers).front();
  std::size_t damaged = 0;
  int write_error = 0;
  const auto write = [&](std::string_view text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) write_error = errno;
    return write_error == 0;
  };
  const auto scanned = scan(posix_disk(), buffer,
                            {[&](const LogRecord& record, const BufferedBatch& batch) {
                               if (!arguments.all && !buffer.is_pending(record.position)) return true;
                               if (arguments.json) return write(batch_json(record, batch));
                               return write(batch.text) && (!batch.unterminated || write("\n"));
                             },
                             [&](const LogDamage& damage) {
                               ++damaged;
                               fmt::print(stderr, "logflume: {}\n", printable(text_of(buffer, damage)));
                             }});
  if (write_error == 0 && std::fflush(stdout) != 0) write_error = errno;
  if (write_error != 0) return fail(errno_error(write_error, "write"));
  if (!scanned) return fail(scanned.error());
  return damaged == 0 ? kExitOk : kExitFailure;
}

std::string verdict_json(const StoredBuffer& buffer, const Found& found) {
  std::string out = "{";
  append_field(out, "sink", buffer.sink);
  out += fmt::format(",\"segments\":{},\"records\":{},\"damages\":[", found.segments, found.records);
  for (const LogDamage& damage : found.damages) {
    const InFile place = place_of(buffer, damage);
    out += &damage == found.damages.data() ? "{" : ",{";
    append_field(out, "file", place.path);
    std::optional<std::uint64_t> events;
    if (damage.items) events = *damage.items;
    out += fmt::format(",\"begin\":{},\"end\":{},\"position\":{},\"events\":{}}}", place.begin, place.end,
                       damage.begin, number_or_null(events));
  }
  return out + "]}";
}

int verify(const Arguments& arguments) {
  const auto buffers = buffers_of(arguments);
  if (const int* code = std::get_if<int>(&buffers)) return *code;
  std::vector<std::string> objects;
  std::size_t damaged = 0;
  for (const StoredBuffer& buffer : std::get<std::vector<StoredBuffer>>(buffers)) {
    const Result<Found> found = look(buffer);
    if (!found) return fail(found.error());
    damaged += found->damages.size();
    objects.push_back(verdict_json(buffer, *found));
    if (arguments.json) continue;
    for (const LogDamage& damage : found->damages) fmt::print("{}\n", printable(text_of(buffer, damage)));
    fmt::print("{}: {} record{} in {} segment{}, {} damaged range{}\n", printable(buffer.sink),
               found->records, found->records == 1 ? "" : "s", found->segments,
               found->segments == 1 ? "" : "s", found->damages.size(), found->damages.size() == 1 ? "" : "s");
  }
  if (arguments.json) print_json(objects);
  return damaged == 0 ? kExitOk : kExitFailure;
}

// Keeps agents away from `data_dir`; with its checkpoints, where there are some.
struct Hold {
  std::unique_ptr<CheckpointStore> store;
  std::optional<DataDirLock> lock;  // where there is no store
};

Result<Hold> hold(const std::string& data_dir) {
  Hold hold;
  // Opening would create it.
  if (posix_disk().status(data_dir + "/checkpoints.db")) {
    auto opened = CheckpointStore::open(data_dir);
    if (!opened) return std::move(opened).error();
    hold.store = std::move(*opened);
  } else {
    auto locked = DataDirLock::acquire(data_dir);
    if (!locked) return std::move(locked).error();
    hold.lock = std::move(*locked);
  }
  return hold;
}

// What was pending in damaged ranges is not any more: the next agent counts it as lost.
Result<void> count_again(const StoredBuffer& buffer, CheckpointStore& store) {
  BufferState state = *buffer.state;
  state.events = state.bytes = 0;
  const auto scanned = scan(posix_disk(), buffer,
                            {[&](const LogRecord& record, const BufferedBatch& batch) {
                               if (record.position >= state.durable_to) return false;
                               if (!buffer.is_pending(record.position)) return true;
                               state.events += record.items;
                               state.bytes += batch.text.size();
                               return true;
                             },
                             [](const LogDamage&) {}});
  if (!scanned) return scanned.error();
  state.lost_events += buffer.state->events - std::min(state.events, buffer.state->events);
  CheckpointChanges changes;
  changes.states.push_back({buffer.sink, std::string(BufferState::kKey), state.encode()});
  return store.commit(changes);
}

int repair_buffers(const Arguments& arguments) {
  const auto named = data_dir_or_explain(arguments.data_dir, arguments.config_paths);
  if (!named) return kExitConfiguration;
  const std::string& data_dir = *named;
  if (const auto status = posix_disk().status(data_dir); !status) return fail(status.error());
  const Result<Hold> held = hold(data_dir);
  if (!held) {
    if (held.error().code != Errc::kBusy) return fail(held.error());
    fmt::print(stderr, "logflume: {}: stop it first\n", printable(held.error().text()));
    return kExitFailure;
  }
  const auto buffers = buffers_of(arguments);
  if (const int* code = std::get_if<int>(&buffers)) return *code;
  bool failed = false;
  for (const StoredBuffer& buffer : std::get<std::vector<StoredBuffer>>(buffers)) {
    const Result<Found> found = look(buffer);
    if (!found) return fail(found.error());
    std::size_t repaired = 0;
    for (const LogDamage& damage : found->damages) {
      const std::string text = printable(text_of(buffer, damage));
      if (auto done = repair(posix_disk(), buffer.directory, damage); !done) {
        fmt::print(stderr, "logflume: {}; left as they are: {}\n", text, printable(done.error().text()));
        failed = true;
        continue;
      }
      ++repaired;
      fmt::print("{}; {}\n", text,
                 damage.begin == damage.end ? "written anew"
                                            : "moved to " + printable(aside_path(buffer.directory, damage)));
    }
    // Else the agent finds out, when it has delivered the rest.
    const bool all = repaired != 0 && repaired == found->damages.size();
    if (all && buffer.state && held->store) {
      if (auto counted = count_again(buffer, *held->store); !counted) return fail(counted.error());
    }
    fmt::print("{}: {} of {} damaged range{} repaired\n", printable(buffer.sink), repaired,
               found->damages.size(), found->damages.size() == 1 ? "" : "s");
  }
  return failed ? kExitFailure : kExitOk;
}

}  // namespace

void add_buffer_command(CLI::App& app, Command& chosen) {
  CLI::App* command = app.add_subcommand("buffer", "Look into the disk buffers of sinks, and check them");
  command->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  const auto add = [&](const char* name, const char* description, int (*run)(const Arguments&)) {
    CLI::App* sub = command->add_subcommand(name, description);
    CLI::Option* const data_dir =
        sub->add_option("--data-dir", arguments->data_dir, "Where the buffers are")->type_name("DIR");
    sub->add_option("-c,--config", arguments->config_paths, "Take data_dir from these configuration files")
        ->type_name("FILE")
        ->allow_extra_args(false)  // SINKs follow
        ->excludes(data_dir);
    sub->callback([arguments, run, &chosen] { chosen = [arguments, run] { return run(*arguments); }; });
    return sub;
  };
  CLI::App* list_command = add("ls", "Each sink's buffer: its size, and what is pending in it", list);
  list_command->add_option("sinks", arguments->sinks, "Only these sinks")->type_name("SINK");
  list_command->add_flag("--json", arguments->json, "As JSON");

  CLI::App* cat_command = add("cat", "The events that are pending in a sink's buffer, in order", cat);
  cat_command->add_option("sink", arguments->sinks, "The sink")->required()->expected(1)->type_name("SINK");
  cat_command->add_flag("--all", arguments->all,
                        "Also those that the sink is done with, as far as they are kept");
  cat_command->add_flag("--json", arguments->json, "As JSON, an object a batch");

  CLI::App* verify_command = add("verify", "Checks every checksum, and says what is damaged", verify);
  verify_command->add_option("sinks", arguments->sinks, "Only these sinks")->type_name("SINK");
  verify_command->add_flag("--json", arguments->json, "As JSON");

  CLI::App* repair_command =
      add("repair", "Moves what is damaged aside, so that the rest can be read; no agent may run",
          repair_buffers);
  repair_command->add_option("sinks", arguments->sinks, "The sinks")->required()->type_name("SINK");
}

}  // namespace logflume
