#include "lab/log_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "base/clock.h"

namespace logflume {
namespace {

constexpr std::size_t kTextBytes = 1024 * 1024;
constexpr std::size_t kPageBytes = 4096;
constexpr double kResidentMax = 0.01;  // of a file that is called cold
constexpr int kEvictTries = 20;
constexpr Duration kEvictPause = 20ms;

Result<void> write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("write");
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<UniqueFd> make_file(const std::string& path, std::uint64_t bytes, std::uint64_t seed,
                           const std::function<bool()>& stop) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return errno_error("create " + path);
  for (std::uint64_t left = bytes; left > 0;) {
    if (stop && stop()) return Error{Errc::kBusy, 0, "stopped before it was done"};
    const std::string text = log_text(seed * 1'000'003 + left);
    const std::size_t size = std::min<std::uint64_t>(left, text.size());
    if (Result<void> written = write_all(fd.get(), {text.data(), size}); !written) {
      return Error{written.error().code, written.error().os_errno, "write " + path};
    }
    left -= size;
  }
  // What is dirty cannot be evicted.
  if (::fsync(fd.get()) != 0) return errno_error("fsync " + path);
  return fd;
}

}  // namespace

std::string log_text(std::uint64_t seed) {
  std::string text;
  text.reserve(kTextBytes + 256);
  std::uint64_t state = seed * 2 + 1;
  for (std::uint64_t number = 0; text.size() < kTextBytes; ++number) {
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    text += fmt::format(
        "2026-01-02T03:04:05.{:06}Z INFO worker-{:02} request={:016x} method=GET path=/api/v1/items/{} "
        "status=200 "
        "bytes={} duration_us={} client=10.{}.{}.{} agent=\"check/{}.{}\"\n",
        number % 1'000'000, state >> 60, state, (state >> 20) % 100'000, (state >> 12) % 65536,
        (state >> 32) % 90'000, (state >> 8) & 255, (state >> 16) & 255, (state >> 24) & 255,
        (state >> 40) % 10, (state >> 44) % 10);
  }
  text.resize(kTextBytes);
  text.back() = '\n';
  return text;
}

Result<LogFiles> LogFiles::make(const std::string& directory, const std::string& name, std::size_t count,
                                std::uint64_t bytes, const std::function<bool()>& stop) {
  LogFiles files;
  files.file_bytes_ = bytes / count;
  for (std::size_t number = 0; number < count; ++number) {
    const std::string path = fmt::format("{}/{}.{}", directory, name, number);
    Result<UniqueFd> fd = make_file(path, files.file_bytes_, number + count, stop);
    if (!fd) return std::move(fd).error();
    files.paths_.push_back(path);
    files.fds_.push_back(std::move(*fd));
  }
  return files;
}

std::vector<int> LogFiles::fds() const {
  std::vector<int> numbers;
  for (const UniqueFd& fd : fds_) numbers.push_back(fd.get());
  return numbers;
}

Result<std::vector<UniqueFd>> LogFiles::open_again(int flags) const {
  std::vector<UniqueFd> opened;
  for (const std::string& path : paths_) {
    opened.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags));
    if (!opened.back().valid()) return errno_error((flags & O_DIRECT) != 0 ? "open with O_DIRECT" : "open");
  }
  return opened;
}

Result<double> LogFiles::resident() const {
  std::vector<unsigned char> pages(file_bytes_ / kPageBytes + 1);
  std::size_t present = 0;
  std::size_t all = 0;
  for (const UniqueFd& fd : fds_) {
    void* const map = ::mmap(nullptr, file_bytes_, PROT_READ, MAP_SHARED, fd.get(), 0);
    if (map == MAP_FAILED) return errno_error("mmap");
    const int looked = ::mincore(map, file_bytes_, pages.data());
    const int mincore_errno = errno;
    ::munmap(map, file_bytes_);
    if (looked != 0) return errno_error(mincore_errno, "mincore");
    const std::size_t count = (file_bytes_ + kPageBytes - 1) / kPageBytes;
    present += static_cast<std::size_t>(std::count_if(pages.begin(),
                                                      pages.begin() + static_cast<std::ptrdiff_t>(count),
                                                      [](unsigned char page) { return (page & 1) != 0; }));
    all += count;
  }
  return static_cast<double>(present) / static_cast<double>(all);
}

Result<void> LogFiles::drop() const {
  for (const UniqueFd& fd : fds_) {
    if (const int refused = ::posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED); refused != 0) {
      return errno_error(refused, "posix_fadvise");
    }
  }
  return {};
}

Result<void> LogFiles::evict() {
  uniform_ = false;
  double left = 1;
  // What is being read ahead when it is asked for stays once.
  for (int tries = 0; tries < kEvictTries; ++tries) {
    if (tries > 0) std::this_thread::sleep_for(kEvictPause);
    if (Result<void> dropped = drop(); !dropped) return dropped;
    const Result<double> share = resident();
    if (!share) return share.error();
    left = *share;
    if (left <= kResidentMax) return {};
  }
  return Error{Errc::kUnsupported, 0,
               fmt::format("cannot be made cold here: {:.0f} % stay in memory", left * 100)};
}

Result<void> LogFiles::read_through() const {
  std::string buffer(kTextBytes, '\0');
  for (const UniqueFd& fd : fds_) {
    for (std::uint64_t offset = 0; offset < file_bytes_;) {
      const ssize_t n = ::pread(fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return errno_error(n < 0 ? errno : EIO, "read");
      offset += static_cast<std::uint64_t>(n);
    }
  }
  return {};
}

Result<void> LogFiles::warm() {
  if (uniform_) {
    const Result<double> share = resident();
    if (!share) return share.error();
    if (*share == 1) return {};
  }
  if (Result<void> dropped = drop(); !dropped) return dropped;
  if (Result<void> done = read_through(); !done) return done;
  uniform_ = true;
  const Result<double> share = resident();
  if (!share) return share.error();
  if (*share < 1 - kResidentMax) {
    return Error{Errc::kUnsupported, 0,
                 fmt::format("{:.0f} % do not stay in the page cache: --bytes makes smaller files",
                             (1 - *share) * 100)};
  }
  return {};
}

}  // namespace logflume
