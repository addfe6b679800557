#include "lab/readers.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <coroutine>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <memory>
#include <system_error>
#include <thread>

#include "base/unique_fd.h"
#include "io/event_loop.h"

namespace logflume::lab_readers {
namespace {

// Eight bytes sent with one call arrive with one.
bool receive(int fd, int flags, const OnMessage& message) {
  std::uint64_t sent_ns = 0;
  if (::recv(fd, &sent_ns, sizeof sent_ns, flags) != sizeof sent_ns) return false;
  message(sent_ns);
  return true;
}

[[noreturn]] void wait_for_the_end() {
  for (;;) ::pause();
}

// A coroutine that nobody waits for: it begins at once and owns its frame.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    [[noreturn]] void unhandled_exception() { std::terminate(); }
  };
};

// Resumes whoever waits for a socket, on one thread.
class Reactor {
 public:
  // In the frame of the coroutine that owns it: epoll knows its address.
  class Socket {
   public:
    Socket(Reactor& reactor, int fd) : fd_(fd) {
      epoll_event event{};
      event.events = EPOLLIN | EPOLLET;
      event.data.ptr = this;
      if (::epoll_ctl(reactor.epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
        throw std::system_error(errno, std::system_category(), "epoll_ctl");
      }
    }
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;

    int fd() const { return fd_; }
    void resume() { waiting_.resume(); }

    // co_await: until there may be something to read.
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) noexcept { waiting_ = waiting; }
    void await_resume() const noexcept {}

   private:
    int fd_;
    std::coroutine_handle<> waiting_;
  };

  [[noreturn]] void run() {
    std::array<epoll_event, 128> events;
    for (;;) {
      const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), -1);
      for (int i = 0; i < count; ++i)
        static_cast<Socket*>(events[static_cast<std::size_t>(i)].data.ptr)->resume();
    }
  }

 private:
  UniqueFd epoll_{::epoll_create1(EPOLL_CLOEXEC)};
};

Detached read_for_ever(Reactor& reactor, int fd, const OnMessage& message) {
  Reactor::Socket socket(reactor, fd);
  for (;;) {
    co_await socket;
    while (receive(socket.fd(), MSG_DONTWAIT, message)) {
    }
  }
}

}  // namespace

void wait_by_threads(const std::vector<int>& sockets, const OnMessage& message, const OnReady& ready) {
  std::atomic<std::size_t> running{0};
  Made made;
  std::vector<std::thread> threads;
  threads.reserve(sockets.size());
  try {
    for (const int fd : sockets) {
      threads.emplace_back([fd, &message, &running] {
        running.fetch_add(1);
        while (receive(fd, 0, message)) {
        }
        wait_for_the_end();
      });
      ++made.count;
    }
  } catch (const std::system_error& error) {  // no more threads, or no more memory for them
    made.refused = error.code().message();
  }
  while (running.load() != made.count) std::this_thread::sleep_for(1ms);
  std::this_thread::sleep_for(20ms);  // the last one is about to call recv()
  ready(made);
  wait_for_the_end();
}

void wait_by_coroutines(const std::vector<int>& sockets, const OnMessage& message, const OnReady& ready) {
  Reactor reactor;
  Made made;
  try {
    for (const int fd : sockets) {
      read_for_ever(reactor, fd, message);
      ++made.count;
    }
  } catch (const std::system_error& error) {
    made.refused = error.code().message();
  }
  ready(made);
  reactor.run();
}

void wait_by_event_loop(const std::vector<int>& sockets, const OnMessage& message, const OnReady& ready) {
  EventLoop loop("readers");
  Made made;
  for (const int fd : sockets) {
    const Result<void> watched = loop.watch(fd, EPOLLIN | EPOLLET, [fd, &message](std::uint32_t) {
      while (receive(fd, MSG_DONTWAIT, message)) {
      }
    });
    if (!watched) {
      made.refused = watched.error().text();
      break;
    }
    ++made.count;
  }
  loop.start();
  ready(made);
  wait_for_the_end();
}

}  // namespace logflume::lab_readers
