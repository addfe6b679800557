// Question: what does a hand-over between two stages cost, beside the queues that one could use instead?
//
//   Hop        push and pop on one thread: the instructions alone, no other core involved.
//   Transfer   one producer thread, one consumer thread, in batches of 1 and 16 elements.
//   WakeUp     there and back between two threads that sleep in between: what parking adds.
//
// "Unpadded" is the same ring with everything packed together: the difference to the padded one is what false
// sharing costs. All queues are bounded to the same capacity, carry 8-byte elements and wait in the same way
// when full or empty. boost::lockfree::queue has no batches; moodycamel's queue gives no order between
// producers, and its figures use tokens and allocate nothing (try_enqueue).
//
// Transfer keeps its threads on two processors. `best_ns` is the time an element took in the best of its
// iterations, which is short enough to be undisturbed now and then even on a busy machine; compare that, and
// otherwise medians of one run:
//   ring_bench --benchmark_repetitions=9 --benchmark_enable_random_interleaving=true
//              --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>
#include <concurrentqueue/concurrentqueue.h>
#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <thread>

#include "base/clock.h"
#include "ring/idle_strategy.h"
#include "ring/mpmc_ring.h"
#include "ring/parker.h"
#include "ring/spsc_ring.h"

namespace logflume {
namespace {

using Element = std::uint64_t;

constexpr std::size_t kCapacity = 1024;
constexpr std::size_t kUnpadded = 1;
constexpr Element kTransferred = 10'000;  // elements an iteration

// Every rival behind the same four calls: push and pop one; push and pop a batch (how many went through).

template <typename Ring>
class OwnRing {
 public:
  bool push(Element element) { return ring_.try_push(std::move(element)); }
  bool pop(Element& element) {
    const auto item = ring_.try_pop();
    if (item) element = *item;
    return item.has_value();
  }
  std::size_t push(std::span<Element> elements) { return ring_.try_push_batch(elements); }
  std::size_t pop(std::span<Element> to) { return ring_.try_pop_batch(to); }

 private:
  Ring ring_{kCapacity};
};

class BoostSpsc {
 public:
  bool push(Element element) { return queue_.push(element); }
  bool pop(Element& element) { return queue_.pop(element); }
  std::size_t push(std::span<Element> elements) { return queue_.push(elements.data(), elements.size()); }
  std::size_t pop(std::span<Element> to) { return queue_.pop(to.data(), to.size()); }

 private:
  boost::lockfree::spsc_queue<Element> queue_{kCapacity};
};

class BoostMpmc {
 public:
  bool push(Element element) { return queue_.bounded_push(element); }
  bool pop(Element& element) { return queue_.pop(element); }

 private:
  boost::lockfree::queue<Element, boost::lockfree::fixed_sized<true>> queue_{kCapacity};
};

class Moodycamel {
 public:
  bool push(Element element) { return queue_.try_enqueue(producer_, element); }
  bool pop(Element& element) { return queue_.try_dequeue(consumer_, element); }
  std::size_t push(std::span<Element> elements) {
    return queue_.try_enqueue_bulk(producer_, elements.data(), elements.size()) ? elements.size() : 0;
  }
  std::size_t pop(std::span<Element> to) { return queue_.try_dequeue_bulk(consumer_, to.data(), to.size()); }

 private:
  moodycamel::ConcurrentQueue<Element> queue_{kCapacity, 1, 0};
  moodycamel::ProducerToken producer_{queue_};
  moodycamel::ConsumerToken consumer_{queue_};
};

class MutexDeque {
 public:
  bool push(Element element) { return push(std::span(&element, 1)) == 1; }
  bool pop(Element& element) { return pop(std::span(&element, 1)) == 1; }
  std::size_t push(std::span<Element> elements) {
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(elements.size(), kCapacity - queue_.size());
    queue_.insert(queue_.end(), elements.begin(), elements.begin() + static_cast<std::ptrdiff_t>(count));
    return count;
  }
  std::size_t pop(std::span<Element> to) {
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(to.size(), queue_.size());
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
    std::copy(queue_.begin(), end, to.begin());
    queue_.erase(queue_.begin(), end);
    return count;
  }

 private:
  std::mutex mutex_;
  std::deque<Element> queue_;
};

using SpscPadded = OwnRing<SpscRing<Element>>;
using SpscUnpadded = OwnRing<SpscRing<Element, kUnpadded>>;
using MpmcPadded = OwnRing<MpmcRing<Element>>;
using MpmcUnpadded = OwnRing<MpmcRing<Element, kUnpadded>>;

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

 private:
  unsigned failures_ = 0;
};

template <typename Queue>
void Hop(benchmark::State& state) {
  Queue queue;
  Element popped = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(queue.push(popped));
    benchmark::DoNotOptimize(queue.pop(popped));
  }
  state.SetItemsProcessed(state.iterations());
}

// Moves kTransferred elements 0, 1, 2, ... or takes them; `kBatch` at a time.
template <std::size_t kBatch, typename Queue>
void send(Queue& queue) {
  std::array<Element, kBatch> batch;
  Waiting waiting;
  for (Element next = 0; next < kTransferred;) {
    std::size_t count = 0;
    if constexpr (kBatch == 1) {
      count = queue.push(next) ? 1 : 0;
    } else {
      const std::size_t wanted = std::min<std::size_t>(kBatch, kTransferred - next);
      for (std::size_t i = 0; i < wanted; ++i) batch[i] = next + i;
      count = queue.push(std::span(batch).first(wanted));
    }
    next += count;
    count == 0 ? waiting.again() : waiting.success();
  }
}

