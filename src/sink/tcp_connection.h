// One TCP connection that knows what the peer's kernel has acknowledged. A successful write() only means that
// the bytes are in this machine's memory; TCP_INFO's tcpi_bytes_acked (RFC 4898,
// tcpEStatsAppHCThruOctetsAcked) tells what arrived. Optional TLS.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/host_port.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "sink/sink_config.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace logflume {

// The host is an address, not a name: no look-up can block.
bool is_numeric(const HostPort& address);

// One place that a host's name stands for.
struct SocketAddress {
  sockaddr_storage address{};
  socklen_t bytes = 0;

  std::string text() const;  // "127.0.0.1:5140", "[::1]:5140"
};
// All of them, best first (RFC 6724). Blocks unless is_numeric(). Errors: kNotFound.
Result<std::vector<SocketAddress>> look_up(const HostPort& address);

// The client's side of TLS, shared by all connections of a sink. Errors: certificates that cannot be loaded.
class TlsContext {
 public:
  static Result<std::unique_ptr<TlsContext>> make(const TlsConfig& config);
  ~TlsContext();
  SSL_CTX* get() const { return context_; }
  const TlsConfig& config() const { return config_; }

 private:
  explicit TlsContext(TlsConfig config) : config_(std::move(config)) {}
  TlsConfig config_;
  SSL_CTX* context_ = nullptr;
};

// Threads: one. Never blocks.
class TcpConnection {
 public:
  enum class State {
    kConnecting,
    kOpen,
    kPeerClosed,  // the peer said FIN: nothing more is sent, but what was sent may still be acknowledged
    kBroken,
  };

  // Begins to connect. With `tls` the peer's certificate must bear `host`, unless tls.server_name says
  // otherwise. Errors: no socket, no route.
  static Result<std::unique_ptr<TcpConnection>> connect(const SocketAddress& address, const std::string& host,
                                                        const TlsContext* tls);
  ~TcpConnection();

  int fd() const { return fd_.get(); }
  State state() const { return state_; }
  const std::string& why_broken() const { return why_broken_; }

  // The peer has let us in. With TLS 1.3 the handshake is over for us before the peer has looked at our
  // certificate: it has accepted us when it says anything (a session ticket, as a rule), or has not refused
  // us by accepted_by().
  bool accepted();
  TimePoint accepted_by() const { return accept_by_; }

  // Closes at once: what the kernel has not sent yet will not be sent, so that sending it again repeats
  // nothing.
  void abort();
  // Goes on with connecting and the handshake; reads and discards what the peer sends, so that its FIN is
  // seen.
  void progress();
  // Sends what fits; returns the bytes taken, counted by the caller's stream, 0 when the kernel's buffer is
  // full. Asks the kernel first (refresh()), and looks for the peer's FIN, unless it was asked a moment ago
  // and little was sent since: then a FIN is known by progress(), which whoever watches fd() calls.
  std::size_t send(std::span<const iovec> parts, TimePoint now);
  // Asks the kernel what was acknowledged.
  void refresh();
  // Of the caller's stream: bytes that the peer's kernel had acknowledged when it was last asked. Works after
  // the connection broke. 0 until accepted(): a peer that refuses us has read nothing of it.
  std::uint64_t acknowledged();
  // At the last look, the peer had no room: it is slow, not dead. Breaking such a connection would throw away
  // what its kernel has acknowledged and it has not read.
  bool peer_is_full() const { return peer_is_full_; }

 private:
  TcpConnection() = default;
  bool look();  // TCP_INFO; false when the peer is gone
  void keep_buffer_small();
  void broken(std::string why);
  void peer_closed();
  std::size_t send_tls(std::span<const iovec> parts);

  UniqueFd fd_;
  SSL* ssl_ = nullptr;
  State state_ = State::kConnecting;
  bool connected_ = false;  // TCP is, TLS perhaps not
  bool accepted_ = false;
  bool heard_ = false;  // a TLS record came after the handshake
  TimePoint accept_by_ = kNever;
  std::string why_broken_;
  std::uint64_t base_ = 0;        // bytes_acked when the stream began: the SYN counts as one
  std::uint64_t wire_acked_ = 0;  // since then
  bool peer_is_full_ = false;
  std::uint64_t sent_ = 0;  // of the caller's stream
  std::uint64_t sent_at_look_ = 0;
  TimePoint looked_at_{};  // by send()
  bool buffer_is_small_ = false;
  // TLS adds bytes: the stream's position at each record's end, beside the wire's.
  struct Mark {
    std::uint64_t stream;
    std::uint64_t wire;
  };
  std::deque<Mark> marks_;
  std::uint64_t tls_acked_ = 0;
};

}  // namespace logflume
