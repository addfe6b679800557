#include "sink/file_sink.h"

#include <filesystem>
#include <list>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sink/backoff.h"
#include "sink/compress.h"
#include "sink/encode.h"
#include "sink/file_output.h"
#include "sink/template.h"

namespace logflume {
namespace {

// A group commit takes at most this much: beyond it a sync costs little for each byte.
constexpr std::size_t kGroupBytes = 8 * 1024 * 1024;
constexpr std::size_t kGroupDeliveries = 4096;
// Encoded and compressed text is written in pieces of about this size.
constexpr std::size_t kPieceBytes = 256 * 1024;
// How often outputs without traffic are looked at: a rotated one is let go, so that its space can be freed.
constexpr Duration kSweepInterval = 30s;

class FileSink final : public Sink {
 public:
  FileSink(FileSinkConfig config, SinkContext context)
      : config_(std::move(config)),
        context_(std::move(context)),
        encoder_(config_.encoding, context_.host, config_.labels),
        compressor_(Compressor::make(config_.compression)),
        backoff_(config_.retry),
        linger_(config_.batch.linger.value_or(Duration::zero())),
        open_max_(std::max<std::size_t>(config_.max_open_files, 1)) {}

  Result<void> open() override;
  std::size_t do_work(TimePoint now) override;
  bool has_input() const override { return can_collect() && !context_.inbox.empty(); }
  TimePoint deadline() const override;
  void drain() override { draining_ = true; }
  bool drained() const override { return group_.empty() && !held_; }
  void at_rest() override;

 private:
  struct OpenOutput {
    FileOutput file;
    OutputRegistry::Claim claim;
    std::list<std::string>::iterator used;  // its place in by_use_
  };

  // The deliveries of a group that go to one output.
  struct Part {
    std::string path;
    std::vector<Delivery> deliveries;
    std::uint64_t wire_bytes = 0;  // encoded, before compression
    FileOutput* output = nullptr;  // where it goes in this attempt
  };

  bool can_collect() const {
    return group_.empty() || (retry_at_ == TimePoint{} && !held_ && group_bytes_ < kGroupBytes &&
                              group_deliveries_ < kGroupDeliveries);
  }
  std::size_t collect(TimePoint now);
  bool assign(Delivery& delivery);
  std::string_view output_path(const Batch& batch);

  void commit_group(TimePoint now);
  Result<void> write_group();
  Result<FileOutput*> prepare(const std::string& path);
  Result<void> write(Part& part);
  Result<void> write_piece(FileOutput& output, std::string_view text);
  void acknowledge(Part& part);
  void failed(const Error& error);

  void settle_all();
  Result<void> settle(const std::string& path, const OutputRecord& record);
  void touch(OpenOutput& output) { by_use_.splice(by_use_.end(), by_use_, output.used); }
  void close(const std::string& path);
  void make_room();
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
  Backoff backoff_;
  const Duration linger_;
  const std::size_t open_max_;
  std::optional<Template> template_;
  std::string directory_;  // where a relative path begins, with a slash; else empty
  std::size_t fixed_bytes_ = 0;
  std::string path_;  // of the latest batch, or of all when constant

  std::unordered_map<std::string, OpenOutput> outputs_;  // by path
  std::list<std::string> by_use_;                        // their paths, the longest unused first
  // Of files that could not be cut at the start; nothing is appended to their paths before.
  std::unordered_map<std::string, OutputRecord> unsettled_;
  std::vector<SinkStateRecord> states_;  // to be flushed next
  bool commit_due_ = false;              // before anything is written
  // Of files that were closed: whoever writes them next must find the end of their records flushed.
  std::vector<OutputRegistry::Claim> closed_;

