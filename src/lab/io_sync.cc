// Reading with one call at a time, and through maps.
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "event/newlines.h"
#include "io/block_reader.h"
#include "lab/io_job.h"

namespace logflume {
namespace {

// Calls `read(place, buffer)`, which returns the bytes or -1 and errno, until the job is over.
template <typename Read>
Result<LabWork> read_in_turns(const IoJob& job, const char* call, Read read) {
  char* const buffer = job.buffers->block(0, job.block_bytes);
  IoCursor cursor(job);
  IoTally tally(job);
  TimePoint now = tally.began();
  while (!tally.over(now)) {
    const std::optional<IoCursor::Place> place = cursor.next();
    if (!place) break;
    const TimePoint from = now;
    const ssize_t n = read(*place, buffer, tally);
    if (n < 0 && errno == EINTR) break;  // the user stopped it
    if (n < 0) return errno_error(call);
    if (n == 0) return Error{Errc::kIo, 0, fmt::format("{}: the file ended early", call)};
    now = steady_now();
    tally.add(static_cast<std::size_t>(n), from, now);
  }
  return tally.take();
}

// Keeps the compiler from leaving out work whose result nobody wants.
template <typename T>
void keep(const T& value) {
  asm volatile("" : : "r,m"(value) : "memory");
}

// A map of each file, made when its first block is read.
class Maps {
 public:
  Maps(const IoJob& job, MapAdvice advice) : job_(job), advice_(advice), maps_(job.fds.size()) {}
  ~Maps() {
    for (char* map : maps_) {
      if (map != nullptr) ::munmap(map, job_.file_bytes);
    }
  }
  Maps(const Maps&) = delete;
  Maps& operator=(const Maps&) = delete;

  // The block; null: errno.
  const char* at(const IoCursor::Place& place, IoTally& tally) {
    if (maps_[place.file] == nullptr && !map(place.file, tally)) return nullptr;
    return maps_[place.file] + place.offset;
  }

 private:
  bool map(std::size_t file, IoTally& tally) {
    const int populate = advice_ == MapAdvice::kPopulate ? MAP_POPULATE : 0;
    void* const made = ::mmap(nullptr, job_.file_bytes, PROT_READ, MAP_SHARED | populate, job_.fds[file], 0);
    tally.calls(1);
    if (made == MAP_FAILED) return false;
    maps_[file] = static_cast<char*>(made);
    const int advice = advice_ == MapAdvice::kSequential ? MADV_SEQUENTIAL
                       : advice_ == MapAdvice::kRandom   ? MADV_RANDOM
                       : advice_ == MapAdvice::kWillNeed ? MADV_WILLNEED
                                                         : MADV_NORMAL;
    if (advice == MADV_NORMAL) return true;
    tally.calls(1);
    return ::madvise(made, job_.file_bytes, advice) == 0;
  }

  const IoJob& job_;
  MapAdvice advice_;
  std::vector<char*> maps_;
};

}  // namespace

Result<LabWork> read_by_read(const IoJob& job) {
  for (const int fd : job.fds) {
    if (::lseek(fd, 0, SEEK_SET) < 0) return errno_error("lseek");
  }
  return read_in_turns(job, "read", [&job](const IoCursor::Place& place, char* buffer, IoTally& tally) {
    const int fd = job.fds[place.file];
    tally.calls(1);
    const ssize_t n = ::read(fd, buffer, job.block_bytes);
    if (n != 0) return n;
    ::lseek(fd, 0, SEEK_SET);  // the end of a pass
    tally.calls(2);
    return ::read(fd, buffer, job.block_bytes);
  });
}

Result<LabWork> read_by_pread(const IoJob& job) {
  return read_in_turns(job, "pread", [&job](const IoCursor::Place& place, char* buffer, IoTally& tally) {
    tally.calls(1);
    return ::pread(job.fds[place.file], buffer, job.block_bytes, static_cast<off_t>(place.offset));
  });
}

Result<LabWork> read_by_nowait(const IoJob& job) {
  std::uint64_t waited = 0;
  auto work = read_in_turns(
      job, "preadv2", [&job, &waited](const IoCursor::Place& place, char* buffer, IoTally& tally) -> ssize_t {
        const int fd = job.fds[place.file];
        std::size_t done = 0;
        while (done < job.block_bytes) {
          const iovec part{buffer + done, job.block_bytes - done};
          const off_t offset = static_cast<off_t>(place.offset + done);
          tally.calls(1);
          ssize_t n = ::preadv2(fd, &part, 1, offset, RWF_NOWAIT);
          if (n < 0 && errno == EAGAIN) {
            tally.calls(1);
            ++waited;
            n = ::pread(fd, part.iov_base, part.iov_len, offset);
          }
          if (n <= 0) return n;
          done += static_cast<std::size_t>(n);
        }
        return static_cast<ssize_t>(done);
      });
  if (work) {
    work->others.emplace_back(
        "again",
        work->operations > 0 ? static_cast<double>(waited) / static_cast<double>(work->operations) : 0);
  }
  return work;
}

Result<LabWork> count_by_pread(const IoJob& job) {
  return read_in_turns(job, "pread", [&job](const IoCursor::Place& place, char* buffer, IoTally& tally) {
    tally.calls(1);
    const ssize_t n = ::pread(job.fds[place.file], buffer, job.block_bytes, static_cast<off_t>(place.offset));
    if (n > 0) keep(count_newlines({buffer, static_cast<std::size_t>(n)}));
    return n;
  });
}

Result<LabWork> read_by_mmap(const IoJob& job, MapAdvice advice) {
  Maps maps(job, advice);
  return read_in_turns(job, "mmap",
                       [&job, &maps](const IoCursor::Place& place, char* buffer, IoTally& tally) -> ssize_t {
                         const char* const data = maps.at(place, tally);
                         if (data == nullptr) return -1;
                         std::memcpy(buffer, data, job.block_bytes);
                         keep(buffer);
                         return static_cast<ssize_t>(job.block_bytes);
                       });
}

Result<LabWork> count_by_mmap(const IoJob& job) {
  Maps maps(job, MapAdvice::kNone);
  return read_in_turns(job, "mmap",
                       [&job, &maps](const IoCursor::Place& place, char*, IoTally& tally) -> ssize_t {
                         const char* const data = maps.at(place, tally);
                         if (data == nullptr) return -1;
                         keep(count_newlines({data, job.block_bytes}));
                         return static_cast<ssize_t>(job.block_bytes);
                       });
}

Result<LabWork> read_by_block_reader(const IoJob& job, const std::string& read_mode) {
  std::unique_ptr<BlockReader> reader;
  if (read_mode == "io_uring") {
    auto made = make_io_uring_reader();
    if (!made) return std::move(made).error();
    reader = std::move(*made);
  } else {
    reader = read_mode == "mmap" ? make_mmap_reader() : make_pread_reader();
  }
  Error failed;
  auto work =
      read_in_turns(job, "read", [&](const IoCursor::Place& place, char* buffer, IoTally& tally) -> ssize_t {
        auto n = reader->read(job.fds[place.file], place.offset, {buffer, job.block_bytes});
        tally.calls(1);
        if (n) return static_cast<ssize_t>(*n);
        failed = std::move(n).error();
        errno = failed.os_errno;
        return -1;
      });
  for (const int fd : job.fds) reader->forget(fd);
  if (work && reader->name() != read_mode) {
    return Error{Errc::kUnsupported, 0, fmt::format("fell back to {}", reader->name())};
  }
  return work;
}

}  // namespace logflume
