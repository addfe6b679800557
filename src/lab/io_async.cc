// Reading with several calls in flight.
#include <aio.h>
#include <fmt/format.h>
#include <libaio.h>
#include <liburing.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <string>
#include <vector>

#include "lab/io_job.h"

namespace logflume {
namespace {

// A read in flight.
struct Slot {
  IoCursor::Place place;
  TimePoint from;
  char* buffer = nullptr;
};

// Keeps `in_flight` reads going through `Engine`, which has
//   Result<void> submit(std::size_t slot, const Slot&)   takes a read; the kernel may get it with wait()
//   Result<void> wait(IoTally&, done)                    hands over what was taken, waits for at least one of
//   all
//                                                        in flight and calls done(slot, result) for each that
//                                                        ended
template <typename Engine>
Result<LabWork> read_in_flight(const IoJob& job, const char* call, Engine& engine) {
  std::vector<Slot> slots(job.in_flight);
  IoCursor cursor(job);
  IoTally tally(job);
  std::size_t flying = 0;
  bool ended = false;
  TimePoint now = tally.began();
  const auto start = [&](std::size_t number) -> Result<void> {
    const std::optional<IoCursor::Place> place = ended ? std::nullopt : cursor.next();
    if (!place) {
      ended = true;
      return {};
    }
    slots[number] = {*place, now, job.buffers->block(number, job.block_bytes)};
    ++flying;
    return engine.submit(number, slots[number]);
  };
  Result<void> state;
  for (std::size_t number = 0; number < slots.size() && state; ++number) state = start(number);
  std::optional<long> failed;  // the first result that is no bytes
  std::vector<std::size_t> idle;
  while (state && flying > 0) {
    idle.clear();
    state = engine.wait(tally, [&](std::size_t number, long result) {
      now = steady_now();
      --flying;
      idle.push_back(number);
      if (result > 0) {
        tally.add(static_cast<std::size_t>(result), slots[number].from, now);
      } else if (!failed) {
        failed = result;
      }
    });
    // What is in flight must come back before its memory may go.
    if (failed || tally.over(now)) ended = true;
    for (std::size_t at = 0; at < idle.size() && state; ++at) state = start(idle[at]);
  }
  if (!state) return std::move(state).error();
  if (failed && *failed == 0) return Error{Errc::kIo, 0, fmt::format("{}: the file ended early", call)};
  if (failed) return errno_error(static_cast<int>(-*failed), call);
  return tally.take();
}

class PosixAio {
 public:
  explicit PosixAio(const IoJob& job)
      : job_(job), requests_(job.in_flight), waiting_(job.in_flight, nullptr) {}

  Result<void> submit(std::size_t number, const Slot& slot) {
    aiocb& request = requests_[number];
    request = {};
    request.aio_fildes = job_.fds[slot.place.file];
    request.aio_buf = slot.buffer;
    request.aio_nbytes = job_.block_bytes;
    request.aio_offset = static_cast<off_t>(slot.place.offset);
    request.aio_sigevent.sigev_notify = SIGEV_NONE;
    if (::aio_read(&request) != 0) return errno_error("aio_read");
    waiting_[number] = &request;
    return {};
  }

  template <typename Done>
  Result<void> wait(IoTally& tally, const Done& done) {
    while (!reap(tally, done)) {
      if (::aio_suspend(waiting_.data(), static_cast<int>(waiting_.size()), nullptr) != 0 && errno != EINTR) {
        return errno_error("aio_suspend");
      }
    }
    return {};
  }

 private:
  // Whether there was one.
  template <typename Done>
  bool reap(IoTally& tally, const Done& done) {
    bool any = false;
    for (std::size_t number = 0; number < waiting_.size(); ++number) {
      if (waiting_[number] == nullptr) continue;
      const int state = ::aio_error(waiting_[number]);
      if (state == EINPROGRESS) continue;
      any = true;
      waiting_[number] = nullptr;
      // The C library has threads that call pread; how often they wake each other is not to be seen from
      // here.
      tally.calls(1);
      const ssize_t n = ::aio_return(&requests_[number]);
      done(number, state != 0 ? -state : static_cast<long>(n));
    }
    return any;
  }

