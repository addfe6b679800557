#include <fcntl.h>

#include "base/allocator.h"
#include "cli/cli.h"

namespace {

// A descriptor that was closed at the start would be given to the first file that is opened, and what is
// meant for standard output or error would be written into that file. In its place stands /dev/null, for
// standard output one that cannot be written: whoever tries is told.
void fill_standard_streams() {
  for (const int fd : {0, 1, 2}) {
    if (::fcntl(fd, F_GETFD) != -1) continue;
    if (::open("/dev/null", fd == 1 ? O_RDONLY : O_RDWR) != fd) return;  // the lowest free number, by POSIX
  }
}

}  // namespace

int main(int argc, char** argv) {
  fill_standard_streams();
  logflume::tune_allocator();
  return logflume::cli_main(argc, argv);
}
