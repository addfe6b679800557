#include "lab/write_job.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>

#include "base/unique_fd.h"
#include "lab/usage.h"

namespace logflume {
namespace {

constexpr std::size_t kLatenciesMax = 256 * 1024;

// The file, and the count of what is done to it.
class Output {
 public:
  explicit Output(const WriteJob& job) : job_(job) {}
  ~Output() {
    fd_.reset();
    ::unlink(job_.path.c_str());
  }
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  Result<void> open() {
    fd_ = UniqueFd(::open(job_.path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | job_.open_flags, 0600));
    if (!fd_.valid()) return errno_error("create the file");
    job_.latencies_ns->clear();
    meter_ = LabMeter();
    now_ = steady_now();
    end_ = now_ + job_.time;
    return {};
  }
  int fd() const { return fd_.get(); }

  const std::string_view& next_line() {
    const std::string_view& line = job_.lines[next_];
    next_ = next_ + 1 == job_.lines.size() ? 0 : next_ + 1;
    return line;
  }
  bool over() const { return now_ >= end_ || work_.bytes >= job_.bytes_max; }
  void calls(std::uint64_t count) { work_.system_calls += count; }

  // Both: false where the user stopped it.
  Result<bool> write(std::string_view text, std::size_t lines, bool sync) {
    const iovec part{const_cast<char*>(text.data()), text.size()};
    return write(&part, 1, text.size(), lines, sync);
  }
  Result<bool> write(const iovec* parts, int count, std::size_t bytes, std::size_t lines, bool sync) {
    const ssize_t n =
        count == 1 ? ::write(fd_.get(), parts->iov_base, parts->iov_len) : ::writev(fd_.get(), parts, count);
    calls(1);
    if (n < 0 && errno == EINTR) return false;
    if (n < 0) return errno_error("write");
    if (static_cast<std::size_t>(n) != bytes) return Error{Errc::kIo, ENOSPC, "write: only a part was taken"};
    if (sync) {
      calls(1);
      if (::fdatasync(fd_.get()) != 0) return errno_error("fdatasync");
    }
    handed_over(bytes, lines);
    return true;
  }
  // What write() counts, for those who write otherwise.
  void handed_over(std::size_t bytes, std::size_t lines) {
    const TimePoint before = now_;
    now_ = steady_now();
    work_.bytes += bytes;
    work_.operations += lines;
    if (job_.latencies_ns->size() == kLatenciesMax) return;
    job_.latencies_ns->push_back(static_cast<std::uint32_t>(
        std::min<std::int64_t>((now_ - before).count(), std::numeric_limits<std::uint32_t>::max())));
  }

  LabWork take() {
    work_.usage = meter_.usage();
    work_.latencies_ns = *job_.latencies_ns;
    return std::move(work_);
  }

 private:
  const WriteJob& job_;
  UniqueFd fd_;
  LabWork work_;
  LabMeter meter_;
  TimePoint now_;
  TimePoint end_;
  std::size_t next_ = 0;
};

}  // namespace

Result<LabWork> write_each_line(const WriteJob& job, bool sync) {
  Output output(job);
  if (Result<void> opened = output.open(); !opened) return std::move(opened).error();
  while (!output.over()) {
    const Result<bool> written = output.write(output.next_line(), 1, sync);
    if (!written) return written.error();
    if (!*written) break;
  }
  return output.take();
}

Result<LabWork> write_buffered(const WriteJob& job, std::size_t buffer_bytes, bool sync) {
  Output output(job);
  std::string buffer(buffer_bytes, '\0');
  if (Result<void> opened = output.open(); !opened) return std::move(opened).error();
  std::size_t used = 0;
  std::size_t lines = 0;
  while (!output.over()) {
    const std::string_view line = output.next_line();
    if (used + line.size() > buffer_bytes) {
      const Result<bool> written = output.write({buffer.data(), used}, lines, sync);
      if (!written) return written.error();
      if (!*written) break;
      used = 0;
      lines = 0;
    }
    std::memcpy(buffer.data() + used, line.data(), line.size());
    used += line.size();
    ++lines;
  }
  return output.take();
}

Result<LabWork> write_vectors(const WriteJob& job, std::size_t lines_each) {
  Output output(job);
  std::vector<iovec> parts(lines_each);
  if (Result<void> opened = output.open(); !opened) return std::move(opened).error();
  while (!output.over()) {
    std::size_t bytes = 0;
    for (iovec& part : parts) {
      const std::string_view line = output.next_line();
      part = {const_cast<char*>(line.data()), line.size()};
      bytes += line.size();
    }
    const Result<bool> written =
        output.write(parts.data(), static_cast<int>(parts.size()), bytes, parts.size(), false);
    if (!written) return written.error();
    if (!*written) break;
  }
  return output.take();
}

Result<LabWork> write_mapped(const WriteJob& job, std::size_t sync_bytes) {
  Output output(job);
  if (Result<void> opened = output.open(); !opened) return std::move(opened).error();
  // Not ftruncate: a full disk would be told by SIGBUS then.
  output.calls(3);
  if (const int full = ::posix_fallocate(output.fd(), 0, static_cast<off_t>(job.bytes_max)); full != 0) {
    return errno_error(full, "posix_fallocate");
  }
  void* const map = ::mmap(nullptr, job.bytes_max, PROT_READ | PROT_WRITE, MAP_SHARED, output.fd(), 0);
  if (map == MAP_FAILED) return errno_error("mmap");
  char* const data = static_cast<char*>(map);
  std::uint64_t at = 0;
  std::uint64_t synced = 0;
  std::size_t lines = 0;
  int failed = 0;
  while (!output.over()) {
    const std::string_view line = output.next_line();
    if (at + line.size() > job.bytes_max) break;
    std::memcpy(data + at, line.data(), line.size());
    at += line.size();
    ++lines;
    if (at - synced < sync_bytes) continue;
    // Whole pages: the last one again with the next.
    const std::uint64_t from = synced & ~std::uint64_t{4095};
    output.calls(1);
    if (::msync(data + from, at - from, MS_SYNC) != 0) {
      failed = errno;
      break;
    }
    output.handed_over(at - synced, lines);
    synced = at;
    lines = 0;
  }
  ::munmap(map, job.bytes_max);
  if (failed != 0) return errno_error(failed, "msync");
  return output.take();
}

}  // namespace logflume
