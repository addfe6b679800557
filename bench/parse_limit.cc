// What bare parsing does with a file on some cores: the limit of parsers in a whole agent. Threads take
// blocks of 256 KiB by turns, read them, and put each line that begins in one through a loop for one format,
// which keeps nothing.
//
//   parse_limit nginx|regex|json FILE THREADS
//
// Prints one JSON object: bytes, lines, seconds, cpu_seconds.
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bare_parsers.h"

namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::size_t kLineBytesMax = 64 * 1024;

double cpu_seconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

template <typename Make>
std::uint64_t parse(int fd, std::size_t size, unsigned threads, Make make) {
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> lines{0}, seen{0};
  const auto work = [&] {
    auto bare = make();
    std::string memory(1 + kBlockBytes + kLineBytesMax + 64, ' ');
    std::uint64_t own_lines = 0, own_seen = 0;
    for (std::size_t begin; (begin = next.fetch_add(kBlockBytes)) < size;) {
      // A byte before it tells whether a line begins with it; the last one ends behind it.
      const std::size_t from = begin == 0 ? 0 : begin - 1;
      const ssize_t got =
          ::pread(fd, memory.data(), begin - from + kBlockBytes + kLineBytesMax, static_cast<off_t>(from));
      if (got <= 0) break;
      const std::string_view text(memory.data(), static_cast<std::size_t>(got));
      std::size_t at = begin == 0 ? 0 : text.find('\n') + 1;
      const std::size_t end = begin - from + kBlockBytes;
      while (at < text.size() && at < end) {
        const std::size_t newline = std::min(text.find('\n', at), text.size());
        own_seen += bare.parse(text.substr(at, newline - at));
        ++own_lines;
        at = newline + 1;
      }
    }
    lines += own_lines;
    seen += own_seen;
  };
  std::vector<std::thread> running;
  for (unsigned i = 1; i < threads; ++i) running.emplace_back(work);
  work();
  for (std::thread& thread : running) thread.join();
  if (seen == 0) std::exit(1);
  return lines;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace logflume;
  if (argc != 4) return 2;
  const std::string_view what = argv[1];
  const int fd = ::open(argv[2], O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0) return 1;
  const auto size = static_cast<std::size_t>(status.st_size);
  const auto threads = static_cast<unsigned>(std::atoi(argv[3]));
  const auto begin = std::chrono::steady_clock::now();
  const double cpu = cpu_seconds();
  std::uint64_t lines = 0;
  if (what == "nginx") lines = parse(fd, size, threads, [] { return BareNginx(); });
  if (what == "regex") lines = parse(fd, size, threads, [] { return BareRegex(kNginxPattern); });
  if (what == "json") lines = parse(fd, size, threads, [] { return BareJson(); });
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("{\"bytes\": %zu, \"lines\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", size,
              static_cast<unsigned long long>(lines), took.count(), cpu_seconds() - cpu);
  return lines == 0 ? 1 : 0;
}
