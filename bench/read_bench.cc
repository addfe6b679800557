// Question: which reader moves a warm file into a slab fastest, and what does each cost beside the bare loop?
// Method: 256 KiB reads (a slab) of a 1 GiB file in the page cache, newlines counted in each. The file lies
// in
//         $LOGFLUME_BENCH_DIR (or /tmp) and is removed afterwards.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/unique_fd.h"
#include "event/newlines.h"
#include "io/block_reader.h"

namespace {

using logflume::UniqueFd;

constexpr std::size_t kSlabBytes = 256 * 1024;
constexpr std::size_t kFileBytes = 1024 * 1024 * 1024;
constexpr std::size_t kTailBytes = 1000;

// A nameless file of 200-byte lines, written once for all cases.
int bench_file() {
  static const UniqueFd file = [] {
    const char* directory = std::getenv("LOGFLUME_BENCH_DIR");
    std::string path = std::string(directory != nullptr ? directory : "/tmp") + "/read_bench_XXXXXX";
    UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
    ::unlink(path.c_str());
    std::string block;
    while (block.size() + 200 <= kSlabBytes) block += std::string(199, 'x') + '\n';
    block.resize(kSlabBytes, 'y');
    for (std::size_t written = 0; written < kFileBytes;) {
      const ssize_t n = ::write(fd.get(), block.data(), block.size());
      if (n <= 0) {
        std::perror("read_bench: write");
        std::exit(1);
      }
      written += static_cast<std::size_t>(n);
    }
    return fd;
  }();
  return file.get();
}

// 64-byte aligned and touched, as a slab of the pool is.
std::unique_ptr<char, decltype(&std::free)> slab() {
  std::unique_ptr<char, decltype(&std::free)> bytes(static_cast<char*>(std::aligned_alloc(4096, kSlabBytes)),
                                                    &std::free);
  std::fill_n(bytes.get(), kSlabBytes, 'z');
  return bytes;
}

void report(benchmark::State& state, std::size_t lines) {
  state.counters["lines"] = benchmark::Counter(static_cast<double>(lines));
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(kFileBytes));
}

// The limit: nothing but pread and the scan.
void BM_BareLoop(benchmark::State& state) {
  const int fd = bench_file();
  const auto buffer = slab();
  std::size_t lines = 0;
  for (auto _ : state) {
    lines = 0;
    std::size_t offset = 0;
    ssize_t n = 0;
    while ((n = ::pread(fd, buffer.get(), kSlabBytes, static_cast<off_t>(offset))) > 0) {
      lines += logflume::count_newlines({buffer.get(), static_cast<std::size_t>(n)});
      offset += static_cast<std::size_t>(n);
    }
  }
  report(state, lines);
}

void read_all(benchmark::State& state, logflume::BlockReader& reader) {
  const int fd = bench_file();
  const auto buffer = slab();
  std::size_t lines = 0;
  for (auto _ : state) {
    lines = 0;
    for (std::size_t offset = 0;;) {
      const auto n = reader.read(fd, offset, {buffer.get(), kSlabBytes});
      if (!n || *n == 0) break;
      lines += logflume::count_newlines({buffer.get(), *n});
      offset += *n;
    }
  }
  report(state, lines);
}

void BM_Pread(benchmark::State& state) { read_all(state, *logflume::make_pread_reader()); }

void BM_Mmap(benchmark::State& state) {
  read_all(state, *logflume::make_mmap_reader({}, static_cast<std::size_t>(state.range(0)) << 20));
}

void BM_IoUring(benchmark::State& state) {
  auto reader = logflume::make_io_uring_reader();
  if (!reader) return state.SkipWithError(reader.error().text().c_str());
  read_all(state, **reader);
}

// What advice is worth, and what the copy out of the map costs: maps of 4 MiB, scanned in place or copied.
enum Advice { kNone, kSequential, kPopulate };
void BM_BareMap(benchmark::State& state) {
  const int fd = bench_file();
  const auto buffer = slab();
  const auto advice = static_cast<Advice>(state.range(0));
  const bool copied = state.range(1) != 0;
  constexpr std::size_t kWindow = 4 << 20;
  std::size_t lines = 0;
  for (auto _ : state) {
    lines = 0;
    for (std::size_t offset = 0; offset < kFileBytes; offset += kWindow) {
      void* map = ::mmap(nullptr, kWindow, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(offset));
      if (advice == kSequential) ::madvise(map, kWindow, MADV_SEQUENTIAL);
#ifdef MADV_POPULATE_READ
      if (advice == kPopulate) ::madvise(map, kWindow, MADV_POPULATE_READ);
#endif
      const char* data = static_cast<const char*>(map);
      for (std::size_t at = 0; at < kWindow; at += kSlabBytes) {
        if (copied) std::memcpy(buffer.get(), data + at, kSlabBytes);
        lines += logflume::count_newlines({copied ? buffer.get() : data + at, kSlabBytes});
      }
      ::munmap(map, kWindow);
    }
  }
  report(state, lines);
}

// A live tail: one short append, one read of it.
void read_tail(benchmark::State& state, logflume::BlockReader& reader) {
  std::string path = "/tmp/read_bench_XXXXXX";
  const UniqueFd fd(::mkostemp(path.data(), O_CLOEXEC));
  ::unlink(path.c_str());
  const auto buffer = slab();
  const std::string line(kTailBytes, 'x');
  std::size_t offset = 0;
  for (auto _ : state) {
    if (::pwrite(fd.get(), line.data(), line.size(), static_cast<off_t>(offset)) < 0) std::exit(1);
    const auto n = reader.read(fd.get(), offset, {buffer.get(), kSlabBytes});
    if (!n || *n != line.size()) return state.SkipWithError("short read");
    offset += *n;
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()));
}

void BM_TailPread(benchmark::State& state) { read_tail(state, *logflume::make_pread_reader()); }
void BM_TailMmap(benchmark::State& state) { read_tail(state, *logflume::make_mmap_reader()); }
void BM_TailIoUring(benchmark::State& state) {
  auto reader = logflume::make_io_uring_reader();
  if (!reader) return state.SkipWithError(reader.error().text().c_str());
  read_tail(state, **reader);
}

BENCHMARK(BM_BareLoop)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Pread)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_Mmap)->ArgName("window_MiB")->Arg(1)->Arg(4)->Arg(16)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_IoUring)->Unit(benchmark::kMillisecond);
BENCHMARK(BM_BareMap)
    ->ArgNames({"advice", "copied"})
    ->ArgsProduct({{kNone, kSequential, kPopulate}, {0, 1}})
    ->Unit(benchmark::kMillisecond);
BENCHMARK(BM_TailPread)->Iterations(100'000);
BENCHMARK(BM_TailMmap)->Iterations(100'000);
BENCHMARK(BM_TailIoUring)->Iterations(100'000);

}  // namespace
