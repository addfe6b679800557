#include "topology/source_unit.h"

#include <fmt/format.h>

#include <condition_variable>
#include <mutex>

#include "topology/components.h"

namespace logflume {

SourceUnit::SourceUnit(std::string name, const AnySourceConfig& config, std::shared_ptr<EventLoop> loop,
                       Shared& shared)
    : name_(std::move(name)),
      config_(config),
      shared_(shared),
      loop_(std::move(loop)),
      metrics_(shared.services.metrics, name_),
      health_(shared.services.health, name_, "source", std::string(type_name(config_))) {}

SourceUnit::~SourceUnit() {
  if (source_) release();
}

Result<void> SourceUnit::open(Start start) {
  source_ = make_source(
      config_,
      SourceContext{
          .name = name_,
          .outlets = std::move(start.outlets),
          .metrics = metrics_,
          .health = health_,
          .log = shared_.services.log,
          .loop = *loop_,
          .slabs = shared_.slabs,
          .files = shared_.files,
          .files_beside_bytes = start.limits.files_beside_bytes,
          .files_changed = [&shared = shared_] { shared.files_changed(); },
          .global_rate = shared_.global_rate,
          .max_open_files = start.limits.open,
          .max_held_files = start.limits.held,
          .next_file_id = [&store = shared_.services.store] { return store.next_file_id(); },
          .mark_dirty = [&checkpointer = shared_.services.checkpointer] { checkpointer.mark_dirty(); },
          .checkpoint = start.stored,
          .until_eof = start.until_eof,
          .journal = shared_.services.journal,
          .passage = std::move(start.passage),
          .read_helpers = shared_.read_helpers.threads() > 0 ? &shared_.read_helpers : nullptr,
          .legacy = start.legacy,
      });
  Result<void> opened;
  loop_->call([&] { opened = source_->open(); });
  if (!opened) {
    Error error = opened.error();
    error.message = fmt::format("source {}: {}", name_, error.message);
    return error;
  }
  records_ = shared_.services.checkpointer.add_source(
      [source = source_.get()](CheckpointChanges& changes) { source->collect(changes); });
  return {};
}

void SourceUnit::run() {
  runs_ = true;
  loop_->call([this] { loop_->add(*source_); });
}

namespace {

// A source whose thread waits for a disk is not waited for.
constexpr Duration kAuditPatience = 2s;

struct Question {
  std::mutex mutex;
  std::condition_variable answered;
  bool over = false;  // answered, or given up
  std::vector<FileRecord> files;
  std::vector<InFlight> found;
};

bool ask(EventLoop& loop, const Source& source, std::span<const FileRecord> files,
         std::vector<InFlight>& found) {
  const auto question = std::make_shared<Question>();
  question->files.assign(files.begin(), files.end());
  std::unique_lock lock(question->mutex);
  loop.post([question, &source] {
    const std::lock_guard own(question->mutex);
    if (question->over) return;
    source.in_flight(question->files, question->found);
    question->over = true;
    question->answered.notify_all();
  });
  const bool answered =
      question->answered.wait_until(lock, steady_now() + kAuditPatience, [&] { return question->over; });
  question->over = true;
  found.insert(found.end(), question->found.begin(), question->found.end());
  return answered;
}

}  // namespace

void SourceUnit::answer_audits() {
  if (shared_.services.in_flight == nullptr) return;
  shared_.services.in_flight->add(name_,
                                  [this](std::span<const FileRecord> files, std::vector<InFlight>& found) {
                                    return ask(*loop_, *source_, files, found);
                                  });
}

void SourceUnit::hide_from_audits() {
  if (shared_.services.in_flight != nullptr) shared_.services.in_flight->remove(name_);
}

void SourceUnit::pause(const std::string& sink) {
  loop_->call([&] { source_->pause(sink); });
}

void SourceUnit::change(Ways ways, const CheckpointContent& stored) {
  loop_->call([&] {
    source_->set_passage(std::move(ways.passage));
    for (Outlet& outlet : ways.come) source_->connect(std::move(outlet), stored);
    for (const std::string& sink : ways.go) source_->disconnect(sink);
  });
}

void SourceUnit::set_limits(FileLimits limits) {
  loop_->call([&] { source_->set_limits(limits.open, limits.held); });
}

SourceLegacy SourceUnit::end() {
  hide_from_audits();
  SourceLegacy legacy;
  if (records_ != 0) loop_->call([&] { legacy = source_->hand_over(); });
  release();
  return legacy;
}

void SourceUnit::release() {
  hide_from_audits();
  if (records_ != 0) shared_.services.checkpointer.remove_source(std::exchange(records_, 0));
  loop_->call([this] {
    loop_->remove(*source_);
    source_.reset();
  });
}

}  // namespace logflume
