#include "sink/http_sink.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sink/backoff.h"
#include "sink/http_client.h"
#include "sink/request_builder.h"

namespace logflume {
namespace {

constexpr Duration kDefaultLinger = 500ms;
constexpr Duration kRetryAfterMax = 60s;
constexpr Duration kConnectTimeoutMax = 10s;
// What is read of an answer, and what is shown of it.
constexpr std::size_t kAnswerBytesMax = 64 * 1024;
constexpr std::size_t kShownBytesMax = 200;
constexpr std::size_t kDeliveriesPerPass = 64;

struct CurlUrlFree {
  void operator()(CURLU* url) const { ::curl_url_cleanup(url); }
};
struct CurlEasyFree {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
struct CurlListFree {
  void operator()(curl_slist* list) const { ::curl_slist_free_all(list); }
};
using CurlUrl = std::unique_ptr<CURLU, CurlUrlFree>;
using CurlEasy = std::unique_ptr<CURL, CurlEasyFree>;
using CurlList = std::unique_ptr<curl_slist, CurlListFree>;

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (::curl_url_get(url, part, &text, flags) != CURLUE_OK) return {};
  std::string result(text);
  ::curl_free(text);
  return result;
}

// One line of printable ASCII: an answer may hold anything, and goes into a log.
std::string printable(std::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kShownBytesMax)) {
    const bool blank = c == '\n' || c == '\r' || c == '\t' || c == ' ';
    if (blank && (result.empty() || result.back() == ' ')) continue;
    result += blank ? ' ' : c > ' ' && c < 0x7f ? c : '?';
  }
  while (!result.empty() && result.back() == ' ') result.pop_back();
  if (text.size() > kShownBytesMax) result += "...";
  return result;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return lower(x) == lower(y); });
}

long milliseconds(Duration duration) {
  constexpr Duration kMost = std::chrono::hours(24);
  return static_cast<long>(
      std::chrono::ceil<std::chrono::milliseconds>(std::clamp<Duration>(duration, 1ms, kMost)).count());
}

// What an answer says, as far as it is shown.
struct Answer {
  std::string status;  // "503 Service Unavailable"
  std::string body;    // its first bytes
  std::size_t body_bytes = 0;
  bool cut = false;  // it is longer than is read
};

// One request at a time, of the files that hash to it.
struct Lane {
  Lane(RequestBuilder request_builder, const RetryConfig& retry)
      : builder(std::move(request_builder)), backoff(retry) {}

  RequestBuilder builder;
  std::deque<Request> requests;  // the first one is on its way or waits for its retry
  bool in_flight = false;
  CurlEasy easy;
  std::string curl_error;
  Answer answer;
  Backoff backoff;
  TimePoint retry_at{};
};

class HttpSink final : public Sink {
 public:
  HttpSink(HttpSinkConfig config, SinkContext context)
      : config_(std::move(config)),
        context_(std::move(context)),
        retries_(context_.metrics.registry.counter("logflume_component_retries_total",
                                                   "Attempts that were repeated.",
                                                   {{"component", context_.name}})),
        client_(context_.loop, [this](CURL* easy, CURLcode result) { ended(lane_of(easy), result); }) {}
  ~HttpSink() override;

  Result<void> open() override;
  std::size_t do_work(TimePoint now) override;
  bool has_input() const override { return !held_ && !context_.inbox.empty(); }
  TimePoint deadline() const override;
  void drain() override;
  bool drained() const override;

 private:
  Result<void> parse_uri();
  Result<void> check_settings() const;
  Result<void> build_headers();
  bool has_header(std::string_view name) const;
  Result<void> prepare(Lane& lane);
  static Lane& lane_of(CURL* easy);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* lane);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* lane);

  std::size_t collect(TimePoint now);
  Lane& lane_for(const Delivery& delivery);
  bool due(const Lane& lane, TimePoint now) const;
  void send(Lane& lane, TimePoint now);

  void ended(Lane& lane, CURLcode result);
  void delivered(Lane& lane);
  void refused(Lane& lane, const std::string& reason, const std::string& message);
  void too_large(Lane& lane, const std::string& message);
  void retry(Lane& lane, const std::string& reason, const std::string& message, Duration at_least);
  void answered(Lane& lane);
  std::string describe(const Lane& lane, CURLcode result, long status) const;

  const HttpSinkConfig config_;
  SinkContext context_;
  Counter& retries_;
  HttpClient client_;
  std::string url_;         // as libcurl gets it
  std::string connect_to_;  // where it connects instead of the URL's host; empty: there
  std::string host_header_;
  std::string shown_uri_;  // without credentials and query
  CurlList headers_;
  CurlList connect_to_list_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  std::optional<Delivery> held_;  // its lane has enough to do
  std::size_t lanes_failing_ = 0;
  TimePoint paused_until_{};  // the server asked to be left alone
};

