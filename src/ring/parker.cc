#include "ring/parker.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <system_error>

namespace logflume {

Parker::Parker() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!fd_.valid()) throw std::system_error(errno, std::generic_category(), "eventfd");
}

void Parker::drain() {
  std::uint64_t count = 0;
  while (::read(fd_.get(), &count, sizeof count) < 0 && errno == EINTR) {
  }
}

void Parker::signal() {
  const std::uint64_t one = 1;
  // EAGAIN means that the counter is at its limit: the descriptor is readable as it is.
  while (::write(fd_.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}

}  // namespace logflume
