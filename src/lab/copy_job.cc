#include "lab/copy_job.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "lab/child.h"
#include "lab/usage.h"

namespace logflume {
namespace {

constexpr std::size_t kReceiveBytes = 256 * 1024;
constexpr std::size_t kZeroCopyBlocks = 16;  // in flight, of memory that must not change meanwhile

void read_and_forget(int fd) {
  const auto buffer = std::make_unique<char[]>(kReceiveBytes);
  for (;;) {
    const ssize_t n = ::read(fd, buffer.get(), kReceiveBytes);
    if (n == 0 || (n < 0 && errno != EINTR)) return;
  }
}

struct Ends {
  UniqueFd sender;
  UniqueFd receiver;
};

Result<Ends> connect_tcp() {
  const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  UniqueFd sender(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof address;
  if (!listener.valid() || !sender.valid() || ::bind(listener.get(), generic, size) != 0 ||
      ::listen(listener.get(), 1) != 0 || ::getsockname(listener.get(), generic, &size) != 0 ||
      ::connect(sender.get(), generic, size) != 0) {
    return errno_error("connect to 127.0.0.1");
  }
  UniqueFd receiver(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!receiver.valid()) return errno_error("accept");
  return Ends{std::move(sender), std::move(receiver)};
}

Result<Ends> connect_unix() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    return errno_error("socketpair");
  return Ends{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// A connection whose other end is a child process, and the count of what goes through it.
class Sender {
 public:
  Result<void> open(const CopyJob& job) {
    Result<Ends> ends = job.unix_socket ? connect_unix() : connect_tcp();
    if (!ends) return std::move(ends).error();
    socket_ = std::move(ends->sender);
    const int receiver_fd = ends->receiver.get();
    const int sender_fd = socket_.get();
    Result<Child> child = Child::start([receiver_fd, sender_fd] {
      ::close(sender_fd);  // or its end would never come
      read_and_forget(receiver_fd);
    });
    if (!child) return std::move(child).error();
    receiver_.emplace(std::move(*child));
    return {};
  }
  // The measurement begins. Memory is touched after open() and before this: a fork makes all that was touched
  // before fault once more.
  void begin(Duration time) {
    meter_ = LabMeter();
    end_ = steady_now() + time;
  }

  int fd() const { return socket_.get(); }
  bool over() const { return stopped_ || steady_now() >= end_; }
  void stop() { stopped_ = true; }  // a signal came
  void calls(std::uint64_t count) { work_.system_calls += count; }
  void sent(std::size_t bytes) { work_.bytes += bytes; }
  void file_done() { ++work_.operations; }

  Result<void> send(const char* data, std::size_t size) {
    while (size > 0) {
      const ssize_t n = ::send(fd(), data, size, MSG_NOSIGNAL);
      calls(1);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("send");
      data += n;
      size -= static_cast<std::size_t>(n);
      sent(static_cast<std::size_t>(n));
    }
    return {};
  }

  // Waits until the receiver has read all.
  LabWork finish(double copies) {
    ::shutdown(fd(), SHUT_WR);
    char none = 0;
    while (::read(fd(), &none, 1) < 0 && errno == EINTR) {
    }
    calls(2);
    work_.usage = meter_.usage();
    work_.others.emplace_back("copies", copies);
    return std::move(work_);
  }

 private:
  UniqueFd socket_;
  std::optional<Child> receiver_;
  LabWork work_;
  LabMeter meter_;
  TimePoint end_;
  bool stopped_ = false;
};

// Calls `step(offset, size)` for the blocks of the file, over and over until the time is over; it answers how
// much it took, and 0 that a signal came.
template <typename Step>
Result<void> each_block(const CopyJob& job, Sender& sender, const Step& step) {
  while (!sender.over()) {
    for (std::uint64_t offset = 0; offset < job.file_bytes && !sender.over();) {
      const auto size =
          static_cast<std::size_t>(std::min<std::uint64_t>(job.block_bytes, job.file_bytes - offset));
      Result<std::size_t> taken = step(offset, size);
      if (!taken) return std::move(taken).error();
      if (*taken == 0) sender.stop();
      offset += *taken;
      if (offset == job.file_bytes) sender.file_done();
    }
  }
  return {};
}

// A map of the whole file.
class Map {
 public:
  ~Map() {
    if (data_ != nullptr) ::munmap(data_, bytes_);
  }
  Map() = default;
  Map(const Map&) = delete;
  Map& operator=(const Map&) = delete;

  Result<void> open(const CopyJob& job) {
    void* const map = ::mmap(nullptr, job.file_bytes, PROT_READ, MAP_SHARED, job.file, 0);
    if (map == MAP_FAILED) return errno_error("mmap");
    data_ = static_cast<char*>(map);
    bytes_ = job.file_bytes;
    return {};
  }
  const char* data() const { return data_; }

 private:
  char* data_ = nullptr;
  std::size_t bytes_ = 0;
};

// The kernel's notices of what it no longer needs, and whether it copied it.
class Completions {
 public:
  explicit Completions(std::size_t blocks) : flying_(blocks) {}

  // A send of so many bytes out of this block was taken.
  void sent(std::size_t block, std::size_t bytes) {
    sends_.push_back({block, bytes});
    ++flying_[block];
    ++flying_all_;
  }
  bool free(std::size_t block) const { return flying_[block] == 0; }
  bool all_back() const { return flying_all_ == 0; }

  // Waits for at least one notice and reads all there are.
  Result<void> wait(Sender& sender) {
    pollfd queue{sender.fd(), 0, 0};  // POLLERR comes unasked
    sender.calls(1);
    if (::poll(&queue, 1, 1000) < 0 && errno != EINTR) return errno_error("poll");
    for (;;) {
      alignas(cmsghdr) std::array<char, 128> control;
      msghdr message{};
      message.msg_control = control.data();
      message.msg_controllen = control.size();
      sender.calls(1);
      if (::recvmsg(sender.fd(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
        if (errno == EAGAIN || errno == EINTR) return {};
        return errno_error("recvmsg");
      }
      for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr; part = CMSG_NXTHDR(&message, part)) {
        const auto* const notice = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(part));
        if (notice->ee_origin == SO_EE_ORIGIN_ZEROCOPY && notice->ee_errno == 0) take(*notice);
      }
    }
  }

  // Of the bytes sent, what the kernel said that it copied.
  double copied_share() const {
    return bytes_ > 0 ? static_cast<double>(copied_) / static_cast<double>(bytes_) : 0;
  }

 private:
  struct Send {
    std::size_t block;
    std::size_t bytes;
  };

  // Of the sends numbered ee_info to ee_data.
  void take(const sock_extended_err& notice) {
    for (std::uint64_t number = notice.ee_info; number <= notice.ee_data && number < sends_.size();
         ++number) {
      const Send& send = sends_[number];
      --flying_[send.block];
      --flying_all_;
      bytes_ += send.bytes;
      if ((notice.ee_code & SO_EE_CODE_ZEROCOPY_COPIED) != 0) copied_ += send.bytes;
    }
  }

  std::vector<Send> sends_;  // by the kernel's number for them
  std::vector<std::size_t> flying_;
  std::size_t flying_all_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t copied_ = 0;
};

// Sends a block that stays as it is until its notice has come.
Result<void> send_zerocopy(Sender& sender, Completions& completions, std::size_t block, const char* data,
                           std::size_t size) {
  while (size > 0) {
    const ssize_t n = ::send(sender.fd(), data, size, MSG_ZEROCOPY | MSG_NOSIGNAL);
    sender.calls(1);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS && !completions.all_back()) {  // too many notices are not read
      if (Result<void> waited = completions.wait(sender); !waited) return waited;
      continue;
    }
    if (n < 0) return errno_error("send with MSG_ZEROCOPY");
    completions.sent(block, static_cast<std::size_t>(n));
    data += n;
    size -= static_cast<std::size_t>(n);
    sender.sent(static_cast<std::size_t>(n));
  }
  return {};
}

std::unique_ptr<char[]> touched(std::size_t bytes) { return std::make_unique<char[]>(bytes); }

Result<std::size_t> read_at(const CopyJob& job, Sender& sender, char* to, std::uint64_t offset,
                            std::size_t size) {
  const ssize_t n = ::pread(job.file, to, size, static_cast<off_t>(offset));
  sender.calls(1);
  if (n < 0 && errno == EINTR) return std::size_t{0};
  if (n <= 0) return errno_error(n < 0 ? errno : EIO, "pread");
  return static_cast<std::size_t>(n);
}

}  // namespace

Result<LabWork> copy_by_read(const CopyJob& job) {
  Sender sender;
  if (Result<void> opened = sender.open(job); !opened) return std::move(opened).error();
  const auto buffer = touched(job.block_bytes);
  sender.begin(job.time);
  Result<void> sent =
      each_block(job, sender, [&](std::uint64_t offset, std::size_t size) -> Result<std::size_t> {
        Result<std::size_t> n = read_at(job, sender, buffer.get(), offset, size);
        if (!n) return n;
        if (Result<void> out = sender.send(buffer.get(), *n); !out) return std::move(out).error();
        return n;
      });
  if (!sent) return std::move(sent).error();
  return sender.finish(2);
}

Result<LabWork> copy_by_mmap(const CopyJob& job) {
  Sender sender;
  Map map;
  if (Result<void> opened = sender.open(job); !opened) return std::move(opened).error();
  sender.begin(job.time);
  if (Result<void> mapped = map.open(job); !mapped) return std::move(mapped).error();
  Result<void> sent =
      each_block(job, sender, [&](std::uint64_t offset, std::size_t size) -> Result<std::size_t> {
        if (Result<void> out = sender.send(map.data() + offset, size); !out) return std::move(out).error();
        return size;
      });
  if (!sent) return std::move(sent).error();
  return sender.finish(1);
}

Result<LabWork> copy_by_sendfile(const CopyJob& job) {
  Sender sender;
  if (Result<void> opened = sender.open(job); !opened) return std::move(opened).error();
  sender.begin(job.time);
  Result<void> sent =
      each_block(job, sender, [&](std::uint64_t offset, std::size_t size) -> Result<std::size_t> {
        auto at = static_cast<off_t>(offset);
        const ssize_t n = ::sendfile(sender.fd(), job.file, &at, size);
        sender.calls(1);
        if (n < 0 && errno == EINTR) return std::size_t{0};
        if (n <= 0) return errno_error(n < 0 ? errno : EIO, "sendfile");
        sender.sent(static_cast<std::size_t>(n));
        return static_cast<std::size_t>(n);
      });
  if (!sent) return std::move(sent).error();
  return sender.finish(0);
}

Result<LabWork> copy_by_splice(const CopyJob& job) {
  Sender sender;
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("pipe");
  const UniqueFd out(ends[0]);
  const UniqueFd in(ends[1]);
  // Where it may not be larger it takes 64 KiB at a time: more calls, the same work.
  static_cast<void>(::fcntl(in.get(), F_SETPIPE_SZ, static_cast<int>(job.block_bytes)));
  if (Result<void> opened = sender.open(job); !opened) return std::move(opened).error();
  sender.begin(job.time);
  Result<void> sent =
      each_block(job, sender, [&](std::uint64_t offset, std::size_t size) -> Result<std::size_t> {
        auto at = static_cast<off_t>(offset);
        const ssize_t n = ::splice(job.file, &at, in.get(), nullptr, size, SPLICE_F_MOVE);
        sender.calls(1);
        if (n < 0 && errno == EINTR) return std::size_t{0};
        if (n <= 0) return errno_error(n < 0 ? errno : EIO, "splice");
        for (auto left = static_cast<std::size_t>(n); left > 0;) {
          const ssize_t moved = ::splice(out.get(), nullptr, sender.fd(), nullptr, left, SPLICE_F_MOVE);
          sender.calls(1);
          if (moved < 0 && errno == EINTR) continue;
          if (moved <= 0) return errno_error(moved < 0 ? errno : EIO, "splice");
          left -= static_cast<std::size_t>(moved);
          sender.sent(static_cast<std::size_t>(moved));
        }
        return static_cast<std::size_t>(n);
      });
  if (!sent) return std::move(sent).error();
  return sender.finish(0);
}

Result<LabWork> copy_by_zerocopy(const CopyJob& job, bool read) {
  Completions completions(kZeroCopyBlocks);
  Map map;
  std::unique_ptr<char[]> memory;
  Sender sender;  // goes first: what it has sent lies in the others
  if (Result<void> opened = sender.open(job); !opened) return std::move(opened).error();
  if (read) memory = touched(kZeroCopyBlocks * job.block_bytes);
  sender.begin(job.time);
  const int on = 1;
  sender.calls(1);
  if (::setsockopt(sender.fd(), SOL_SOCKET, SO_ZEROCOPY, &on, sizeof on) != 0)
    return errno_error("SO_ZEROCOPY");
  if (Result<void> mapped = read ? Result<void>() : map.open(job); !mapped) return std::move(mapped).error();
  std::size_t turn = 0;
  Result<void> sent =
      each_block(job, sender, [&](std::uint64_t offset, std::size_t size) -> Result<std::size_t> {
        const std::size_t block = turn++ % kZeroCopyBlocks;
        while (!completions.free(block)) {
          if (Result<void> waited = completions.wait(sender); !waited) return std::move(waited).error();
        }
        const char* data = read ? nullptr : map.data() + offset;
        if (read) {
          char* const memory_block = memory.get() + block * job.block_bytes;
          Result<std::size_t> n = read_at(job, sender, memory_block, offset, size);
          if (!n || *n == 0) return n;
          size = *n;
          data = memory_block;
        }
        if (Result<void> out = send_zerocopy(sender, completions, block, data, size); !out) {
          return std::move(out).error();
        }
        return size;
      });
  if (!sent) return std::move(sent).error();
  while (!completions.all_back()) {
    if (Result<void> waited = completions.wait(sender); !waited) return std::move(waited).error();
  }
  LabWork work = sender.finish((read ? 1 : 0) + completions.copied_share());
  work.others.emplace_back("kernel_copied", completions.copied_share() * 100);
  return work;
}

}  // namespace logflume
