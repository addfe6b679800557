// An HTTP server that answers 200 and drops what is sent: the peer of the http sink in bench/run, fast enough
// not to be what is measured.
//
//   http_receiver PORT
//
// Prints "ready", and on SIGTERM one JSON object: requests, bytes (of bodies), cpu_seconds.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

std::atomic<std::uint64_t> requests{0};
std::atomic<std::uint64_t> body_bytes{0};

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

// The value of a header, or nothing.
std::string_view header(std::string_view head, std::string_view name) {
  for (std::size_t at = 0; (at = head.find("\r\n", at)) != head.npos;) {
    at += 2;
    const std::string_view line = head.substr(at, head.find("\r\n", at) - at);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        ::strncasecmp(line.data(), name.data(), name.size()) == 0) {
      const std::string_view value = line.substr(name.size() + 1);
      return value.substr(std::min(value.find_first_not_of(' '), value.size()));
    }
  }
  return {};
}

void send_all(int peer, std::string_view text) { (void)::send(peer, text.data(), text.size(), MSG_NOSIGNAL); }

void serve(int peer) {
  std::string buffer(256 * 1024, '\0');
  std::size_t have = 0;
  for (;;) {
    const std::string_view text(buffer.data(), have);
    const std::size_t end = text.find("\r\n\r\n");
    if (end == text.npos) {
      const ssize_t n =
          have < buffer.size() ? ::recv(peer, buffer.data() + have, buffer.size() - have, 0) : 0;
      if (n <= 0) break;
      have += static_cast<std::size_t>(n);
      continue;
    }
    const std::string_view head = text.substr(0, end + 2);
    const std::string_view length = header(head, "Content-Length");
    std::uint64_t left = 0;
    std::from_chars(length.data(), length.data() + length.size(), left);
    body_bytes.fetch_add(left, std::memory_order_relaxed);
    requests.fetch_add(1, std::memory_order_relaxed);
    if (!header(head, "Expect").empty()) send_all(peer, "HTTP/1.1 100 Continue\r\n\r\n");

    // What came with the head is the body's beginning, or all of it and the next head.
    const std::size_t behind = have - (end + 4);
    const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(behind, left));
    std::memmove(buffer.data(), buffer.data() + end + 4 + taken, behind - taken);
    have = behind - taken;
    left -= taken;
    while (left > 0) {
      const ssize_t n = ::recv(peer, buffer.data(), std::min<std::uint64_t>(buffer.size(), left), 0);
      if (n <= 0) break;
      left -= static_cast<std::uint64_t>(n);
    }
    if (left > 0) break;
    send_all(peer, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  }
  ::close(peer);
}

void accept_all(int listener) {
  for (int peer; (peer = ::accept(listener, nullptr, nullptr)) >= 0;) {
    const int on = 1;
    ::setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::thread(serve, peer).detach();
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "http_receiver: expected a PORT\n");
    return 2;
  }
  sigset_t ends;
  ::sigemptyset(&ends);
  ::sigaddset(&ends, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &ends, nullptr);

  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(argv[1])));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("bind");
  if (::listen(listener, 64) != 0) fail("listen");
  std::printf("ready\n");
  std::fflush(stdout);
  std::thread(accept_all, listener).detach();

  int number = 0;
  ::sigwait(&ends, &number);
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  std::printf("{\"requests\": %llu, \"bytes\": %llu, \"cpu_seconds\": %.6f}\n",
              static_cast<unsigned long long>(requests.load()),
              static_cast<unsigned long long>(body_bytes.load()),
              static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                  static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
  std::fflush(stdout);
  ::_exit(0);  // connections are still being served
}
