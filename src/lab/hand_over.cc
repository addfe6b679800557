#include "lab/hand_over.h"

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <condition_variable>
#include <iterator>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "lab/pace.h"
#include "lab/processors.h"
#include "lab/queues.h"
#include "ring/cache_line.h"
#include "ring/idle_strategy.h"
#include "ring/parker.h"

namespace logflume {
namespace {

using lab_queues::Element;

double seconds_since(TimePoint begin) { return std::chrono::duration<double>(steady_now() - begin).count(); }

// The other side has had no time yet: pause, and give up the core when that does not help.
class Waiting {
 public:
  void again() {
    if (++failures_ % 64 == 0) {
      ::sched_yield();
    } else {
      cpu_relax();
    }
  }
  void success() { failures_ = 0; }
  // At times: long waits must look at the clock, too.
  bool long_now() const { return failures_ != 0 && failures_ % 64 == 0; }

 private:
  unsigned failures_ = 0;
};

// Of one side's threads, added up when each is done.
struct alignas(kCacheLineBytes) Total {
  std::atomic<std::uint64_t> count{0};
  std::atomic<std::uint64_t> sum{0};
  std::atomic<int> running{0};

  void add(std::uint64_t counted, std::uint64_t summed) {
    count.fetch_add(counted, std::memory_order_relaxed);
    sum.fetch_add(summed, std::memory_order_relaxed);
    // Pairs with the acquire in receive(): what was pushed is there when nobody pushes any more.
    running.fetch_sub(1, std::memory_order_release);
  }
};

constexpr std::uint64_t kBetweenClocks = 4096;  // elements

template <typename Handle>
void send(Handle& queue, std::size_t batch, TimePoint end, Total& total) {
  std::array<Element, kHandOverBatchMax> elements{};
  Waiting waiting;
  std::uint64_t sent = 0;
  std::uint64_t sum = 0;
  std::uint64_t look_at = kBetweenClocks;
  for (;;) {
    for (std::size_t i = 0; i < batch; ++i) elements[i] = sent + i;
    const std::size_t count = queue.push(std::span(elements).first(batch));
    for (std::size_t i = 0; i < count; ++i) sum += sent + i;
    sent += count;
    count == 0 ? waiting.again() : waiting.success();
    if (sent >= look_at || waiting.long_now()) {
      if (steady_now() >= end) break;
      look_at = sent + kBetweenClocks;
    }
  }
  total.add(sent, sum);
}

template <typename Handle>
void receive(Handle& queue, std::size_t batch, const Total& sent, Total& total, Pace& pace) {
  std::array<Element, kHandOverBatchMax> elements{};
  Waiting waiting;
  std::uint64_t received = 0;
  std::uint64_t sum = 0;
  for (;;) {
    const bool last = sent.running.load(std::memory_order_acquire) == 0;
    const std::size_t count = queue.pop(std::span(elements).first(batch));
    for (std::size_t i = 0; i < count; ++i) sum += elements[i];
    received += count;
    if (count != 0) {
      waiting.success();
      pace.passed(received);
    } else if (last) {
      break;
    } else {
      waiting.again();
    }
  }
  total.add(received, sum);
}

template <typename Queue>
LabWork hop(const HandOver& how) {
  Queue queue(how.capacity);
  typename Queue::Handle handle(queue);
  std::array<Element, kHandOverBatchMax> elements{};
  const std::span<Element> batch = std::span(elements).first(how.batch);
  LabWork work;
  Pace pace(kBetweenClocks);
  const TimePoint begin = steady_now();
  while (steady_now() - begin < how.time) {
    for (std::uint64_t i = 0; i < kBetweenClocks; ++i) {
      work.operations += handle.push(batch);
      handle.pop(batch);
    }
    pace.passed(work.operations);
  }
  work.seconds = pace.seconds(work.operations, begin);
  return work;
}

template <typename Queue>
Result<LabWork> through(const HandOver& how) {
  if (how.producers.empty()) return hop<Queue>(how);
  Queue queue(how.capacity);
  Total sent;
  Total received;
  sent.running = static_cast<int>(how.producers.size());
  received.running = static_cast<int>(how.consumers.size());
  std::atomic<int> not_pinned{0};
  TimePoint begin;
  // A piece is so much that a ring fills and empties more than once.
  std::vector<Pace> paces(how.consumers.size(),
                          Pace(std::max(kBetweenClocks, 4 * std::uint64_t{how.capacity})));
  std::barrier all_ready(std::ssize(how.producers) + std::ssize(how.consumers),
                         [&begin]() noexcept { begin = steady_now(); });
  const auto wait_for_all = [&](const Pinned& pinned) {
    if (const Result<void> kept = pinned.result(); !kept) not_pinned = kept.error().os_errno;
    all_ready.arrive_and_wait();
  };
  {
    std::vector<std::jthread> all;
    for (std::size_t i = 0; i < how.consumers.size(); ++i) {
      all.emplace_back([&, i] {
        const Pinned pinned(how.consumers[i]);
        typename Queue::Handle handle(queue);
        wait_for_all(pinned);
        receive(handle, how.batch, sent, received, paces[i]);
      });
    }
    for (const int processor : how.producers) {
      all.emplace_back([&, processor] {
        const Pinned pinned(processor);
        typename Queue::Handle handle(queue);
        wait_for_all(pinned);
        send(handle, how.batch, begin + how.time, sent);
      });
    }
  }
  if (not_pinned != 0) return errno_error(not_pinned, "keep a thread on one processor");
  if (sent.count != received.count || sent.sum != received.sum) {
    return Error{Errc::kCorrupt, 0, "elements were lost on the way"};
  }
  LabWork work;
  work.operations = received.count;
  // Several consumers do not go at one pace.
  work.seconds = paces.size() == 1 ? paces[0].seconds(work.operations, begin) : seconds_since(begin);
  return work;
}

void sleep_until(Parker& parker, const std::atomic<int>& value, int expected) {
  while (value.load(std::memory_order_relaxed) != expected) {
    parker.announce();
    if (value.load(std::memory_order_relaxed) != expected) {
      pollfd entry{parker.fd(), POLLIN, 0};
      ::poll(&entry, 1, -1);
      parker.drain();
    }
    parker.retract();
  }
}

// One direction of a conversation: a number, and whoever waits for it sleeps.
class ByParker {
 public:
  void tell(int number) {
    number_.store(number, std::memory_order_relaxed);
    parker_.wake();
  }
  void wait_for(int number) { sleep_until(parker_, number_, number); }

