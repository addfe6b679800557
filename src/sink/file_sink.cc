#include "sink/file_sink.h"

#include <deque>
#include <filesystem>
#include <list>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "sink/backoff.h"
#include "sink/compress.h"
#include "sink/encode.h"
#include "sink/event_split.h"
#include "sink/file_output.h"
#include "sink/template.h"

namespace logflume {
namespace {

// A group commit takes at most this much: beyond it a sync costs little for each byte.
constexpr std::size_t kGroupBytes = 8 * 1024 * 1024;
constexpr std::size_t kGroupDeliveries = 4096;
// Encoded and compressed text is written in pieces of about this size.
constexpr std::size_t kPieceBytes = 256 * 1024;
// What waits behind outputs that cannot be written: more than this, and nothing is taken in any more.
constexpr std::size_t kStalledDeliveriesMax = 8192;
// How often outputs without traffic are looked at: a rotated one is let go, so that its space can be freed.
constexpr Duration kSweepInterval = 30s;

class FileSink final : public Sink {
 public:
  FileSink(FileSinkConfig config, SinkContext context)
      : config_(std::move(config)),
        context_(std::move(context)),
        encoder_(config_, context_.host),
        compressor_(Compressor::make(config_.compression)),
        linger_(config_.batch.linger.value_or(Duration::zero())),
        open_max_(std::max<std::size_t>(config_.max_open_files, 1)) {}

  Result<void> open() override;
  std::size_t do_work(TimePoint now) override;
  bool has_input() const override { return can_collect() && !context_.inbox.empty(); }
  TimePoint deadline() const override;
  void drain() override { draining_ = true; }
  bool drained() const override { return group_.empty() && !held_ && stalled_.empty(); }
  void at_rest() override;

 private:
  struct OpenOutput {
    FileOutput file;
    OutputRegistry::Claim claim;
    std::list<std::string>::iterator used;  // its place in by_use_
  };

  // What goes to one output of a delivery: all of it, or some events.
  struct Member {
    std::size_t delivery;  // of the group's
    BatchRef batch;
  };
  // What goes to one output of a group.
  struct Part {
    std::string path;
    std::vector<Member> members;
    std::uint64_t wire_bytes = 0;  // encoded, before compression
    FileOutput* output = nullptr;  // where it goes in this attempt
    std::optional<Error> error;
  };

  struct Group {
    std::vector<Delivery> deliveries;  // in the order of their arrival
    std::vector<Part> parts;
    std::unordered_map<std::string, std::size_t> part_of;  // path -> index in parts
    std::size_t bytes = 0;

    bool empty() const { return deliveries.empty(); }
    bool full() const { return bytes >= kGroupBytes || deliveries.size() >= kGroupDeliveries; }
    void clear() {
      deliveries.clear();
      parts.clear();
      part_of.clear();
      bytes = 0;
    }
  };

  // What an output that cannot be written holds up: what goes there, and whatever else comes of the same
  // source files, whose cursors cannot pass what is missing. Tried again by itself; the rest of the sink goes
  // on.
  struct Stalled {
    explicit Stalled(const RetryConfig& retry) : backoff(retry) {}
    std::deque<Delivery> deliveries;
    Backoff backoff;
    TimePoint retry_at{};
    std::string reason;
  };
  using StalledAt = std::list<Stalled>::iterator;

  bool can_collect() const {
    return (group_.empty() || (!held_ && !group_.full())) && stalled_deliveries_ < kStalledDeliveriesMax;
  }
  // Some of a delivery's events, and where they go.
  struct Share {
    std::string path;
    BatchRef batch;
  };

  std::size_t collect(TimePoint now);
  bool place(Delivery& delivery, TimePoint now);
  std::size_t cut(const Delivery& delivery);
  bool assign(Group& group, const Delivery& delivery);
  void render_path(const Batch& batch, std::span<const std::optional<std::string>> values);

  void commit_group(TimePoint now);
  void write_group(Group& group);
  Result<FileOutput*> prepare(const std::string& path);
  Result<void> write(Part& part);
  Result<void> write_piece(FileOutput& output, std::string_view text);
  Result<void> sync(Part& part);
  void accept(Part& part);
  void finish(Group& group);
  void roll_back(Part& part);