HttpSink::~HttpSink() {
  for (const auto& lane : lanes_) client_.cancel(lane->easy.get());
}

// -- Start ------------------------------------------------------------------------------------------------

Result<void> HttpSink::open() {
  if (auto parsed = parse_uri(); !parsed) return parsed;
  if (auto checked = check_settings(); !checked) return checked;
  if (auto built = build_headers(); !built) return built;
  if (auto opened = client_.open(); !opened) return opened;

  const Framing framing = config_.body == HttpBody::kJsonArray ? Framing::json_array() : Framing::newlines();
  const RequestLimits limits{config_.batch.max_bytes, config_.batch.max_events,
                             config_.batch.linger.value_or(kDefaultLinger)};
  for (std::uint32_t i = 0; i < std::max(config_.parallel_requests, 1u); ++i) {
    RequestBuilder builder(BatchEncoder(config_.encoding, context_.host, config_.labels), framing,
                           config_.compression, limits, context_.budget);
    lanes_.push_back(std::make_unique<Lane>(std::move(builder), config_.retry));
    if (auto prepared = prepare(*lanes_.back()); !prepared) return prepared;
  }
  context_.health.ok();
  return {};
}

Result<void> HttpSink::parse_uri() {
  const CurlUrl url(::curl_url());
  const CURLUcode code = ::curl_url_set(url.get(), CURLUPART_URL, config_.uri.c_str(), 0);
  if (code != CURLUE_OK) {
    return Error{Errc::kInvalidArgument, 0, "uri: not a URL: " + std::string(::curl_url_strerror(code))};
  }
  const std::string scheme = url_part(url.get(), CURLUPART_SCHEME);
  if (scheme != "http" && scheme != "https") {
    return Error{Errc::kInvalidArgument, 0, "uri: expected http:// or https://, not " + scheme + "://"};
  }
  const std::string host = url_part(url.get(), CURLUPART_HOST);
  const std::string explicit_port = url_part(url.get(), CURLUPART_PORT);
  const std::string authority = explicit_port.empty() ? host : host + ":" + explicit_port;
  shown_uri_ = scheme + "://" + authority + url_part(url.get(), CURLUPART_PATH);

  const std::string& server_name = config_.tls.server_name;
  if (scheme == "https" && !server_name.empty() && server_name != host) {
    // The name that the certificate is checked against is the URL's; the connection goes to the real host.
    const std::string port = url_part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
    ::curl_url_set(url.get(), CURLUPART_HOST, server_name.c_str(), 0);
    connect_to_ = server_name + ":" + port + ":" + host + ":" + port;
    host_header_ = "Host: " + authority;
  }
  url_ = url_part(url.get(), CURLUPART_URL);
  return {};
}

Result<void> HttpSink::check_settings() const {
  const auto invalid = [](std::string message) {
    return Error{Errc::kInvalidArgument, 0, std::move(message)};
  };
  const bool token =
      !config_.method.empty() && std::all_of(config_.method.begin(), config_.method.end(), [](char c) {
        return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_';
      });
  if (!token) return invalid("method: \"" + printable(config_.method) + "\" is not an HTTP method");
  for (const std::string_view bodyless : {"HEAD", "CONNECT", "TRACE"}) {
    if (equal_ignoring_case(config_.method, bodyless))
      return invalid("method: " + config_.method + " takes no body");
  }
  for (const auto& [name, value] : config_.headers) {
    const bool clean_name = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
      return c > ' ' && c < 0x7f && c != ':' && c != ';';
    });
    if (!clean_name) return invalid("headers: \"" + printable(name) + "\" is not a header's name");
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
      return invalid("headers: the value of " + name + " holds a line break");
    }
  }
  if (config_.auth_token.find_first_of("\r\n") != std::string::npos)
    return invalid("auth: the token holds a line break");
  if (config_.body == HttpBody::kJsonArray && config_.encoding != Encoding::kJson) {
    return invalid("body: json_array needs encoding: json");
  }
  if (config_.compression != Compression::kNone && content_encoding(config_.compression).empty()) {
    return Error{Errc::kUnsupported, 0, "compression: http takes none, gzip or zstd"};
  }
  for (const std::string* file : {&config_.tls.ca_file, &config_.tls.cert_file, &config_.tls.key_file}) {
    if (!file->empty() && ::access(file->c_str(), R_OK) != 0) return errno_error("tls: open " + *file);
  }
  return {};
}

