// What the bare machine does, for the ratios of bench/run: the loops that a log agent cannot beat, with none
// of logflume in them but its newline scanner, and the receiver and the writer that measure both alike.
//
//   limits read-count FILE             read 256 KiB, count newlines
//   limits read-write FILE PORT        read 256 KiB, count, write to 127.0.0.1:PORT
//   limits sendfile FILE PORT          sendfile 256 KiB at a time to 127.0.0.1:PORT; nothing is looked at
//   limits write-sync FILE TO BYTES    read, write to the end of TO, fdatasync after each BYTES
//   limits tail-write FILE PORT        inotify, pread, write, until the connection breaks
//   limits tail-many LIST PORT         the same with the files that LIST names, one a line: looks each
//                                      millisecond
//   limits receive PORT [LINES]        one connection: count newlines until its end, or until so many
//   limits receive-all PORT LINES QUIET_MS   count newlines until nothing has come for so long, however many
//                                      they are; seconds end with line LINES
//   limits receive-stamped PORT LINES  as receive, for lines that begin with a stamp: latency of each line
//   limits receive-marked PORT   as receive, and for each line \x01STAMP among them its stamp and its delay
//   limits write FILE BYTES_A_SECOND SECONDS LINE_BYTES   an append each millisecond, lines stamped
//   limits write-many LIST BYTES_A_SECOND SECONDS LINE_BYTES LINES   the same to the files that LIST names,
//                                      one a line, by turns, LINES an append, as many appends a
//                                      millisecond as it takes
//
// Each prints one JSON object: bytes, lines, seconds (first byte to last), cpu_seconds and what else it saw.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "event/newlines.h"

namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::size_t kStampBytes = 20;  // decimal nanoseconds of CLOCK_MONOTONIC, zero-padded

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::uint64_t now_ns() {
  timespec t;
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(t.tv_nsec);
}

