// One repetition of reading: which files, in what order, until when. The ways of reading are functions of it.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "lab/experiment.h"
#include "lab/usage.h"

namespace logflume {

class IoBuffers;

struct IoJob {
  std::vector<int> fds;          // of files of the same size
  std::uint64_t file_bytes = 0;  // a multiple of the block
  std::size_t block_bytes = 0;
  bool random = false;  // each block of a pass once, in an order that has no pattern; else from the beginning
  bool again =
      false;  // from the beginning when all was read; else that is the end (a cold file is warm then)
  unsigned in_flight = 1;  // reads at a time, of the ways that can
  Duration time{};         // not much longer than this
  IoBuffers* buffers = nullptr;
};

// Memory that reads land in, and notes of how long each took: made before, so that a repetition takes no page
// faults but its own.
class IoBuffers {
 public:
  // Errors: kNoMemory.
  static Result<std::unique_ptr<IoBuffers>> make(std::size_t block_bytes_max, std::size_t bytes);
  ~IoBuffers();
  IoBuffers(const IoBuffers&) = delete;
  IoBuffers& operator=(const IoBuffers&) = delete;

  // Aligned for O_DIRECT. REQUIRES: (index + 1) * block_bytes <= what was made.
  char* block(std::size_t index, std::size_t block_bytes) const { return data_ + index * block_bytes; }
  std::vector<std::uint32_t>& latencies_ns() { return latencies_ns_; }

  // How many are kept of a repetition, the first ones.
  static constexpr std::size_t kLatenciesMax = 256 * 1024;

 private:
  IoBuffers(char* data, std::size_t bytes);

  char* data_;
  std::size_t bytes_;
  std::vector<std::uint32_t> latencies_ns_;
};

// Where the reads of a job go: in turns through the files.
class IoCursor {
 public:
  struct Place {
    std::size_t file = 0;  // index of fds
    std::uint64_t offset = 0;
  };
  explicit IoCursor(const IoJob& job);
  // None: all was read, and the job does not begin again.
  std::optional<Place> next();

 private:
  std::uint64_t blocks_;  // of a file, a power of two where the order is random
  std::uint64_t block_bytes_;
  std::size_t files_;
  bool random_;
  bool again_;
  std::uint64_t count_ = 0;  // reads so far
};

// Counts a repetition: made when it begins.
class IoTally {
 public:
  explicit IoTally(const IoJob& job);
  TimePoint began() const { return began_; }
  // A read that began at `from` is over at `now`.
  void add(std::size_t bytes, TimePoint from, TimePoint now);
  bool over(TimePoint now) const { return now >= end_; }
  void calls(std::uint64_t count) { work_.system_calls += count; }
  LabWork take();

 private:
  std::vector<std::uint32_t>& latencies_ns_;
  LabWork work_;
  LabMeter meter_;
  TimePoint began_;
  TimePoint end_;
};

// Errors of all of them: what the kernel says, with the name of the call.

// One read at a time.
Result<LabWork> read_by_read(const IoJob& job);   // read(2); not random
Result<LabWork> read_by_pread(const IoJob& job);  // pread(2)
// preadv2(2) with RWF_NOWAIT; what is not in the cache is read by a pread that waits. "again": share of
// those.
Result<LabWork> read_by_nowait(const IoJob& job);
Result<LabWork> count_by_pread(const IoJob& job);  // and the lines counted

enum class MapAdvice { kNone, kPopulate, kSequential, kRandom, kWillNeed };
// A map of each file, copied out of block by block.
Result<LabWork> read_by_mmap(const IoJob& job, MapAdvice advice);
Result<LabWork> count_by_mmap(const IoJob& job);  // the lines counted in the map, nothing copied

// What the agent does for each `read_mode`: the block reader of that name ("pread", "mmap", "io_uring").
Result<LabWork> read_by_block_reader(const IoJob& job, const std::string& read_mode);

// Several at a time.
Result<LabWork> read_by_posix_aio(const IoJob& job);
Result<LabWork> read_by_libaio(const IoJob& job);
enum class UringMode { kPlain, kRegistered, kPolled };
Result<LabWork> read_by_io_uring(const IoJob& job, UringMode mode);

// Streams: a child process writes to so many pipes or socket pairs as fast as it can, and they are read.
enum class StreamKind { kPipe, kSocket };
Result<LabWork> read_stream(const IoJob& job, StreamKind kind);  // one, by a read that waits
// Edge-triggered, until EAGAIN.
Result<LabWork> read_streams_by_epoll(const IoJob& job, StreamKind kind, std::size_t count);
// What epoll says of a file.
Result<LabWork> read_file_by_epoll(const IoJob& job);

}  // namespace logflume
