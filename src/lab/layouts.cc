#include "lab/layouts.h"

#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <utility>

#include "lab/pace.h"
#include "lab/processors.h"
#include "ring/cache_line.h"

namespace logflume {
namespace {

// Of one thread, for the others to see that it goes on.
struct alignas(kCacheLineBytes) Progress {
  std::atomic<std::uint64_t> steps{0};
};

// True when all threads went on since the last call. Where a processor is busy with something else, a thread
// would work alone for a time, and nothing would be shared.
class Company {
 public:
  Company(const std::vector<Progress>& all, std::size_t self) : all_(all), self_(self), seen_(all.size()) {}
  bool went_on() {
    bool all_did = true;
    for (std::size_t i = 0; i < all_.size(); ++i) {
      const std::uint64_t steps = all_[i].steps.load(std::memory_order_relaxed);
      if (i != self_ && std::exchange(seen_[i], steps) == steps) all_did = false;
    }
    return all_did;
  }

 private:
  const std::vector<Progress>& all_;
  const std::size_t self_;
  std::vector<std::uint64_t> seen_;
};

constexpr int kStepsAPiece = 4;

// Runs `step(thread)`, which does so many operations, again and again on every processor.
Result<LabWork> together(const std::vector<int>& processors, Duration time,
                         const std::function<std::uint64_t(std::size_t thread)>& step) {
  std::barrier all_ready(std::ssize(processors));
  std::atomic<std::uint64_t> operations{0};
  std::atomic<int> not_pinned{0};
  std::vector<double> rates(processors.size());
  std::vector<Progress> progress(processors.size());
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < processors.size(); ++i) {
      threads.emplace_back([&, i] {
        const Pinned pinned(processors[i]);
        if (const Result<void> kept = pinned.result(); !kept) not_pinned = kept.error().os_errno;
        all_ready.arrive_and_wait();
        std::uint64_t done = 0;
        Pace pace(1);
        Company company(progress, i);
        const TimePoint begin = steady_now();
        do {
          for (int steps = 0; steps < kStepsAPiece; ++steps) {
            done += step(i);
            progress[i].steps.fetch_add(1, std::memory_order_relaxed);
          }
          pace.passed(done, company.went_on());
        } while (steady_now() - begin < time);
        rates[i] = static_cast<double>(done) / pace.seconds(done, begin);
        operations.fetch_add(done, std::memory_order_relaxed);
      });
    }
  }
  if (not_pinned != 0) return errno_error(not_pinned, "keep a thread on one processor");
  double rate = 0;
  for (const double one : rates) rate += one;
  LabWork work;
  work.operations = operations;
  work.seconds = static_cast<double>(work.operations) / rate;
  return work;
}

constexpr std::uint64_t kIncrements = 5'000;  // a step
constexpr std::size_t kThreadsMax = 1024;

template <std::size_t kAlign>
Result<LabWork> own_counters(const std::vector<int>& processors, Duration time) {
  struct alignas(kAlign) Counter {
    std::atomic<std::uint64_t> value{0};
  };
  // The first one begins a cache line, so that packed ones share it.
  struct alignas(kCacheLineBytes) Counters {
    std::array<Counter, kThreadsMax> all;
  };
  const auto counters = std::make_unique<Counters>();
  return together(processors, time, [&](std::size_t thread) {
    std::atomic<std::uint64_t>& counter = counters->all[thread % kThreadsMax].value;
    // As a counter with one writer is kept: no locked instruction.
    for (std::uint64_t i = 0; i < kIncrements; ++i) {
      counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    return kIncrements;
  });
}

Result<LabWork> shared_counter(const std::vector<int>& processors, Duration time) {
  alignas(kCacheLineBytes) std::atomic<std::uint64_t> counter{0};
  return together(processors, time, [&counter](std::size_t) {
    for (std::uint64_t i = 0; i < kIncrements; ++i) counter.fetch_add(1, std::memory_order_relaxed);
    return kIncrements;
  });
}

// What is known of a file, say: one field is looked at, the others lie beside it.
struct PackedRecord {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
  std::uint64_t inode = 0;
};
struct alignas(kCacheLineBytes) PaddedRecord : PackedRecord {};
struct Column {
  std::uint64_t offset = 0;
};

constexpr std::size_t kRecords = 128 * 1024;  // 8 MiB when padded: more than a core's own caches

template <typename Record>
Result<LabWork> sum_records(const std::vector<int>& processors, Duration time) {
  const std::vector<Record> records(kRecords);
  std::atomic<std::uint64_t> kept{0};
  return together(processors, time, [&](std::size_t) {
    std::uint64_t sum = 0;
    for (const Record& record : records) sum += record.offset;
    kept.fetch_add(sum, std::memory_order_relaxed);  // so that the compiler must compute it
    return std::uint64_t{kRecords};
  });
}

}  // namespace

std::span<const Layout> layouts() {
  static const std::array all = {
      Layout{kCounterWork, kPaddedCounters, own_counters<kCacheLineBytes>},
      Layout{kCounterWork, kPackedCounters, own_counters<sizeof(std::uint64_t)>},
      Layout{kCounterWork, kSharedCounter, shared_counter},
      Layout{kRecordWork, kPaddedRecords, sum_records<PaddedRecord>},
      Layout{kRecordWork, kPackedRecords, sum_records<PackedRecord>},
      Layout{kRecordWork, kColumnRecords, sum_records<Column>},
  };
  return all;
}

}  // namespace logflume