double cpu_seconds() {
  rusage usage;
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Report {
  std::uint64_t bytes = 0;
  std::uint64_t lines = 0;
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;

  void print(const std::string& more = {}) const {
    std::printf(
        "{\"bytes\": %llu, \"lines\": %llu, \"seconds\": %.6f, \"first_ns\": %llu, \"cpu_seconds\": "
        "%.6f%s}\n",
        static_cast<unsigned long long>(bytes), static_cast<unsigned long long>(lines),
        static_cast<double>(last_ns - first_ns) / 1e9, static_cast<unsigned long long>(first_ns),
        cpu_seconds(), more.c_str());
  }
};

struct Block {
  char* data = static_cast<char*>(std::aligned_alloc(4096, kBlockBytes + 4096));
  ~Block() { std::free(data); }
};

int open_file(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail(path);
  return fd;
}

int connect_to(const char* port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  const int on = 1;
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

bool write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
  return true;
}

int read_count(const char* path, const char* port) {
  const int fd = open_file(path);
  const int peer = port == nullptr ? -1 : connect_to(port);
  const Block block;
  Report report;
  report.first_ns = now_ns();
  for (;;) {
    const ssize_t n = ::read(fd, block.data, kBlockBytes);
    if (n < 0) fail("read");
    if (n == 0) break;
    report.bytes += static_cast<std::uint64_t>(n);
    report.lines += logflume::count_newlines({block.data, static_cast<std::size_t>(n)});
    if (peer >= 0 && !write_all(peer, block.data, static_cast<std::size_t>(n))) fail("send");
  }
  report.last_ns = now_ns();
  report.print();
  return 0;
}

// The least that a durable copy can do: what is on the way is bounded, and safe before more is taken.
int write_sync(const char* path, const char* to, std::uint64_t group_bytes) {
  const int fd = open_file(path);
  const int out = ::open(to, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (out < 0) fail(to);
  const Block block;
  Report report;
  report.first_ns = now_ns();
  std::uint64_t synced = 0;
  for (;;) {
    const ssize_t n = ::read(fd, block.data, kBlockBytes);
    if (n < 0) fail("read");
    if (n > 0 && ::write(out, block.data, static_cast<std::size_t>(n)) != n) fail("write");
    report.bytes += static_cast<std::uint64_t>(n);
    if (n == 0 || report.bytes - synced >= group_bytes) {
      if (::fdatasync(out) != 0) fail("fdatasync");
      synced = report.bytes;
    }
    if (n == 0) break;
  }
  report.last_ns = now_ns();
  report.print();
  return 0;
}

int send_file(const char* path, const char* port) {
  const int fd = open_file(path);
  const int peer = connect_to(port);
  Report report;
  report.first_ns = now_ns();
  for (;;) {
    const ssize_t n = ::sendfile(peer, fd, nullptr, kBlockBytes);
    if (n < 0) fail("sendfile");
    if (n == 0) break;
    report.bytes += static_cast<std::uint64_t>(n);
  }
  report.last_ns = now_ns();
  report.print();
  return 0;
}

// The least that a live tail can do: sleep in inotify, read what was appended, send it.
int tail_write(const char* path, const char* port) {
  const int fd = open_file(path);
  const int peer = connect_to(port);
  const int watch = ::inotify_init1(IN_CLOEXEC);
  if (::inotify_add_watch(watch, path, IN_MODIFY) < 0) fail("inotify_add_watch");
  const Block block;
  Report report;
  report.first_ns = now_ns();
  off_t offset = 0;
  alignas(inotify_event) char events[64 * 1024];
  for (;;) {
    const ssize_t n = ::pread(fd, block.data, kBlockBytes, offset);
    if (n < 0) fail("pread");
    if (n > 0) {
      offset += n;
      report.bytes += static_cast<std::uint64_t>(n);
      if (!write_all(peer, block.data, static_cast<std::size_t>(n))) break;
    }
    if (n < static_cast<ssize_t>(kBlockBytes) && ::read(watch, events, sizeof events) <= 0) break;
  }
  report.last_ns = now_ns();
  report.print();
  return 0;
}

void sleep_until(std::uint64_t due) {
  timespec until{static_cast<time_t>(due / 1'000'000'000), static_cast<long>(due % 1'000'000'000)};
  while (::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

// The same of many files: what was told within a millisecond is read at a time, file by file, and sent at
// once.
int tail_many(const char* list, const char* port) {
  struct File {
    int fd;
    off_t offset;
  };
  std::vector<File> files;  // by watch descriptor
  const int watch = ::inotify_init1(IN_CLOEXEC);
  std::ifstream paths(list);
  for (std::string path; std::getline(paths, path);) {
    const int wd = ::inotify_add_watch(watch, path.c_str(), IN_MODIFY);
    if (wd < 0) fail("inotify_add_watch");
    files.resize(std::max(files.size(), static_cast<std::size_t>(wd) + 1));
    const int fd = open_file(path.c_str());
    files[static_cast<std::size_t>(wd)] = {fd, ::lseek(fd, 0, SEEK_END)};
  }
  const int peer = connect_to(port);
  const Block block;
  Report report;
  report.first_ns = now_ns();
  alignas(inotify_event) char events[64 * 1024];
  std::vector<int> changed;
  for (;;) {
    const ssize_t n = ::read(watch, events, sizeof events);
    if (n <= 0) break;
    changed.clear();
    for (ssize_t at = 0; at < n;) {
      const auto* event = reinterpret_cast<const inotify_event*>(events + at);
      changed.push_back(event->wd);
      at += static_cast<ssize_t>(sizeof(inotify_event)) + event->len;
    }
    std::sort(changed.begin(), changed.end());
    changed.erase(std::unique(changed.begin(), changed.end()), changed.end());
    std::size_t used = 0;
    for (const int wd : changed) {
      File& file = files[static_cast<std::size_t>(wd)];
      for (bool more = true; more;) {
        const ssize_t got = ::pread(file.fd, block.data + used, kBlockBytes - used, file.offset);
        if (got < 0) fail("pread");
        more = got == static_cast<ssize_t>(kBlockBytes - used);
        file.offset += got;
        used += static_cast<std::size_t>(got);
        if (!more) continue;
        if (!write_all(peer, block.data, used)) return 0;
        report.bytes += used;
        used = 0;
      }
    }
    if (!write_all(peer, block.data, used)) return 0;
    report.bytes += used;
    sleep_until(now_ns() + 1'000'000);
  }
  report.last_ns = now_ns();
  report.print();
  return 0;
}

int listen_on(const char* port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port)));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("bind");
  if (::listen(listener, 8) != 0) fail("listen");
  std::printf("ready\n");
  std::fflush(stdout);
  return listener;
}

// Some collectors make a connection for each batch: the next one is taken until there are `lines_expected`.
int receive(const char* port, std::optional<std::uint64_t> lines_expected) {
  const int listener = listen_on(port);
  const Block block;
  Report report;
  do {
    const int peer = ::accept(listener, nullptr, nullptr);
    if (peer < 0) fail("accept");
    while (!lines_expected || report.lines < *lines_expected) {
      const ssize_t n = ::recv(peer, block.data, kBlockBytes, 0);
      if (n <= 0) break;
      report.last_ns = now_ns();
      if (report.first_ns == 0) report.first_ns = report.last_ns;
      report.bytes += static_cast<std::uint64_t>(n);
      report.lines += logflume::count_newlines({block.data, static_cast<std::size_t>(n)});
    }
    ::close(peer);
  } while (lines_expected && report.lines < *lines_expected);
  report.print();
  return 0;
}

// For who may send more or fewer than there should be: whatever comes is counted.
int receive_all(const char* port, std::uint64_t lines_timed, int quiet_ms) {
  const int listener = listen_on(port);
  const Block block;
  Report report;
  for (int peer = -1;;) {
    pollfd ready{peer < 0 ? listener : peer, POLLIN, 0};
    const int count = ::poll(&ready, 1, report.bytes == 0 ? -1 : quiet_ms);
    if (count < 0) fail("poll");
    if (count == 0) break;
    if (peer < 0) {
      peer = ::accept(listener, nullptr, nullptr);
      if (peer < 0) fail("accept");
      continue;
    }
    const ssize_t n = ::recv(peer, block.data, kBlockBytes, 0);
    if (n <= 0) {
      ::close(peer);
      peer = -1;
      continue;
    }
    const std::uint64_t now = now_ns();
    if (report.bytes == 0) report.first_ns = now;
    if (report.lines < lines_timed) report.last_ns = now;
    report.bytes += static_cast<std::uint64_t>(n);
    report.lines += logflume::count_newlines({block.data, static_cast<std::size_t>(n)});
  }
  report.print();
  return 0;
}

int receive_stamped(const char* port, std::uint64_t lines_expected) {
  const int peer = ::accept(listen_on(port), nullptr, nullptr);
  if (peer < 0) fail("accept");
  const Block block;
  Report report;
  std::string rest;
  std::vector<std::uint32_t> latencies_us;
  latencies_us.reserve(lines_expected);
  while (report.lines < lines_expected) {
    const ssize_t n = ::recv(peer, block.data, kBlockBytes, 0);
    if (n <= 0) break;
    report.last_ns = now_ns();
    if (report.first_ns == 0) report.first_ns = report.last_ns;
    report.bytes += static_cast<std::uint64_t>(n);
    rest.append(block.data, static_cast<std::size_t>(n));
    std::size_t begin = 0;
    for (std::size_t end; (end = rest.find('\n', begin)) != rest.npos; begin = end + 1) {
      ++report.lines;
      const std::uint64_t stamp = std::strtoull(rest.substr(begin, kStampBytes).c_str(), nullptr, 10);
      latencies_us.push_back(static_cast<std::uint32_t>((report.last_ns - stamp) / 1000));
    }
    rest.erase(0, begin);
  }
  std::sort(latencies_us.begin(), latencies_us.end());
  const auto quantile = [&](double q) {
    return latencies_us.empty()
               ? 0u
               : latencies_us[static_cast<std::size_t>(q * static_cast<double>(latencies_us.size() - 1))];
  };
  char more[160];
  std::snprintf(more, sizeof more, ", \"p50_us\": %u, \"p99_us\": %u, \"p999_us\": %u, \"max_us\": %u",
                quantile(0.5), quantile(0.99), quantile(0.999), quantile(1));
  report.print(more);
  return 0;
}

// Few lines are marked; to find them costs a memchr, so that a fast stream is not slowed down.
int receive_marked(const char* port) {
  constexpr std::size_t kMarkBytes = 1 + kStampBytes;
  const int peer = ::accept(listen_on(port), nullptr, nullptr);
  if (peer < 0) fail("accept");
  const Block block;
  Report report;
  std::string marked;
  std::size_t kept = 0;  // the beginning of a mark that is not whole yet
  for (;;) {
    const ssize_t n = ::recv(peer, block.data + kept, kBlockBytes, 0);
    if (n <= 0) break;
    report.last_ns = now_ns();
    if (report.first_ns == 0) report.first_ns = report.last_ns;
    report.bytes += static_cast<std::uint64_t>(n);
    report.lines += logflume::count_newlines({block.data + kept, static_cast<std::size_t>(n)});
    std::string_view text(block.data, kept + static_cast<std::size_t>(n));
    kept = 0;
    for (std::size_t at; (at = text.find('\x01')) != text.npos; text.remove_prefix(kMarkBytes)) {
      text.remove_prefix(at);
      if (text.size() < kMarkBytes) {
        kept = text.size();
        std::memmove(block.data, text.data(), kept);
        break;
      }
      const std::uint64_t stamp =
          std::strtoull(std::string(text.substr(1, kStampBytes)).c_str(), nullptr, 10);
      marked += (marked.empty() ? "[" : ", [") + std::to_string(stamp) + ", " +
                std::to_string((report.last_ns - stamp) / 1000) + "]";
    }
  }
  report.print(", \"marked\": [" + marked + "]");
  return 0;
}

// Lines of one size, of which each begins with the time of its append.
class StampedLines {
 public:
  StampedLines(std::size_t lines, std::size_t line_bytes) : line_bytes_(line_bytes) {
    for (std::size_t i = 0; i < lines; ++i) text_ += std::string(line_bytes - 1, 'x') + '\n';
  }
  void append_to(int fd, Report& report) {
    char stamp[kStampBytes + 1];
    std::snprintf(stamp, sizeof stamp, "%020llu", static_cast<unsigned long long>(now_ns()));
    for (std::size_t at = 0; at < text_.size(); at += line_bytes_)
      std::memcpy(&text_[at], stamp, kStampBytes);
    if (::write(fd, text_.data(), text_.size()) != static_cast<ssize_t>(text_.size())) fail("write");
    report.bytes += text_.size();
    report.lines += text_.size() / line_bytes_;
  }

 private:
  const std::size_t line_bytes_;
  std::string text_;
};

int open_to_append(const char* path) {
  const int fd = ::open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) fail(path);
  return fd;
}

