#include "sink/http_sink.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <strings.h>

#include <algorithm>
#include <cassert>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/time_slice.h"
#include "sink/backoff.h"
#include "sink/body_compressor.h"
#include "sink/http_client.h"
#include "sink/http_target.h"
#include "sink/request_builder.h"

namespace logflume {
namespace {

constexpr Duration kRetryAfterMax = 60s;
// What is read of an answer, and what is shown of it.
constexpr std::size_t kAnswerBytesMax = 64 * 1024;
constexpr std::size_t kHeaderBytesMax = 256 * 1024;  // libcurl keeps them all
constexpr std::size_t kShownBytesMax = kAsciiLineBytesMax;
constexpr std::size_t kDeliveriesPerPass = 64;

struct CurlEasyFree {
  void operator()(CURL* easy) const { ::curl_easy_cleanup(easy); }
};
using CurlEasy = std::unique_ptr<CURL, CurlEasyFree>;

// What an answer says, as far as it is shown.
struct Answer {
  std::string status;  // "503 Service Unavailable"
  std::string body;    // its first bytes
  std::size_t body_bytes = 0;
  std::size_t header_bytes = 0;
  bool cut = false;         // it is longer than is read
  bool much_later = false;  // Retry-After is more than libcurl can say
};

// One request at a time, of the files that hash to it.
struct Lane {
  Lane(RequestBuilder request_builder, const RetryConfig& retry)
      : builder(std::move(request_builder)), backoff(retry) {}

  // A request, and its body while that is compressed; take_body() puts it in its place.
  struct Queued {
    Request request;
    std::shared_ptr<CompressedBody> compressed;
  };
  // The first one's body is there, and was not taken.
  bool has_compressed() const {
    return !requests.empty() && requests.front().compressed && requests.front().compressed->done();
  }

  RequestBuilder builder;
  std::deque<Queued> requests;  // the first one is on its way or waits for its retry
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
        retries_(context_.metrics.retries()),
        client_(context_.loop, [this](CURL* easy, CURLcode result) { ended(lane_of(easy), result); }) {}
  ~HttpSink() override;

  Result<void> open() override;
  std::size_t do_work(TimePoint now) override;
  bool has_input() const override;
  TimePoint deadline() const override;
  void drain() override;
  bool drained() const override;

 private:
  Result<void> prepare(Lane& lane);
  static Lane& lane_of(CURL* easy);
  static std::size_t on_header(char* data, std::size_t size, std::size_t count, void* lane);
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* lane);

  std::size_t collect(TimePoint now);
  Lane& lane_for(const Delivery& delivery);
  std::size_t queue(Lane& lane, TimePoint now);
  Lane::Queued prepare_body(Request request);
  static void take_body(Lane::Queued& queued);
  bool due(const Lane& lane, TimePoint now) const;
  void send(Lane& lane);

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
  HttpTarget target_;
  std::vector<std::unique_ptr<Lane>> lanes_;
  // None: bodies go as they are. It reads what the lanes hold, so it goes before them.
  std::unique_ptr<BodyCompressor> compressor_;
  std::optional<Delivery> held_;  // its lane has enough to do
  std::size_t lanes_failing_ = 0;
  TimePoint paused_until_{};  // the server asked to be left alone
};

HttpSink::~HttpSink() {
  for (const auto& lane : lanes_) client_.cancel(lane->easy.get());
}

// -- Start ------------------------------------------------------------------------------------------------

Result<void> HttpSink::open() {
  if (auto opened = target_.open(config_); !opened) return opened;
  if (auto opened = client_.open(); !opened) return opened;

  const Framing framing = config_.body == HttpBody::kJsonArray ? Framing::json_array() : Framing::newlines();
  if (config_.compression != Compression::kNone) {
    std::optional<int> level;
    if (config_.compression_level) level = static_cast<int>(*config_.compression_level);
    compressor_ = std::make_unique<BodyCompressor>(config_.compression, level, context_.workers,
                                                   context_.loop.parker());
    // The workers, which keep all processors busy, wait for it.
    context_.loop.post([] { set_time_slice(kShortSlice); });
  }
  const RequestLimits limits{config_.batch.max_bytes, config_.batch.max_events,
                             config_.batch.linger.value_or(HttpSinkConfig::kDefaultLinger)};
  for (std::uint32_t i = 0; i < std::max(config_.parallel_requests, 1u); ++i) {
    RequestBuilder builder(BatchEncoder(config_, context_.host), framing, compressor_ ? 2 : 1, limits,
                           context_.budget);
    lanes_.push_back(std::make_unique<Lane>(std::move(builder), config_.retry));
    if (auto prepared = prepare(*lanes_.back()); !prepared) return prepared;
  }
  context_.health.ok();
  return {};
}

Result<void> HttpSink::prepare(Lane& lane) {
  lane.easy.reset(::curl_easy_init());
  CURL* const easy = lane.easy.get();
  if (easy == nullptr) return Error{Errc::kNoMemory, 0, "initialize libcurl"};
  lane.curl_error.resize(CURL_ERROR_SIZE);
  // None of these fails: they store a pointer.
  ::curl_easy_setopt(easy, CURLOPT_PRIVATE, static_cast<void*>(&lane));
  ::curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, lane.curl_error.data());
  ::curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &HttpSink::on_header);
  ::curl_easy_setopt(easy, CURLOPT_HEADERDATA, static_cast<void*>(&lane));
  ::curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &HttpSink::on_body);
  ::curl_easy_setopt(easy, CURLOPT_WRITEDATA, static_cast<void*>(&lane));
  return target_.apply(easy);
}

