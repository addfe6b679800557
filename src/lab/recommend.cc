#include "lab/recommend.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <utility>

#include "base/units.h"
#include "lab/compare.h"
#include "sink/compress.h"

namespace logflume {
namespace {

constexpr double kAssumedLink = 125e6;
constexpr double kWorthIt = 1.05;
constexpr std::size_t kOtherFiles = 100;  // descriptors that are not log files

std::string rate_text(double rate) { return lab_value_text(rate, LabUnit::kBytesPerSecond); }

class Recommender {
 public:
  Recommender(const TuneFindings& findings, double link, Config& config)
      : findings_(findings),
        link_(link > 0 ? link : kAssumedLink),
        link_given_(link > 0),
        config_(config),
        source_(std::get<FileSourceConfig>(config.sources.begin()->second)),
        source_key_("sources." + config.sources.begin()->first + "."),
        sink_key_("sinks." + config.sinks.begin()->first + ".") {}

  TuneAdvice advise() {
    read_mode();
    lines();
    open_files();
    std::visit([this](auto& sink) { compression(sink); }, config_.sinks.begin()->second);
    growth();
    return std::move(advice_);
  }

 private:
  void change(const std::string& key, std::string value, std::string why, std::optional<double> gain = {}) {
    advice_.changes.push_back({.key = key, .value = std::move(value), .why = std::move(why), .gain = gain});
  }
  void remark(std::string text) { advice_.remarks.push_back(std::move(text)); }

  const ReadFigure* read(ReadMode mode) const {
    const auto found = std::ranges::find(findings_.reads, mode, &ReadFigure::mode);
    return found == findings_.reads.end() || !found->error.empty() ? nullptr : &*found;
  }

  // `auto` is pread. Another one must be better for one kind of reading beyond the spread, and not worse for
  // the other.
  void read_mode() {
    const ReadFigure* const pread = read(ReadMode::kPread);
    if (pread == nullptr) return;
    const ReadFigure* best = nullptr;
    double most = kWorthIt;
    std::string others;
    for (const ReadMode mode : {ReadMode::kMmap, ReadMode::kIoUring}) {
      const ReadFigure* const other = read(mode);
      if (other == nullptr) continue;
      const double warm = times(other->warm, pread->warm).value_or(1);
      const double cold = times(other->cold, pread->cold).value_or(1);
      if (std::min(warm, cold) >= 1 && std::max(warm, cold) > most) {
        most = std::max(warm, cold);
        best = other;
      }
      for (const auto& [ratio, when] : {std::pair{warm, "warm"}, std::pair{cold, "cold"}}) {
        if (ratio * kWorthIt < 1) {
          others += fmt::format("{}{:.0f} % faster than {}, {}", others.empty() ? "" : "; ",
                                (1 / ratio - 1) * 100, read_mode_name(mode), when);
        }
      }
    }
    if (best != nullptr) {
      source_.read_mode = best->mode;
      const bool by_warm = times(best->warm, pread->warm).value_or(1) == most;
      change(source_key_ + "read_mode", std::string(read_mode_name(best->mode)),
             fmt::format("{:.0f} % faster than pread here, {}: {} against {}", (most - 1) * 100,
                         by_warm ? "warm, by CPU time" : "cold",
                         rate_text(by_warm ? best->warm.median : best->cold.median),
                         rate_text(by_warm ? pread->warm.median : pread->cold.median)),
             most);
    } else if (!others.empty()) {
      source_.read_mode = ReadMode::kPread;
      change(source_key_ + "read_mode", "pread", others + " (auto takes it, too)", 1.0);
    } else {
      remark(fmt::format(
          "read_mode: no way to read differs here beyond the spread; auto takes pread, {} of a core's "
          "time warm, {} cold.",
          rate_text(pread->warm.median), rate_text(pread->cold.median)));
    }
  }

  void lines() {
    const LineFigures& lines = findings_.lines;
    if (lines.lines == 0) return;
    if (lines.longest_bytes > source_.max_line_bytes / 2) {
      source_.max_line_bytes = std::min<std::uint64_t>(std::bit_ceil(lines.longest_bytes * 2), 1ULL << 30);
      change(source_key_ + "max_line_bytes", format_bytes(source_.max_line_bytes),
             fmt::format("the longest line of the sample has {}",
                         human_bytes(static_cast<double>(lines.longest_bytes))));
    }
    if (lines.crlf > 0.9) {
      source_.strip_cr = true;
      change(source_key_ + "strip_cr", "true",
             fmt::format("{:.0f} % of the lines end in a carriage return", lines.crlf * 100));
    }
    if (lines.continued > 0.02) {
      remark(
          fmt::format("multiline: {:.0f} % of the lines begin with a blank, as those of a stack trace do: a "
                      "start_pattern or a preset would make events of them.",
                      lines.continued * 100));
    }
  }

