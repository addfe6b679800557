/* Preloaded into the agent: what a machine does to a process, on demand and from outside.
 *
 * TORTURE_CONTROL names a file of `struct control`, mapped and looked at by each call:
 *   clock_ns    added to the time of day; the monotonic clock, which no machine sets, stays
 *   kill_after  when it counts down to 0, the process dies within the call to the disk that it has come to;
 *               a write leaves a part of itself behind
 *   fail_errno  what calls that change files below TORTURE_BELOW fail with, one in `fail_one_in` of them
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  volatile int64_t clock_ns;
  volatile int64_t kill_after;
  volatile int32_t fail_errno;
  volatile int32_t fail_one_in;
  volatile int64_t failed; /* counts up */
};

static struct control nothing;
static struct control *control = &nothing;
static char below[PATH_MAX];

__attribute__((constructor)) static void attach(void) {
  const char *path = getenv("TORTURE_CONTROL");
  const char *root = getenv("TORTURE_BELOW");
  if (root) strncpy(below, root, sizeof below - 1);
  if (!path) return;
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return;
  void *mapped = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped != MAP_FAILED) control = mapped;
}

#define REAL(name) \
  static __typeof__(&name) real; \
  if (!real) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int is_below(int fd) {
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t size = readlink(link, path, sizeof path);
  const size_t want = strlen(below);
  return size >= (ssize_t)want && memcmp(path, below, want) == 0;
}

/* 0: go on; 1: die in it; -1: fail with errno. */
static int fate(int fd) {
  if (control->kill_after == 0 && control->fail_errno == 0) return 0;
  if (!is_below(fd)) return 0;
  if (control->kill_after > 0 && __sync_sub_and_fetch(&control->kill_after, 1) == 0) return 1;
  if (control->fail_errno != 0) {
    static _Thread_local uint64_t state = 88172645463325252ULL;
    state ^= state << 13, state ^= state >> 7, state ^= state << 17;
    if (state % (uint64_t)control->fail_one_in == 0) {
      __sync_add_and_fetch(&control->failed, 1);
      errno = control->fail_errno;
      return -1;
    }
  }
  return 0;
}

static _Noreturn void die(void) {
  for (;;) kill(getpid(), SIGKILL);
}

ssize_t write(int fd, const void *data, size_t size) {
  REAL(write);
  switch (fate(fd)) {
    case 1: real(fd, data, size / 2); die();
    case -1: return -1;
  }
  return real(fd, data, size);
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  REAL(writev);
  switch (fate(fd)) {
    case 1: real(fd, parts, count / 2); die();
    case -1: return -1;
  }
  return real(fd, parts, count);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  REAL(pwrite64);
  switch (fate(fd)) {
    case 1: real(fd, data, size / 2, at); die();
    case -1: return -1;
  }
  return real(fd, data, size, at);
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) { return pwrite64(fd, data, size, at); }

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
  REAL(pwritev);
  switch (fate(fd)) {
    case 1: real(fd, parts, count / 2, at); die();
    case -1: return -1;
  }
  return real(fd, parts, count, at);
}

int fdatasync(int fd) {
  REAL(fdatasync);
  switch (fate(fd)) {
    case 1: die();
    case -1: return -1;
  }
  return real(fd);
}

int fsync(int fd) {
  REAL(fsync);
  switch (fate(fd)) {
    case 1: die();
    case -1: return -1;
  }
  return real(fd);
}

int ftruncate64(int fd, off64_t size) {
  REAL(ftruncate64);
  switch (fate(fd)) {
    case 1: die();
    case -1: return -1;
  }
  return real(fd, size);
}
int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int clock_gettime(clockid_t clock, struct timespec *out) {
  REAL(clock_gettime);
  const int result = real(clock, out);
  if (result == 0 && control->clock_ns != 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    const int64_t ns = (int64_t)out->tv_sec * 1000000000 + out->tv_nsec + control->clock_ns;
    out->tv_sec = ns / 1000000000;
    out->tv_nsec = ns % 1000000000;
  }
  return result;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone) {
  struct timespec now;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &now);
  out->tv_sec = now.tv_sec;
  out->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
