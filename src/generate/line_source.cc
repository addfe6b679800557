#include "generate/line_source.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <cstring>
#include <utility>

#include "generate/line_draft.h"

namespace logflume {
namespace {

// So many that a compressor's window does not hold them all, so few that they stay in L2.
constexpr std::size_t kTemplates = 2048;
constexpr std::size_t kTextBytes = 64 * 1024 * 1024;  // fewer, when lines are that long
constexpr std::int64_t kNsPerMs = 1'000'000;

}  // namespace

Result<std::shared_ptr<const LineTemplates>> LineTemplates::make(LineFormat format, std::size_t stream_size,
                                                                 std::size_t line_bytes, std::uint64_t seed) {
  std::shared_ptr<LineTemplates> made(new LineTemplates);
  made->stream_size_ = stream_size;
  DraftWriter writer(format, blank_mark(stream_size), line_bytes != 0, seed);
  std::vector<LineDraft> event;
  while (made->lines_.size() < kTemplates && made->text_.size() < kTextBytes) {
    event.clear();
    writer.next_event(event);
    bool first = true;
    for (LineDraft& draft : event) {
      if (line_bytes != 0 && !draft.fit(line_bytes - 1, writer.random())) {
        return Error{Errc::kInvalidArgument, 0,
                     fmt::format("lines of {} bytes are too short for this format: at least {} are needed",
                                 line_bytes, draft.text.size() + 1)};
      }
      made->lines_.push_back({static_cast<std::uint32_t>(made->text_.size()),
                              static_cast<std::uint32_t>(draft.text.size() + 1),
                              static_cast<std::uint32_t>(draft.time_at),
                              static_cast<std::uint32_t>(draft.mark_at), draft.time, first});
      made->longest_ = std::max(made->longest_, draft.text.size() + 1);
      made->text_.append(draft.text).append("\n");
      first = false;
    }
  }
  return std::shared_ptr<const LineTemplates>(std::move(made));
}

LineSource::LineSource(std::shared_ptr<const LineTemplates> templates, std::string stream,
                       std::uint64_t offset)
    : templates_(std::move(templates)), stream_(std::move(stream)) {
  sequence_.fill('0');
  index_ = offset % templates_->lines().size();
  while (!current().starts_event) index_ = (index_ + 1) % templates_->lines().size();
  set_time(0);
}

void LineSource::set_time(std::int64_t wall_ns) {
  const std::int64_t ms = wall_ns / kNsPerMs;
  if (ms == time_ms_) return;
  const std::int64_t second = ms / 1000;
  const auto fraction = static_cast<int>(ms % 1000);
  const auto style = [this](TimeStyle which) -> std::string& {
    return times_[static_cast<std::size_t>(which)];
  };
  if (time_ms_ < 0 || second != time_ms_ / 1000) {
    const std::tm utc = fmt::gmtime(static_cast<std::time_t>(second));
    style(TimeStyle::kNginx) = fmt::format("{:%d/%b/%Y:%H:%M:%S} +0000", utc);
    style(TimeStyle::kIso) = fmt::format("{:%Y-%m-%dT%H:%M:%S}.000Z", utc);
    style(TimeStyle::kJava) = fmt::format("{:%Y-%m-%d %H:%M:%S},000", utc);
    style(TimeStyle::kSyslog5424) = fmt::format("{:%Y-%m-%dT%H:%M:%S}.000000Z", utc);
    style(TimeStyle::kSyslog3164) = fmt::format("{:%b %e %H:%M:%S}", utc);
  }
  const std::string digits = fmt::format("{:03}", fraction);
  for (const TimeStyle with_fraction : {TimeStyle::kIso, TimeStyle::kJava, TimeStyle::kSyslog5424}) {
    std::memcpy(style(with_fraction).data() + 20, digits.data(), digits.size());
  }
  time_ms_ = ms;
}

std::size_t LineSource::next(char* out) {
  const LineTemplates::Line& line = current();
  std::memcpy(out, templates_->text(line), line.size);
  if (line.time != TimeStyle::kNone) {
    const std::string& time = times_[static_cast<std::size_t>(line.time)];
    std::memcpy(out + line.time_at, time.data(), time.size());
  }
  // The number is counted in decimal: cheaper than to print it each time.
  for (std::size_t digit = sequence_.size(); digit-- > 0;) {
    if (++sequence_[digit] <= '9') break;
    sequence_[digit] = '0';
  }
  ++made_;
  char* const mark = out + line.mark_at;
  std::memcpy(mark + mark_stream_offset(), stream_.data(), stream_.size());
  std::memcpy(mark + mark_sequence_offset(stream_.size()), sequence_.data(), sequence_.size());
  seal_line({out, line.size - 1}, line.mark_at + mark_checksum_offset(stream_.size()));
  if (++index_ == templates_->lines().size()) index_ = 0;
  return line.size;
}

}  // namespace logflume