  void open_files() {
    if (findings_.files <= config_.max_open_files) return;
    const std::size_t wanted = std::bit_ceil(findings_.files + findings_.files / 4);
    const std::size_t possible = findings_.open_files_max - std::min(findings_.open_files_max, kOtherFiles);
    const std::size_t most = std::min<std::size_t>(wanted, possible);
    if (most <= config_.max_open_files) {
      remark(fmt::format("max_open_files: there are {} files, but the hard limit of open files is {}.",
                         findings_.files, findings_.open_files_max));
      return;
    }
    config_.max_open_files = most;
    change("max_open_files", std::to_string(most),
           fmt::format("{} files match: with fewer they are closed and opened in turn", findings_.files));
  }

  std::string over_link() const {
    return link_text(link_) + (link_given_ ? "" : ", which is assumed: --link says another");
  }

  template <typename Sink>
  void compression(Sink& sink) {
    if constexpr (requires { sink.compression; }) {
      if constexpr (std::is_same_v<Sink, FileSinkConfig>) {
        stored(sink);
      } else if constexpr (std::is_same_v<Sink, KafkaSinkConfig>) {
        sent(sink, SinkFamily::kKafka);
      } else {
        sent(sink, SinkFamily::kHttp);
      }
    } else if (!findings_.compression.empty()) {
      for (const SinkFamily family : {SinkFamily::kHttp, SinkFamily::kKafka}) {
        const CompressionChoice choice =
            best_compression(findings_.compression, family, link_, findings_.cores);
        remark(fmt::format("This sink does not compress. {} would carry {} of lines with {}, over {}.",
                           family_name(family), rate_text(choice.carried), choice.settings(), over_link()));
      }
    }
  }

  // Whether a file is stored compressed is for those who read it to say.
  void stored(const FileSinkConfig&) {
    const CompressionFigure* zstd = nullptr;
    for (const CompressionFigure& figure : findings_.compression) {
      if (!can_configure(SinkFamily::kFile, *figure.codec)) continue;
      if (zstd == nullptr || figure.ratio > zstd->ratio) zstd = &figure;
    }
    if (zstd == nullptr) return;
    remark(fmt::format(
        "compression: {} would store these lines in a {:.1f}th of the room, at {} of a core's time; "
        "left off, since whoever reads the file must know.",
        compression_name(*zstd->codec->compression), zstd->ratio, rate_text(zstd->rate)));
  }

  template <typename Sink>
  void sent(Sink& sink, SinkFamily family) {
    if (findings_.compression.empty()) return;
    const CompressionChoice choice = best_compression(findings_.compression, family, link_, findings_.cores);
    if (choice.codec == nullptr) {
      remark(
          fmt::format("compression: none of what {} takes carries more than the link does uncompressed ({}).",
                      family_name(family), over_link()));
      return;
    }
    sink.compression = *choice.codec->compression;
    std::string why = fmt::format("{} of lines instead of {} over {}: ratio {:.1f}, {} compressing",
                                  rate_text(choice.carried), rate_text(link_), over_link(), choice.ratio,
                                  choice.cores > 1 ? fmt::format("{} cores", choice.cores) : "one core");
    if (family == SinkFamily::kHttp) why += "; the receiver must understand it (Content-Encoding)";
    change(sink_key_ + "compression", std::string(compression_name(sink.compression)), std::move(why),
           choice.carried / link_);
    if (choice.codec->level) {
      const std::string level = std::to_string(*choice.codec->level);
      const std::string level_why =
          fmt::format("the level of {} that carries the most", compression_name(sink.compression));
      if constexpr (std::is_same_v<Sink, KafkaSinkConfig>) {
        sink.options["compression.level"] = level;
        change(sink_key_ + "options", level, level_why);
      } else {
        sink.compression_level = static_cast<std::uint32_t>(*choice.codec->level);
        change(sink_key_ + "compression_level", level, level_why);
      }
    }
    batch(sink, choice);
  }

