#include "lab/waiting_readers.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fstream>
#include <optional>
#include <random>
#include <type_traits>
#include <utility>

#include "base/unique_fd.h"
#include "lab/readers.h"

namespace logflume {
namespace {

constexpr std::uint64_t kOtherFiles = 64;  // that the process has open besides
// Of what one thread takes, kernel and all; more than was ever measured.
constexpr std::uint64_t kThreadBytesMax = 96 * 1024;
constexpr int kAnswerMs = 20'000;  // a reader that has not answered by then is an error

std::uint64_t monotonic_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}

// "Slab:  1234 kB" in /proc/meminfo, summed over some keys; bytes.
double meminfo(std::initializer_list<std::string_view> keys) {
  std::ifstream file("/proc/meminfo");
  std::string key;
  std::string rest;
  double bytes = 0;
  double kilobytes = 0;
  while (file >> key >> kilobytes && std::getline(file, rest)) {
    key.pop_back();
    if (std::ranges::find(keys, key) != keys.end()) bytes += kilobytes * 1024;
  }
  return bytes;
}

double kernel_memory() { return meminfo({"Slab", "KernelStack", "PageTables"}); }

double resident_memory() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  file >> size >> resident;
  return resident * static_cast<double>(::sysconf(_SC_PAGESIZE));
}

std::optional<std::uint64_t> number_in(const std::string& path) {
  std::ifstream file(path);
  std::uint64_t number = 0;
  if (file >> number) return number;  // "max" is no number
  return std::nullopt;
}

// What a control group, or one above it, leaves of a resource; none where nothing limits it.
std::optional<std::uint64_t> left_by_control_groups(const std::string& limit, const std::string& used) {
  std::ifstream file("/proc/self/cgroup");
  std::optional<std::uint64_t> left;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("0::")) continue;
    for (std::string group = line.substr(3); !group.empty(); group.erase(group.rfind('/'))) {
      if (group == "/") group.clear();
      const std::string directory = "/sys/fs/cgroup" + group + "/";
      const auto most = number_in(directory + limit);
      const auto now = number_in(directory + used);
      if (most && now) left = std::min(left.value_or(UINT64_MAX), *most > *now ? *most - *now : 0);
      if (group.empty()) break;
    }
  }
  return left;
}

ReaderResources resources_here() {
  ReaderResources found;
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  found.open_files = files.rlim_max;
  found.threads = number_in("/proc/sys/kernel/threads-max").value_or(UINT64_MAX) / 2;
  found.threads = std::min(found.threads, number_in("/proc/sys/kernel/pid_max").value_or(UINT64_MAX) / 2);
  // A stack is two maps.
  found.threads =
      std::min(found.threads, number_in("/proc/sys/vm/max_map_count").value_or(UINT64_MAX) / 2 - 500);
  if (const auto left = left_by_control_groups("pids.max", "pids.current")) {
    found.threads = std::min(found.threads, *left / 10 * 9);  // others need some, too
  }
  found.memory_bytes = static_cast<std::uint64_t>(meminfo({"MemAvailable"}));
  if (const auto left = left_by_control_groups("memory.max", "memory.current")) {
    found.memory_bytes = std::min(found.memory_bytes, *left);
  }
  std::ifstream ports("/proc/sys/net/ipv4/ip_local_port_range");
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  if (ports >> low >> high && high > low) found.ports = high - low;
  return found;
}

// From the child: that its readers wait.
struct Ready {
  std::size_t readers = 0;
  double resident_bytes = 0;
  double kernel_bytes = 0;
  double socket_bytes = 0;
  std::array<char, 200> refused{};
  bool failed = false;  // `refused` says why there is nothing to measure
};
static_assert(std::is_trivially_copyable_v<Ready>);

void send_ready(int to, const Ready& ready) {
  // Both ends are of one program; whoever listens sees a short message as an error.
  [[maybe_unused]] const ssize_t sent = ::write(to, &ready, sizeof ready);
}

[[noreturn]] void fail(int to, const std::string& why) {
  Ready ready;
  ready.failed = true;
  why.copy(ready.refused.data(), ready.refused.size() - 1);
  send_ready(to, ready);
  ::_exit(1);
}

// The child: connects, waits, answers each message with its latency. Ends by a signal.
[[noreturn]] void be_readers(ReaderKind kind, std::size_t readers, const sockaddr_in& address, int answers) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::malloc_trim(0);  // what the parent freed must not serve the readers
  Ready ready;
  const double before_sockets = kernel_memory();
  std::vector<int> sockets;
  sockets.reserve(readers);
  for (std::size_t i = 0; i < readers; ++i) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) fail(answers, errno_error("make a socket").text());
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      fail(answers, errno_error("connect over the loopback interface").text());
    }
    sockets.push_back(fd);
  }
  const double before = kernel_memory();
  const double resident_before = resident_memory();
  ready.socket_bytes = (before - before_sockets) / static_cast<double>(readers);

  const lab_readers::OnMessage on_message = [answers](std::uint64_t sent_ns) {
    const auto latency =
        static_cast<std::uint32_t>(std::min<std::uint64_t>(monotonic_ns() - sent_ns, UINT32_MAX));
    [[maybe_unused]] const ssize_t sent = ::write(answers, &latency, sizeof latency);
  };
  const lab_readers::OnReady on_ready = [&](const lab_readers::Made& made) {
    if (made.count == 0) fail(answers, made.refused);
    const auto count = static_cast<double>(made.count);
    ready.readers = made.count;
    ready.resident_bytes = (resident_memory() - resident_before) / count;
    ready.kernel_bytes = (kernel_memory() - before) / count;
    made.refused.copy(ready.refused.data(), ready.refused.size() - 1);
    send_ready(answers, ready);
  };
  try {
    switch (kind) {
      case ReaderKind::kThreads:
        lab_readers::wait_by_threads(sockets, on_message, on_ready);
      case ReaderKind::kCoroutines:
        lab_readers::wait_by_coroutines(sockets, on_message, on_ready);
      case ReaderKind::kAsioCoroutines:
        lab_readers::wait_by_asio(sockets, on_message, on_ready);
      case ReaderKind::kEventLoop:
        lab_readers::wait_by_event_loop(sockets, on_message, on_ready);
    }
  } catch (const std::exception& error) {
    fail(answers, error.what());
  }
  ::_exit(1);
}