// -- Sending ----------------------------------------------------------------------------------------------

std::size_t HttpSink::do_work(TimePoint now) {
  std::size_t count = client_.run(now);
  for (const auto& lane : lanes_) lane->builder.retry(now);
  count += collect(now);
  for (const auto& lane : lanes_) {
    count += queue(*lane, now);
    if (lane->has_compressed()) {
      take_body(lane->requests.front());
      ++count;
    }
    if (!due(*lane, now)) continue;
    send(*lane);
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

// Requests that are full are compressed while the one before them is under way.
std::size_t HttpSink::queue(Lane& lane, TimePoint now) {
  const std::size_t ahead = compressor_ ? 2 * compressor_->parallel() : 0;
  std::size_t count = 0;
  while (lane.builder.ready(now) &&
         (lane.requests.empty() || (lane.builder.full() && lane.requests.size() <= ahead))) {
    lane.requests.push_back(prepare_body(lane.builder.take(now)));
    ++count;
  }
  return count;
}

Lane::Queued HttpSink::prepare_body(Request request) {
  if (!compressor_) {
    request.body.gather();
    return {std::move(request), nullptr};
  }
  auto compressed = compressor_->compress(std::move(request.body));
  return {std::move(request), std::move(compressed)};
}

void HttpSink::take_body(Lane::Queued& queued) {
  queued.request.body = {queued.compressed->take(), {}};
  queued.request.reserved.shrink(queued.request.body.size());
  queued.compressed = nullptr;
}

bool HttpSink::due(const Lane& lane, TimePoint now) const {
  return !lane.in_flight && !lane.requests.empty() && !lane.requests.front().compressed &&
         now >= std::max(paused_until_, lane.retry_at);
}

bool HttpSink::has_input() const {
  return (!held_ && !context_.inbox.empty()) ||
         std::any_of(lanes_.begin(), lanes_.end(), [](const auto& lane) { return lane->has_compressed(); });
}

TimePoint HttpSink::deadline() const {
  TimePoint earliest = kNever;
  for (const auto& lane : lanes_) {
    if (lane->in_flight) continue;
    TimePoint at = lane->requests.empty() ? lane->builder.deadline() : lane->retry_at;
    if (!lane->requests.empty() && lane->requests.front().compressed) at = kNever;  // it wakes the loop
    if (at != kNever) earliest = std::min(earliest, std::max(at, paused_until_));
  }
  return std::min(earliest, client_.deadline());
}

void HttpSink::send(Lane& lane) {
  const Request& request = lane.requests.front().request;
  lane.answer = {};
  lane.curl_error[0] = '\0';
  CURL* const easy = lane.easy.get();
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.bytes.data());  // not copied
  ::curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.bytes.size()));
  if (auto started = client_.start(easy); !started) {
    retry(lane, "connection", target_.shown_uri() + ": " + started.error().text(), {});
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
  const std::size_t header_bytes = answer.header_bytes + line.size();
  if (header_bytes > kHeaderBytesMax) return CURL_WRITEFUNC_ERROR;
  if (line.starts_with("HTTP/")) {
    // Of the last answer: 1xx and the proxy's CONNECT come before it.
    const std::size_t space = line.find(' ');
    answer = {};
    if (space != std::string_view::npos) answer.status = ascii_line(line.substr(space + 1));
  }
  // Seconds that do not fit an integer are 0 to libcurl.
  constexpr std::string_view kName = "retry-after:";
  if (line.size() > kName.size() && ::strncasecmp(line.data(), kName.data(), kName.size()) == 0) {
    std::string_view value = line.substr(kName.size());
    value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
    answer.much_later = value.find_first_not_of("0123456789") > 9 && value.size() > 9;
  }
  answer.header_bytes = header_bytes;
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
  const Request& request = lane.requests.front().request;

  bool complete = result == CURLE_OK;
  if (!complete && (lane.answer.cut || (status >= 200 && status < 300))) {
    // Cut by us, or broken off behind a 2xx: whole, as far as we are concerned, if the server had all of the
    // request.
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
    const Duration asked = lane.answer.much_later
                               ? kRetryAfterMax
                               : std::chrono::seconds(std::clamp<curl_off_t>(retry_after_s, 0, 3600));
    retry(lane, fmt::format("status_{}", status), message, std::min(asked, kRetryAfterMax));
  } else {
    retry(lane, result == CURLE_OPERATION_TIMEDOUT ? "timeout" : "connection", message, {});
  }
}