bool HttpSink::has_header(std::string_view name) const {
  return std::any_of(config_.headers.begin(), config_.headers.end(),
                     [&](const auto& header) { return equal_ignoring_case(header.first, name); });
}

Result<void> HttpSink::build_headers() {
  bool complete = true;
  const auto add = [&](const std::string& line) {
    curl_slist* longer = ::curl_slist_append(headers_.get(), line.c_str());
    complete = complete && longer != nullptr;
    if (longer != nullptr) {
      (void)headers_.release();
      headers_.reset(longer);
    }
  };
  if (!has_header("Content-Type")) {
    add(config_.body == HttpBody::kJsonArray  ? "Content-Type: application/json"
        : config_.encoding == Encoding::kJson ? "Content-Type: application/x-ndjson"
                                              : "Content-Type: text/plain");
  }
  const std::string_view coding = content_encoding(config_.compression);
  if (!coding.empty() && !has_header("Content-Encoding")) add("Content-Encoding: " + std::string(coding));
  if (!config_.auth_token.empty() && !has_header("Authorization"))
    add("Authorization: Bearer " + config_.auth_token);
  if (!host_header_.empty() && !has_header("Host")) add(host_header_);
  // libcurl would wait up to a second for "100 Continue" before it sends a large body.
  if (!has_header("Expect")) add("Expect:");
  // "Name;" is how libcurl is told to send a header without a value.
  for (const auto& [name, value] : config_.headers) add(value.empty() ? name + ";" : name + ": " + value);
  if (!connect_to_.empty()) connect_to_list_.reset(::curl_slist_append(nullptr, connect_to_.c_str()));
  if (!complete) return Error{Errc::kNoMemory, 0, "headers"};
  return {};
}

Result<void> HttpSink::prepare(Lane& lane) {
  lane.easy.reset(::curl_easy_init());
  CURL* const easy = lane.easy.get();
  if (easy == nullptr) return Error{Errc::kNoMemory, 0, "initialize libcurl"};
  lane.curl_error.resize(CURL_ERROR_SIZE);
  CURLcode failed = CURLE_OK;
  const auto set = [&](CURLoption option, auto value) {
    if (failed == CURLE_OK) failed = ::curl_easy_setopt(easy, option, value);
  };
  set(CURLOPT_URL, url_.c_str());
  set(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_NOSIGNAL, 1L);
  set(CURLOPT_PRIVATE, static_cast<void*>(&lane));
  set(CURLOPT_ERRORBUFFER, lane.curl_error.data());
  set(CURLOPT_POST, 1L);
  set(CURLOPT_CUSTOMREQUEST, config_.method.c_str());
  set(CURLOPT_HTTPHEADER, headers_.get());
  if (connect_to_list_) set(CURLOPT_CONNECT_TO, connect_to_list_.get());
  set(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_TCP_KEEPALIVE, 1L);
  set(CURLOPT_USERAGENT, "logflume/" LOGFLUME_VERSION);
  set(CURLOPT_TIMEOUT_MS, milliseconds(config_.request_timeout));
  set(CURLOPT_CONNECTTIMEOUT_MS, milliseconds(std::min(config_.request_timeout, kConnectTimeoutMax)));
  set(CURLOPT_HEADERFUNCTION, &HttpSink::on_header);
  set(CURLOPT_HEADERDATA, static_cast<void*>(&lane));
  set(CURLOPT_WRITEFUNCTION, &HttpSink::on_body);
  set(CURLOPT_WRITEDATA, static_cast<void*>(&lane));
  if (!config_.auth_user.empty() || !config_.auth_password.empty()) {
    set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(CURLOPT_USERNAME, config_.auth_user.c_str());
    set(CURLOPT_PASSWORD, config_.auth_password.c_str());
  }
  if (!config_.tls.ca_file.empty()) set(CURLOPT_CAINFO, config_.tls.ca_file.c_str());
  if (!config_.tls.cert_file.empty()) set(CURLOPT_SSLCERT, config_.tls.cert_file.c_str());
  if (!config_.tls.key_file.empty()) set(CURLOPT_SSLKEY, config_.tls.key_file.c_str());
  set(CURLOPT_SSL_VERIFYPEER, config_.tls.verify ? 1L : 0L);
  set(CURLOPT_SSL_VERIFYHOST, config_.tls.verify ? 2L : 0L);
  if (failed != CURLE_OK) {
    return Error{Errc::kUnsupported, 0, std::string("libcurl: ") + ::curl_easy_strerror(failed)};
  }
  return {};
}

// -- Sending ----------------------------------------------------------------------------------------------

