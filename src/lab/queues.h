// The queues that `lab ring` compares, behind the same calls: push and pop of a batch, which return how many
// went through. Bounded to the same capacity; elements of 8 bytes.
#pragma once

#include <concurrentqueue/concurrentqueue.h>

#include <algorithm>
#include <boost/lockfree/queue.hpp>
#include <boost/lockfree/spsc_queue.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>

#include "ring/mpmc_ring.h"
#include "ring/spsc_ring.h"

namespace logflume::lab_queues {

using Element = std::uint64_t;

// Everything packed together: the difference to the padded ring is what false sharing costs.
constexpr std::size_t kUnpadded = 1;

// Each thread has a Handle of its own: some queues keep a thread's state in one.

template <typename Ring>
class OwnRing {
 public:
  explicit OwnRing(std::size_t capacity) : ring_(capacity) {}

  class Handle {
   public:
    explicit Handle(OwnRing& queue) : ring_(queue.ring_) {}
    std::size_t push(std::span<Element> elements) {
      if (elements.size() == 1) return ring_.try_push(std::move(elements[0])) ? 1 : 0;
      return ring_.try_push_batch(elements);
    }
    std::size_t pop(std::span<Element> to) {
      if (to.size() > 1) return ring_.try_pop_batch(to);
      const auto item = ring_.try_pop();
      if (item) to[0] = *item;
      return item ? 1 : 0;
    }

   private:
    Ring& ring_;
  };

 private:
  Ring ring_;
};

using Spsc = OwnRing<SpscRing<Element>>;
using SpscUnpadded = OwnRing<SpscRing<Element, kUnpadded>>;
using Mpmc = OwnRing<MpmcRing<Element>>;
using MpmcUnpadded = OwnRing<MpmcRing<Element, kUnpadded>>;

class BoostSpsc {
 public:
  explicit BoostSpsc(std::size_t capacity) : queue_(capacity) {}

  class Handle {
   public:
    explicit Handle(BoostSpsc& queue) : queue_(queue.queue_) {}
    std::size_t push(std::span<Element> elements) { return queue_.push(elements.data(), elements.size()); }
    std::size_t pop(std::span<Element> to) { return queue_.pop(to.data(), to.size()); }

   private:
    boost::lockfree::spsc_queue<Element>& queue_;
  };

 private:
  boost::lockfree::spsc_queue<Element> queue_;
};

// Has no batches: each element goes by itself.
class BoostMpmc {
 public:
  explicit BoostMpmc(std::size_t capacity) : queue_(capacity) {}

  class Handle {
   public:
    explicit Handle(BoostMpmc& queue) : queue_(queue.queue_) {}
    std::size_t push(std::span<Element> elements) {
      std::size_t count = 0;
      while (count < elements.size() && queue_.bounded_push(elements[count])) ++count;
      return count;
    }
    std::size_t pop(std::span<Element> to) {
      std::size_t count = 0;
      while (count < to.size() && queue_.pop(to[count])) ++count;
      return count;
    }

   private:
    boost::lockfree::queue<Element, boost::lockfree::fixed_sized<true>>& queue_;
  };

 private:
  boost::lockfree::queue<Element, boost::lockfree::fixed_sized<true>> queue_;
};

// Gives no order between producers. With tokens, and without allocating (try_enqueue); its capacity is a
// least one, which it rounds up to blocks a producer.
class Moodycamel {
 public:
  explicit Moodycamel(std::size_t capacity) : queue_(capacity, kProducersMax, 0) {}

  class Handle {
   public:
    explicit Handle(Moodycamel& queue) : queue_(queue.queue_), consumer_(queue_) {}
    std::size_t push(std::span<Element> elements) {
      if (!producer_) producer_.emplace(queue_);  // not before: consumers look at every producer there is
      if (elements.size() == 1) return queue_.try_enqueue(*producer_, elements[0]) ? 1 : 0;
      return queue_.try_enqueue_bulk(*producer_, elements.data(), elements.size()) ? elements.size() : 0;
    }
    std::size_t pop(std::span<Element> to) {
      if (to.size() == 1) return queue_.try_dequeue(consumer_, to[0]) ? 1 : 0;
      return queue_.try_dequeue_bulk(consumer_, to.data(), to.size());
    }

   private:
    moodycamel::ConcurrentQueue<Element>& queue_;
    std::optional<moodycamel::ProducerToken> producer_;
    moodycamel::ConsumerToken consumer_;
  };

 private:
  static constexpr std::size_t kProducersMax = 2;
  moodycamel::ConcurrentQueue<Element> queue_;
};

class MutexDeque {
 public:
  explicit MutexDeque(std::size_t capacity) : capacity_(capacity) {}

  class Handle {
   public:
    explicit Handle(MutexDeque& queue) : queue_(queue) {}
    std::size_t push(std::span<Element> elements) { return queue_.push(elements); }
    std::size_t pop(std::span<Element> to) { return queue_.pop(to); }

   private:
    MutexDeque& queue_;
  };

 private:
  std::size_t push(std::span<Element> elements) {
    const std::lock_guard lock(mutex_);
    const std::size_t count = std::min(elements.size(), capacity_ - queue_.size());
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

  const std::size_t capacity_;
  std::mutex mutex_;
  std::deque<Element> queue_;
};

}  // namespace logflume::lab_queues