  void set_aside(Group& group, Part& failed, TimePoint now);
  void stall(StalledAt stalled, Delivery delivery);
  StalledAt retry(StalledAt stalled, TimePoint now);
  void failed(Stalled& stalled, const Error& error, TimePoint now);

  void settle_all();
  Result<void> settle(const std::string& path, const OutputRecord& record);
  void touch(OpenOutput& output) { by_use_.splice(by_use_.end(), by_use_, output.used); }
  Result<void> close(const std::string& path);
  void make_room(const Group& group);
  void sweep(TimePoint now);
  void record(const std::string& path, std::string value) {
    states_.push_back({context_.name, path, std::move(value)});
  }
  void flush();
  void commit_records();

  const FileSinkConfig config_;
  SinkContext context_;
  BatchEncoder encoder_;
  const std::unique_ptr<Compressor> compressor_;
  const Duration linger_;
  const std::size_t open_max_;
  std::optional<Template> template_;
  std::string directory_;  // where a relative path begins, with a slash; else empty
  std::size_t fixed_bytes_ = 0;
  std::string path_;                 // of the latest batch, or of all when constant
  std::optional<EventSplit> split_;  // where the path has fields of events
  std::vector<EventSplit::Part> split_parts_;
  std::vector<Share> shares_;  // as cut() left them

  std::unordered_map<std::string, OpenOutput> outputs_;  // by path
  std::list<std::string> by_use_;                        // their paths, the longest unused first
  // Of files that could not be cut at the start; nothing is appended to their paths before.
  std::unordered_map<std::string, OutputRecord> unsettled_;
  std::vector<SinkStateRecord> states_;  // to be flushed next
  bool commit_due_ = false;              // before anything is written
  // Of files that were closed: whoever writes them next must find the end of their records flushed.
  std::vector<OutputRegistry::Claim> closed_;

  Group group_;
  TimePoint group_due_{};
  std::optional<Delivery> held_;  // does not fit into the group
  std::list<Stalled> stalled_;
  std::unordered_map<const Cursor*, StalledAt> stalled_cursors_;
  std::unordered_map<std::string, StalledAt> stalled_paths_;  // those that could not be written
  std::size_t stalled_deliveries_ = 0;
  TimePoint next_sweep_ = kNever;
  bool draining_ = false;