// A child that does not outlive the measurement.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  double cpu_seconds() const {
    clockid_t clock{};
    timespec used{};
    if (::clock_getcpuclockid(pid_, &clock) != 0 || ::clock_gettime(clock, &used) != 0) return 0;
    return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) / 1e9;
  }

 private:
  pid_t pid_;
};

// All of `bytes`, or an error after kAnswerMs.
Result<void> receive(int from, void* to, std::size_t bytes) {
  pollfd entry{from, POLLIN, 0};
  const int ready = ::poll(&entry, 1, kAnswerMs);
  if (ready < 0) return errno_error("wait for the readers");
  const ssize_t got = ready == 0 ? 0 : ::recv(from, to, bytes, MSG_WAITALL);
  if (got != static_cast<ssize_t>(bytes)) {
    return Error{Errc::kIo, 0, ready == 0 ? "the readers did not answer" : "the readers ended"};
  }
  return {};
}

// Accepts `wanted` connections, in the order in which they were made, or until the child reports.
Result<std::vector<UniqueFd>> accept_all(int listener, int answers, std::size_t wanted) {
  std::vector<UniqueFd> accepted;
  accepted.reserve(wanted);
  while (accepted.size() < wanted) {
    std::array<pollfd, 2> entries{pollfd{listener, POLLIN, 0}, pollfd{answers, POLLIN, 0}};
    if (::poll(entries.data(), entries.size(), kAnswerMs) <= 0) {
      return Error{Errc::kIo, 0, "connections over the loopback interface did not come"};
    }
    if (entries[0].revents == 0 && entries[1].revents != 0) break;  // it says why
    UniqueFd fd(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    if (!fd.valid()) return errno_error("accept a connection");
    // Closed by reset: no port is left waiting, so that the next measurement has them all.
    const linger at_once{1, 0};
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    accepted.push_back(std::move(fd));
  }
  return accepted;
}

}  // namespace

ReaderLimit reader_limit(std::size_t wanted, const ReaderResources& resources) {
  ReaderLimit limit{wanted, {}};
  const auto at_most = [&limit](std::uint64_t most, std::string reason) {
    if (most >= limit.readers) return;
    limit.readers = most;
    limit.reason = std::move(reason);
  };
  at_most(resources.open_files - std::min(resources.open_files, kOtherFiles),
          fmt::format("the hard limit of open files is {} (ulimit -Hn)", resources.open_files));
  at_most(resources.threads, fmt::format("only {} threads may be made (pids.max, threads-max, max_map_count)",
                                         resources.threads));
  at_most(resources.memory_bytes / kThreadBytesMax, "there is too little memory for that many threads");
  at_most(resources.ports / 10 * 9, "there are too few local ports (ip_local_port_range)");
  return limit;
}

ReaderLimit reader_limit(std::size_t wanted) {
  const ReaderLimit limit = reader_limit(wanted, resources_here());
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const rlim_t needed = limit.readers + kOtherFiles;
  if (files.rlim_cur < needed) {
    files.rlim_cur = std::min<rlim_t>(needed, files.rlim_max);
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  return limit;
}

Result<WaitingFigures> measure_waiting(ReaderKind kind, std::size_t readers, std::size_t wake_ups) {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (!listener.valid() || ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::listen(listener.get(), 4096) != 0 ||
      ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    return errno_error("listen on the loopback interface");
  }
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
    return errno_error("make a socket");
  const UniqueFd answers(pair[0]);
  UniqueFd theirs(pair[1]);
  const pid_t pid = ::fork();
  if (pid < 0) return errno_error("start a process for the readers");
  if (pid == 0) be_readers(kind, readers, address, theirs.get());
  const Child child(pid);
  theirs.reset();

  const Result<std::vector<UniqueFd>> peers = accept_all(listener.get(), answers.get(), readers);
  if (!peers) return peers.error();
  Ready ready;
  if (Result<void> got = receive(answers.get(), &ready, sizeof ready); !got) return std::move(got).error();
  if (ready.failed) return Error{Errc::kIo, 0, ready.refused.data()};

  WaitingFigures figures{.readers = ready.readers,
                         .refused = ready.refused.data(),
                         .resident_bytes = ready.resident_bytes,
                         .kernel_bytes = ready.kernel_bytes,
                         .socket_bytes = ready.socket_bytes,
                         .cpu_seconds = 0,
                         .latencies_ns = {}};
  std::minstd_rand random(1);
  const double before = child.cpu_seconds();
  for (std::size_t i = 0; i < wake_ups; ++i) {
    const int peer = (*peers)[random() % ready.readers].get();
    const std::uint64_t now = monotonic_ns();
    if (::send(peer, &now, sizeof now, MSG_NOSIGNAL) != sizeof now) return errno_error("write to a reader");
    std::uint32_t latency = 0;
    if (Result<void> got = receive(answers.get(), &latency, sizeof latency); !got)
      return std::move(got).error();
    figures.latencies_ns.push_back(latency);
  }
  figures.cpu_seconds = (child.cpu_seconds() - before) / static_cast<double>(wake_ups);
  return figures;
}

}  // namespace logflume