 private:
  Parker parker_;
  std::atomic<int> number_{0};
};

// The system call itself: std::atomic's wait() spins before it sleeps.
class ByFutex {
 public:
  void tell(int number) {
    number_.store(number, std::memory_order_release);
    ::syscall(SYS_futex, &number_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
  void wait_for(int number) {
    for (int seen = number_.load(std::memory_order_acquire); seen != number;
         seen = number_.load(std::memory_order_acquire)) {
      ::syscall(SYS_futex, &number_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0);
    }
  }

 private:
  std::atomic<int> number_{0};
  static_assert(sizeof number_ == sizeof(int), "the kernel looks at an int");
};

class ByCondition {
 public:
  void tell(int number) {
    {
      const std::lock_guard lock(mutex_);
      number_ = number;
    }
    condition_.notify_one();
  }
  void wait_for(int number) {
    std::unique_lock lock(mutex_);
    condition_.wait(lock, [&] { return number_ == number; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable condition_;
  int number_ = 0;
};

template <typename Way>
Result<LabWork> there_and_back(int first, int second, Duration time) {
  Way there;
  Way back;
  std::atomic<bool> stop{false};
  std::jthread echo([&] {
    const Pinned pinned(second);
    for (int i = 1;; ++i) {
      there.wait_for(i);
      const bool last = stop.load();
      back.tell(i);
      if (last) return;
    }
  });
  const Pinned pinned(first);
  LabWork work;
  const TimePoint begin = steady_now();
  for (int i = 1; !stop; ++i) {
    stop = steady_now() - begin >= time;
    const TimePoint sent = steady_now();
    there.tell(i);
    back.wait_for(i);
    const auto one_way = (steady_now() - sent).count() / 2;
    work.latencies_ns.push_back(static_cast<std::uint32_t>(std::min<std::int64_t>(one_way, UINT32_MAX)));
    work.operations += 2;
  }
  work.seconds = seconds_since(begin);
  if (Result<void> kept = pinned.result(); !kept) return std::move(kept).error();
  return work;
}

}  // namespace

std::span<const QueueKind> queue_kinds() {
  using namespace lab_queues;
  static const std::array kinds = {
      QueueKind{.name = kSpscRing, .run = through<Spsc>},
      QueueKind{.name = kSpscUnpadded, .run = through<lab_queues::SpscUnpadded>},
      QueueKind{.name = kBoostSpsc, .run = through<BoostSpsc>},
      QueueKind{.name = kMpmcRing, .many = true, .run = through<Mpmc>},
      QueueKind{.name = "MPMC, unpadded", .many = true, .run = through<MpmcUnpadded>},
      QueueKind{.name = "Boost queue", .many = true, .batches = false, .run = through<BoostMpmc>},
      QueueKind{.name = "moodycamel", .many = true, .run = through<Moodycamel>},
      QueueKind{.name = kMutexDeque, .many = true, .run = through<MutexDeque>},
  };
  return kinds;
}

std::span<const WakeKind> wake_kinds() {
  static const std::array kinds = {
      WakeKind{.name = "sleep: eventfd", .run = there_and_back<ByParker>},
      WakeKind{.name = "sleep: futex", .run = there_and_back<ByFutex>},
      WakeKind{.name = "sleep: condition", .run = there_and_back<ByCondition>},
  };
  return kinds;
}

}  // namespace logflume