  std::string piece_;
  std::string compressed_;
  std::vector<iovec> pieces_;
};

// -- Start ------------------------------------------------------------------------------------------------

Result<void> FileSink::open() {
  auto parsed = Template::parse(config_.path, config_.labels, /*with_time=*/true);
  if (!parsed) return std::move(parsed).error();
  template_ = std::move(*parsed);
  if (!template_->fields().empty()) split_.emplace(template_->fields(), context_.host, context_.budget);
  if (config_.path.empty() || config_.path.back() == '/') {
    return Error{Errc::kInvalidArgument, 0, "path: \"" + config_.path + "\" names no file"};
  }
  if (config_.path.front() != '/') {
    std::error_code failed;
    const auto current = std::filesystem::current_path(failed);
    if (failed) return errno_error(failed.value(), "current directory");
    directory_ = current.string() + "/";
  }
  // What precedes the first field or specifier is the configuration's own and may lead anywhere.
  const std::size_t variable = std::min(config_.path.find("{{"), config_.path.find('%'));
  if (variable != std::string::npos) {
    const std::size_t slash = config_.path.rfind('/', variable);
    fixed_bytes_ = directory_.size() + (slash == std::string::npos ? 0 : slash + 1);
  }

  context_.health.ok();
  for (const SinkStateRecord& state : context_.states) {
    if (const auto known = OutputRecord::decode(state.value)) {
      unsettled_.emplace(state.key, *known);
    } else {
      context_.log.error(context_.name,
                         "{}: its recorded length is not readable: \"{}\"; nothing is cut off it", state.key,
                         state.value);
      record(state.key, {});
    }
  }
  context_.states.clear();
  settle_all();
  if (!unsettled_.empty()) next_sweep_ = {};  // tried again at once, and then in the usual rhythm
  return {};
}

// Cuts every file that was open at the last stop back to what was acknowledged. Its record is then dropped:
// the file is as long as it says, and gets a new one before it is written again.
void FileSink::settle_all() {
  for (auto it = unsettled_.begin(); it != unsettled_.end();) {
    if (auto settled = settle(it->first, it->second); settled) {
      record(it->first, {});
      it = unsettled_.erase(it);
    } else {
      // Somewhere else than where we write now, perhaps: worth a line, not a bad status.
      context_.log.limited(LogLevel::kWarn, context_.name, it->first,
                           it->first + ": cannot be cut back to what was acknowledged: " +
                               settled.error().text() + "; trying again");
      ++it;
    }
  }
  flush();
}

Result<void> FileSink::settle(const std::string& path, const OutputRecord& record) {
  auto claim = context_.outputs.claim(record.device, record.inode, "sink " + context_.name + " as " + path);
  if (!claim) {
    context_.log.warn(context_.name, "{}: not cut back to {} bytes: {}", path, record.length,
                      claim.error().message);
    return {};
  }
  std::uint64_t cut_bytes = 0;
  auto cut = cut_to_record(context_.disk, path, record, cut_bytes);
  if (!cut) return std::move(cut).error();
  switch (*cut) {
    case CutResult::kClean:
      if (cut_bytes != 0) {
        context_.log.info(context_.name, "{}: cut off {} bytes behind {} that were not acknowledged", path,
                          cut_bytes, record.length);
      }
      break;
    case CutResult::kShortened:
      context_.log.warn(context_.name,
                        "{}: shorter than the {} bytes that were written to it: somebody truncated it", path,
                        record.length);
      break;
    case CutResult::kMissing:
      context_.log.info(context_.name, "{}: the file that was written to is gone from its directory", path);
      break;
  }
  return {};
}

// -- Collecting a group -----------------------------------------------------------------------------------

std::size_t FileSink::do_work(TimePoint now) {
  std::size_t count = collect(now);
  for (auto stalled = stalled_.begin(); stalled != stalled_.end();) {
    if (now < stalled->retry_at) {
      ++stalled;
      continue;
    }
    stalled = retry(stalled, now);
    ++count;
  }
  if (!group_.empty() && (held_ || group_.full() || draining_ || now >= group_due_)) {
    commit_group(now);
    ++count;
  }
  if (now >= next_sweep_) sweep(now);
  return count;
}

TimePoint FileSink::deadline() const {
  TimePoint at = group_.empty() ? next_sweep_ : std::min(group_due_, next_sweep_);
  for (const Stalled& stalled : stalled_) at = std::min(at, stalled.retry_at);
  return at;
}

std::size_t FileSink::collect(TimePoint now) {
  std::size_t count = 0;
  if (held_ && group_.empty()) {
    place(*held_, now);
    held_.reset();
    ++count;
  }
  Delivery delivery;
  while (can_collect() && context_.inbox.try_pop(delivery)) {
    context_.outcome.taken(delivery);
    if (!place(delivery, now)) held_ = std::move(delivery);
    ++count;
  }
  return count;
}

// False when the group would need more outputs than may be open.
bool FileSink::place(Delivery& delivery, TimePoint now) {
  const bool again = held_ && &delivery == &*held_;
  if (const std::size_t excess = cut(delivery); excess > 0 && !again) {
    context_.metrics.error("too_many_outputs", excess);
    context_.log.limited(
        LogLevel::kWarn, context_.name, "too many outputs",
        "fields give more paths at once than max_open_files allows: events of further values "
        "go where events without these fields go");
  }
  if (!stalled_.empty()) {
    if (const auto known = stalled_cursors_.find(delivery.cursor.get()); known != stalled_cursors_.end()) {
      stall(known->second, std::move(delivery));
      return true;
    }
    for (const Share& share : shares_) {
      const auto known = stalled_paths_.find(share.path);
      if (known == stalled_paths_.end()) continue;
      stall(known->second, std::move(delivery));
      return true;
    }
  }
  if (group_.empty()) group_due_ = now + linger_;
  return assign(group_, delivery);
}

// Into shares_, each with a path of its own. A delivery goes to no more outputs than may be open: events of
// further values go where those go that have none; returns how many these are.
std::size_t FileSink::cut(const Delivery& delivery) {
  shares_.clear();
  if (!split_) {
    render_path(*delivery.batch, {});
    shares_.push_back({path_, delivery.batch});
    return 0;
  }
  const std::size_t excess =
      split_->split(delivery.batch, std::max<std::size_t>(open_max_, 2) - 1, split_parts_);
  for (EventSplit::Part& part : split_parts_) {
    render_path(*part.batch, part.values);
    shares_.push_back({path_, std::move(part.batch)});
  }
  split_parts_.clear();
  return excess;
}

// REQUIRES: it was cut last.
bool FileSink::assign(Group& group, const Delivery& delivery) {
  std::size_t fresh = 0;
  for (const Share& share : shares_) fresh += group.part_of.contains(share.path) ? 0 : 1;
  if (!group.parts.empty() && group.parts.size() + fresh > open_max_) return false;
  for (Share& share : shares_) {
    auto it = group.part_of.find(share.path);
    if (it == group.part_of.end()) {
      it = group.part_of.emplace(share.path, group.parts.size()).first;
      group.parts.push_back({std::move(share.path), {}, 0, nullptr, {}});
    }
    group.parts[it->second].members.push_back({group.deliveries.size(), std::move(share.batch)});
  }
  shares_.clear();
  group.bytes += delivery.batch->bytes;
  group.deliveries.push_back(delivery);
  return true;
}

void FileSink::render_path(const Batch& batch, std::span<const std::optional<std::string>> values) {
  if (!path_.empty() && template_->is_constant()) return;
  path_ = directory_;
  template_->render(batch, context_.host, /*for_path=*/true, path_, values);
  if (!template_->is_constant()) path_ = confine_path(path_, fixed_bytes_);
}

// -- Group commit -----------------------------------------------------------------------------------------

void FileSink::commit_group(TimePoint now) {
  write_group(group_);
  for (Part& part : group_.parts) {
    if (part.error) set_aside(group_, part, now);
  }
  for (Part& part : group_.parts) {
    if (part.output != nullptr) accept(part);
  }
  finish(group_);
  flush();
  group_.clear();
  if (next_sweep_ == kNever) next_sweep_ = now + kSweepInterval;
}

// Writes and syncs each part, or notes its error.
void FileSink::write_group(Group& group) {
  make_room(group);
  for (Part& part : group.parts) {
    auto output = prepare(part.path);
    if (output) {
      part.output = *output;
    } else {
      part.error = std::move(output).error();
    }
  }
  // From here on a crash cuts what is not acknowledged.
  commit_records();
  const auto each = [&](auto&& step) {
    for (Part& part : group.parts) {
      if (part.error) continue;
      if (auto done = step(part); !done) part.error = std::move(done).error();
    }
  };
  each([&](Part& part) { return write(part); });
  each([&](Part& part) { return sync(part); });
}

// Cut back at once, so that no torn line stands in a file for the time of the wait.
void FileSink::roll_back(Part& part) {
  if (part.output == nullptr) return;
  if (auto cut = part.output->rollback(); !cut) {
    context_.log.limited(LogLevel::kError, context_.name, "rollback", cut.error().text());
  }
  part.output = nullptr;
}

// -- Outputs that cannot be written -----------------------------------------------------------------------

// Takes out of the group what `failed` holds up. An output's length and the cursors of its source files move
// in one step, and a cursor cannot pass what is missing: were a later line of the same file acknowledged
// elsewhere, a crash would repeat it there. So the parts that share a file with it, or with one that does,
// fail with it.
void FileSink::set_aside(Group& group, Part& failed_part, TimePoint now) {
  const Error error = std::move(*failed_part.error);
  const auto stalled = stalled_.emplace(stalled_.end(), config_.retry);
  stalled_paths_.emplace(failed_part.path, stalled);

  std::vector<bool> chosen(group.parts.size());
  std::unordered_set<const Cursor*> cursors;
  std::vector<std::size_t> members;
  const auto choose = [&](Part& part) {
    chosen[static_cast<std::size_t>(&part - group.parts.data())] = true;
    for (const Member& member : part.members) {
      cursors.insert(group.deliveries[member.delivery].cursor.get());
      members.push_back(member.delivery);
    }
    roll_back(part);
    part.error.reset();
  };
  choose(failed_part);
  for (bool more = true; more;) {
    more = false;
    for (std::size_t i = 0; i < group.parts.size(); ++i) {
      Part& part = group.parts[i];
      const auto shares = [&](const Member& member) {
        const CursorRef& cursor = group.deliveries[member.delivery].cursor;
        return cursor && cursors.contains(cursor.get());
      };
      if (chosen[i] || std::none_of(part.members.begin(), part.members.end(), shares)) continue;
      choose(part);
      more = true;
    }
  }
  std::sort(members.begin(), members.end());
  members.erase(std::unique(members.begin(), members.end()),
                members.end());  // several outputs of one delivery
  for (const std::size_t member : members) stall(stalled, std::move(group.deliveries[member]));
  failed(*stalled, error, now);
}

void FileSink::stall(StalledAt stalled, Delivery delivery) {
  stalled_cursors_.emplace(delivery.cursor.get(), stalled);
  stalled->deliveries.push_back(std::move(delivery));
  ++stalled_deliveries_;
}

// Returns the next one.
FileSink::StalledAt FileSink::retry(StalledAt stalled, TimePoint now) {
  Group group;
  for (const Delivery& delivery : stalled->deliveries) {
    if (group.full()) break;
    (void)cut(delivery);
    if (!assign(group, delivery)) break;
  }
  write_group(group);
  const auto wrong = std::find_if(group.parts.begin(), group.parts.end(),
                                  [](const Part& part) { return part.error.has_value(); });
  if (wrong != group.parts.end()) {
    for (Part& part : group.parts) roll_back(part);
    failed(*stalled, *wrong->error, now);
    return std::next(stalled);
  }
  const std::size_t count = group.deliveries.size();
  for (Part& part : group.parts) accept(part);
  finish(group);
  flush();
  stalled->deliveries.erase(stalled->deliveries.begin(),
                            stalled->deliveries.begin() + static_cast<std::ptrdiff_t>(count));
  stalled_deliveries_ -= count;
  stalled->backoff.reset();
  stalled->retry_at = {};
  if (!stalled->deliveries.empty()) return std::next(stalled);

  const auto is_its = [&](const auto& entry) { return entry.second == stalled; };
  std::erase_if(stalled_cursors_, is_its);
  std::erase_if(stalled_paths_, is_its);
  const auto next = stalled_.erase(stalled);
  if (stalled_.empty()) {
    context_.health.ok();
    context_.log.info(context_.name, "writing again");
  } else {
    context_.health.degraded(stalled_.front().reason);
  }
  return next;
}

void FileSink::failed(Stalled& stalled, const Error& error, TimePoint now) {
  stalled.reason = error.text();
  context_.metrics.error("write");
  context_.metrics.retries().add();
  context_.health.degraded(stalled.reason);
  context_.log.limited(LogLevel::kError, context_.name, "write",
                       stalled.reason + "; trying again, nothing that goes there is acknowledged");
  stalled.retry_at = now + std::max<Duration>(stalled.backoff.next(), 1ms);
}

// -- One output -------------------------------------------------------------------------------------------

// The open output of a path, its record in states_ where it is not durable yet.
Result<FileOutput*> FileSink::prepare(const std::string& path) {
  if (const auto known = outputs_.find(path); known != outputs_.end()) {
    FileOutput& file = known->second.file;
    if (file.at_path()) {
      touch(known->second);
      if (auto cut = file.rollback(); !cut) return std::move(cut).error();
      auto changed = file.refresh();
      if (!changed) return std::move(changed).error();
      if (*changed) {
        context_.log.limited(LogLevel::kWarn, context_.name, path + " changed",
                             path + ": somebody else truncated it or wrote to it");
        record(path, file.record().encode());
        commit_due_ = true;
      }
      return &file;
    }
    context_.log.debug(context_.name, "{}: rotated away, opening a new file", path);
    if (auto closed = close(path); !closed) return std::move(closed).error();
    flush();  // the new one may get the number of the old one
  }

  if (const auto unsettled = unsettled_.find(path); unsettled != unsettled_.end()) {
    auto settled = settle(path, unsettled->second);
    // A directory that is missing is made below; the file is not in it.
    if (!settled && settled.error().code != Errc::kNotFound) return std::move(settled).error();
    unsettled_.erase(unsettled);
  }
  auto file = FileOutput::open(context_.disk, path);
  if (!file) return std::move(file).error();
  const OutputRecord& found = file->record();
  auto claim = context_.outputs.claim(found.device, found.inode, "sink " + context_.name + " as " + path);
  if (!claim) return Error{claim.error().code, 0, path + ": " + claim.error().message};
  record(path, file->record().encode());
  commit_due_ = true;
  const auto [it, inserted] = outputs_.emplace(
      path, OpenOutput{std::move(*file), std::move(*claim), by_use_.insert(by_use_.end(), path)});
  return &it->second.file;
}

void FileSink::flush() {
  context_.outcome.flush(states_);
  states_.clear();
  closed_.clear();
}

void FileSink::commit_records() {
  if (!std::exchange(commit_due_, false)) return;
  flush();
  if (auto committed = context_.commit_now(); !committed) {
    // Delivery goes on: the store is tried again by its owner. Until then a crash may repeat lines.
    context_.metrics.error("checkpoint");
    context_.log.limited(LogLevel::kError, context_.name, "checkpoint",
                         "lengths of outputs cannot be stored: " + committed.error().text() +
                             "; a crash now would repeat lines");
  }
}

Result<void> FileSink::write(Part& part) {
  FileOutput& output = *part.output;
  part.wire_bytes = 0;
  piece_.clear();
  compressed_.clear();
  pieces_.clear();
  if (compressor_) compressor_->reset();
  static const char newline = '\n';
  Reservation giant(context_.budget);
  for (const Member& member : part.members) {
    const Batch& batch = *member.batch;
    if (encoder_.is_identity(batch)) {
      part.wire_bytes += batch.bytes + (batch.unterminated ? 1 : 0);
      if (compressor_) {
        if (auto written = write_piece(output, batch.text()); !written) return written;
        if (batch.unterminated) {
          if (auto written = write_piece(output, "\n"); !written) return written;
        }
        continue;
      }
      // Straight from the slabs, many batches at a call.
      if (batch.bytes != 0) pieces_.push_back({const_cast<char*>(batch.data), batch.bytes});
      if (batch.unterminated) pieces_.push_back({const_cast<char*>(&newline), 1});
      continue;
    }
    // Raw lines may be mixed with batches whose CRs go: in order, all the same.
    if (!pieces_.empty()) {
      if (auto written = output.append(pieces_); !written) return written;
      pieces_.clear();
    }
    encoder_.begin(batch);
    for (std::size_t i = 0; i < encoder_.events();) {
      const TextRun run = encoder_.run_from(i);
      const bool long_run = run.text.size() >= kRunBytes;
      if (long_run) {
        i += run.events;
      } else if (run.events > 0) {
        piece_ += run.text;
        i += run.events;
      } else {
        if (encoder_.is_giant(i)) {
          // One at a time, and it goes in any case.
          giant.grow(piece_.size() + encoder_.event_bytes(i));
          piece_.reserve(giant.bytes());
        }
        encoder_.append_event(i++, piece_);
      }
      if (!piece_.empty() && (long_run || piece_.size() >= kPieceBytes || i == encoder_.events())) {
        part.wire_bytes += piece_.size();
        if (auto written = write_piece(output, piece_); !written) return written;
        piece_.clear();
      }
      if (!long_run) continue;
      part.wire_bytes += run.text.size();
      if (auto written = write_piece(output, run.text); !written) return written;
    }
  }
  if (giant.bytes() != 0) piece_ = {};
  if (!pieces_.empty()) return output.append(pieces_);
  if (!compressor_) return {};
  // A group commit ends a member, so that a cut at a recorded length leaves whole members.
  compressor_->finish(compressed_);
  iovec rest{compressed_.data(), compressed_.size()};
  return output.append({&rest, 1});
}

Result<void> FileSink::write_piece(FileOutput& output, std::string_view text) {
  if (!compressor_) {
    iovec piece{const_cast<char*>(text.data()), text.size()};
    return output.append({&piece, 1});
  }
  compressor_->append(text, compressed_);
  if (compressed_.size() < kPieceBytes) return {};
  iovec piece{compressed_.data(), compressed_.size()};
  auto written = output.append({&piece, 1});
  compressed_.clear();
  return written;
}

Result<void> FileSink::sync(Part& part) {
  if (auto synced = part.output->sync(); !synced) return synced;
  if (!part.output->unlinked()) return {};
  return Error{Errc::kNotFound, 0, part.path + " was deleted while it was written"};
}

void FileSink::accept(Part& part) {
  std::uint64_t events = 0;
  for (const Member& member : part.members) events += member.batch->events;
  context_.outcome.sent(events, part.wire_bytes);
  part.output->accept();
  record(part.path, part.output->record().encode());
}

// What was not set aside is where it belongs.
void FileSink::finish(Group& group) {
  for (Delivery& delivery : group.deliveries) {
    if (delivery.batch) context_.outcome.finish(std::move(delivery));
  }
}

// -- Open outputs -----------------------------------------------------------------------------------------

// Lets an output go. All of it is acknowledged, so that it needs no record any more; the record goes in the
// same commit as those acknowledgements or in a later one. Where a torn write cannot be cut off both stay.
Result<void> FileSink::close(const std::string& path) {
  const auto it = outputs_.find(path);
  if (it == outputs_.end()) return {};
  if (auto cut = it->second.file.rollback(); !cut) {
    context_.log.limited(LogLevel::kError, context_.name, path + " torn",
                         path + ": a torn write at its end cannot be cut off: " + cut.error().text());
    return cut;
  }
  by_use_.erase(it->second.used);
  closed_.push_back(std::move(it->second.claim));
  outputs_.erase(it);
  record(path, {});
  return {};
}

// Nothing is to be cut at the next start: what others append while the agent is stopped stays.
void FileSink::at_rest() {
  for (const std::string& path : std::vector<std::string>(by_use_.begin(), by_use_.end())) {
    (void)close(path);  // what it cannot cut the next start does
  }
  flush();
}

// Closes the longest unused outputs, so that the group's own can be open.
void FileSink::make_room(const Group& group) {
  std::size_t wanted = 0;
  for (const Part& part : group.parts) {
    const auto it = outputs_.find(part.path);
    if (it == outputs_.end()) {
      ++wanted;
    } else {
      touch(it->second);
    }
  }
  for (auto path = by_use_.begin(); path != by_use_.end() && outputs_.size() + wanted > open_max_;) {
    (void)close(std::string(*path++));  // one that cannot be closed stays, beyond what may be open
  }
}

void FileSink::sweep(TimePoint now) {
  next_sweep_ = kNever;
  std::vector<std::string> rotated;
  for (const auto& [path, output] : outputs_) {
    if (!output.file.at_path()) rotated.push_back(path);
  }
  for (const std::string& path : rotated) (void)close(path);  // if not now, then at the next look
  settle_all();
  if (!outputs_.empty() || !unsettled_.empty()) next_sweep_ = now + kSweepInterval;
}

}  // namespace

std::unique_ptr<Sink> make_file_sink(FileSinkConfig config, SinkContext context) {
  return std::make_unique<FileSink>(std::move(config), std::move(context));
}

}  // namespace logflume