  std::vector<Part> group_;
  std::unordered_map<std::string, std::size_t> part_of_;  // path -> index in group_
  std::size_t group_bytes_ = 0;
  std::size_t group_deliveries_ = 0;
  TimePoint group_due_{};
  std::optional<Delivery> held_;  // does not fit into the group
  TimePoint retry_at_{};
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
  if (!unsettled_.empty() || !outputs_.empty()) next_sweep_ = steady_now() + kSweepInterval;
}

Result<void> FileSink::settle(const std::string& path, const OutputRecord& record) {
  auto claim = context_.outputs.claim(record.device, record.inode, "sink " + context_.name + " as " + path);
  if (!claim) {
    context_.log.warn(context_.name, "{}: not cut back to {} bytes: {}", path, record.length,
                      claim.error().message);
    return {};
  }
  std::uint64_t cut_bytes = 0;
  auto cut = cut_to_record(path, record, cut_bytes);
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
  if (now < retry_at_) return 0;
  std::size_t count = retry_at_ == TimePoint{} ? collect(now) : 0;
  const bool full = held_ || group_bytes_ >= kGroupBytes || group_deliveries_ >= kGroupDeliveries;
  if (!group_.empty() && (full || draining_ || retry_at_ != TimePoint{} || now >= group_due_)) {
    commit_group(now);
    ++count;
  }
  if (now >= next_sweep_) sweep(now);
  return count;
}

TimePoint FileSink::deadline() const {
  if (group_.empty()) return next_sweep_;
  return std::min(retry_at_ == TimePoint{} ? group_due_ : retry_at_, next_sweep_);
}

std::size_t FileSink::collect(TimePoint now) {
  std::size_t count = 0;
  if (held_ && group_.empty()) {
    assign(*held_);
    held_.reset();
    group_due_ = now + linger_;
    ++count;
  }
  Delivery delivery;
  while (can_collect() && context_.inbox.try_pop(delivery)) {
    context_.outcome.taken(delivery);
    if (group_.empty()) group_due_ = now + linger_;
    if (!assign(delivery)) held_ = std::move(delivery);
    ++count;
  }
  return count;
}

// False, leaving `delivery`, when the group would need more outputs than may be open.
bool FileSink::assign(Delivery& delivery) {
  const std::string_view path = output_path(*delivery.batch);
  auto it = part_of_.find(path_);
  if (it == part_of_.end()) {
    if (group_.size() >= open_max_) return false;
    it = part_of_.emplace(path, group_.size()).first;
    group_.push_back({std::string(path), {}, 0, nullptr});
  }
  group_bytes_ += delivery.batch->bytes;
  ++group_deliveries_;
  group_[it->second].deliveries.push_back(std::move(delivery));
  return true;
}

std::string_view FileSink::output_path(const Batch& batch) {
  if (!path_.empty() && template_->is_constant()) return path_;
  path_ = directory_;
  template_->render(batch, context_.host, /*for_path=*/true, path_);
  if (!template_->is_constant()) path_ = confine_path(path_, fixed_bytes_);
  return path_;
}

// -- Group commit -----------------------------------------------------------------------------------------

// All or nothing: the outputs' lengths and the cursors of the source files move in one step. Were some
// outputs acknowledged without the others, a crash could repeat their lines, for a cursor cannot pass what is
// missing.
void FileSink::commit_group(TimePoint now) {
  if (auto written = write_group(); !written) {
    // Cut back at once, so that no torn line stands in a file for the time of the wait.
    for (Part& part : group_) {
      const auto output = outputs_.find(part.path);
      if (output == outputs_.end()) continue;
      if (auto cut = output->second.file.rollback(); !cut) {
        context_.log.limited(LogLevel::kError, context_.name, "rollback", cut.error().text());
      }
    }
    failed(written.error());
    return;
  }
  for (Part& part : group_) acknowledge(part);
  flush();

  group_.clear();
  part_of_.clear();
  group_bytes_ = group_deliveries_ = 0;
  retry_at_ = {};
  if (backoff_.failures() != 0) {
    backoff_.reset();
    context_.health.ok();
    context_.log.info(context_.name, "writing again");
  }
  if (next_sweep_ == kNever) next_sweep_ = now + kSweepInterval;
}

Result<void> FileSink::write_group() {
  make_room();
  std::optional<Error> error;
  for (Part& part : group_) {
    auto output = prepare(part.path);
    if (!output) {
      error = std::move(output).error();
      break;
    }
    part.output = *output;
  }
  // From here on a crash cuts what is not acknowledged.
  commit_records();
  if (error) return std::move(*error);

  for (Part& part : group_) {
    if (auto written = write(part); !written) return written;
  }
  for (Part& part : group_) {
    if (auto synced = part.output->sync(); !synced) return synced;
    if (part.output->unlinked()) {
      return Error{Errc::kNotFound, 0, part.path + " was deleted while it was written"};
    }
  }
  return {};
}

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
    close(path);
    flush();  // the new one may get the number of the old one
  }

