#include "base/result.h"

#include <cerrno>
#include <cstring>

namespace logflume {
namespace {

Errc code_of(int os_errno) {
  switch (os_errno) {
    case ENOENT:
    case ENOTDIR:
      return Errc::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return Errc::kPermission;
    case ENOMEM:
      return Errc::kNoMemory;
    case EINVAL:
      return Errc::kInvalidArgument;
    case ENOSYS:
    case EOPNOTSUPP:
      return Errc::kUnsupported;
    case EBUSY:
    case EWOULDBLOCK:
      return Errc::kBusy;
    default:
      return Errc::kIo;
  }
}

}  // namespace

std::string Error::text() const {
  if (os_errno == 0) return message;
  char buffer[128];
  return message + ": " + strerror_r(os_errno, buffer, sizeof buffer);
}

Error errno_error(int os_errno, std::string message) {
  return Error{code_of(os_errno), os_errno, std::move(message)};
}

Error errno_error(std::string message) { return errno_error(errno, std::move(message)); }

}  // namespace logflume
