// Reading what comes through pipes and sockets, and what epoll says of a file.
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>
#include <vector>

#include "base/unique_fd.h"
#include "lab/child.h"
#include "lab/io_job.h"
#include "lab/log_files.h"

namespace logflume {
namespace {

struct Stream {
  UniqueFd read_end;
  UniqueFd write_end;
};

Result<Stream> make_stream(StreamKind kind) {
  std::array<int, 2> ends{};
  if (kind == StreamKind::kPipe) {
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("pipe");
  } else if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return errno_error("socketpair");
  }
  return Stream{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Writes to all of them in turns until it is killed, or nobody reads any more.
Result<Child> start_writer(const std::vector<Stream>& streams, std::size_t block_bytes) {
  const std::string text = log_text(1);
  return Child::start([&streams, &text, block_bytes] {
    for (;;) {
      for (const Stream& stream : streams) {
        if (::write(stream.write_end.get(), text.data(), block_bytes) < 0 && errno != EINTR) return;
      }
    }
  });
}

Result<std::vector<Stream>> make_streams(StreamKind kind, std::size_t count) {
  std::vector<Stream> streams;
  for (std::size_t number = 0; number < count; ++number) {
    Result<Stream> stream = make_stream(kind);
    if (!stream) return std::move(stream).error();
    streams.push_back(std::move(*stream));
  }
  return streams;
}

}  // namespace

Result<LabWork> read_stream(const IoJob& job, StreamKind kind) {
  Result<std::vector<Stream>> streams = make_streams(kind, 1);
  if (!streams) return std::move(streams).error();
  Result<Child> writer = start_writer(*streams, job.block_bytes);
  if (!writer) return std::move(writer).error();
  const int fd = streams->front().read_end.get();
  char* const buffer = job.buffers->block(0, job.block_bytes);
  IoTally tally(job);
  TimePoint now = tally.began();
  while (!tally.over(now)) {
    const TimePoint from = now;
    const ssize_t n = ::read(fd, buffer, job.block_bytes);
    tally.calls(1);
    if (n < 0 && errno == EINTR) break;
    if (n <= 0) return errno_error(n < 0 ? errno : EPIPE, "read");
    now = steady_now();
    tally.add(static_cast<std::size_t>(n), from, now);
  }
  return tally.take();
}

Result<LabWork> read_streams_by_epoll(const IoJob& job, StreamKind kind, std::size_t count) {
  Result<std::vector<Stream>> streams = make_streams(kind, count);
  if (!streams) return std::move(streams).error();
  const UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  if (!poll.valid()) return errno_error("epoll_create1");
  for (const Stream& stream : *streams) {
    const int fd = stream.read_end.get();
    epoll_event event{};
    event.events = EPOLLIN | EPOLLET;
    event.data.fd = fd;
    if (::fcntl(fd, F_SETFL, O_NONBLOCK) != 0) return errno_error("O_NONBLOCK");
    if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, fd, &event) != 0) return errno_error("epoll_ctl");
  }
  Result<Child> writer = start_writer(*streams, job.block_bytes);
  if (!writer) return std::move(writer).error();
  char* const buffer = job.buffers->block(0, job.block_bytes);
  std::array<epoll_event, 64> events;
  IoTally tally(job);
  TimePoint now = tally.began();
  while (!tally.over(now)) {
    const int ready = ::epoll_wait(poll.get(), events.data(), static_cast<int>(events.size()), 1000);
    tally.calls(1);
    if (ready < 0 && errno == EINTR) break;
    if (ready < 0) return errno_error("epoll_wait");
    for (int index = 0; index < ready; ++index) {
      // An edge comes once: all must be read that is there. A writer that is as fast would never let it end.
      while (!tally.over(now)) {
        const TimePoint from = steady_now();
        const ssize_t n = ::read(events[static_cast<std::size_t>(index)].data.fd, buffer, job.block_bytes);
        tally.calls(1);
        now = steady_now();
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
        if (n <= 0) return errno_error(n < 0 ? errno : EPIPE, "read");
        tally.add(static_cast<std::size_t>(n), from, now);
      }
    }
    if (ready == 0) return Error{Errc::kIo, 0, "nothing came for a second"};
  }
  return tally.take();
}

Result<LabWork> read_file_by_epoll(const IoJob& job) {
  const UniqueFd poll(::epoll_create1(EPOLL_CLOEXEC));
  if (!poll.valid()) return errno_error("epoll_create1");
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  if (::epoll_ctl(poll.get(), EPOLL_CTL_ADD, job.fds.front(), &event) != 0) {
    return errno_error("epoll_ctl: a file cannot be polled");
  }
  return Error{
      Errc::kUnsupported, 0,
      "epoll takes files of this file system: they are always ready, and reading waits all the same"};
}

}  // namespace logflume
