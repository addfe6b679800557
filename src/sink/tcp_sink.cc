#include "sink/tcp_sink.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <deque>

#include "sink/backoff.h"
#include "sink/encode.h"
#include "sink/json_text.h"

namespace logflume {
namespace {

constexpr std::size_t kPartsMax = 64;                // of one system call
constexpr std::size_t kUnsentBytesMax = 512 * 1024;  // taken from the inbox ahead of the socket
// Encoded at a time: an event of one byte becomes some hundred in JSON, so a whole batch has no good bound.
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::size_t kSendsPerPass = 8;
constexpr Duration kAckCheckMin = 1ms;  // nothing tells when an acknowledgement arrives
constexpr Duration kAckCheckMax = 50ms;
constexpr Duration kFinWait = 1s;  // for acknowledgements of what was sent before the peer's FIN

class TcpSink final : public Sink {
 public:
  TcpSink(TcpSinkConfig config, SinkContext context, TcpLookUp look_up_name)
      : config_(std::move(config)),
        context_(std::move(context)),
        look_up_(std::move(look_up_name)),
        encoder_(config_, context_.host),
        backoff_(config_.retry),
        reconnects_(context_.metrics.retries()) {}
  ~TcpSink() override {
    disconnect();
    for (const Pending& pending : pending_) context_.budget.release(pending.reserved);
  }

  Result<void> open() override;
  std::size_t do_work(TimePoint now) override;
  bool has_input() const override {
    return may_take() && !starved_ && (encoding_.batch || !context_.inbox.empty());
  }
  bool is_idle() const override { return was_open_ && first_unsent_ == pending_.size() && !encoding_.batch; }
  TimePoint deadline() const override { return deadline_; }
  void drain() override { draining_ = true; }
  bool drained() const override { return pending_.empty() && !encoding_.batch; }

 private:
  // A delivery on its way, or a piece of one: unsent, or sent and not acknowledged.
  struct Pending {
    Delivery delivery;         // done with this piece; none when more pieces of it follow
    std::string encoded;       // empty: `run` or the batch's own text is sent
    std::string_view run;      // of the text of the batch, which this delivery or one behind it has
    std::uint64_t events = 0;  // in it
    std::uint64_t end = 0;     // of the stream of this connection, once sent entirely
    std::size_t sent = 0;      // bytes of it that this connection took
    std::size_t skip = 0;      // leading bytes that an earlier connection has acknowledged
    std::size_t reserved = 0;  // of the memory budget, for `encoded`

    std::string_view text() const {
      if (!encoded.empty()) return encoded;
      return run.empty() ? delivery.batch->text() : run;
    }
    bool adds_newline() const { return encoded.empty() && run.empty() && delivery.batch->unterminated; }
    std::size_t size() const { return text().size() + (adds_newline() ? 1 : 0); }
  };

  bool may_take() const { return unsent_bytes_ < kUnsentBytesMax; }
  bool take_one(TimePoint now);
  bool encode_piece(TimePoint now);
  void add(Pending pending, TimePoint now);
  std::size_t send_some(TimePoint now);
  std::size_t settle(TimePoint now);
  void finish(Pending& pending);
  void connect(TimePoint now);
  void disconnect();
  void lost_connection(TimePoint now, const std::string& why);
  void stuck(TimePoint now);
  bool lingering(TimePoint now) const;
  void plan(TimePoint now);

  TcpSinkConfig config_;
  SinkContext context_;
  TcpLookUp look_up_;
  BatchEncoder encoder_;
  Backoff backoff_;
  Counter& reconnects_;
  std::vector<HostPort> addresses_;
  std::size_t next_address_ = 0;
  std::deque<SocketAddress> places_;  // that addresses_[next_address_] stands for; the first is tried
  std::unique_ptr<TlsContext> tls_;
  std::unique_ptr<TcpConnection> connection_;
  bool was_open_ = false;     // this connection, accepted by the peer
  std::uint64_t stream_ = 0;  // bytes given to this connection

  Delivery encoding_;  // what of it has no piece yet begins at next_event_; none when its batch is null
  std::size_t next_event_ = 0;
  bool starved_ = false;                // no memory for the next piece before an earlier one is acknowledged
  std::uint64_t acked_wire_bytes_ = 0;  // of the pieces of a delivery that is not done

