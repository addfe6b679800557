#include "sink/kafka_sink.h"

#include <algorithm>
#include <cctype>
#include <deque>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sink/backoff.h"
#include "sink/encode.h"
#include "sink/kafka_check.h"
#include "sink/kafka_client.h"
#include "sink/kafka_error.h"
#include "sink/kafka_held_topics.h"
#include "sink/kafka_routing.h"
#include "sink/kafka_window.h"

namespace logflume {
namespace {

constexpr std::size_t kEventsPerPass = 64;        // of librdkafka's queue: reports of a batch are one
constexpr std::uint32_t kMessagesPerPass = 4096;  // handed over
constexpr std::uint64_t kBatchBytesMin = 16 * 1024;
constexpr std::uint64_t kBatchOverheadBytes = 512;   // what a broker counts beside what librdkafka does
constexpr std::uint64_t kMessageOverheadBytes = 64;  // at most, of one message in a batch
constexpr std::size_t kTopicLimitsMax = 4096;        // topics that are remembered
constexpr Duration kSilenceMax = 5s;                 // in flight and nothing reported: degraded
constexpr Duration kPurgeAgain = 2ms;                // while a refused batch is taken back
constexpr Duration kFatalDrain = 2s;                 // for the reports of a client that has failed
constexpr Duration kFlushWait = 10ms;                // usually enough for librdkafka's threads to see it
constexpr Duration kFlushAgain = 50ms;               // where it was not: they look only while it lasts
// Of one producer, in batches, for so long: it is what the others wait for. Not what a linger gathers.
constexpr std::uint64_t kBacklogBatches = 4;
constexpr Duration kBacklogTime = 250ms;

// Chunk numbers wrap.
bool is_behind(KafkaTag tag, KafkaTag other) {
  if (tag.chunk != other.chunk) return static_cast<std::int32_t>(tag.chunk - other.chunk) > 0;
  return tag.index > other.index;
}

// Life of what is in flight:
//
//   running    events are handed over, reports mark them done.
//   settling   something needs to be handed over again. Nothing is handed over until the client holds
//   nothing;
//              then the window is rewound, so that the order within a partition stays.
//   paused     between two attempts (Backoff).
//
// Trouble of one topic (it does not exist, or may not be written to) concerns no other: it is held in the
// window until the client holds nothing of it and its own Backoff is over, and then handed over again
// (KafkaHeldTopics).
//
// A refusal is for a whole batch, and no answer says which message of it is to blame. So the batch is taken
// back (settling), and handed over again by a client that sends one message a request: who is refused alone
// is counted and named, the others pass. With that the sink is `isolating` until the last suspect is done.
class KafkaSink final : public Sink, private KafkaListener {
 public:
  KafkaSink(KafkaSinkConfig config, SinkContext context);

  Result<void> open() override;
  std::size_t do_work(TimePoint now) override;
  bool has_input() const override;
  TimePoint deadline() const override;
  void drain() override;
  bool drained() const override { return window_.empty() && shipments_.empty(); }

 private:
  enum class Phase { kRunning, kSettling, kPaused };

  void on_reports(std::span<const KafkaReport> reports) override;
  void on_error(int error, std::string_view text, bool fatal) override;
  void on_message_limit(const std::string& topic, int error, std::uint64_t bytes) override;
  void on_log(int level, std::string_view facility, std::string_view text) override;

  Result<void> restart_client();

  std::size_t hand_over(TimePoint now);
  void ship(Delivery&& delivery);
  bool may_hand_over() const;
  bool may_send_only_one_batch(const std::string& topic) const;
  void limit_to_one_batch(KafkaWindow::Run& run) const;
  void ask_limit(const std::string& topic);
  void limit_to_suspects(std::optional<KafkaWindow::Run>& run) const;
  void wait_for_room(const KafkaWindow::Run& run, std::uint32_t index);
  void trouble(const std::string& topic, int error);
  void answered(const std::string& topic);
  void resume_topics(TimePoint now);
  void settle(const std::string& why, bool restart);
  void suspect(const KafkaReport& report);
  bool travelled_alone(const KafkaReport& report) const;
  void refuse(const KafkaReport& report, KafkaChunk& chunk);
  void advance(TimePoint now);
  void finish_settling(TimePoint now);
  void end_isolation();
  void finish();
  void watch_backlog(TimePoint now);
  void watch_silence(TimePoint now);
  void update_gauge();

