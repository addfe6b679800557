// Compresses the bodies of requests: small ones at once, large ones on worker threads.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "io/worker_pool.h"
#include "ring/parker.h"
#include "sink/compress.h"
#include "sink/request_builder.h"
#include "sink/sink_config.h"

namespace logflume {

// A body on its way.
class CompressedBody {
 public:
  // It is there: take() it.
  bool done() const { return done_.load(std::memory_order_acquire); }
  // REQUIRES: done(), once.
  std::string take() { return std::move(body_); }

 private:
  friend class BodyCompressor;
  std::string body_;
  std::atomic<bool> done_{false};
};

// Threads: one, which is woken by `wake` when a body is done.
class BodyCompressor {
 public:
  // Less than this is not worth another thread.
  static constexpr std::size_t kWorkerBytesMin = 64 * 1024;

  // `compression`: gzip or zstd. The others outlive this.
  BodyCompressor(Compression compression, std::optional<int> level, WorkerPool& workers, Parker& wake);
  // Waits for what is on its way.
  ~BodyCompressor();
  BodyCompressor(const BodyCompressor&) = delete;
  BodyCompressor& operator=(const BodyCompressor&) = delete;

  // How many large bodies are worth having on their way at a time: 1 where a worker would only take the
  // caller's core.
  std::size_t parallel() const { return parallel_; }
  // What it is pieces of must stay until it is done.
  std::shared_ptr<CompressedBody> compress(RequestBody body);

 private:
  std::unique_ptr<Compressor> take_compressor();
  void give_back(std::unique_ptr<Compressor> compressor);
  std::string compress_now(const RequestBody& body);

  const Compression compression_;
  const std::optional<int> level_;
  WorkerPool& workers_;
  Parker& wake_;
  const std::size_t parallel_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Compressor>> unused_;  // guarded by mutex_
  std::atomic<std::size_t> working_{0};              // jobs that may still touch this
};

}  // namespace logflume