std::size_t HttpSink::do_work(TimePoint now) {
  std::size_t count = client_.run(now);
  count += collect(now);
  for (const auto& lane : lanes_) {
    if (!due(*lane, now)) continue;
    send(*lane, now);
    ++count;
  }
  context_.outcome.flush();
  return count;
}

std::size_t HttpSink::collect(TimePoint now) {
  std::size_t count = 0;
  Delivery delivery;
  while (count < kDeliveriesPerPass) {
    if (held_) {
      Lane& lane = lane_for(*held_);
      if (!lane.builder.wants_more()) break;
      lane.builder.add(std::move(*held_), now);
      held_.reset();
      ++count;
    }
    if (!context_.inbox.try_pop(delivery)) break;
    ++count;
    context_.outcome.taken(delivery);
    if (delivery.batch->events == 0) {
      context_.outcome.finish(std::move(delivery));
    } else {
      held_ = std::move(delivery);
    }
  }
  return count;
}

Lane& HttpSink::lane_for(const Delivery& delivery) {
  // The ids count up; multiplied by an odd number of 64 random bits, the high half is as good as random.
  const std::uint64_t hash = delivery.cursor->file_id() * 0x9E3779B97F4A7C15ULL;
  return *lanes_[(hash >> 32) % lanes_.size()];
}

bool HttpSink::due(const Lane& lane, TimePoint now) const {
  if (lane.in_flight || now < paused_until_) return false;
  return lane.requests.empty() ? lane.builder.ready(now) : now >= lane.retry_at;
}

TimePoint HttpSink::deadline() const {
  TimePoint earliest = kNever;
  for (const auto& lane : lanes_) {
    if (lane->in_flight) continue;
    const TimePoint at = lane->requests.empty() ? lane->builder.deadline() : lane->retry_at;
    if (at != kNever) earliest = std::min(earliest, std::max(at, paused_until_));
  }
  return std::min(earliest, client_.deadline());
}

void HttpSink::send(Lane& lane, TimePoint now) {
  if (lane.requests.empty()) lane.requests.push_back(lane.builder.take(now));
  const Request& request = lane.requests.front();
  lane.answer = {};
  lane.curl_error[0] = '\0';
  CURL* const easy = lane.easy.get();
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());  // not copied
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  if (auto started = client_.start(easy); !started) {
    retry(lane, "connection", shown_uri_ + ": " + started.error().text(), {});
    return;
  }
  lane.in_flight = true;
}

void HttpSink::drain() {
  for (const auto& lane : lanes_) lane->builder.drain();
}

bool HttpSink::drained() const {
  return !held_ && std::all_of(lanes_.begin(), lanes_.end(), [](const auto& lane) {
    return lane->requests.empty() && lane->builder.empty();
  });
}

// -- Answers ----------------------------------------------------------------------------------------------

Lane& HttpSink::lane_of(CURL* easy) {
  char* lane = nullptr;
  ::curl_easy_getinfo(easy, CURLINFO_PRIVATE, &lane);
  return *reinterpret_cast<Lane*>(lane);
}

std::size_t HttpSink::on_header(char* data, std::size_t size, std::size_t count, void* lane) {
  Answer& answer = static_cast<Lane*>(lane)->answer;
  const std::string_view line(data, size * count);
  if (line.starts_with("HTTP/")) {
    // Of the last answer: 1xx and the proxy's CONNECT come before it.
    const std::size_t space = line.find(' ');
    answer = {};
    if (space != std::string_view::npos) answer.status = printable(line.substr(space + 1));
  }
  return size * count;
}

std::size_t HttpSink::on_body(char* data, std::size_t size, std::size_t count, void* lane) {
  Answer& answer = static_cast<Lane*>(lane)->answer;
  const std::size_t bytes = size * count;
  constexpr std::size_t kKept = kShownBytesMax + 1;  // one more, to tell that it goes on
  if (answer.body.size() < kKept) answer.body.append(data, std::min(bytes, kKept - answer.body.size()));
  answer.body_bytes += bytes;
  answer.cut = answer.body_bytes > kAnswerBytesMax;
  return answer.cut ? 0 : bytes;  // 0 ends the transfer
}

