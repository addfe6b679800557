// What bare compression does with a file on all cores: the limit of sinks that compress. Threads take blocks
// of 1 MiB, as the sinks' batches are, of a file that is mapped, and drop what they made of them or, with a
// PORT, send it: each has a connection of its own to bench/http_receiver, and compresses the next block while
// the answer to the last one is under way.
//
//   compress_limit zstd FILE THREADS LEVEL [PORT]
//   compress_limit snappy FILE THREADS
//
// Prints one JSON object: bytes, compressed (bytes), seconds, cpu_seconds.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <snappy.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr std::size_t kBlockBytes = 1024 * 1024;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

std::string_view map_file(const char* path) {
  const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (fd < 0 || ::fstat(fd, &status) != 0) fail(path);
  const auto size = static_cast<std::size_t>(status.st_size);
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (data == MAP_FAILED) fail("mmap");
  ::close(fd);
  return {static_cast<const char*>(data), size};
}

// Takes what the blocks of a thread became.
class Drop {
 public:
  void take(std::string_view /*compressed*/) {}
  void end() {}
};

class Post {
 public:
  explicit Post(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fail("connect");
  }

  void take(std::string_view compressed) {
    end();
    std::string head =
        "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::to_string(compressed.size()) +
        "\r\n\r\n";
    iovec pieces[2] = {{head.data(), head.size()}, {const_cast<char*>(compressed.data()), compressed.size()}};
    msghdr message{};
    message.msg_iov = pieces;
    message.msg_iovlen = 2;
    // It blocks, so all of it goes.
    if (::sendmsg(socket_, &message, MSG_NOSIGNAL) != static_cast<ssize_t>(head.size() + compressed.size()))
      fail("send");
    waits_ = true;
  }
  // Waits for the answer.
  void end() {
    char answer[256];
    if (waits_ && ::recv(socket_, answer, sizeof answer, 0) <= 0) fail("recv");
    waits_ = false;
  }

 private:
  int socket_;
  bool waits_ = false;
};

// Makes a compressor of its own for each thread: a function from a block to what it became.
auto zstd(int level) {
  const std::shared_ptr<ZSTD_CCtx> context(::ZSTD_createCCtx(), ::ZSTD_freeCCtx);
  // As the sinks set it up.
  ::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, level);
  ::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_windowLog, 20);
  ::ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1);
  return
      [context, out = std::string(::ZSTD_compressBound(kBlockBytes), '\0')](std::string_view block) mutable {
        const std::size_t size =
            ::ZSTD_compress2(context.get(), out.data(), out.size(), block.data(), block.size());
        return std::string_view(out).substr(0, size);
      };
}

auto snappy_raw() {
  return [out = std::string(snappy::MaxCompressedLength(kBlockBytes), '\0')](std::string_view block) mutable {
    std::size_t size = 0;
    snappy::RawCompress(block.data(), block.size(), out.data(), &size);
    return std::string_view(out).substr(0, size);
  };
}

template <typename MakeCompressor, typename MakePeer>
void run(std::string_view text, unsigned threads, MakeCompressor make, MakePeer make_peer) {
  std::atomic<std::size_t> next{0};
  std::atomic<std::uint64_t> compressed{0};
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < threads; ++i) {
      workers.emplace_back([&] {
        auto compress = make();
        auto peer = make_peer();
        std::uint64_t bytes = 0;
        for (std::size_t at; (at = next.fetch_add(kBlockBytes, std::memory_order_relaxed)) < text.size();) {
          const std::string_view made = compress(text.substr(at, kBlockBytes));
          bytes += made.size();
          peer.take(made);
        }
        peer.end();
        compressed += bytes;
      });
    }
  }
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const double cpu = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                     static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  std::printf("{\"bytes\": %zu, \"compressed\": %llu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
              text.size(), static_cast<unsigned long long>(compressed.load()), seconds.count(), cpu);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  const auto threads = static_cast<unsigned>(argc > 3 ? std::atoi(argv[3]) : 0);
  const auto zstd_of_level = [&] { return zstd(std::atoi(argv[4])); };
  if (threads > 0 && what == "zstd" && argc == 5) {
    run(map_file(argv[2]), threads, zstd_of_level, [] { return Drop(); });
  } else if (threads > 0 && what == "zstd" && argc == 6) {
    run(map_file(argv[2]), threads, zstd_of_level,
        [&] { return Post(static_cast<std::uint16_t>(std::atoi(argv[5]))); });
  } else if (threads > 0 && what == "snappy" && argc == 4) {
    run(map_file(argv[2]), threads, snappy_raw, [] { return Drop(); });
  } else {
    std::fprintf(stderr, "compress_limit: see the head of bench/compress_limit.cc for the calls\n");
    return 2;
  }
  return 0;
}