  const IoJob& job_;
  std::vector<aiocb> requests_;
  std::vector<const aiocb*> waiting_;
};

class LibAio {
 public:
  explicit LibAio(const IoJob& job) : job_(job), requests_(job.in_flight), events_(job.in_flight) {
    prepared_.reserve(job.in_flight);
  }
  ~LibAio() {
    if (context_ != nullptr) ::io_destroy(context_);
  }
  LibAio(const LibAio&) = delete;
  LibAio& operator=(const LibAio&) = delete;

  Result<void> open() {
    const int made = ::io_setup(static_cast<int>(job_.in_flight), &context_);
    if (made < 0) return errno_error(-made, "io_setup");
    return {};
  }

  Result<void> submit(std::size_t number, const Slot& slot) {
    iocb& request = requests_[number];
    ::io_prep_pread(&request, job_.fds[slot.place.file], slot.buffer, job_.block_bytes,
                    static_cast<long long>(slot.place.offset));
    request.data = reinterpret_cast<void*>(number);
    prepared_.push_back(&request);
    return {};
  }

  template <typename Done>
  Result<void> wait(IoTally& tally, const Done& done) {
    for (std::size_t at = 0; at < prepared_.size();) {
      const int taken =
          ::io_submit(context_, static_cast<long>(prepared_.size() - at), prepared_.data() + at);
      tally.calls(1);
      if (taken < 0 && taken != -EINTR && taken != -EAGAIN) return errno_error(-taken, "io_submit");
      if (taken > 0) at += static_cast<std::size_t>(taken);
    }
    prepared_.clear();
    int ended = 0;
    do {
      ended = ::io_getevents(context_, 1, static_cast<long>(events_.size()), events_.data(), nullptr);
      tally.calls(1);
    } while (ended == -EINTR);
    if (ended < 0) return errno_error(-ended, "io_getevents");
    for (int index = 0; index < ended; ++index) {
      const io_event& event = events_[static_cast<std::size_t>(index)];
      done(reinterpret_cast<std::size_t>(event.data), static_cast<long>(event.res));
    }
    return {};
  }

 private:
  const IoJob& job_;
  io_context_t context_ = nullptr;
  std::vector<iocb> requests_;
  std::vector<iocb*> prepared_;
  std::vector<io_event> events_;
};

class Uring {
 public:
  Uring(const IoJob& job, UringMode mode) : job_(job), mode_(mode) {}
  ~Uring() {
    if (open_) ::io_uring_queue_exit(&ring_);
  }
  Uring(const Uring&) = delete;
  Uring& operator=(const Uring&) = delete;

  Result<void> open() {
    io_uring_params params{};
    if (mode_ == UringMode::kPolled) {
      params.flags = IORING_SETUP_SQPOLL;
      params.sq_thread_idle = kPollIdleMs;
    }
    const int made = ::io_uring_queue_init_params(job_.in_flight, &ring_, &params);
    if (made < 0) return errno_error(-made, "io_uring_setup");
    open_ = true;
    if (mode_ == UringMode::kPlain) return {};
    if (const int refused =
            ::io_uring_register_files(&ring_, job_.fds.data(), static_cast<unsigned>(job_.fds.size()));
        refused < 0) {
      return errno_error(-refused, "io_uring_register_files");
    }
    std::vector<iovec> blocks(job_.in_flight);
    for (std::size_t index = 0; index < blocks.size(); ++index) {
      blocks[index] = {job_.buffers->block(index, job_.block_bytes), job_.block_bytes};
    }
    if (const int refused =
            ::io_uring_register_buffers(&ring_, blocks.data(), static_cast<unsigned>(blocks.size()));
        refused < 0) {
      return errno_error(-refused, "io_uring_register_buffers");
    }
    return {};
  }

