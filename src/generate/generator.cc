#include "generate/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "base/units.h"

namespace logflume {
namespace {

constexpr std::size_t kBufferBytes = 256 * 1024;
constexpr Duration kTick = 1ms;
// A writer that was held up does not pay back more than this at once.
constexpr Duration kDebtMax = 1s;

// One output: what it has still to write, and when.
class Stream {
 public:
  Stream(const GenerateOptions& options, std::shared_ptr<const LineTemplates> templates, std::size_t index)
      : options_(options),
        file_(options.outputs[index], options.rotation, options.keep),
        source_(std::move(templates), options.streams[index], options.seed + index * 7919) {}

  Result<void> open() { return file_.open(); }

  bool done() const { return source_.made() >= options_.lines || written_ >= options_.bytes; }
  std::uint64_t bytes() const { return written_; }
  double progress() const {
    const double by_lines = static_cast<double>(source_.made()) / static_cast<double>(options_.lines);
    return std::max(by_lines, static_cast<double>(written_) / static_cast<double>(options_.bytes));
  }

  // Writes what is due at `now`, at most one buffer.
  Result<void> append(TimePoint now, std::vector<char>& buffer) {
    if (options_.rate) {
      earn(now);
      if (credit_ < 1 && tail_.empty()) return {};
    }
    std::size_t size = tail_.copy(buffer.data(), tail_.size());
    const std::size_t held = size;
    tail_.clear();
    source_.set_time(wall_now_ns());
    bool rotate = false;
    while (!done() && !rotate && (!options_.rate || credit_ >= 1) &&
           size + source_.next_size() <= buffer.size()) {
      const std::size_t line = source_.next(buffer.data() + size);
      size += line;
      written_ += line;
      since_rotation_ += options_.rotate_every.in_bytes ? line : 1;
      if (options_.rate) credit_ -= options_.rate->in_bytes ? static_cast<double>(line) : 1.0;
      // An event of several lines stays in one file.
      rotate = options_.rotation != Rotation::kNone && since_rotation_ >= options_.rotate_every.count &&
               source_.next_starts_event();
    }
    std::size_t whole = size;
    if (options_.split_writes && !rotate && size > held + 1) {
      whole = held + (size - held) / 2;
      tail_.assign(buffer.data() + whole, size - whole);
    }
    if (Result<void> wrote = file_.write({buffer.data(), whole}); !wrote) return wrote;
    if (rotate) {
      since_rotation_ = 0;
      return file_.rotate();
    }
    return {};
  }

  Result<void> finish() {
    if (Result<void> wrote = file_.write(tail_); !wrote) return wrote;
    tail_.clear();
    return file_.finish();
  }

  StreamSummary summary() const {
    return {source_.stream(), file_.path(), source_.made(), written_, file_.rotations()};
  }

 private:
  void earn(TimePoint now) {
    const double rate = static_cast<double>(options_.rate->count);
    if (last_ == TimePoint{}) last_ = now;
    const Duration passed = std::min<Duration>(now - last_, kDebtMax);
    last_ = now;
    credit_ += rate * std::chrono::duration<double>(passed).count();
    credit_ = std::min(credit_, rate * std::chrono::duration<double>(kDebtMax).count() + 1);
  }

  const GenerateOptions& options_;
  RotatedFile file_;
  LineSource source_;
  std::uint64_t written_ = 0;
  std::uint64_t since_rotation_ = 0;
  double credit_ = 1;  // in the unit of the rate; may go below 0 by one line
  TimePoint last_{};
  std::string tail_;  // held back by split_writes
};

}  // namespace

Result<Amount> parse_amount(std::string_view text) {
  const std::string_view whole = text;
  if (text.ends_with("/s")) text.remove_suffix(2);
  const bool digits_only = !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
  const Result<std::uint64_t> count = parse_bytes(text);
  if (!count || *count == 0) {
    return Error{Errc::kInvalidArgument, 0,
                 fmt::format("\"{}\" is no amount: expected lines, as in 1000, or bytes, as in 10MB", whole)};
  }
  return Amount{*count, !digits_only};
}

Result<std::vector<StreamSummary>> generate(const GenerateOptions& options, const GenerateCalls& calls) {
  auto templates =
      LineTemplates::make(options.format, options.streams.front().size(), options.line_bytes, options.seed);
  if (!templates) return std::move(templates).error();
  std::vector<Stream> streams;
  streams.reserve(options.outputs.size());
  for (std::size_t i = 0; i < options.outputs.size(); ++i) streams.emplace_back(options, *templates, i);
  for (Stream& stream : streams) {
    if (Result<void> opened = stream.open(); !opened) return std::move(opened).error();
  }

  std::vector<char> buffer(std::max(kBufferBytes, 4 * (*templates)->longest()));
  const TimePoint begin = steady_now();
  TimePoint tick = begin;
  for (;;) {
    const TimePoint now = steady_now();
    const bool out_of_time = options.duration && now - begin >= *options.duration;
    if (out_of_time || calls.stop_requested()) break;
    bool all_done = true;
    std::uint64_t total = 0;
    double progress = 0;
    for (Stream& stream : streams) {
      if (!stream.done()) {
        if (Result<void> appended = stream.append(now, buffer); !appended) return std::move(appended).error();
      }
      all_done = all_done && stream.done();
      total += stream.bytes();
      progress += stream.progress() / static_cast<double>(streams.size());
    }
    if (options.duration) {
      progress = std::max(progress, std::chrono::duration<double>(now - begin) / *options.duration);
    }
    const bool bounded = options.duration || options.lines != UINT64_MAX || options.bytes != UINT64_MAX;
    calls.progress(total, bounded ? std::optional(progress) : std::nullopt);
    if (all_done) break;
    if (options.rate) {
      tick = std::max(tick + kTick, now);
      std::this_thread::sleep_until(tick);
    }
  }

  std::vector<StreamSummary> summaries;
  for (Stream& stream : streams) {
    if (Result<void> done = stream.finish(); !done) return std::move(done).error();
    summaries.push_back(stream.summary());
  }
  return summaries;
}

}  // namespace logflume
