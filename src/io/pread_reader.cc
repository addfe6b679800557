#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "io/block_reader.h"

namespace logflume {
namespace {

class PreadReader final : public BlockReader {
 public:
  Result<std::size_t> read(int fd, std::uint64_t offset, std::span<char> to) override {
    std::size_t done = 0;
    while (done < to.size()) {
      const ssize_t n = ::pread(fd, to.data() + done, to.size() - done, static_cast<off_t>(offset + done));
      if (n < 0) {
        if (errno == EINTR) continue;
        return errno_error("pread at offset " + std::to_string(offset + done));
      }
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }

  void forget(int) override {}
  std::string_view name() const override { return "pread"; }
};

}  // namespace

std::unique_ptr<BlockReader> make_pread_reader() { return std::make_unique<PreadReader>(); }

}  // namespace logflume
