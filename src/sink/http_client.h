// libcurl's multi interface on an EventLoop: requests that run without blocking the loop's thread.
#pragma once

#include <curl/curl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <set>

#include "base/clock.h"
#include "base/result.h"
#include "io/event_loop.h"

namespace logflume {

// Threads:   the loop's, or before it starts and after it has stopped.
// Lifecycle: open(), then start() any number of transfers; run() whenever the loop passes.
class HttpClient {
 public:
  // Called by run() for each transfer that has ended, already removed.
  using Done = std::function<void(CURL* transfer, CURLcode result)>;

  HttpClient(EventLoop& loop, Done done) : loop_(loop), done_(std::move(done)) {}
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  Result<void> open();
  // `transfer` stays the caller's, who cancel()s it before freeing it.
  Result<void> start(CURL* transfer);
  void cancel(CURL* transfer);
  // Passes time on to libcurl and hands out what has ended. Returns how many.
  std::size_t run(TimePoint now);
  // run() is needed at this time at the latest.
  TimePoint deadline() const { return timer_at_; }

 private:
  static int on_socket(CURL* transfer, curl_socket_t socket, int what, void* client, void* known);
  static int on_timer(CURLM* multi, long timeout_ms, void* client);
  void watch(curl_socket_t socket, int what);

  EventLoop& loop_;
  const Done done_;
  bool initialized_ = false;
  CURLM* multi_ = nullptr;
  std::set<curl_socket_t> watched_;
  std::set<CURL*> transfers_;
  TimePoint timer_at_ = kNever;
};

}  // namespace logflume
