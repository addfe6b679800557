#include "sink/http_client.h"

#include <sys/epoll.h>

#include <string>
#include <utility>

namespace logflume {

HttpClient::~HttpClient() {
  for (CURL* transfer : transfers_) ::curl_multi_remove_handle(multi_, transfer);
  if (multi_ != nullptr) ::curl_multi_cleanup(multi_);  // closes the connections: calls on_socket()
  for (const curl_socket_t socket : watched_) loop_.unwatch(socket);
  if (initialized_) ::curl_global_cleanup();
}

Result<void> HttpClient::open() {
  // Counted by libcurl; safe from any thread since 7.84.
  if (::curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return Error{Errc::kNoMemory, 0, "initialize libcurl"};
  initialized_ = true;
  multi_ = ::curl_multi_init();
  if (multi_ == nullptr) return Error{Errc::kNoMemory, 0, "initialize libcurl"};
  ::curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &HttpClient::on_socket);
  ::curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  ::curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &HttpClient::on_timer);
  ::curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  return {};
}

Result<void> HttpClient::start(CURL* transfer) {
  const CURLMcode code = ::curl_multi_add_handle(multi_, transfer);
  if (code != CURLM_OK) return Error{Errc::kNoMemory, 0, ::curl_multi_strerror(code)};
  transfers_.insert(transfer);
  return {};
}

void HttpClient::cancel(CURL* transfer) {
  if (transfers_.erase(transfer) != 0) ::curl_multi_remove_handle(multi_, transfer);
}

std::size_t HttpClient::run(TimePoint now) {
  if (transfers_.empty() && timer_at_ == kNever) return 0;
  if (now >= timer_at_) {
    timer_at_ = kNever;  // libcurl sets it again where it needs to
    int running = 0;
    ::curl_multi_socket_action(multi_, CURL_SOCKET_TIMEOUT, 0, &running);
  }
  std::size_t ended = 0;
  int left = 0;
  while (const CURLMsg* message = ::curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    CURL* const transfer = message->easy_handle;
    const CURLcode result = message->data.result;
    cancel(transfer);  // frees `message`
    ++ended;
    done_(transfer, result);
  }
  return ended;
}

int HttpClient::on_socket(CURL*, curl_socket_t socket, int what, void* client, void*) {
  static_cast<HttpClient*>(client)->watch(socket, what);
  return 0;
}

int HttpClient::on_timer(CURLM*, long timeout_ms, void* client) {
  // libcurl must not be called from here: run() does it in the next pass.
  static_cast<HttpClient*>(client)->timer_at_ =
      timeout_ms < 0 ? kNever : steady_now() + std::chrono::milliseconds(timeout_ms);
  return 0;
}

void HttpClient::watch(curl_socket_t socket, int what) {
  if (what == CURL_POLL_REMOVE) {
    if (watched_.erase(socket) != 0) loop_.unwatch(socket);
    return;
  }
  std::uint32_t events = 0;
  if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) events |= EPOLLIN;
  if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) events |= EPOLLOUT;
  if (watched_.contains(socket)) {
    if (loop_.rewatch(socket, events)) return;
    loop_.unwatch(socket);  // a new socket got the number of one that libcurl closed without a word
    watched_.erase(socket);
  }
  const auto handler = [this, socket](std::uint32_t ready) {
    int mask = 0;
    if ((ready & (EPOLLIN | EPOLLHUP)) != 0) mask |= CURL_CSELECT_IN;
    if ((ready & EPOLLOUT) != 0) mask |= CURL_CSELECT_OUT;
    if ((ready & EPOLLERR) != 0) mask |= CURL_CSELECT_ERR;
    int running = 0;
    ::curl_multi_socket_action(multi_, socket, mask, &running);
  };
  // Where it fails the transfer ends by its timeout and is tried again.
  if (loop_.watch(socket, events, handler)) watched_.insert(socket);
}

}  // namespace logflume