  const KafkaSinkConfig config_;
  SinkContext context_;
  std::optional<KafkaRouting> routing_;    // since open()
  std::unique_ptr<EventEncoder> encoder_;  // null: raw
  KafkaWindow window_;
  std::deque<std::shared_ptr<KafkaShipment>>
      shipments_;  // of the latest delivery, that are not in the window yet
  std::unique_ptr<KafkaClient> client_;
  KafkaBatching batching_;
  std::size_t producers_ = 1;  // of the next client
  TimePoint backlog_since_ = kNever;
  enum class Limit { kUnknown, kAsked, kSettled };
  std::unordered_map<std::string, Limit> limits_;  // by topic
  KafkaHeldTopics held_topics_;
  bool reported_ = false;  // since the held topics were looked at
  Backoff backoff_;
  const std::size_t outstanding_max_;
  const Duration silence_max_;
  const std::size_t producers_max_;

  TimePoint now_{};
  Phase phase_ = Phase::kRunning;
  bool blocked_ = false;  // no room for more until reports come
  bool draining_ = false;
  TimePoint next_flush_{};  // while draining_: what was handed over need not wait for its linger

  // While settling.
  bool restart_ = false;    // the client has to be made anew
  bool widening_ = false;   // for no other reason than to have more producers
  bool fatal_ = false;      // it will report nothing more by itself
  bool back_off_ = false;   // pause before the next attempt
  bool take_back_ = false;  // purge what it has not sent yet
  std::string why_;
  TimePoint settle_deadline_ = kNever;
  TimePoint resume_at_ = kNever;

  // Isolation.
  bool suspects_ = false;  // found since the last rewind
  bool isolating_ = false;
  bool size_suspected_ = false;
  bool size_confirmed_ = false;
  KafkaTag last_suspect_;

  bool delivered_any_ = false;
  TimePoint last_progress_{};
  std::string last_error_;
  bool silent_ = false;  // degraded because nothing is reported