  template <typename Sink>
  void batch(Sink& sink, const CompressionChoice& choice) {
    if (choice.block_bytes != sink.batch.max_bytes) {
      const auto same = [&](const CompressionFigure& figure) {
        return figure.codec == choice.codec && figure.block_bytes == sink.batch.max_bytes;
      };
      const auto usual = std::ranges::find_if(findings_.compression, same);
      std::string why = fmt::format("ratio {:.1f}", choice.ratio);
      std::optional<double> gain;
      if (usual != findings_.compression.end()) {
        const double carried = std::min(usual->rate * choice.cores, link_ * usual->ratio);
        why += fmt::format(", {}; {} and {} by the default of {}", rate_text(choice.carried),
                           fmt::format("{:.1f}", usual->ratio), rate_text(carried),
                           format_bytes(sink.batch.max_bytes));
        gain = choice.carried / carried;
      }
      sink.batch.max_bytes = choice.block_bytes;
      change(sink_key_ + "batch.max_bytes", format_bytes(choice.block_bytes), std::move(why), gain);
    }
    if (findings_.lines.mean_bytes <= 0) return;
    const double events = static_cast<double>(sink.batch.max_bytes) / findings_.lines.mean_bytes;
    if (events * 0.9 > static_cast<double>(sink.batch.max_events)) {
      sink.batch.max_events = static_cast<std::uint64_t>(std::ceil(events / 1000)) * 1000 * 5 / 4;
      change(sink_key_ + "batch.max_events", std::to_string(sink.batch.max_events),
             fmt::format("lines of {:.0f} bytes: fewer would end a batch before it is full",
                         findings_.lines.mean_bytes));
    }
    linger(sink);
  }

  // A file that grows slowly does not fill a batch.
  template <typename Sink>
  void linger(const Sink& sink) {
    const double rate = findings_.growth.rate();
    if (rate <= 0) return;
    const Duration linger = sink.batch.linger.value_or(Sink::kDefaultLinger);
    const double waits = std::chrono::duration<double>(linger).count() * rate;
    if (waits < static_cast<double>(sink.batch.max_bytes) / 2) {
      remark(fmt::format(
          "batch.linger: at {} a batch ends after {} with {}; longer would compress better and be "
          "later.",
          rate_text(rate), format_duration(linger), human_bytes(waits)));
    }
  }

  void growth() {
    const double rate = findings_.growth.rate();
    if (rate <= 0) return;
    if (rate > link_) {
      remark(fmt::format("The files grow by {}, the link carries {}.", rate_text(rate), rate_text(link_)));
    }
  }

  const TuneFindings& findings_;
  const double link_;
  const bool link_given_;
  Config& config_;
  FileSourceConfig& source_;
  const std::string source_key_;
  const std::string sink_key_;
  TuneAdvice advice_;
};

}  // namespace

TuneAdvice recommend(const TuneFindings& findings, double link, Config& config) {
  return Recommender(findings, link, config).advise();
}

LineFigures measure_lines(std::string_view sample) {
  LineFigures figures;
  std::uint64_t crlf = 0;
  std::uint64_t continued = 0;
  for (std::size_t at = 0; at < sample.size();) {
    const std::size_t end = std::min(sample.find('\n', at), sample.size());
    const std::string_view line = sample.substr(at, end - at);
    ++figures.lines;
    figures.longest_bytes = std::max<std::uint64_t>(figures.longest_bytes, line.size());
    if (line.ends_with('\r')) ++crlf;
    if (line.starts_with(' ') || line.starts_with('\t')) ++continued;
    at = end + 1;
  }
  if (figures.lines == 0) return figures;
  const auto lines = static_cast<double>(figures.lines);
  figures.mean_bytes = static_cast<double>(sample.size()) / lines;
  figures.crlf = static_cast<double>(crlf) / lines;
  figures.continued = static_cast<double>(continued) / lines;
  return figures;
}

std::string_view read_mode_name(ReadMode mode) {
  switch (mode) {
    case ReadMode::kAuto:
      return "auto";
    case ReadMode::kPread:
      return "pread";
    case ReadMode::kMmap:
      return "mmap";
    case ReadMode::kIoUring:
      return "io_uring";
  }
  return {};
}

}  // namespace logflume
