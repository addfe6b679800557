// A server far away and the sink that delivers to it: acknowledgements come late and in any order, requests
// fail, their answers get lost, it hangs.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "simulation/log_files.h"
#include "simulation/random.h"
#include "sink/sink.h"

namespace logflume {

// What has reached it, over all crashes of the agent.
class RemoteServer {
 public:
  // Lines of one file, one after the other.
  struct Lines {
    std::uint64_t number = 0;
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };
  static std::optional<Lines> lines_of(std::string_view text);

  // What is wrong, if anything is.
  std::optional<std::string> receive(std::string_view text);
  // Refused for good: counted as discarded, and never to come again once that is durable.
  void refuse(const Lines& lines) { mark(lines, kRefused); }
  void acknowledged_durably(const Lines& lines) { mark(lines, kDurable); }
  bool has(std::uint64_t number, std::uint64_t index) const;

 private:
  static constexpr std::uint8_t kReceived = 1;
  static constexpr std::uint8_t kRefused = 2;
  static constexpr std::uint8_t kDurable = 4;
  void mark(const Lines& lines, std::uint8_t bit);
  std::map<std::uint64_t, std::vector<std::uint8_t>> files_;
};

struct RemoteBehaviour {
  double fails = 0;
  double loses_answer = 0;
  double refuses = 0;
  double hangs = 0;
  bool in_order = true;  // of one cursor: the next request only after the last was answered
  Duration latency_max = 50ms;
};

class ModelRemoteSink final : public Sink {
 public:
  ModelRemoteSink(SinkContext context, Random& random, RemoteServer& server, RemoteBehaviour behaviour)
      : context_(std::move(context)), random_(random), server_(server), behaviour_(behaviour) {}

  Result<void> open() override { return {}; }
  std::size_t do_work(TimePoint now) override;
  bool has_input() const override { return can_take() && !context_.inbox.empty(); }
  TimePoint deadline() const override;
  void drain() override {}
  bool drained() const override { return requests_.empty() && finished_.empty(); }

  void recover() { behaviour_ = {}; }
  // What was acknowledged and is not known to be durable; each with the place that makes it so.
  struct Acknowledged {
    CursorRef cursor;
    FileRange owed;
    RemoteServer::Lines lines;
  };
  std::vector<Acknowledged>& acknowledged() { return acknowledged_; }
  const std::optional<std::string>& wrong() const { return wrong_; }

 private:
  struct Request {
    Delivery delivery;
    TimePoint answer_at{};
    bool sent = false;
  };
  bool can_take() const { return requests_.size() < 16; }
  bool is_blocked(std::size_t index) const;
  bool answered(Request& request, TimePoint now);
  void flush();

  SinkContext context_;
  Random& random_;
  RemoteServer& server_;
  RemoteBehaviour behaviour_;
  std::vector<Request> requests_;
  std::vector<Acknowledged> finished_;  // not flushed yet
  std::vector<Acknowledged> acknowledged_;
  std::optional<std::string> wrong_;
};

}  // namespace logflume
