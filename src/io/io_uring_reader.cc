#include <liburing.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <vector>

#include "io/block_reader.h"

namespace logflume {
namespace {

constexpr unsigned kRequests = 4;
constexpr std::size_t kRequestBytes = 64 * 1024;
constexpr int kRefusalsMax = 100;  // of one round, before the ring is given up

// Splits a read into requests that the kernel gets in one call.
class IoUringReader final : public BlockReader {
 public:
  IoUringReader() : pread_(make_pread_reader()) {}
  ~IoUringReader() override { close(); }

  Result<void> open() {
    const int made = io_uring_queue_init(kRequests, &ring_, 0);
    if (made < 0) return refused(-made, "io_uring_setup");
    open_ = true;
    // IORING_OP_READ came with Linux 5.6, half a year after the first rings.
    io_uring_probe* probe = io_uring_get_probe_ring(&ring_);
    const bool can_read = probe != nullptr && io_uring_opcode_supported(probe, IORING_OP_READ) != 0;
    io_uring_free_probe(probe);
    if (!can_read) return refused(0, "io_uring of this kernel cannot read");
    return {};
  }

  Result<std::size_t> read(int fd, std::uint64_t offset, std::span<char> to) override {
    std::size_t done = 0;
    while (done < to.size()) {
      if (!open_) {
        Result<std::size_t> rest = pread_->read(fd, offset + done, to.subspan(done));
        if (!rest) return rest;
        return done + *rest;
      }
      Result<Round> round = read_round(fd, offset + done, to.subspan(done));
      if (!round) return std::move(round).error();
      done += round->bytes;
      if (round->at_end) break;
      if (round->bytes == 0) {
        // A file opened with O_NONBLOCK whose bytes are not in the cache: nobody will say when they are.
        const auto part = to.subspan(done, std::min(kRequestBytes, to.size() - done));
        Result<std::size_t> n = pread_->read(fd, offset + done, part);
        if (!n) return n;
        done += *n;
        if (*n < part.size()) break;
      }
    }
    return done;
  }

  void forget(int) override {}
  std::string_view name() const override { return open_ ? "io_uring" : "pread"; }

 private:
  struct Round {
    std::size_t bytes = 0;
    bool at_end = false;
  };

  static Error refused(int os_errno, std::string what) {
    return Error{Errc::kUnsupported, os_errno, std::move(what)};
  }

  Result<Round> read_round(int fd, std::uint64_t offset, std::span<char> to);
  bool complete(unsigned count, std::span<int> results);
  void close() {
    if (open_) io_uring_queue_exit(&ring_);
    open_ = false;
  }

  io_uring ring_ = {};
  bool open_ = false;
  std::unique_ptr<BlockReader> pread_;
};

// Hands `count` prepared requests over and waits for all of them: none may write into the buffer later.
// False when the kernel takes no more; then none is under way.
bool IoUringReader::complete(unsigned count, std::span<int> results) {
  unsigned submitted = 0;
  unsigned completed = 0;
  for (int refusals = 0; completed < count;) {
    const int n = io_uring_submit_and_wait(&ring_, count - completed);
    if (n >= 0) {
      submitted += static_cast<unsigned>(n);
    } else if (n != -EINTR && ++refusals > kRefusalsMax && submitted == completed) {
      return false;
    }
    io_uring_cqe* cqe = nullptr;
    while (io_uring_peek_cqe(&ring_, &cqe) == 0) {
      results[io_uring_cqe_get_data64(cqe)] = cqe->res;
      io_uring_cqe_seen(&ring_, cqe);
      ++completed;
    }
  }
  return true;
}

Result<IoUringReader::Round> IoUringReader::read_round(int fd, std::uint64_t offset, std::span<char> to) {
  std::array<int, kRequests> results;
  results.fill(-EAGAIN);
  std::array<std::size_t, kRequests> sizes{};
  unsigned count = 0;
  std::size_t planned = 0;
  while (count < kRequests && planned < to.size()) {
    io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) break;  // cannot be: every round leaves the ring empty
    sizes[count] = std::min(kRequestBytes, to.size() - planned);
    io_uring_prep_read(sqe, fd, to.data() + planned, static_cast<unsigned>(sizes[count]), offset + planned);
    io_uring_sqe_set_data64(sqe, count);
    planned += sizes[count];
    ++count;
  }
  if (!complete(count, results)) {
    close();  // a request left in the ring would write into this buffer some day
    return Round{};
  }

  // Only what is contiguous counts; what came back behind a short read is read again in the next round.
  Round round;
  for (unsigned i = 0; i < count; ++i) {
    if (results[i] == -EINTR || results[i] == -EAGAIN) break;
    if (results[i] < 0) {
      return errno_error(-results[i], "io_uring read at offset " + std::to_string(offset + round.bytes));
    }
    const auto bytes = static_cast<std::size_t>(results[i]);
    round.bytes += bytes;
    round.at_end = bytes == 0;
    if (bytes < sizes[i]) break;
  }
  return round;
}

}  // namespace

Result<std::unique_ptr<BlockReader>> make_io_uring_reader() {
  auto reader = std::make_unique<IoUringReader>();
  if (Result<void> opened = reader->open(); !opened) return std::move(opened).error();
  return std::unique_ptr<BlockReader>(std::move(reader));
}

}  // namespace logflume