void HttpSink::ended(Lane& lane, CURLcode result) {
  lane.in_flight = false;
  long status = 0;
  ::curl_easy_getinfo(lane.easy.get(), CURLINFO_RESPONSE_CODE, &status);
  const Request& request = lane.requests.front();

  bool complete = result == CURLE_OK;
  if (!complete && lane.answer.cut) {
    // Cut by us: whole, as far as we are concerned, if the server had all of the request.
    curl_off_t uploaded = 0;
    ::curl_easy_getinfo(lane.easy.get(), CURLINFO_SIZE_UPLOAD_T, &uploaded);
    complete = uploaded == static_cast<curl_off_t>(request.body.size());
  }
  // A refusal counts even if the connection broke behind its status line: servers that refuse a body often
  // close without reading it.
  const bool refusal = status >= 400;
  const std::string message = describe(lane, result, refusal || complete ? status : 0);
  if (complete && status >= 200 && status < 300) {
    delivered(lane);
  } else if (status == 400 || status == 422) {
    refused(lane, fmt::format("rejected_{}", status), message);
  } else if (status == 413) {
    too_large(lane, message);
  } else if (refusal || complete) {
    curl_off_t retry_after_s = 0;
    ::curl_easy_getinfo(lane.easy.get(), CURLINFO_RETRY_AFTER, &retry_after_s);
    const Duration asked = std::chrono::seconds(std::clamp<curl_off_t>(retry_after_s, 0, 3600));
    retry(lane, fmt::format("status_{}", status), message, std::min(asked, kRetryAfterMax));
  } else {
    retry(lane, result == CURLE_OPERATION_TIMEDOUT ? "timeout" : "connection", message, {});
  }
}

std::string HttpSink::describe(const Lane& lane, CURLcode result, long status) const {
  const std::string request = config_.method + " " + shown_uri_;
  if (status == 0) {
    const char* const detail =
        lane.curl_error[0] != '\0' ? lane.curl_error.c_str() : ::curl_easy_strerror(result);
    return request + ": " + printable(detail);
  }
  std::string message =
      request + " answered " + (lane.answer.status.empty() ? std::to_string(status) : lane.answer.status);
  if (status >= 300 && status < 400) {
    const char* location = nullptr;
    ::curl_easy_getinfo(lane.easy.get(), CURLINFO_REDIRECT_URL, &location);
    message += " (redirects are not followed";
    if (location != nullptr) message += "; should uri be " + printable(location) + "?";
    message += ")";
  }
  if (!lane.answer.body.empty()) message += ": \"" + printable(lane.answer.body) + "\"";
  return message;
}

void HttpSink::delivered(Lane& lane) {
  Request request = std::move(lane.requests.front());
  lane.requests.pop_front();
  context_.outcome.sent(request.events, request.wire_bytes);
  finish(std::move(request), context_.outcome);
  answered(lane);
}

void HttpSink::refused(Lane& lane, const std::string& reason, const std::string& message) {
  Request request = std::move(lane.requests.front());
  lane.requests.pop_front();
  context_.outcome.discarded(reason, request.events);
  context_.metrics.error(reason);
  context_.log.limited(LogLevel::kError, context_.name, reason,
                       fmt::format("{}; dropped its {} events", message, request.events));
  finish(std::move(request), context_.outcome);
  answered(lane);
}

void HttpSink::too_large(Lane& lane, const std::string& message) {
  if (lane.requests.front().events == 1) {
    refused(lane, "too_large", message);
    return;
  }
  Request request = std::move(lane.requests.front());
  lane.requests.pop_front();
  context_.metrics.error("status_413");
  context_.log.limited(
      LogLevel::kWarn, context_.name, "status_413",
      fmt::format("{}; sending its {} events in halves: a smaller batch.max_bytes than {} would spare "
                  "the attempt",
                  message, request.events, config_.batch.max_bytes));
  auto [front, back] = lane.builder.split(std::move(request));
  lane.requests.push_front(std::move(back));
  lane.requests.push_front(std::move(front));
  answered(lane);
}

void HttpSink::retry(Lane& lane, const std::string& reason, const std::string& message, Duration at_least) {
  if (lane.backoff.failures() == 0) ++lanes_failing_;
  const TimePoint now = steady_now();
  lane.retry_at = now + std::max(lane.backoff.next(), at_least);
  // The server speaks for itself, not for one of our lanes.
  if (at_least > Duration::zero()) paused_until_ = std::max(paused_until_, now + at_least);
  retries_.add();
  context_.metrics.error(reason);
  context_.health.degraded(message);
  context_.log.limited(LogLevel::kWarn, context_.name, "retry", message + "; trying again");
}

// The server has dealt with a request, one way or the other.
void HttpSink::answered(Lane& lane) {
  lane.retry_at = {};
  if (lane.backoff.failures() == 0) return;
  lane.backoff.reset();
  if (--lanes_failing_ == 0) context_.health.ok();
}

}  // namespace

std::unique_ptr<Sink> make_http_sink(HttpSinkConfig config, SinkContext context) {
  return std::make_unique<HttpSink>(std::move(config), std::move(context));
}

}  // namespace logflume
