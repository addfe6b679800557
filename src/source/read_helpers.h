// Threads that read blocks of files ahead for the sources, and count their newlines, or mark their lines,
// while they are in the cache: the costly part of reading a backlog.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include "event/slab.h"
#include "multiline/line_marker.h"
#include "ring/parker.h"

namespace logflume {

// A block to be read: where, and what became of it.
//
// Threads: the source's, but from submit() until done() or take_back(), when it is the helpers'.
struct ReadBlock {
  int fd = -1;                 // open until the block is done, or taken back
  std::uint64_t offset = 0;    // where reading begins: `lead_bytes` before the block
  std::size_t lead_bytes = 0;  // read once more, to be compared with what stood there before
  SlabRef slab;
  char* to = nullptr;  // in it: the lead, the block behind it
  std::size_t bytes = 0;
  Parker* reader = nullptr;  // woken when it is done
  const LineMarker* marker = nullptr;

  // Once it is done. Fewer bytes than asked for: the file ended, or could not be read.
  std::size_t got_bytes = 0;
  std::size_t newlines = 0;  // in the block, without a marker
  LineMarks lines;           // of the block, by `marker`; none where its lines are very short
  std::atomic<bool> is_done{false};

  // Release in run(): pairs with the acquire here, for the bytes and the count.
  bool done() const { return is_done.load(std::memory_order_acquire); }
  std::string_view lead() const { return {to, lead_bytes}; }
  void run();
};

// One for the process. Its threads are started by the first block and sleep while there is none.
//
// Threads: any.
class ReadHelpers {
 public:
  // Blocks that may be on their way or wait to be taken, of all sources together.
  static constexpr std::size_t kBlocksMax = 64;

  explicit ReadHelpers(unsigned threads) : threads_max_(threads), running_(threads) {}
  // REQUIRES: who submitted blocks has left.
  ~ReadHelpers();
  ReadHelpers(const ReadHelpers&) = delete;
  ReadHelpers& operator=(const ReadHelpers&) = delete;

  // As many as there are cores beside the source's own. REQUIRES: cores > 0.
  static unsigned threads_for(std::size_t cores);

  unsigned threads() const { return threads_max_; }
  // A place for a block among those that `memory_bytes` allow; release_place() when it was used.
  bool try_place(std::size_t memory_bytes);
  void release_place() { places_.fetch_sub(1, std::memory_order_relaxed); }

  void submit(ReadBlock& block);
  // False: a helper is at it, or has done it. Otherwise it is the caller's again.
  bool take_back(ReadBlock& block);
  // The block is the caller's again when this returns, whoever had it. Waits while a helper reads it.
  void reclaim(ReadBlock& block);
  // Nobody wakes `reader` any more when this returns. REQUIRES: its blocks were done, or are the caller's.
  void leave(const Parker& reader);

 private:
  void start();
  void run(std::size_t index);

  const unsigned threads_max_;
  std::atomic<std::size_t> places_{0};
  std::mutex mutex_;
  std::condition_variable submitted_;
  std::condition_variable finished_;
  // Guarded by mutex_, as is all below.
  std::deque<ReadBlock*> waiting_;
  struct Running {
    const ReadBlock* block = nullptr;
    Parker* reader = nullptr;
  };
  std::vector<Running> running_;  // one for each thread
  bool stopping_ = false;
  bool started_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace logflume
