// What a file source shows beyond the counters of every component.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "source/source.h"
#include "source/tailed_file.h"

namespace logflume {

// Threads: the source's writes, the page's reads.
class FileMetrics {
 public:
  explicit FileMetrics(SourceContext& context);

  // Sinks came or went.
  void outlets_changed();

  // Bytes of a file that no sink will ever get, by reason.
  void lost_bytes(std::string_view reason, std::uint64_t bytes);
  // Bytes that are no events (NUL bytes left by a truncation).
  void skipped_bytes(std::string_view reason, std::uint64_t bytes);

  // Between begin_lag() and end_lag(): each file that is not known to be read to its end.
  void begin_lag(TimePoint now);
  void add_lag(const TailedFile& file);
  void end_lag(std::size_t files, std::size_t waiting, std::size_t open, std::uint64_t watched,
               std::uint64_t polled);
  bool lagging() const { return lag_bytes_ > 0; }
  std::uint64_t lag_bytes() const { return static_cast<std::uint64_t>(bytes_gauge_.value()); }  // any thread

 private:
  struct SinkLag {
    std::uint64_t sum = 0;
    TimePoint since{};  // when it was found behind; not set: it is not
    Gauge* bytes = nullptr;
    Gauge* seconds = nullptr;
  };
  SourceContext& context_;
  TimePoint now_{};
  std::uint64_t lag_bytes_ = 0;
  double lag_seconds_ = 0;
  std::vector<SinkLag> sinks_;
  Gauge& bytes_gauge_;
  Gauge& seconds_gauge_;
  Gauge& files_gauge_;
  Gauge& waiting_gauge_;
  Gauge& open_gauge_;
  Gauge& watched_gauge_;
  Gauge& polled_gauge_;
};

}  // namespace logflume
