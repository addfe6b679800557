#include "sink/peer_check.h"

#include <curl/curl.h>
#include <librdkafka/rdkafka.h>
#include <poll.h>

#include <algorithm>
#include <memory>
#include <mutex>
#include <string>

#include "base/host_port.h"
#include "sink/http_target.h"
#include "sink/kafka_client.h"
#include "sink/tcp_connection.h"

namespace logflume {
namespace {

constexpr int kStepMs = 50;

int milliseconds_until(TimePoint end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - steady_now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, kStepMs));
}

Result<void> try_place(const SocketAddress& place, const std::string& host, const TlsContext* tls,
                       TimePoint end) {
  auto connection = TcpConnection::connect(place, host, tls);
  if (!connection) return connection.error();
  TcpConnection& peer = **connection;
  while (peer.state() == TcpConnection::State::kConnecting ||
         (peer.state() == TcpConnection::State::kOpen && !peer.accepted())) {
    if (steady_now() >= end) return Error{Errc::kIo, 0, place.text() + ": no answer in time"};
    pollfd ready{peer.fd(), POLLIN, 0};
    if (peer.state() == TcpConnection::State::kConnecting) ready.events |= POLLOUT;
    (void)::poll(&ready, 1, milliseconds_until(std::min(end, peer.accepted_by())));
    peer.progress();
  }
  if (peer.state() == TcpConnection::State::kBroken)
    return Error{Errc::kIo, 0, place.text() + ": " + peer.why_broken()};
  return {};
}

}  // namespace

Result<void> check_peer(const TcpSinkConfig& config, Duration timeout) {
  const TimePoint end = steady_now() + timeout;
  std::unique_ptr<TlsContext> tls;
  if (config.tls.enabled) {
    auto made = TlsContext::make(config.tls);
    if (!made) return made.error();
    tls = std::move(*made);
  }
  Result<void> last;
  for (const std::string& text : config.addresses) {
    const auto address = parse_host_port(text, PortRule::kNeeded);
    if (!address) return address.error();
    auto places = look_up(*address);
    if (!places) {
      last = places.error();
      continue;
    }
    for (const SocketAddress& place : *places) {
      last = try_place(place, address->host, tls.get(), end);
      if (last) return {};
    }
  }
  return last;
}

Result<void> check_peer(const HttpSinkConfig& config, Duration timeout) {
  static std::once_flag once;
  std::call_once(once, [] { ::curl_global_init(CURL_GLOBAL_DEFAULT); });
  HttpTarget target;
  if (auto opened = target.open(config); !opened) return opened;
  const std::unique_ptr<CURL, void (*)(CURL*)> easy(::curl_easy_init(), &::curl_easy_cleanup);
  if (!easy) return Error{Errc::kNoMemory, 0, "libcurl has no memory"};
  if (auto applied = target.apply(easy.get()); !applied) return applied;
  const auto ms = static_cast<long>(std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
  char why[CURL_ERROR_SIZE] = {};
  ::curl_easy_setopt(easy.get(), CURLOPT_CONNECT_ONLY, 1L);
  ::curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, ms);
  ::curl_easy_setopt(easy.get(), CURLOPT_CONNECTTIMEOUT_MS, ms);
  ::curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, why);
  const CURLcode result = ::curl_easy_perform(easy.get());
  ::curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, nullptr);
  if (result == CURLE_OK) return {};
  return Error{Errc::kIo, 0,
               target.shown_uri() + ": " + (why[0] != '\0' ? why : ::curl_easy_strerror(result))};
}

Result<void> check_peer(const KafkaSinkConfig& config, Duration timeout) {
  struct Trouble {
    std::string text;
    bool final = false;
  } trouble;
  std::unique_ptr<rd_kafka_conf_t, void (*)(rd_kafka_conf_t*)> conf(rd_kafka_conf_new(),
                                                                    &rd_kafka_conf_destroy);
  char text[512];
  for (const auto& [name, value] : kafka_properties(config, kafka_batching(config))) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), text, sizeof text) != RD_KAFKA_CONF_OK)
      return Error{Errc::kInvalidArgument, 0, text};
  }
  rd_kafka_conf_set_opaque(conf.get(), &trouble);
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int error, const char* reason, void* opaque) {
    auto& told = *static_cast<Trouble*>(opaque);
    const bool all_down = error == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN;
    if (!all_down || told.text.empty()) told.text = reason;
    told.final = told.final || all_down || error == RD_KAFKA_RESP_ERR__AUTHENTICATION ||
                 error == RD_KAFKA_RESP_ERR__SSL;
  });
  const std::unique_ptr<rd_kafka_t, void (*)(rd_kafka_t*)> client(
      rd_kafka_new(RD_KAFKA_PRODUCER, conf.get(), text, sizeof text), &rd_kafka_destroy);
  if (!client) return Error{Errc::kInvalidArgument, 0, text};
  (void)conf.release();  // taken
  const TimePoint end = steady_now() + timeout;
  while (!trouble.final && steady_now() < end) {
    const rd_kafka_metadata_t* metadata = nullptr;
    const auto error = rd_kafka_metadata(client.get(), 0, nullptr, &metadata, milliseconds_until(end));
    if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
      rd_kafka_metadata_destroy(metadata);
      return {};
    }
    rd_kafka_poll(client.get(), 0);
  }
  return Error{Errc::kIo, 0,
               trouble.text.empty() ? config.bootstrap_servers + ": no answer in time" : trouble.text};
}

}  // namespace logflume
