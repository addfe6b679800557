// How bytes of a file arrive in a slab: pread, a window of mmap, or io_uring. One interface, the same bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace logflume {

// Threads: one.
class BlockReader {
 public:
  virtual ~BlockReader() = default;
  // Fills `to` from `offset`; fewer bytes only at the end of the file (also when the file is truncated
  // meanwhile). What it returns is a copy: later changes of the file do not change it. Retries EINTR. As with
  // read(2), a truncation at that very moment may show as zeros up to the end of the page that it cuts.
  // Errors: kIo, kNoMemory, kPermission. A mode that fails for this file (a map that is refused) falls back
  // to pread by itself.
  virtual Result<std::size_t> read(int fd, std::uint64_t offset, std::span<char> to) = 0;
  // The same of a file that has just grown and lies on a local file system: a call of the system that returns
  // less than it was asked for has read to the end, and need not be asked again.
  virtual Result<std::size_t> read_tail(int fd, std::uint64_t offset, std::span<char> to) {
    return read(fd, offset, to);
  }
  // `fd` is about to be closed: drops what is kept for it.
  virtual void forget(int fd) = 0;
  // "pread", "mmap", "io_uring": what it really does.
  virtual std::string_view name() const = 0;
};

std::unique_ptr<BlockReader> make_pread_reader();
// Windows of `window_bytes`, read-only, at most `windows` kept (least recently used goes first), unmapped
// behind the reader. A SIGBUS (the file was truncated under the map) reads as the end of the file.
// `on_refused` is told, once, why a file is read with pread instead: the system would not map it.
std::unique_ptr<BlockReader> make_mmap_reader(std::function<void(const Error&)> on_refused = {},
                                              std::size_t window_bytes = 4 * 1024 * 1024,
                                              std::size_t windows = 4);
// Errors: kUnsupported where the kernel or a policy refuses io_uring.
Result<std::unique_ptr<BlockReader>> make_io_uring_reader();

}  // namespace logflume
