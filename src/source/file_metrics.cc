#include "source/file_metrics.h"

namespace logflume {

FileMetrics::FileMetrics(SourceContext& context)
    : context_(context),
      bytes_gauge_(context.metrics.registry.gauge("logflume_source_lag_bytes",
                                                  "Bytes in the files that were not read yet.",
                                                  {{"component", context.name}})),
      seconds_gauge_(context.metrics.registry.gauge(
          "logflume_source_lag_seconds", "Since when the file that is most behind was not read to its end.",
          {{"component", context.name}})),
      files_gauge_(context.metrics.registry.gauge("logflume_source_files", "Files known.",
                                                  {{"component", context.name}})),
      waiting_gauge_(context.metrics.registry.gauge(
          "logflume_source_files_waiting", "Files that are not read since there is no memory to know them.",
          {{"component", context.name}})),
      open_gauge_(context.metrics.registry.gauge("logflume_source_files_open", "Files open.",
                                                 {{"component", context.name}})),
      watched_gauge_(context.metrics.registry.gauge("logflume_source_directories_watched",
                                                    "Directories watched by inotify.",
                                                    {{"component", context.name}})),
      polled_gauge_(context.metrics.registry.gauge("logflume_source_directories_polled",
                                                   "Directories that are only looked at by rescans.",
                                                   {{"component", context.name}})) {
  outlets_changed();
}

void FileMetrics::outlets_changed() {
  for (const SinkLag& gone : sinks_) {
    gone.bytes->set(0);
    gone.seconds->set(0);
  }
  sinks_.clear();
  MetricRegistry& registry = context_.metrics.registry;
  for (const Outlet& outlet : context_.outlets) {
    const Labels labels{{"component", outlet.sink}, {"source", context_.name}};
    Gauge& bytes = registry.gauge("logflume_sink_lag_bytes",
                                  "Bytes in the files of a source that this sink was not fed yet.", labels);
    Gauge& seconds = registry.gauge("logflume_sink_lag_seconds",
                                    "For how long this sink has not been fed all that a source has.", labels);
    sinks_.push_back({0, {}, &bytes, &seconds});
  }
}

void FileMetrics::lost_bytes(std::string_view reason, std::uint64_t bytes) {
  context_.metrics.registry
      .counter("logflume_lost_bytes_total", "Bytes of files that vanished before they were delivered.",
               {{"component", context_.name}, {"reason", std::string(reason)}})
      .add(bytes);
}

void FileMetrics::skipped_bytes(std::string_view reason, std::uint64_t bytes) {
  context_.metrics.registry
      .counter("logflume_skipped_bytes_total", "Bytes of files that are no events.",
               {{"component", context_.name}, {"reason", std::string(reason)}})
      .add(bytes);
}

void FileMetrics::begin_lag(TimePoint now) {
  now_ = now;
  lag_bytes_ = 0;
  lag_seconds_ = 0;
  for (SinkLag& sink : sinks_) sink.sum = 0;
}

void FileMetrics::add_lag(const TailedFile& file) {
  const LogContent& content = *file.content;
  const std::uint64_t fed = content.fed_max();
  if (file.size_known > fed) {
    lag_bytes_ += file.size_known - fed;
    const TimePoint since = std::max(file.caught_up_at, TimePoint{});
    if (since != TimePoint{}) {
      lag_seconds_ = std::max(lag_seconds_, std::chrono::duration<double>(now_ - since).count());
    }
  }
  for (std::size_t i = 0; i < sinks_.size(); ++i) {
    const std::uint64_t own = content.cursors[i]->fed_offset;
    if (file.size_known > own) sinks_[i].sum += file.size_known - own;
  }
}

void FileMetrics::end_lag(std::size_t files, std::size_t waiting, std::size_t open, std::uint64_t watched,
                          std::uint64_t polled) {
  bytes_gauge_.set(static_cast<double>(lag_bytes_));
  seconds_gauge_.set(lag_seconds_);
  files_gauge_.set(static_cast<double>(files));
  waiting_gauge_.set(static_cast<double>(waiting));
  open_gauge_.set(static_cast<double>(open));
  watched_gauge_.set(static_cast<double>(watched));
  polled_gauge_.set(static_cast<double>(polled));
  for (SinkLag& sink : sinks_) {
    if (sink.sum == 0) {
      sink.since = {};
    } else if (sink.since == TimePoint{}) {
      sink.since = now_;
    }
    sink.bytes->set(static_cast<double>(sink.sum));
    sink.seconds->set(sink.sum == 0 ? 0 : std::chrono::duration<double>(now_ - sink.since).count());
  }
}

}  // namespace logflume
