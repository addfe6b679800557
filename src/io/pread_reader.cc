#include <unistd.h>

#include <cerrno>

#include "base/read_at.h"
#include "io/block_reader.h"

namespace logflume {
namespace {

class PreadReader final : public BlockReader {
 public:
  Result<std::size_t> read(int fd, std::uint64_t offset, std::span<char> to) override {
    return read_at(fd, offset, to);
  }

  Result<std::size_t> read_tail(int fd, std::uint64_t offset, std::span<char> to) override {
    ssize_t n = 0;
    do {
      n = ::pread(fd, to.data(), to.size(), static_cast<off_t>(offset));
    } while (n < 0 && errno == EINTR);
    if (n < 0) return errno_error("pread at offset " + std::to_string(offset));
    return static_cast<std::size_t>(n);
  }

  void forget(int) override {}
  std::string_view name() const override { return "pread"; }
};

}  // namespace

std::unique_ptr<BlockReader> make_pread_reader() { return std::make_unique<PreadReader>(); }

}  // namespace logflume