  if (const auto unsettled = unsettled_.find(path); unsettled != unsettled_.end()) {
    auto settled = settle(path, unsettled->second);
    // A directory that is missing is made below; the file is not in it.
    if (!settled && settled.error().code != Errc::kNotFound) return std::move(settled).error();
    unsettled_.erase(unsettled);
  }
  auto file = FileOutput::open(path);
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
  for (const Delivery& delivery : part.deliveries) {
    const Batch& batch = *delivery.batch;
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
    for (std::size_t i = 0; i < encoder_.events(); ++i) {
      encoder_.append_event(i, piece_);
      if (piece_.size() < kPieceBytes && i + 1 < encoder_.events()) continue;
      part.wire_bytes += piece_.size();
      if (auto written = write_piece(output, piece_); !written) return written;
      piece_.clear();
    }
  }
  if (piece_.capacity() > 4 * kPieceBytes) piece_ = {};  // after a giant line
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

void FileSink::acknowledge(Part& part) {
  std::uint64_t events = 0;
  for (Delivery& delivery : part.deliveries) {
    events += delivery.batch->events;
    context_.outcome.finish(std::move(delivery));
  }
  context_.outcome.sent(events, part.wire_bytes);
  part.output->accept();
  record(part.path, part.output->record().encode());
}

void FileSink::failed(const Error& error) {
  const std::string reason = error.text();
  context_.metrics.error("write");
  context_.metrics.registry
      .counter("logflume_component_retries_total", "Attempts that were repeated.",
               {{"component", context_.name}})
      .add();
  context_.health.degraded(reason);
  context_.log.limited(LogLevel::kError, context_.name, "write",
                       reason + "; trying again, nothing is acknowledged");
  retry_at_ = steady_now() + std::max<Duration>(backoff_.next(), 1ms);
}

// -- Open outputs -----------------------------------------------------------------------------------------

// Lets an output go. All of it is acknowledged, so that it needs no record any more; the record goes in the
// same commit as those acknowledgements or in a later one.
void FileSink::close(const std::string& path) {
  const auto it = outputs_.find(path);
  if (it == outputs_.end()) return;
  if (auto cut = it->second.file.rollback(); !cut) {
    context_.log.error(context_.name, "{}: a torn write at its end cannot be cut off: {}", path,
                       cut.error().text());
  }
  by_use_.erase(it->second.used);
  closed_.push_back(std::move(it->second.claim));
  outputs_.erase(it);
  record(path, {});
}

// Nothing is to be cut at the next start: what others append while the agent is stopped stays.
void FileSink::at_rest() {
  while (!outputs_.empty()) close(std::string(by_use_.front()));
  flush();
}

// Closes the longest unused outputs, so that the group's own can be open.
void FileSink::make_room() {
  std::size_t wanted = 0;
  for (const Part& part : group_) {
    const auto it = outputs_.find(part.path);
    if (it == outputs_.end()) {
      ++wanted;
    } else {
      touch(it->second);
    }
  }
  while (outputs_.size() + wanted > open_max_ && !outputs_.empty()) close(std::string(by_use_.front()));
}

void FileSink::sweep(TimePoint now) {
  next_sweep_ = kNever;
  std::vector<std::string> rotated;
  for (const auto& [path, output] : outputs_) {
    if (!output.file.at_path()) rotated.push_back(path);
  }
  for (const std::string& path : rotated) close(path);
  settle_all();
  if (!outputs_.empty() || !unsettled_.empty()) next_sweep_ = now + kSweepInterval;
}

}  // namespace

std::unique_ptr<Sink> make_file_sink(FileSinkConfig config, SinkContext context) {
  return std::make_unique<FileSink>(std::move(config), std::move(context));
}

}  // namespace logflume
