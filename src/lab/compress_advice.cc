#include "lab/compress_advice.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/units.h"
#include "lab/compare.h"
#include "sink/compress.h"

namespace logflume {
namespace {

// A broker takes batches of up to 1 MiB unless it is told otherwise.
constexpr std::uint64_t kKafkaBlockMax = 1024 * 1024;
constexpr double kAsGood = 0.97;

std::string rate_text(double rate) { return lab_value_text(rate, LabUnit::kBytesPerSecond); }

std::string advise_family(std::span<const CompressionFigure> figures, SinkFamily family, double link,
                          int cores) {
  const CompressionChoice choice = best_compression(figures, family, link, cores);
  if (choice.codec == nullptr) {
    return fmt::format("{} carries {} of lines without compression, which would keep it back",
                       family_name(family), rate_text(choice.carried));
  }
  return fmt::format("{} carries {} of lines with {} (ratio {:.1f}{})", family_name(family),
                     rate_text(choice.carried), choice.settings(), choice.ratio,
                     choice.cores > 1 ? fmt::format(", {} cores", choice.cores) : "");
}

void advise_gzip(std::span<const CompressionFigure> figures, std::vector<std::string>& advice) {
  const auto find = [&](std::string_view name) {
    return std::ranges::find_if(figures, [&](const CompressionFigure& figure) {
      return figure.codec->name == name && figure.block_bytes == 256 * 1024;
    });
  };
  const auto zstd = find("zstd 3");
  const auto gzip = find("gzip 6");
  if (zstd == figures.end() || gzip == figures.end() || zstd->rate <= gzip->rate * 1.1) return;
  if (zstd->ratio >= gzip->ratio * 0.9) {
    advice.push_back(
        fmt::format("Where the receiver understands both, take zstd: {:.1f}x as fast as gzip on these lines, "
                    "with a ratio of "
                    "{:.1f} against {:.1f}.",
                    zstd->rate / gzip->rate, zstd->ratio, gzip->ratio));
  }
}

}  // namespace

std::string_view family_name(SinkFamily family) {
  switch (family) {
    case SinkFamily::kHttp:
      return "http";
    case SinkFamily::kFile:
      return "file";
    case SinkFamily::kKafka:
      return "kafka";
  }
  return {};
}

bool can_configure(SinkFamily family, const CodecKind& codec) {
  if (!codec.compression) return false;
  if (codec.http_only && family != SinkFamily::kHttp) return false;
  if (family == SinkFamily::kKafka) return true;
  if (family == SinkFamily::kFile && codec.level) return false;
  // zlib's, where http has ISA-L's.
  if (*codec.compression == Compression::kGzip && codec.level && *codec.level <= kFastGzipLevelMax)
    return codec.http_only;
  return *codec.compression == Compression::kGzip || *codec.compression == Compression::kZstd;
}

int compressing_cores(SinkFamily family, int cores) {
  constexpr int kProducersMax = KafkaSinkConfig::kProducersByItself;
  switch (family) {
    case SinkFamily::kHttp:
      return std::max(cores, 1);
    case SinkFamily::kFile:
      return 1;
    case SinkFamily::kKafka:
      return std::clamp(cores, 1, kProducersMax);
  }
  return 1;
}

std::string CompressionChoice::settings() const {
  if (codec == nullptr) return "compression: none";
  std::string text = fmt::format("compression: {}", compression_name(*codec->compression));
  if (codec->level) {
    text += family == SinkFamily::kKafka
                ? fmt::format(", options: {{compression.level: \"{}\"}}", *codec->level)
                : fmt::format(", compression_level: {}", *codec->level);
  }
  return text + fmt::format(", batch.max_bytes: {}", format_bytes(block_bytes));
}

CompressionChoice best_compression(std::span<const CompressionFigure> figures, SinkFamily family, double link,
                                   int cores) {
  const CompressionChoice none{.family = family, .carried = link, .cores = 0};
  const int compressing = compressing_cores(family, cores);
  std::vector<CompressionFigure> possible;
  for (const CompressionFigure& figure : figures) {
    if (!can_configure(family, *figure.codec)) continue;
    if (family == SinkFamily::kKafka && figure.block_bytes > kKafkaBlockMax) continue;
    possible.push_back(figure);
  }
  const auto carried = [&](const CompressionFigure& figure) {
    return std::min(figure.rate * compressing, link * figure.ratio);
  };
  double most = none.carried;
  for (const CompressionFigure& figure : possible) most = std::max(most, carried(figure));
  if (none.carried >= most * kAsGood) return none;
  std::erase_if(possible, [&](const CompressionFigure& figure) { return carried(figure) < most * kAsGood; });
  const auto fastest = std::ranges::max_element(possible, {}, &CompressionFigure::rate);
  // Of that codec the smallest block that is nearly as cheap.
  CompressionFigure best = *fastest;
  for (const CompressionFigure& figure : possible) {
    if (figure.codec == best.codec && figure.rate >= fastest->rate * 0.9 &&
        figure.block_bytes < best.block_bytes) {
      best = figure;
    }
  }
  return {.family = family,
          .codec = best.codec,
          .block_bytes = best.block_bytes,
          .ratio = best.ratio,
          .carried = carried(best),
          .cores = compressing};
}

std::string link_text(double bytes_a_second) {
  const double bits = bytes_a_second * 8;
  if (bits >= 1e9) return fmt::format("{:.3g} Gbit/s", bits / 1e9);
  if (bits >= 1e6) return fmt::format("{:.3g} Mbit/s", bits / 1e6);
  return fmt::format("{:.3g} kbit/s", bits / 1e3);
}

std::vector<CompressionFigure> compression_figures(const LabReport& report) {
  std::vector<CompressionFigure> figures;
  for (std::size_t i = 0; i < report.rows.size(); ++i) {
    const LabRow& row = report.rows[i];
    const auto rate = report.figure(i, "rate");
    const auto ratio = report.figure(i, "ratio");
    const auto codec = std::ranges::find(codec_kinds(), row.settings[0], &CodecKind::name);
    const Result<std::uint64_t> block = parse_bytes(row.settings[1]);
    if (!rate || !ratio || !block || codec == codec_kinds().end() || row.settings[2] != "1") continue;
    figures.push_back(
        {.codec = &*codec, .block_bytes = *block, .ratio = ratio->median, .rate = rate->median});
  }
  return figures;
}

std::vector<std::string> compress_advice(const LabReport& report, double link) {
  const std::vector<CompressionFigure> figures = compression_figures(report);
  std::vector<std::string> advice;
  if (figures.empty()) return advice;
  constexpr std::array kLinks = {12.5e6, 125e6, 1250e6};
  for (const double speed : link > 0 ? std::vector{link} : std::vector(kLinks.begin(), kLinks.end())) {
    advice.push_back(fmt::format("Over {}: {}; {}.", link_text(speed),
                                 advise_family(figures, SinkFamily::kHttp, speed, report.machine.cores),
                                 advise_family(figures, SinkFamily::kKafka, speed, report.machine.cores)));
  }
  advise_gzip(figures, advice);
  advice.push_back(
      "http compresses on all cores, kafka on up to 4, file on one, with gzip and zstd as http. Levels are "
      "set by compression_level for http and by options: {compression.level: ...} for kafka; file has none.");
  return advice;
}

}  // namespace logflume