  Result<void> submit(std::size_t number, const Slot& slot) {
    io_uring_sqe* entry = ::io_uring_get_sqe(&ring_);
    while (entry == nullptr && mode_ == UringMode::kPolled) {
      // The kernel's thread may have answered and not yet freed the entry.
      if (const int waited = ::io_uring_sqring_wait(&ring_); waited < 0 && waited != -EINTR) {
        return errno_error(-waited, "io_uring_enter");
      }
      entry = ::io_uring_get_sqe(&ring_);
    }
    if (entry == nullptr) return Error{Errc::kBusy, 0, "io_uring: no free entry"};
    const auto file = static_cast<int>(slot.place.file);
    const auto size = static_cast<unsigned>(job_.block_bytes);
    if (mode_ == UringMode::kPlain) {
      ::io_uring_prep_read(entry, job_.fds[slot.place.file], slot.buffer, size, slot.place.offset);
    } else {
      ::io_uring_prep_read_fixed(entry, file, slot.buffer, size, slot.place.offset, static_cast<int>(number));
      entry->flags |= IOSQE_FIXED_FILE;
    }
    ::io_uring_sqe_set_data64(entry, number);
    return {};
  }

  template <typename Done>
  Result<void> wait(IoTally& tally, const Done& done) {
    Result<void> handed = mode_ == UringMode::kPolled ? wait_polled(tally) : wait_submitted(tally);
    if (!handed) return handed;
    std::array<io_uring_cqe*, 64> entries;
    const unsigned count =
        ::io_uring_peek_batch_cqe(&ring_, entries.data(), static_cast<unsigned>(entries.size()));
    for (unsigned index = 0; index < count; ++index) {
      done(::io_uring_cqe_get_data64(entries[index]), entries[index]->res);
    }
    ::io_uring_cq_advance(&ring_, count);
    return {};
  }

 private:
  Result<void> wait_submitted(IoTally& tally) {
    int submitted = 0;
    do {
      submitted = ::io_uring_submit_and_wait(&ring_, 1);
      tally.calls(1);
    } while (submitted == -EINTR);
    if (submitted < 0) return errno_error(-submitted, "io_uring_enter");
    return {};
  }

  // A thread of the kernel sees what is submitted; where it sleeps, submitting is a call that wakes it.
  Result<void> wait_polled(IoTally& tally) {
    if ((__atomic_load_n(ring_.sq.kflags, __ATOMIC_RELAXED) & IORING_SQ_NEED_WAKEUP) != 0) tally.calls(1);
    if (const int submitted = ::io_uring_submit(&ring_); submitted < 0 && submitted != -EINTR) {
      return errno_error(-submitted, "io_uring_enter");
    }
    for (const TimePoint end = steady_now() + kPollTime; steady_now() < end;) {
      for (int look = 0; look < 64; ++look) {
        if (::io_uring_cq_ready(&ring_) > 0) return {};
      }
    }
    io_uring_cqe* entry = nullptr;
    int waited = 0;
    do {
      waited = ::io_uring_wait_cqe(&ring_, &entry);
      tally.calls(1);
    } while (waited == -EINTR);
    if (waited < 0) return errno_error(-waited, "io_uring_enter");
    return {};
  }

  static constexpr unsigned kPollIdleMs = 50;
  static constexpr Duration kPollTime = 50us;  // then it sleeps, to leave a busy machine to others

  const IoJob& job_;
  UringMode mode_;
  io_uring ring_{};
  bool open_ = false;
};

}  // namespace

Result<LabWork> read_by_posix_aio(const IoJob& job) {
  PosixAio engine(job);
  return read_in_flight(job, "aio_read", engine);
}

Result<LabWork> read_by_libaio(const IoJob& job) {
  LibAio engine(job);
  if (Result<void> opened = engine.open(); !opened) return std::move(opened).error();
  return read_in_flight(job, "io_getevents", engine);
}

Result<LabWork> read_by_io_uring(const IoJob& job, UringMode mode) {
  Uring engine(job, mode);
  if (Result<void> opened = engine.open(); !opened) return std::move(opened).error();
  return read_in_flight(job, "io_uring read", engine);
}

}  // namespace logflume
