#include "sink/blackhole_sink.h"

#include <utility>

namespace logflume {
namespace {

constexpr std::size_t kDeliveriesPerPass = 64;

class BlackholeSink final : public Sink {
 public:
  explicit BlackholeSink(SinkContext context) : context_(std::move(context)) {}

  Result<void> open() override {
    context_.health.ok();
    return {};
  }
  void drain() override {}
  bool drained() const override { return true; }
  bool has_input() const override { return !context_.inbox.empty(); }

  std::size_t do_work(TimePoint) override {
    std::size_t count = 0;
    Delivery delivery;
    while (count < kDeliveriesPerPass && context_.inbox.try_pop(delivery)) {
      const Batch& batch = *delivery.batch;
      context_.outcome.taken(delivery);
      context_.outcome.sent(batch.events, batch.event_bytes());
      context_.outcome.finish(std::move(delivery));
      ++count;
    }
    context_.outcome.flush();
    return count;
  }

 private:
  SinkContext context_;
};

}  // namespace

std::unique_ptr<Sink> make_blackhole_sink(BlackholeSinkConfig, SinkContext context) {
  return std::make_unique<BlackholeSink>(std::move(context));
}

}  // namespace logflume