  std::vector<KafkaReport> refused_;
  std::vector<Delivery> finished_;
  Counter& retries_;
  Gauge& queue_messages_;
  Gauge& producers_gauge_;
  Counter& restarts_;
};

KafkaSink::KafkaSink(KafkaSinkConfig config, SinkContext context)
    : config_(std::move(config)),
      context_(std::move(context)),
      encoder_(make_event_encoder(config_, context_.host)),
      window_(context_.budget, config_.buffer.memory_bytes()),
      batching_(kafka_batching(config_)),
      held_topics_(window_, config_.retry),
      backoff_(config_.retry),
      outstanding_max_(kafka_queue_messages(config_)),
      silence_max_(batching_.linger + kSilenceMax),
      producers_max_(kafka_producers_max(config_)),
      retries_(context_.metrics.retries()),
      queue_messages_(context_.metrics.registry.gauge(
          "logflume_kafka_queue_messages", "Messages handed to the Kafka client and not yet reported.",
          {{"component", context_.name}})),
      producers_gauge_(context_.metrics.registry.gauge(
          "logflume_kafka_producers",
          "Producers that share the work: more than one since there was a backlog.",
          {{"component", context_.name}})),
      restarts_(context_.metrics.registry.counter("logflume_kafka_client_restarts_total",
                                                  "Times that the Kafka client was made anew after an error.",
                                                  {{"component", context_.name}})) {}

// -- Start ------------------------------------------------------------------------------------------------

Result<void> KafkaSink::open() {
  std::vector<SettingFault> faults = kafka_faults(config_);
  if (!faults.empty()) return first_error(faults);
  if (auto routing = KafkaRouting::parse(config_, context_.host, faults))
    routing_.emplace(std::move(*routing));
  for (const std::string& warning : kafka_option_warnings(config_)) {
    context_.log.warn(context_.name, "option weakens delivery: {}", warning);
  }
  last_progress_ = steady_now();
  return restart_client();
}

Result<void> KafkaSink::restart_client() {
  KafkaBatching batching = batching_;
  if (isolating_) {
    batching.messages_max = 1;
    batching.linger = Duration{};
  }
  if (draining_) batching.linger = Duration{};
  // What the old client asked is not answered any more.
  for (auto& [topic, limit] : limits_) limit = limit == Limit::kAsked ? Limit::kUnknown : limit;
  client_.reset();  // its threads end before the next one's begin
  auto client = KafkaClient::create(config_, batching, isolating_ ? 1 : producers_, context_.loop.parker());
  if (!client) return std::move(client).error();
  client_ = std::move(*client);
  producers_gauge_.set(static_cast<double>(client_->producers()));
  return {};
}

// -- Handing over -----------------------------------------------------------------------------------------

std::size_t KafkaSink::do_work(TimePoint now) {
  now_ = now;
  std::size_t work = client_ ? client_->poll(*this, kEventsPerPass) : 0;
  if (work > 0) blocked_ = false;
  advance(now);
  window_.collect(finished_);  // makes room
  if (std::exchange(reported_, false) || now >= held_topics_.next_retry()) resume_topics(now);
  work += hand_over(now);
  finish();
  watch_backlog(now);
  watch_silence(now);
  update_gauge();
  return work;
}

bool KafkaSink::may_hand_over() const { return phase_ == Phase::kRunning && !blocked_ && client_ != nullptr; }

bool KafkaSink::has_input() const {
  if (client_ && client_->has_events()) return true;
  return may_hand_over() &&
         (window_.has_pending() || (!isolating_ && (!shipments_.empty() || !context_.inbox.empty())));
}

std::size_t KafkaSink::hand_over(TimePoint now) {
  std::uint32_t handed = 0;
  while (may_hand_over() && handed < kMessagesPerPass) {
    if (client_->outstanding() >= outstanding_max_) {
      blocked_ = true;
      break;
    }
    auto run = window_.next_run();
    if (isolating_ && run) limit_to_suspects(run);
    if (run) {
      const std::string& topic = run->chunk->shipment().topic;
      const bool one_batch = may_send_only_one_batch(topic);
      if (one_batch) limit_to_one_batch(*run);
      const auto room = static_cast<std::uint32_t>(
          std::min<std::size_t>(outstanding_max_ - client_->outstanding(), kMessagesPerPass - handed));
      const std::uint32_t wanted = std::min(run->end, run->begin.index + room);
      const std::uint32_t end = client_->produce(*run, wanted, refused_);
      window_.handed_over(*run, end);
      if (one_batch) held_topics_.probe(topic);
      handed += end - run->begin.index;
      if (end < wanted) wait_for_room(*run, end);
      if (!refused_.empty()) {
        on_reports(refused_);
        refused_.clear();
      }
    } else if (isolating_) {
      if (client_->outstanding() == 0) end_isolation();
      break;
    } else if (window_.has_pending()) {
      if (!window_.cut(encoder_.get())) blocked_ = true;
    } else if (!shipments_.empty()) {
      window_.take(std::move(shipments_.front()));
      shipments_.pop_front();
    } else {
      Delivery delivery;
      if (!context_.inbox.try_pop(delivery)) break;
      context_.outcome.taken(delivery);
      if (window_.empty()) last_progress_ = now;  // silence counts from here
      ship(std::move(delivery));
    }
  }
  if (draining_ && handed == 0 && client_ && client_->outstanding() > 0 && now >= next_flush_) {
    client_->flush(kFlushWait);
    next_flush_ = now + kFlushAgain;
  }
  return handed;
}

void KafkaSink::ship(Delivery&& delivery) {
  const std::size_t excess = routing_->ship(std::move(delivery), context_.budget, shipments_);
  if (excess == 0) return;
  context_.metrics.error("too_many_topics", excess);
  context_.log.limited(LogLevel::kWarn, context_.name, "too many topics",
                       fmt::format("fields make more than {} topics: events of further ones go where events "
                                   "without these fields go",
                                   KafkaRouting::kTopicsMax));
}

// A batch that is larger than its topic accepts is refused with all that is in it, and what is on its way
// behind it would overtake it. So one batch of a topic travels at a time until the topic's limit is known.
bool KafkaSink::may_send_only_one_batch(const std::string& topic) const {
  if (isolating_) return false;  // messages travel alone anyway
  const auto found = limits_.find(topic);
  return found == limits_.end() || found->second != Limit::kSettled;
}

void KafkaSink::limit_to_one_batch(KafkaWindow::Run& run) const {
  std::uint64_t bytes = 0;
  std::uint32_t end = run.begin.index;
  for (; end < run.end && end - run.begin.index < batching_.messages_max; ++end) {
    bytes += run.chunk->payload(end).size() + run.chunk->key(end).size() + run.chunk->header_bytes(end) +
             kMessageOverheadBytes;
    if (bytes > batching_.bytes_max && end > run.begin.index) break;
  }
  run.end = end;
}

// Asked once something was acknowledged: then there is a broker to ask, and the topic exists.
void KafkaSink::ask_limit(const std::string& topic) {
  if (limits_.size() > kTopicLimitsMax) limits_.clear();
  Limit& limit = limits_.emplace(topic, Limit::kUnknown).first->second;
  if (limit != Limit::kUnknown) return;
  limit = Limit::kAsked;
  client_->ask_message_limit(topic);
}

void KafkaSink::on_message_limit(const std::string& topic, int error, std::uint64_t bytes) {
  if (kafka_is_transient(error)) {
    limits_[topic] = Limit::kUnknown;  // asked again with the next acknowledgement
    return;
  }
  limits_[topic] = Limit::kSettled;  // a broker that does not tell is found out by refusals
  if (error != 0 || bytes >= batching_.bytes_max + kBatchOverheadBytes) return;
  batching_.bytes_max = std::max(bytes, 2 * kBatchOverheadBytes) - kBatchOverheadBytes;
  context_.log.info(context_.name,
                    "topic {} accepts {} bytes a batch (max.message.bytes): batches are limited to {}", topic,
                    bytes, batching_.bytes_max);
  if (size_suspected_) isolating_ = false;  // batches of this size are not refused for it
  settle("", true);
}

// What is behind the suspects waits until they are done.
void KafkaSink::limit_to_suspects(std::optional<KafkaWindow::Run>& run) const {
  if (is_behind(run->begin, last_suspect_)) {
    run.reset();
  } else if (run->begin.chunk == last_suspect_.chunk) {
    run->end = std::min(run->end, last_suspect_.index + 1);
  }
}

// librdkafka's queue is full: reports make room, unless an option has made it smaller than this one message.
void KafkaSink::wait_for_room(const KafkaWindow::Run& run, std::uint32_t index) {
  blocked_ = true;
  if (client_->outstanding() > 0) return;
  back_off_ = true;
  settle(fmt::format("a message of {} bytes does not fit queue.buffering.max.kbytes",
                     run.chunk->payload(index).size()),
         false);
}

// -- Reports ----------------------------------------------------------------------------------------------

void KafkaSink::on_reports(std::span<const KafkaReport> reports) {
  std::uint64_t sent_events = 0;
  std::uint64_t sent_bytes = 0;
  KafkaChunk* chunk = nullptr;
  std::optional<std::uint32_t> chunk_number;
  const KafkaShipment* delivered_to = nullptr;
  reported_ = true;
  for (const KafkaReport& report : reports) {
    if (chunk_number != report.tag.chunk) {  // reports of a chunk's messages come together
      chunk_number = report.tag.chunk;
      chunk = window_.find(report.tag.chunk);
    }
    if (chunk == nullptr) continue;
    window_.reported(*chunk);
    switch (kafka_verdict(report.error)) {
      case KafkaVerdict::kDelivered:
        if (window_.mark_done(*chunk, report.tag.index)) {
          ++sent_events;
          sent_bytes += report.payload_bytes + report.key_bytes;
          delivered_to = &chunk->shipment();
        }
        break;
      case KafkaVerdict::kRefused:
        if (isolating_ || travelled_alone(report)) {
          refuse(report, *chunk);
        } else {
          suspect(report);
        }
        break;
      case KafkaVerdict::kRetry:
        context_.metrics.error(kafka_error_name(report.error));
        if (kafka_is_of_topic(report.error)) {
          trouble(chunk->shipment().topic, report.error);
        } else if (phase_ != Phase::kSettling || why_.empty()) {
          back_off_ = true;
          settle(kafka_retry_reason(report.error, chunk->shipment().topic), true);
        }
        break;
      case KafkaVerdict::kTakenBack:
        break;
    }
  }
  if (sent_events == 0) return;
  context_.outcome.sent(sent_events, sent_bytes);
  delivered_any_ = true;
  ask_limit(delivered_to->topic);
  answered(delivered_to->topic);
  last_progress_ = now_;
  last_error_.clear();
  silent_ = false;
  if (phase_ == Phase::kRunning) {
    backoff_.reset();
    if (!held_topics_.in_trouble()) context_.health.ok();
  }
}

// A message that is as large as a batch may be shares its batch with none.
bool KafkaSink::travelled_alone(const KafkaReport& report) const {
  return kafka_refuses_topic(report.error) || batching_.messages_max <= 1 ||
         report.payload_bytes + report.key_bytes >= batching_.bytes_max;
}

void KafkaSink::refuse(const KafkaReport& report, KafkaChunk& chunk) {
  const FileRange range = chunk.file_range(report.tag.index);
  if (!window_.mark_done(chunk, report.tag.index)) return;
  const std::string reason = kafka_error_name(report.error);
  size_confirmed_ = size_confirmed_ || kafka_refuses_size(report.error);
  const KafkaShipment& shipment = chunk.shipment();
  context_.outcome.discarded(reason, shipment.delivery, range, 1);
  context_.log.limited(
      LogLevel::kError, context_.name, "refused/" + reason,
      fmt::format("line at offset {} of {} dropped: topic {} does not accept its message of {} bytes: {}",
                  range.begin, shipment.delivery.batch->origin->path, shipment.topic,
                  report.payload_bytes + report.key_bytes, kafka_error_text(report.error)));
  answered(shipment.topic);
}

void KafkaSink::suspect(const KafkaReport& report) {
  if (!suspects_) {
    suspects_ = true;
    size_suspected_ = false;
    size_confirmed_ = false;
    last_suspect_ = report.tag;
    context_.log.limited(LogLevel::kWarn, context_.name, "batch refused",
                         fmt::format("a batch was refused ({}): sending its messages one by one",
                                     kafka_error_text(report.error)));
  }
  if (is_behind(report.tag, last_suspect_)) last_suspect_ = report.tag;
  size_suspected_ = size_suspected_ || kafka_refuses_size(report.error);
  // What waits behind the refused batch must not overtake it.
  if (!take_back_ && client_) client_->purge(false);
  take_back_ = true;
  settle("", true);
}

void KafkaSink::on_error(int error, std::string_view text, bool fatal) {
  context_.metrics.error(kafka_error_name(error));
  const std::string words = text.empty() ? kafka_error_text(error) : std::string(text);
  context_.log.limited(LogLevel::kWarn, context_.name, kafka_error_name(error), words);
  // "all brokers are down" comes last and says least: what was wrong with them is the better reason.
  if (last_error_.empty() || !kafka_is_summary(error)) last_error_ = words;
  if (fatal) {
    client_->purge(true);
    fatal_ = true;
    back_off_ = true;
    settle(last_error_, true);
    settle_deadline_ = now_ + kFatalDrain;
    return;
  }
  // A broker that goes while nothing is owed to it costs nothing, and may be back before anything is.
  const bool owed = !delivered_any_ || !window_.empty();
  if (owed && kafka_is_unreachable(error)) context_.health.degraded(last_error_);
}

void KafkaSink::on_log(int level, std::string_view facility, std::string_view text) {
  // Its failures come as errors, too.
  if (facility == "FAIL" || facility == "ERROR") return;
  const LogLevel mapped = level <= 3 ? LogLevel::kError : level == 4 ? LogLevel::kWarn : LogLevel::kDebug;
  if (!context_.log.enabled(mapped)) return;
  context_.log.limited(mapped, context_.name, facility, fmt::format("librdkafka: {}: {}", facility, text));
}

void KafkaSink::trouble(const std::string& topic, int error) {
  const std::string why = kafka_retry_reason(error, topic);
  if (!held_topics_.trouble(topic, why, now_)) return;
  last_error_ = why;
  context_.health.degraded(why);
  context_.log.limited(LogLevel::kWarn, context_.name, why, why + "; trying again");
}

void KafkaSink::answered(const std::string& topic) {
  if (held_topics_.answered(topic) && held_topics_.in_trouble()) context_.health.degraded(held_topics_.why());
}

void KafkaSink::resume_topics(TimePoint now) {
  const KafkaHeldTopics::Resumed resumed = held_topics_.resume(now);
  if (resumed.any) blocked_ = false;
  retries_.add(resumed.events_again);
}

// -- Settling ---------------------------------------------------------------------------------------------

void KafkaSink::settle(const std::string& why, bool restart) {
  if (!why.empty()) {
    why_ = last_error_ = why;
    context_.health.degraded(why);
    context_.log.limited(LogLevel::kWarn, context_.name, why, why + "; trying again");
  }
  restart_ = restart_ || restart;
  if (phase_ != Phase::kSettling) settle_deadline_ = kNever;
  phase_ = Phase::kSettling;
  if (take_back_) settle_deadline_ = std::min(settle_deadline_, now_ + kPurgeAgain);
}

void KafkaSink::advance(TimePoint now) {
  if (phase_ == Phase::kSettling) {
    const bool given_up = fatal_ && now >= settle_deadline_;
    if (client_ == nullptr || client_->outstanding() == 0 || given_up) {
      finish_settling(now);
    } else if (take_back_ && now >= settle_deadline_) {
      // What came back from the broker to be sent again waits in the queue now.
      client_->purge(false);
      settle_deadline_ = now + kPurgeAgain;
    }
  }
  if (phase_ == Phase::kPaused && now >= resume_at_) {
    resume_at_ = kNever;
    if (restart_) {
      if (auto restarted = restart_client(); !restarted) {
        context_.health.degraded(restarted.error().text());
        context_.metrics.error("restart");
        resume_at_ = now + std::max<Duration>(backoff_.next(), 1s);
        return;
      }
      restart_ = false;
      if (!std::exchange(widening_, false)) restarts_.add();
    }
    phase_ = Phase::kRunning;
    blocked_ = false;
    last_progress_ = now;
  }
}

void KafkaSink::finish_settling(TimePoint now) {
  retries_.add(window_.rewind());
  reported_ = true;  // nothing is in flight any more
  if (suspects_) {
    suspects_ = false;
    isolating_ = true;
  }
  resume_at_ = back_off_ ? now + backoff_.next() : now;
  phase_ = Phase::kPaused;
  fatal_ = back_off_ = take_back_ = false;
  why_.clear();
  settle_deadline_ = kNever;
}

void KafkaSink::end_isolation() {
  isolating_ = false;
  if (size_suspected_ && !size_confirmed_ && batching_.bytes_max > kBatchBytesMin) {
    // Each of them passed alone: it is the batch that was too large.
    batching_.bytes_max = std::max(batching_.bytes_max / 2, kBatchBytesMin);
    context_.log.warn(
        context_.name,
        "the broker refuses batches of {} bytes that it accepts message by message: going on with "
        "{}; set batch.max_bytes below the topic's max.message.bytes",
        batching_.bytes_max * 2, batching_.bytes_max);
  }
  settle("", true);  // nothing is in flight: the next pass goes on with a client that batches again
}

// -- The rest ---------------------------------------------------------------------------------------------

void KafkaSink::finish() {
  window_.collect(finished_);
  for (Delivery& delivery : finished_) context_.outcome.finish(std::move(delivery));
  finished_.clear();
  context_.outcome.flush();
}

// One producer is enough, and wakes up least, until it is what everything waits for: then there are as many
// as may be, from the moment on when the one has nothing in its hands.
void KafkaSink::watch_backlog(TimePoint now) {
  if (phase_ != Phase::kRunning || isolating_ || draining_ || producers_ >= producers_max_ ||
      client_->outstanding_bytes() <
          std::min(kBacklogBatches * batching_.bytes_max, config_.buffer.memory_bytes() / 4)) {
    backlog_since_ = kNever;
    return;
  }
  if (backlog_since_ == kNever) backlog_since_ = now;
  if (now - backlog_since_ < kBacklogTime || now - last_progress_ > kBacklogTime) return;
  producers_ = producers_max_;
  widening_ = true;
  context_.log.debug(context_.name, "one producer is not enough: going on with {}", producers_);
  settle("", true);
}

void KafkaSink::watch_silence(TimePoint now) {
  if (silent_ || window_.empty() || held_topics_.in_trouble() || now - last_progress_ < silence_max_) return;
  silent_ = true;
  context_.health.degraded(
      last_error_.empty()
          ? fmt::format("no broker has acknowledged anything for {} s",
                        std::chrono::duration_cast<std::chrono::seconds>(silence_max_).count())
          : last_error_);
}

TimePoint KafkaSink::deadline() const {
  TimePoint next = std::min({resume_at_, settle_deadline_, held_topics_.next_retry()});
  if (phase_ == Phase::kSettling && (!client_ || client_->outstanding() == 0)) next = TimePoint{};
  if (!silent_ && !window_.empty() && !held_topics_.in_trouble())
    next = std::min(next, last_progress_ + silence_max_);
  if (draining_ && client_ && client_->outstanding() > 0) next = std::min(next, next_flush_);
  return next;
}

void KafkaSink::drain() {
  draining_ = true;
  batching_.linger = Duration{};  // the next pass flushes what waits now
}

void KafkaSink::update_gauge() {
  const double messages = client_ ? static_cast<double>(client_->outstanding()) : 0;
  if (messages != queue_messages_.value()) queue_messages_.set(messages);
}

}  // namespace

std::unique_ptr<Sink> make_kafka_sink(KafkaSinkConfig config, SinkContext context) {
  return std::make_unique<KafkaSink>(std::move(config), std::move(context));
}

}  // namespace logflume