// Returns the sum, which shows that they came across.
template <std::size_t kBatch, typename Queue>
Element receive(Queue& queue) {
  std::array<Element, kBatch> batch;
  Waiting waiting;
  Element sum = 0;
  for (Element received = 0; received < kTransferred;) {
    std::size_t count = 0;
    if constexpr (kBatch == 1) {
      count = queue.pop(batch[0]) ? 1 : 0;
    } else {
      count = queue.pop(std::span(batch));
    }
    for (std::size_t i = 0; i < count; ++i) sum += batch[i];
    received += count;
    count == 0 ? waiting.again() : waiting.success();
  }
  return sum;
}

// Keeps the calling thread on the `index`th of the processors that it may use: two threads that share one
// would show nothing. False when there are fewer.
bool pin(int index) {
  cpu_set_t allowed;
  if (::sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || index-- != 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return ::sched_setaffinity(0, sizeof one, &one) == 0;
  }
  return false;
}

class PinnedHere {
 public:
  explicit PinnedHere(int index) {
    ::sched_getaffinity(0, sizeof before_, &before_);
    pinned_ = pin(index);
  }
  ~PinnedHere() { ::sched_setaffinity(0, sizeof before_, &before_); }
  PinnedHere(const PinnedHere&) = delete;
  PinnedHere& operator=(const PinnedHere&) = delete;
  bool pinned() const { return pinned_; }

 private:
  cpu_set_t before_{};
  bool pinned_ = false;
};

template <typename Queue, std::size_t kBatch>
void Transfer(benchmark::State& state) {
  Queue queue;
  std::atomic<int> round{0};  // negative: no more
  std::atomic<int> finished{0};
  std::atomic<bool> pinned{true};
  std::atomic<bool> complete{true};
  std::jthread consumer([&] {
    if (!pin(1)) pinned = false;
    for (int done = 0;;) {
      for (Waiting waiting; round == done;) waiting.again();
      if (round < 0) return;
      if (receive<kBatch>(queue) != kTransferred * (kTransferred - 1) / 2) complete = false;
      finished = ++done;
    }
  });
  const PinnedHere here(0);
  if (!here.pinned()) pinned = false;
  int sent = 0;
  Duration best = Duration::max();
  for (auto _ : state) {
    const TimePoint start = steady_now();
    round = ++sent;
    send<kBatch>(queue);
    for (Waiting waiting; finished != sent;) waiting.again();
    best = std::min<Duration>(best, steady_now() - start);
  }
  round = -1;
  consumer.join();
  if (!complete) state.SkipWithError("elements were lost");
  if (!pinned) state.SkipWithError("needs two processors");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kTransferred));
  state.counters["best_ns"] = static_cast<double>(best.count()) / static_cast<double>(kTransferred);
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

void WakeUp(benchmark::State& state) {
  Parker there;
  Parker back;
  std::atomic<int> sent{0};
  std::atomic<int> answered{0};
  std::atomic<bool> stop{false};
  std::jthread echo([&] {
    for (int i = 1;; ++i) {
      sleep_until(there, sent, i);
      if (stop) return;
      answered.store(i, std::memory_order_relaxed);
      back.wake();
    }
  });
  int round = 0;
  for (auto _ : state) {
    sent.store(++round, std::memory_order_relaxed);
    there.wake();
    sleep_until(back, answered, round);
  }
  stop = true;
  sent.store(++round, std::memory_order_relaxed);
  there.wake();
  state.SetItemsProcessed(state.iterations() * 2);
}

BENCHMARK_TEMPLATE(Hop, SpscPadded);
BENCHMARK_TEMPLATE(Hop, SpscUnpadded);
BENCHMARK_TEMPLATE(Hop, BoostSpsc);
BENCHMARK_TEMPLATE(Hop, MpmcPadded);
BENCHMARK_TEMPLATE(Hop, MpmcUnpadded);
BENCHMARK_TEMPLATE(Hop, BoostMpmc);
BENCHMARK_TEMPLATE(Hop, Moodycamel);
BENCHMARK_TEMPLATE(Hop, MutexDeque);

BENCHMARK_TEMPLATE(Transfer, SpscPadded, 1)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, SpscUnpadded, 1)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, BoostSpsc, 1)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, MpmcPadded, 1)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, MpmcUnpadded, 1)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, BoostMpmc, 1)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, Moodycamel, 1)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, MutexDeque, 1)->UseRealTime();

BENCHMARK_TEMPLATE(Transfer, SpscPadded, 16)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, SpscUnpadded, 16)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, BoostSpsc, 16)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, MpmcPadded, 16)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, MpmcUnpadded, 16)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, Moodycamel, 16)->UseRealTime();
BENCHMARK_TEMPLATE(Transfer, MutexDeque, 16)->UseRealTime();

BENCHMARK(WakeUp)->UseRealTime();

}  // namespace
}  // namespace logflume
