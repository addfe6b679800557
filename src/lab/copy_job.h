// One repetition of sending a file to a socket. The ways of sending are functions of it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "lab/experiment.h"

namespace logflume {

struct CopyJob {
  int file = -1;  // in the page cache
  std::uint64_t file_bytes = 0;
  std::size_t block_bytes = 0;
  Duration time{};           // not much longer than this
  bool unix_socket = false;  // else TCP to 127.0.0.1
};

// Of all: the whole file, over and over, to a child process that reads and throws away; done when that one
// has read all. Operations are files; CPU and switches are the sender's. "copies" among LabWork::others: how
// often the sender's side copies each byte, as far as that is known. Errors: what the kernel says.

Result<LabWork> copy_by_read(const CopyJob& job);      // read, send
Result<LabWork> copy_by_mmap(const CopyJob& job);      // a map of the file, send
Result<LabWork> copy_by_sendfile(const CopyJob& job);  // sendfile
Result<LabWork> copy_by_splice(const CopyJob& job);    // splice into a pipe and out of it

// MSG_ZEROCOPY out of a map of the file, or (`read`) out of memory that it is read into. The kernel's notices
// are read; "kernel_copied": of what share, in percent, it says that it copied after all.
Result<LabWork> copy_by_zerocopy(const CopyJob& job, bool read);

}  // namespace logflume