int write_stamped(const char* path, double bytes_a_second, double seconds, std::size_t line_bytes) {
  const int fd = open_to_append(path);
  StampedLines lines(std::max<std::size_t>(1, static_cast<std::size_t>(bytes_a_second / 1000 /
                                                                       static_cast<double>(line_bytes))),
                     line_bytes);
  const auto writes = static_cast<std::uint64_t>(seconds * 1000);
  Report report;
  report.first_ns = now_ns();
  for (std::uint64_t i = 0; i < writes; ++i) {
    sleep_until(report.first_ns + i * 1'000'000);
    lines.append_to(fd, report);
  }
  report.last_ns = now_ns();
  report.print();
  return 0;
}

int write_many(const char* list, double bytes_a_second, double seconds, std::size_t line_bytes,
               std::size_t lines_an_append) {
  std::vector<int> fds;
  std::ifstream paths(list);
  for (std::string path; std::getline(paths, path);) fds.push_back(open_to_append(path.c_str()));
  if (fds.empty()) fail(list);
  StampedLines lines(lines_an_append, line_bytes);
  Report report;
  report.first_ns = now_ns();
  const auto milliseconds = static_cast<std::uint64_t>(seconds * 1000);
  std::size_t next = 0;
  for (std::uint64_t i = 1; i <= milliseconds; ++i) {
    sleep_until(report.first_ns + i * 1'000'000);
    while (static_cast<double>(report.bytes) < bytes_a_second / 1000 * static_cast<double>(i)) {
      lines.append_to(fds[next], report);
      next = (next + 1) % fds.size();
    }
  }
  report.last_ns = now_ns();
  report.print();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "read-count" && argc == 3) return read_count(argv[2], nullptr);
  if (what == "read-write" && argc == 4) return read_count(argv[2], argv[3]);
  if (what == "write-sync" && argc == 5)
    return write_sync(argv[2], argv[3], std::strtoull(argv[4], nullptr, 10));
  if (what == "sendfile" && argc == 4) return send_file(argv[2], argv[3]);
  if (what == "tail-write" && argc == 4) return tail_write(argv[2], argv[3]);
  if (what == "tail-many" && argc == 4) return tail_many(argv[2], argv[3]);
  if (what == "receive" && argc == 3) return receive(argv[2], std::nullopt);
  if (what == "receive" && argc == 4) return receive(argv[2], std::strtoull(argv[3], nullptr, 10));
  if (what == "receive-all" && argc == 5)
    return receive_all(argv[2], std::strtoull(argv[3], nullptr, 10), std::atoi(argv[4]));
  if (what == "receive-stamped" && argc == 4)
    return receive_stamped(argv[2], std::strtoull(argv[3], nullptr, 10));
  if (what == "receive-marked" && argc == 3) return receive_marked(argv[2]);
  if (what == "write" && argc == 6) {
    return write_stamped(argv[2], std::atof(argv[3]), std::atof(argv[4]),
                         static_cast<std::size_t>(std::atol(argv[5])));
  }
  if (what == "write-many" && argc == 7) {
    return write_many(argv[2], std::atof(argv[3]), std::atof(argv[4]),
                      static_cast<std::size_t>(std::atol(argv[5])),
                      static_cast<std::size_t>(std::atol(argv[6])));
  }
  std::fprintf(stderr, "limits: see the head of bench/limits.cc for the calls\n");
  return 2;
}