  std::deque<Pending> pending_;
  std::size_t first_unsent_ = 0;  // in pending_
  std::size_t unsent_bytes_ = 0;
  std::uint64_t unsent_events_ = 0;
  TimePoint oldest_unsent_{};
  TimePoint retry_at_{};
  TimePoint connect_by_ = kNever;
  TimePoint close_by_ = kNever;
  TimePoint next_ack_check_ = kNever;
  TimePoint last_progress_{};       // when the acknowledged position last moved, or nothing was owed
  std::uint64_t acknowledged_ = 0;  // of this connection, at the last look
  Duration ack_check_ = kAckCheckMin;
  TimePoint deadline_ = kNever;
  bool socket_ready_ = false;
  bool stuck_ = false;  // shown as degraded: the peer takes nothing
  bool draining_ = false;
};

Result<void> TcpSink::open() {
  for (const std::string& address : config_.addresses) {
    auto parsed = parse_host_port(address);
    if (!parsed) return Error{parsed.error().code, 0, "address: " + parsed.error().message};
    addresses_.push_back(*std::move(parsed));
  }
  if (addresses_.empty()) return Error{Errc::kInvalidArgument, 0, "no address"};
  if (config_.tls.enabled) {
    auto tls = TlsContext::make(config_.tls);
    if (!tls) return tls.error();
    tls_ = std::move(*tls);
  }
  deadline_ = TimePoint{};  // connect at once
  return {};
}

std::size_t TcpSink::do_work(TimePoint now) {
  std::size_t work = 0;
  if (!connection_ && now >= retry_at_) connect(now);
  if (connection_ && std::exchange(socket_ready_, false)) {
    ++work;
    connection_->progress();
  }
  if (connection_ && connection_->state() == TcpConnection::State::kOpen && !was_open_) {
    connect_by_ = kNever;
    if (connection_->accepted()) {
      was_open_ = true;
      context_.health.ok();
      context_.log.info(context_.name, "connected to {}", addresses_[next_address_].text());
    }
  }
  starved_ = false;
  while (may_take() && take_one(now)) ++work;
  if (connection_) work += send_some(now);
  if (connection_ && now >= next_ack_check_) {
    connection_->refresh();
    work += settle(now);
  }
  if (connection_ && connection_->state() == TcpConnection::State::kPeerClosed) {
    if (close_by_ == kNever) close_by_ = now + kFinWait;
    connection_->refresh();
    work += settle(now);
    if (acknowledged_ >= stream_ || now >= close_by_) lost_connection(now, connection_->why_broken());
  } else if (connection_ && connection_->state() == TcpConnection::State::kBroken) {
    lost_connection(now, connection_->why_broken());
  } else if (connection_ && now >= connect_by_) {
    lost_connection(now, "connecting took too long");
  } else if (connection_ && stream_ > acknowledged_ && now - last_progress_ > config_.request_timeout) {
    if (connection_->peer_is_full()) {
      stuck(now);
    } else {
      lost_connection(now, "nothing was acknowledged within request_timeout");
    }
  }
  context_.outcome.flush();
  plan(now);
  return work;
}

bool TcpSink::take_one(TimePoint now) {
  if (first_unsent_ == 0 && pending_.empty()) last_progress_ = now;
  if (encoding_.batch) return encode_piece(now);
  Delivery delivery;
  if (!context_.inbox.try_pop(delivery)) return false;
  context_.outcome.taken(delivery);
  const Batch& batch = *delivery.batch;
  if (batch.events == 0) {
    context_.outcome.finish(std::move(delivery));
  } else if (encoder_.is_identity(batch)) {
    Pending pending;
    pending.events = batch.events;
    pending.delivery = std::move(delivery);
    add(std::move(pending), now);
  } else {
    encoder_.begin(batch);
    next_event_ = 0;
    encoding_ = std::move(delivery);
    return encode_piece(now);
  }
  return true;
}

// False when its memory has to come from earlier pieces first.
bool TcpSink::encode_piece(TimePoint now) {
  if (const TextRun run = encoder_.run_from(next_event_); run.text.size() >= kRunBytes) {
    Pending pending;
    pending.run = run.text;
    pending.events = run.events;
    next_event_ += run.events;
    if (next_event_ == encoder_.events()) pending.delivery = std::exchange(encoding_, {});
    add(std::move(pending), now);
    return true;
  }
  const std::size_t wanted = encoder_.is_giant(next_event_)
                                 ? encoder_.event_bytes(next_event_)
                                 : std::min(kPieceBytes, encoder_.expected_bytes(next_event_));
  Pending pending;
  // One piece goes in any case, or nothing would ever move.
  MemoryBudget& budget = context_.budget;
  const bool fits = budget.try_reserve(wanted);
  if (!fits && !pending_.empty()) {
    starved_ = true;
    return false;
  }
  if (!fits) budget.reserve(wanted);
  pending.reserved = wanted;
  pending.encoded.reserve(wanted);
  const std::size_t first = next_event_;
  do {
    const std::size_t some = encoder_.append_some(next_event_, kRunBytes, pending.encoded);
    if (some == 0) break;  // a run that is a piece of its own
    next_event_ += some;
  } while (next_event_ < encoder_.events() && pending.encoded.size() < kPieceBytes &&
           !encoder_.is_giant(next_event_));
  const std::size_t capacity = pending.encoded.capacity();
  if (capacity > pending.reserved) {
    budget.reserve(capacity - pending.reserved);
    pending.reserved = capacity;
  }
  pending.events = next_event_ - first;
  if (next_event_ == encoder_.events()) pending.delivery = std::exchange(encoding_, {});
  add(std::move(pending), now);
  return true;
}

void TcpSink::add(Pending pending, TimePoint now) {
  if (unsent_bytes_ == 0) oldest_unsent_ = now;
  unsent_bytes_ += pending.size();
  unsent_events_ += pending.events;
  pending_.push_back(std::move(pending));
}

bool TcpSink::lingering(TimePoint now) const {
  const Duration linger = config_.batch.linger.value_or(Duration::zero());
  return !draining_ && now < oldest_unsent_ + linger && unsent_bytes_ < config_.batch.max_bytes &&
         unsent_events_ < config_.batch.max_events;
}

std::size_t TcpSink::send_some(TimePoint now) {
  if (connection_->state() != TcpConnection::State::kOpen || first_unsent_ == pending_.size() ||
      lingering(now))
    return 0;
  std::size_t work = 0;
  for (std::size_t sends = 0; sends < kSendsPerPass && first_unsent_ < pending_.size(); ++sends) {
    std::array<iovec, kPartsMax> parts;
    std::size_t count = 0;
    std::size_t offered = 0;
    static char newline = '\n';
    for (std::size_t i = first_unsent_; i < pending_.size() && count + 2 <= kPartsMax; ++i) {
      const Pending& pending = pending_[i];
      const std::string_view text = pending.text();
      const std::size_t from = pending.skip + pending.sent;
      if (from < text.size()) parts[count++] = {const_cast<char*>(text.data()) + from, text.size() - from};
      if (pending.adds_newline()) parts[count++] = {&newline, 1};
      offered += pending.size() - from;
    }
    std::size_t taken = connection_->send({parts.data(), count}, now);
    const bool all = taken == offered;
    stream_ += taken;
    unsent_bytes_ -= taken;
    if (taken > 0) {
      ++work;
      ack_check_ = kAckCheckMin;
      next_ack_check_ = now + 5 * kAckCheckMin;
    }
    std::uint64_t position = stream_ - taken;
    while (taken > 0) {
      Pending& pending = pending_[first_unsent_];
      const std::size_t rest = pending.size() - pending.skip - pending.sent;
      const std::size_t part = std::min(rest, taken);
      pending.sent += part;
      position += part;
      taken -= part;
      if (part == rest) {
        pending.end = position;
        unsent_events_ -= pending.events;
        ++first_unsent_;
      }
    }
    work += settle(now);
    if (!all) break;
  }
  return work;
}

// Acknowledges what the peer's kernel has.
std::size_t TcpSink::settle(TimePoint now) {
  const std::uint64_t acknowledged = connection_->acknowledged();
  std::size_t count = 0;
  while (first_unsent_ > 0 && pending_.front().end <= acknowledged) {
    finish(pending_.front());
    pending_.pop_front();
    --first_unsent_;
    ++count;
  }
  if (acknowledged != acknowledged_ || acknowledged >= stream_) {
    last_progress_ = now;
    if (std::exchange(stuck_, false)) context_.health.ok();
  }
  acknowledged_ = acknowledged;
  return count;
}

void TcpSink::finish(Pending& pending) {
  acked_wire_bytes_ += pending.size();
  context_.budget.release(pending.reserved);
  if (!pending.delivery.batch) return;
  context_.outcome.sent(pending.delivery.batch->events, std::exchange(acked_wire_bytes_, 0));
  context_.outcome.finish(std::move(pending.delivery));
}

void TcpSink::connect(TimePoint now) {
  const HostPort& address = addresses_[next_address_];
  if (places_.empty()) {
    auto found = look_up_(address);
    if (!found) {
      lost_connection(now, found.error().text());
      return;
    }
    places_.assign(found->begin(), found->end());
  }
  auto connection = TcpConnection::connect(places_.front(), address.host, tls_.get());
  if (!connection) {
    lost_connection(now, connection.error().text());
    return;
  }
  connection_ = std::move(*connection);
  was_open_ = false;
  stream_ = acknowledged_ = 0;
  last_progress_ = now;
  socket_ready_ = true;
  connect_by_ = now + config_.connect_timeout;
  const auto watched = context_.loop.watch(connection_->fd(), EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                           [this](std::uint32_t) { socket_ready_ = true; });
  if (!watched) lost_connection(now, watched.error().text());
}

void TcpSink::disconnect() {
  if (!connection_) return;
  context_.loop.unwatch(connection_->fd());
  connection_->refresh();
  if (connection_->acknowledged() < stream_) connection_->abort();  // it will be sent again
  connection_.reset();
}

void TcpSink::lost_connection(TimePoint now, const std::string& why) {
  const std::string name = addresses_[next_address_].text();
  const std::string place = places_.empty() ? name : places_.front().text();
  const std::string message =
      place == name ? fmt::format("{}: {}", name, why) : fmt::format("{} ({}): {}", name, place, why);
  std::uint64_t acknowledged = 0;
  if (connection_) {
    connection_->refresh();
    settle(now);
    acknowledged = connection_->acknowledged();
  }
  // The next connection begins with the first line that was not acknowledged as a whole.
  std::uint64_t begin = first_unsent_ > 0 ? pending_.front().end - pending_.front().sent
                                          : stream_ - (pending_.empty() ? 0 : pending_.front().sent);
  for (Pending& pending : pending_) {
    const std::size_t arrived =
        pending.sent == 0 || acknowledged <= begin
            ? 0
            : static_cast<std::size_t>(std::min<std::uint64_t>(pending.sent, acknowledged - begin));
    begin += pending.sent;
    if (arrived > 0) {
      const std::string_view text = pending.text().substr(0, pending.skip + arrived);
      const std::size_t newline = text.rfind('\n');
      if (newline != text.npos) pending.skip = newline + 1;
    }
    pending.sent = 0;
    pending.end = 0;
  }
  first_unsent_ = 0;
  unsent_bytes_ = 0;
  unsent_events_ = 0;
  for (const Pending& pending : pending_) {
    unsent_bytes_ += pending.size() - pending.skip;
    unsent_events_ += pending.events;
  }
  if (was_open_) {
    backoff_.reset();
    places_.clear();  // the name may stand for others by now
  } else if (!places_.empty()) {
    places_.pop_front();
  }
  was_open_ = stuck_ = false;
  disconnect();
  connect_by_ = close_by_ = next_ack_check_ = kNever;
  reconnects_.add();
  context_.metrics.error("connection");
  context_.health.degraded(message);
  // All addresses are tried before it waits, and of each all that its name stands for.
  if (places_.empty()) next_address_ = (next_address_ + 1) % addresses_.size();
  const bool tried_all = places_.empty() && next_address_ == 0;
  const Duration pause = tried_all ? backoff_.next() : Duration::zero();
  retry_at_ = now + pause;
  context_.log.limited(LogLevel::kWarn, context_.name, "connection", message + "; trying again");
}

// The peer lives and has no room. Another connection would only throw away what waits in its kernel.
void TcpSink::stuck(TimePoint now) {
  if (std::exchange(stuck_, true)) return;
  std::string message = addresses_[next_address_].text() + ": the peer takes nothing since ";
  append_timestamp(wall_now_ns() - std::chrono::nanoseconds(now - last_progress_).count(), message);
  context_.health.degraded(message);
  context_.log.limited(LogLevel::kWarn, context_.name, "stuck", message);
}

void TcpSink::plan(TimePoint now) {
  deadline_ = kNever;
  if (!connection_) {
    deadline_ = retry_at_;
    return;
  }
  deadline_ = std::min(connect_by_, close_by_);
  if (close_by_ != kNever) deadline_ = now + kAckCheckMin;
  if (!was_open_ && connect_by_ == kNever) deadline_ = std::min(deadline_, connection_->accepted_by());
  if (stream_ > acknowledged_) {
    if (now >= next_ack_check_) {
      ack_check_ = std::min(ack_check_ * 2, kAckCheckMax);
      next_ack_check_ = now + ack_check_;
    }
    deadline_ = std::min(deadline_, next_ack_check_);
  }
  if (lingering(now) && unsent_bytes_ > 0) {
    deadline_ = std::min(deadline_, oldest_unsent_ + config_.batch.linger.value_or(Duration::zero()));
  }
}

}  // namespace

std::unique_ptr<Sink> make_tcp_sink(TcpSinkConfig config, SinkContext context, TcpLookUp look_up_name) {
  return std::make_unique<TcpSink>(std::move(config), std::move(context), std::move(look_up_name));
}

bool tcp_never_blocks(const TcpSinkConfig& config) {
  return !config.tls.enabled &&
         std::all_of(config.addresses.begin(), config.addresses.end(), [](const std::string& a) {
           const auto parsed = parse_host_port(a);
           return parsed && is_numeric(*parsed);
         });
}

}  // namespace logflume
