#include "sink/body_compressor.h"

#include <utility>

namespace logflume {

BodyCompressor::BodyCompressor(Compression compression, std::optional<int> level, WorkerPool& workers,
                               Parker& wake)
    : compression_(compression),
      level_(level),
      workers_(workers),
      wake_(wake),
      parallel_(workers.threads_max()) {}

BodyCompressor::~BodyCompressor() {
  for (std::size_t working = working_; working != 0; working = working_) working_.wait(working);
}

std::shared_ptr<CompressedBody> BodyCompressor::compress(RequestBody body) {
  auto compressed = std::make_shared<CompressedBody>();
  if (parallel_ == 1 || body.size() < kWorkerBytesMin) {
    compressed->body_ = compress_now(body);
    compressed->done_.store(true, std::memory_order_relaxed);
    return compressed;
  }
  ++working_;
  workers_.submit([this, compressed, body = std::move(body)] {
    compressed->body_ = compress_now(body);
    compressed->done_.store(true, std::memory_order_release);
    wake_.wake();
    if (--working_ == 0) working_.notify_all();
  });
  return compressed;
}

std::string BodyCompressor::compress_now(const RequestBody& body) {
  std::unique_ptr<Compressor> compressor = take_compressor();
  std::string out =
      body.pieces.empty() ? compressor->compress(body.bytes) : compressor->compress(body.pieces);
  give_back(std::move(compressor));
  return out;
}

std::unique_ptr<Compressor> BodyCompressor::take_compressor() {
  {
    const std::lock_guard lock(mutex_);
    if (!unused_.empty()) {
      auto compressor = std::move(unused_.back());
      unused_.pop_back();
      return compressor;
    }
  }
  return Compressor::make(compression_, level_);
}

void BodyCompressor::give_back(std::unique_ptr<Compressor> compressor) {
  const std::lock_guard lock(mutex_);
  unused_.push_back(std::move(compressor));
}

}  // namespace logflume
