// `lab compress`: which compression carries the most of the user's own lines.
#include <fmt/format.h>

#include <array>
#include <atomic>
#include <ctime>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/units.h"
#include "generate/line_source.h"
#include "lab/codecs.h"
#include "lab/compare.h"
#include "lab/compress_advice.h"
#include "lab/compress_blocks.h"
#include "lab/experiment.h"
#include "lab/processors.h"
#include "lab/user_files.h"

namespace logflume {
namespace {

constexpr std::size_t kQuickBytes = 4 * 1024 * 1024;
constexpr std::size_t kThoroughBytes = 32 * 1024 * 1024;
constexpr std::uint64_t kManyThreadsBlock = 256 * 1024;

// Lines of an access log, for those who have no file at hand. A set of templates repeats itself, which a
// compressor with a large block would find out and no real log does: each set serves for one piece only.
Result<std::string> generated_lines(std::size_t bytes) {
  constexpr std::size_t kPieceBytes = 64 * 1024;
  const std::string stream = "lab";
  std::string text;
  std::int64_t time_ns = 1'700'000'000'000'000'000;
  for (std::uint64_t seed = 1; text.size() < bytes; ++seed) {
    auto templates = LineTemplates::make(LineFormat::kNginx, stream.size(), 0, seed);
    if (!templates) return std::move(templates).error();
    LineSource source(*templates, stream, 0);
    for (const std::size_t end = text.size() + kPieceBytes; text.size() < end;) {
      const std::size_t at = text.size();
      source.set_time(time_ns += 1'300'000);
      text.resize(at + source.next_size());
      source.next(text.data() + at);
    }
  }
  return text;
}

class CompressExperiment final : public LabExperiment {
 public:
  std::string name() const override { return "compress"; }
  std::string question() const override {
    return "Which compression carries the most lines, of your own file or of generated ones?";
  }
  std::vector<std::string> settings() const override { return {"codec", "block", "threads"}; }
  std::vector<LabColumn> columns() const override {
    return {{"rate", "compress", LabUnit::kBytesPerSecond},
            {"decompress", "decompress", LabUnit::kBytesPerSecond},
            {"ratio", "ratio", LabUnit::kRatio},
            {"link_100m", "at 100 Mbit/s", LabUnit::kBytesPerSecond},
            {"link_1g", "at 1 Gbit/s", LabUnit::kBytesPerSecond}};
  }

  Result<std::vector<LabCase>> cases(const LabOptions& options) override {
    link_ = options.link_bytes_per_second;
    std::size_t bytes = options.thorough ? kThoroughBytes : kQuickBytes;
    if (options.bytes > 0) bytes = options.bytes;
    if (Result<void> made = make_text(options.file, bytes); !made) return std::move(made).error();
    std::vector<LabCase> cases;
    const std::size_t cores = std::max<std::size_t>(usable_processors().size(), 1);
    for (const CodecKind& kind : codec_kinds()) {
      if (kind.thorough && !options.thorough) continue;
      for (const std::uint64_t block : kCompressBlocks) {
        add(cases, kind, block, 1);
        if (block == kManyThreadsBlock && cores > 1) add(cases, kind, block, cores);
      }
    }
    return cases;
  }

  void conclude(LabReport& report) override {
    for (const auto& [key, title, y] :
         {std::tuple{"rate", "Compression, one thread", "bytes a second"},
          std::tuple{"ratio", "Ratio by the size of a block", "times smaller"}}) {
      LabPlot plot = plot_of(report, key, "block", "codec", {{"threads", "1"}});
      plot.title = title;
      plot.y_title = y;
      plot.lines = true;
      report.plots.push_back(std::move(plot));
    }
    report.advice = compress_advice(report, link_);
    report.advice.push_back(about_);
  }

 private:
  Result<void> make_text(const std::string& file, std::size_t bytes) {
    if (file.empty()) {
      Result<std::string> lines = generated_lines(bytes);
      if (!lines) return std::move(lines).error();
      text_ = std::move(*lines);
      about_ = "These were generated access log lines: give your own file, as logflume lab compress FILE.";
      return {};
    }
    std::error_code error;
    Result<UserFiles> files = find_user_files({file}, std::filesystem::current_path(error).string());
    if (!files) return std::move(files).error();
    if (files->files.empty()) {
      const std::string why = files->unreadable > 0 ? files->unreadable_why
                              : files->archives > 0 ? file + ": it is compressed already"
                              : files->empty > 0    ? file + ": it is empty"
                                                    : file + ": no such file";
      return Error{Errc::kNotFound, 0, why};
    }
    Result<std::string> lines = sample_lines(*files, bytes);
    if (!lines) return std::move(lines).error();
    text_ = std::move(*lines);
    about_ = fmt::format(
        "{} of {} in {} were compressed.", human_bytes(static_cast<double>(text_.size())),
        human_bytes(static_cast<double>(files->bytes())),
        files->files.size() == 1 ? files->files[0].path : fmt::format("{} files", files->files.size()));
    return {};
  }

  void add(std::vector<LabCase>& cases, const CodecKind& kind, std::uint64_t block, std::size_t threads) {
    cases.push_back({.settings = {kind.name, format_bytes(block), std::to_string(threads)},
                     .prepare = {},
                     .run = [this, &kind, block, threads] { return compress_once(kind, block, threads); },
                     .note = {},
                     .group = kind.name});
  }

  Result<LabWork> compress_once(const CodecKind& kind, std::uint64_t block, std::size_t threads) const {
    std::vector<Result<CompressedBlocks>> all(threads, CompressedBlocks{});
    {
      std::vector<std::jthread> running;
      for (std::size_t i = 1; i < threads; ++i) {
        running.emplace_back([&, i] { all[i] = compress_blocks(kind, text_, block); });
      }
      all[0] = compress_blocks(kind, text_, block);
    }
    double rate = 0;
    double back = 0;
    for (const Result<CompressedBlocks>& one : all) {
      if (!one) return one.error();
      rate += static_cast<double>(text_.size()) / one->compress_seconds;
      back += static_cast<double>(text_.size()) / one->decompress_seconds;
    }
    const double ratio = static_cast<double>(text_.size()) / static_cast<double>(all[0]->bytes);
    LabWork work;
    work.bytes = text_.size() * threads;
    work.seconds = static_cast<double>(work.bytes) / rate;
    work.others = {{"ratio", ratio},
                   {"decompress", back},
                   {"link_100m", std::min(rate, 12.5e6 * ratio)},
                   {"link_1g", std::min(rate, 125e6 * ratio)}};
    return work;
  }

  std::string text_;
  std::string about_;
  double link_ = 0;
};

}  // namespace

std::unique_ptr<LabExperiment> make_compress_experiment() { return std::make_unique<CompressExperiment>(); }

}  // namespace logflume
