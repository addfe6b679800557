#include "lab/io_job.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace logflume {

Result<std::unique_ptr<IoBuffers>> IoBuffers::make(std::size_t block_bytes_max, std::size_t bytes) {
  const std::size_t size = std::max(block_bytes_max, bytes);
  void* const data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) return errno_error("memory to read into");
  // Pages of 4 KiB, whatever the machine would choose: an agent's slabs and fio's buffers are too small for
  // others.
  ::madvise(data, size, MADV_NOHUGEPAGE);
  std::fill_n(static_cast<char*>(data), size, '\1');
  // A child would share it until it is written to, which then costs a fault.
  ::madvise(data, size, MADV_DONTFORK);
  return std::unique_ptr<IoBuffers>(new IoBuffers(static_cast<char*>(data), size));
}

IoBuffers::IoBuffers(char* data, std::size_t bytes) : data_(data), bytes_(bytes) {
  latencies_ns_.reserve(kLatenciesMax);
}

IoBuffers::~IoBuffers() { ::munmap(data_, bytes_); }

IoCursor::IoCursor(const IoJob& job)
    : blocks_(job.file_bytes / job.block_bytes),
      block_bytes_(job.block_bytes),
      files_(job.fds.size()),
      random_(job.random),
      again_(job.again) {
  if (random_) blocks_ = std::bit_floor(blocks_);
}

std::optional<IoCursor::Place> IoCursor::next() {
  const std::size_t file = count_ % files_;
  const std::uint64_t turn = count_ / files_;
  if (!again_ && turn >= blocks_) return std::nullopt;
  ++count_;
  std::uint64_t block = turn % blocks_;
  if (random_) {
    // Steps that visit each block of a power of two once: multiply by an odd number, mix, multiply again.
    const std::uint64_t mask = blocks_ - 1;
    const std::uint64_t half =
        (std::uint64_t{64} - static_cast<std::uint64_t>(std::countl_zero(blocks_)) - 1) / 2 + 1;
    block = (block * 0x9E3779B97F4A7C15ULL + file) & mask;
    block ^= block >> half;
    block = (block * 0xD6E8FEB86659FD93ULL) & mask;
    block ^= block >> half;
  }
  return Place{file, block * block_bytes_};
}

IoTally::IoTally(const IoJob& job) : latencies_ns_(job.buffers->latencies_ns()) {
  // Touched anew: where the repetition has forked a child, each page that is written to faults once.
  latencies_ns_.assign(IoBuffers::kLatenciesMax, 0);
  latencies_ns_.clear();
  meter_ = LabMeter();
  began_ = steady_now();
  end_ = began_ + job.time;
}

void IoTally::add(std::size_t bytes, TimePoint from, TimePoint now) {
  work_.bytes += bytes;
  ++work_.operations;
  if (latencies_ns_.size() == IoBuffers::kLatenciesMax) return;
  const Duration took = now - from;
  latencies_ns_.push_back(static_cast<std::uint32_t>(
      std::min<std::int64_t>(took.count(), std::numeric_limits<std::uint32_t>::max())));
}

LabWork IoTally::take() {
  work_.usage = meter_.usage();
  work_.latencies_ns = latencies_ns_;
  return std::move(work_);
}

}  // namespace logflume
