#include "sink/console_sink.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <string>
#include <utility>

#include "event/memory_budget.h"
#include "sink/backoff.h"
#include "sink/encode.h"

namespace logflume {
namespace {

// Encoded at a time: an event of one byte becomes some hundred in JSON, so a whole batch has no good bound.
constexpr std::size_t kPieceBytes = 64 * 1024;
// Written in one pass of do_work(), so that a stop is noticed.
constexpr std::size_t kBytesPerPass = 4 * 1024 * 1024;

class ConsoleSink final : public Sink {
 public:
  ConsoleSink(ConsoleSinkConfig config, SinkContext context, int fd)
      : context_(std::move(context)), fd_(fd), encoder_(config, context_.host), backoff_(config.retry) {}
  ~ConsoleSink() override { stop_waiting(); }

  Result<void> open() override {
    struct stat info {};
    if (::fstat(fd_, &info) != 0) return errno_error("standard output");
    if (S_ISSOCK(info.st_mode)) {
      kind_ = Kind::kSocket;
    } else {
      terminal_ = S_ISCHR(info.st_mode) && ::isatty(fd_) == 1;
      if (S_ISFIFO(info.st_mode) || terminal_) kind_ = Kind::kPipe;
    }
    context_.health.ok();
    return {};
  }

  std::size_t do_work(TimePoint now) override {
    if (closed_ || waiting_ || now < retry_at_) return 0;
    retry_at_ = {};
    std::size_t written = 0;
    while (written < kBytesPerPass) {
      if (!current_.batch && !take()) break;
      const std::size_t bytes = write_some();
      written += bytes;
      if (bytes == 0 && current_.batch) break;  // blocked or failed
    }
    context_.outcome.flush();
    return written;
  }

  bool has_input() const override { return !closed_ && !current_.batch && !context_.inbox.empty(); }
  TimePoint deadline() const override {
    if (closed_ || !current_.batch || waiting_) return kNever;
    return retry_at_;
  }
  void drain() override {}
  // Into a closed pipe nothing will ever be finished: waiting for it would be in vain.
  bool drained() const override { return !current_.batch || closed_; }

 private:
  // How much may be written without blocking.
  enum class Kind {
    kFile,    // also /dev/null: all of it, it never blocks for long
    kPipe,    // also a terminal: PIPE_BUF bytes when poll() says so
    kSocket,  // MSG_DONTWAIT
  };

  bool take() {
    if (!context_.inbox.try_pop(current_)) return false;
    context_.outcome.taken(current_);
    const Batch& batch = *current_.batch;
    wire_bytes_ = 0;
    next_event_ = 0;
    identity_ = encoder_.is_identity(batch);
    if (identity_) {
      rest_ = batch.text();
      newline_owed_ = batch.unterminated;
    } else {
      rest_ = {};
      newline_owed_ = false;
      encoder_.begin(batch);
    }
    return true;
  }

  // Writes what it can of the next piece. Returns the bytes written, or 1 where an empty batch was finished.
  std::size_t write_some() {
    if (rest_.empty() && !next_piece()) {
      finish();
      return 1;
    }
    const ssize_t result = write_now();
    if (result < 0) {
      failed(errno);
      return 0;
    }
    if (backoff_.failures() != 0) {
      backoff_.reset();
      context_.health.ok();
    }
    const auto bytes = static_cast<std::size_t>(result);
    wire_bytes_ += bytes;
    rest_.remove_prefix(bytes);
    if (rest_.empty() && !next_piece()) finish();
    return bytes;
  }

  bool next_piece() {
    if (identity_) {
      if (!std::exchange(newline_owed_, false)) return false;
      rest_ = "\n";
      return true;
    }
    piece_.clear();
    if (next_event_ < encoder_.events() && encoder_.is_giant(next_event_)) {
      // One at a time, and it goes in any case.
      giant_.grow(encoder_.event_bytes(next_event_));
      piece_.reserve(giant_.bytes());
      encoder_.append_event(next_event_++, piece_);
    }
    while (next_event_ < encoder_.events() && piece_.size() < kPieceBytes &&
           !encoder_.is_giant(next_event_)) {
      encoder_.append_event(next_event_++, piece_);
    }
    rest_ = piece_;
    return !rest_.empty();
  }

  void finish() {
    context_.outcome.sent(current_.batch->events, wire_bytes_);
    context_.outcome.finish(std::move(current_));
    current_ = {};
    if (giant_.bytes() == 0) return;
    piece_ = {};
    giant_.shrink(0);
  }

  ssize_t write_now() {
    std::size_t size = rest_.size();
    if (kind_ == Kind::kPipe) {
      // Waits for nothing: it only tells whether PIPE_BUF bytes would block.
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, 0) == 0) {
        errno = EAGAIN;
        return -1;
      }
      size = std::min<std::size_t>(size, PIPE_BUF);
    }
    ssize_t result;
    do {
      result = kind_ == Kind::kSocket ? ::send(fd_, rest_.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL)
                                      : ::write(fd_, rest_.data(), size);
    } while (result < 0 && errno == EINTR);
    return result;
  }

  void failed(int error) {
    if (error == EAGAIN || error == EWOULDBLOCK) {
      wait_until_writable();
      return;
    }
    // EIO: the terminal is gone. EBADF: standard output was closed before we began (main.cc).
    if (error == EPIPE || error == EBADF || (error == EIO && terminal_)) {
      closed_ = true;
      const char* const why =
          error == EBADF ? "standard output is closed" : "the reader of standard output has closed it";
      context_.metrics.error("closed");
      context_.health.failing(why);
      if (context_.give_up) context_.give_up(why);
      return;
    }
    context_.metrics.error("write");
    const std::string reason = errno_error(error, "write standard output").text();
    context_.health.degraded(reason);
    context_.log.limited(LogLevel::kError, context_.name, "write", reason + "; trying again");
    retry_at_ = steady_now() + backoff_.next();
  }

  void wait_until_writable() {
    const auto watched =
        context_.loop.watch(fd_, EPOLLOUT | EPOLLONESHOT, [this](std::uint32_t) { stop_waiting(); });
    waiting_ = watched.has_value();
    if (!waiting_) retry_at_ = steady_now() + 10ms;  // what epoll does not know
  }
  void stop_waiting() {
    if (std::exchange(waiting_, false)) context_.loop.unwatch(fd_);
  }

  SinkContext context_;
  const int fd_;
  Kind kind_ = Kind::kFile;
  bool terminal_ = false;
  BatchEncoder encoder_;
  Backoff backoff_;
  bool closed_ = false;
  bool waiting_ = false;  // for the loop to say that fd_ is writable
  TimePoint retry_at_{};

  Delivery current_;  // being written; none when its batch is null
  bool identity_ = false;
  bool newline_owed_ = false;
  std::size_t next_event_ = 0;
  std::uint64_t wire_bytes_ = 0;
  std::string piece_;                   // encoded events
  Reservation giant_{context_.budget};  // for one in piece_
  std::string_view rest_;               // of piece_ or of the batch: not written yet
};

}  // namespace

std::unique_ptr<Sink> make_console_sink(ConsoleSinkConfig config, SinkContext context, int fd) {
  return std::make_unique<ConsoleSink>(std::move(config), std::move(context), fd);
}

}  // namespace logflume