std::string HttpSink::describe(const Lane& lane, CURLcode result, long status) const {
  const std::string request = config_.method + " " + target_.shown_uri();
  if (status == 0) {
    const char* const detail =
        lane.curl_error[0] != '\0' ? lane.curl_error.c_str() : ::curl_easy_strerror(result);
    return request + ": " + ascii_line(detail);
  }
  std::string message =
      request + " answered " + (lane.answer.status.empty() ? std::to_string(status) : lane.answer.status);
  if (status >= 300 && status < 400) {
    const char* location = nullptr;
    ::curl_easy_getinfo(lane.easy.get(), CURLINFO_REDIRECT_URL, &location);
    message += " (redirects are not followed";
    if (location != nullptr) message += "; should uri be " + ascii_line(location) + "?";
    message += ")";
  }
  if (!lane.answer.body.empty()) message += ": \"" + ascii_line(lane.answer.body) + "\"";
  return message;
}

void HttpSink::delivered(Lane& lane) {
  Request request = std::move(lane.requests.front().request);
  lane.requests.pop_front();
  context_.outcome.sent(request.events, request.wire_bytes);
  finish(std::move(request), context_.outcome);
  answered(lane);
}

void HttpSink::refused(Lane& lane, const std::string& reason, const std::string& message) {
  Request request = std::move(lane.requests.front().request);
  lane.requests.pop_front();
  discard(request, reason, context_.outcome);
  context_.metrics.error(reason);
  context_.log.limited(LogLevel::kError, context_.name, reason,
                       fmt::format("{}; dropped its {} events", message, request.events));
  finish(std::move(request), context_.outcome);
  answered(lane);
}

void HttpSink::too_large(Lane& lane, const std::string& message) {
  if (lane.requests.front().request.events == 1) {
    refused(lane, "too_large", message);
    return;
  }
  Request request = std::move(lane.requests.front().request);
  lane.requests.pop_front();
  context_.metrics.error("status_413");
  context_.log.limited(
      LogLevel::kWarn, context_.name, "status_413",
      fmt::format("{}; sending its {} events in halves: a smaller batch.max_bytes than {} would spare "
                  "the attempt",
                  message, request.events, config_.batch.max_bytes));
  auto [front, back] = lane.builder.split(std::move(request));
  lane.requests.push_front(prepare_body(std::move(back)));
  lane.requests.push_front(prepare_body(std::move(front)));
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
