#include "lab/tune.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>
#include <thread>
#include <utility>

#include "base/cores.h"
#include "base/unique_fd.h"
#include "io/block_reader.h"
#include "lab/compress_blocks.h"
#include "lab/figures.h"
#include "lab/usage.h"

namespace logflume {
namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;  // as the source reads
constexpr std::size_t kFilesRead = 8;
constexpr std::uint64_t kFileBytesMin = 64 * 1024;        // of smaller ones opening is all
constexpr std::uint64_t kReadBytesMin = 8 * 1024 * 1024;  // less says nothing of a way to read
constexpr Duration kReadTimeMax = 25s;                    // a slow disk: fewer repetitions

// A part of a file that read modes go over.
struct Part {
  UniqueFd fd;
  std::uint64_t bytes = 0;
};

// The largest files, from their beginning.
std::vector<Part> parts_to_read(const UserFiles& files) {
  std::vector<const UserFile*> largest;
  for (const UserFile& file : files.files) {
    if (file.size >= kFileBytesMin) largest.push_back(&file);
  }
  std::ranges::stable_sort(largest, std::greater(), &UserFile::size);
  largest.resize(std::min(largest.size(), kFilesRead));
  std::vector<Part> parts;
  for (const UserFile* file : largest) {
    UniqueFd fd(::open(file->path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd.valid()) continue;
    parts.push_back({.fd = std::move(fd), .bytes = std::min(file->size, kTuneReadBytes / largest.size())});
  }
  return parts;
}

struct Timed {
  double clock_rate = 0;  // bytes a second
  double cpu_rate = 0;
};

Result<Timed> read_all(BlockReader& reader, const std::vector<Part>& parts, std::span<char> to) {
  std::uint64_t bytes = 0;
  const TimePoint begin = steady_now();
  const double cpu = thread_cpu_seconds();
  for (const Part& part : parts) {
    for (std::uint64_t at = 0; at < part.bytes;) {
      const std::size_t wanted = std::min<std::uint64_t>(to.size(), part.bytes - at);
      const Result<std::size_t> got = reader.read(part.fd.get(), at, to.first(wanted));
      if (!got) return got.error();
      if (*got == 0) break;  // truncated meanwhile
      at += *got;
      bytes += *got;
    }
    reader.forget(part.fd.get());
  }
  const double clock_seconds = std::chrono::duration<double>(steady_now() - begin).count();
  const double cpu_seconds = std::max(thread_cpu_seconds() - cpu, 1e-6);
  const auto amount = static_cast<double>(bytes);
  return Timed{.clock_rate = amount / std::max(clock_seconds, 1e-6), .cpu_rate = amount / cpu_seconds};
}

// Out of the page cache, as far as the kernel lets go of it. What others keep mapped or have not written yet
// stays.
void evict(const std::vector<Part>& parts) {
  for (const Part& part : parts) {
    ::posix_fadvise(part.fd.get(), 0, static_cast<off_t>(part.bytes), POSIX_FADV_DONTNEED);
  }
}

class Measuring {
 public:
  Measuring(const UserFiles& files, const TuneOptions& options) : files_(files), options_(options) {}

  Result<TuneFindings> run() {
    const TimePoint begin = steady_now();
    found_.files = files_.files.size();
    found_.bytes = files_.bytes();
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    found_.open_files_max = limit.rlim_max;
    found_.cores = static_cast<int>(usable_cores());
    tell("lines", 0);
    Result<std::string> sample = sample_lines(files_, kTuneSampleBytes);
    if (!sample) return std::move(sample).error();
    found_.lines = measure_lines(*sample);
    if (Result<void> read = reads(); !read) return std::move(read).error();
    if (Result<void> compressed = compression(*sample); !compressed) return std::move(compressed).error();
    tell("growth", 0.95);
    while (steady_now() - begin < options_.watch) {
      if (stopped()) return stop_error();
      std::this_thread::sleep_for(50ms);
    }
    growth(begin);
    tell("done", 1);
    return std::move(found_);
  }

 private:
  bool stopped() const { return options_.stop && options_.stop(); }
  static Error stop_error() { return {Errc::kBusy, 0, "stopped before it was done"}; }
  void tell(const std::string& what, double done) const {
    if (options_.progress) options_.progress(what, done);
  }

  Result<void> reads() {
    const std::vector<Part> parts = parts_to_read(files_);
    std::uint64_t bytes = 0;
    for (const Part& part : parts) bytes += part.bytes;
    if (bytes < kReadBytesMin) return {};
    std::vector<char> buffer(kBlockBytes);
    std::array<std::pair<ReadMode, std::unique_ptr<BlockReader>>, 3> modes{
        std::pair{ReadMode::kPread, make_pread_reader()}, std::pair{ReadMode::kMmap, make_mmap_reader()},
        std::pair{ReadMode::kIoUring, std::unique_ptr<BlockReader>()}};
    if (auto ring = make_io_uring_reader()) {
      modes[2].second = std::move(*ring);
    } else {
      found_.reads.push_back(
          {.mode = ReadMode::kIoUring, .warm = {}, .cold = {}, .error = ring.error().text()});
    }
    std::array<std::vector<double>, 3> warm;
    std::array<std::vector<double>, 3> cold;
    const int repeats = options_.thorough ? 9 : 5;
    const TimePoint begin = steady_now();
    for (int turn = 0; turn < repeats && (turn < 2 || steady_now() - begin < kReadTimeMax); ++turn) {
      for (std::size_t i = 0; i < modes.size(); ++i) {
        if (stopped()) return stop_error();
        if (!modes[i].second) continue;
        tell("read by " + std::string(read_mode_name(modes[i].first)), 0.1 + 0.4 * turn / repeats);
        evict(parts);
        const Result<Timed> from_disk = read_all(*modes[i].second, parts, buffer);
        if (!from_disk) return from_disk.error();
        const Result<Timed> from_cache = read_all(*modes[i].second, parts, buffer);
        if (!from_cache) return from_cache.error();
        cold[i].push_back(from_disk->clock_rate);
        warm[i].push_back(from_cache->cpu_rate);
      }
    }
    for (std::size_t i = 0; i < modes.size(); ++i) {
      if (warm[i].empty()) continue;
      found_.reads.push_back({.mode = modes[i].first,
                              .warm = lab_figure(std::move(warm[i])),
                              .cold = lab_figure(std::move(cold[i])),
                              .error = {}});
    }
    return {};
  }

  Result<void> compression(const std::string& sample) {
    if (sample.empty()) return {};
    const int repeats = options_.thorough ? 5 : 2;
    std::vector<const CodecKind*> kinds;
    for (const CodecKind& kind : codec_kinds()) {
      if (kind.compression && (options_.thorough || !kind.thorough)) kinds.push_back(&kind);
    }
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      tell("compress by " + kinds[i]->name,
           0.5 + 0.45 * static_cast<double>(i) / static_cast<double>(kinds.size()));
      for (const std::uint64_t block : kCompressBlocks) {
        // What a block larger than the sample would do is not known.
        if (block > sample.size() && block != kCompressBlocks[0]) continue;
        double best = 0;
        double ratio = 1;
        for (int turn = 0; turn < repeats; ++turn) {
          if (stopped()) return stop_error();
          const Result<CompressedBlocks> blocks = compress_blocks(*kinds[i], sample, block);
          if (!blocks) return blocks.error();
          const auto bytes = static_cast<double>(sample.size());
          best = std::max(best, bytes / blocks->compress_seconds);
          ratio = bytes / static_cast<double>(blocks->bytes);
        }
        found_.compression.push_back({.codec = kinds[i], .block_bytes = block, .ratio = ratio, .rate = best});
      }
    }
    return {};
  }

  void growth(TimePoint begin) {
    for (const UserFile& file : files_.files) {
      struct stat status {};
      if (::stat(file.path.c_str(), &status) != 0) continue;  // gone or renamed
      const auto size = static_cast<std::uint64_t>(status.st_size);
      if (size <= file.size) continue;
      ++found_.growth.files;
      found_.growth.bytes += size - file.size;
    }
    found_.growth.seconds = std::chrono::duration<double>(steady_now() - begin).count();
  }

  const UserFiles& files_;
  const TuneOptions& options_;
  TuneFindings found_;
};

}  // namespace

Result<TuneFindings> measure_files(const UserFiles& files, const TuneOptions& options) {
  return Measuring(files, options).run();
}

}  // namespace logflume
