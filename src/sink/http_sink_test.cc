#include "sink/http_sink.h"

#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <ctime>
#include <random>

#include "sink/decompress_for_test.h"
#include "sink/http_server_for_test.h"
#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

class HttpSinkTest : public testing::Test {
 protected:
  HttpSinkTest() {
    ::signal(SIGPIPE, SIG_IGN);
    for (const char* proxy : {"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"}) ::unsetenv(proxy);
  }
  ~HttpSinkTest() override {
    harness_.loop.stop();
    sink_.reset();
  }

  // Answers with `replies` in turn, the last one for ever.
  void serve(std::vector<HttpReply> replies) {
    serve([this, replies = std::move(replies)](const HttpRequest&) {
      const std::size_t number = std::min(requests_.size() - 1, replies.size() - 1);
      return replies[number];
    });
  }
  void serve(HttpServer::Handler handler) {
    server_ = std::make_unique<HttpServer>([this, handler = std::move(handler)](const HttpRequest& request) {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
      times_.push_back(steady_now());
      return handler(request);
    });
  }

  HttpSinkConfig raw_config() const {
    HttpSinkConfig config;
    config.encoding = Encoding::kRaw;
    config.uri = server_->uri("/in");
    config.batch.linger = 0ms;
    config.retry = {.initial = 1ms, .max = 10ms};
    return config;
  }
  void start(HttpSinkConfig config) {
    sink_ = make_http_sink(std::move(config), harness_.context());
    const auto opened = sink_->open();
    ASSERT_TRUE(opened) << opened.error().text();
    harness_.loop.add(*sink_);
    harness_.loop.start();
  }

  // False when it is still not so after a time that no machine needs.
  template <typename Condition>
  static bool soon(Condition condition) {
    const TimePoint end = steady_now() + 30s;
    while (!condition()) {
      if (steady_now() > end) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }
  bool all_acked() {
    return soon([this] { return harness_.all_acked(); });
  }
  std::vector<HttpRequest> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::size_t request_count() { return requests().size(); }
  std::uint64_t retries() {
    return harness_.registry.counter("logflume_component_retries_total", "", {{"component", "out"}}).value();
  }

  SinkHarness harness_;
  std::mutex mutex_;  // guards the two below
  std::vector<HttpRequest> requests_;
  std::vector<TimePoint> times_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<Sink> sink_;
};

TEST_F(HttpSinkTest, PostsLinesAndAcknowledges) {
  serve({HttpReply::status("204 No Content")});
  start(raw_config());
  harness_.send("one\ntwo");
  ASSERT_TRUE(all_acked());
  const auto got = requests();
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].line, "POST /in HTTP/1.1");
  EXPECT_EQ(got[0].body, "one\ntwo\n");
  EXPECT_EQ(got[0].headers.at("content-type"), "text/plain");
  EXPECT_FALSE(got[0].headers.contains("expect"));
  EXPECT_EQ(harness_.acked(), 7u);
  EXPECT_EQ(harness_.metrics.sent_events.value(), 2u);
  EXPECT_EQ(harness_.metrics.sent_bytes.value(), 8u);
  EXPECT_EQ(harness_.health().status, HealthStatus::kOk);
}

TEST_F(HttpSinkTest, KeepsItsConnection) {
  serve({HttpReply::ok()});
  HttpSinkConfig config = raw_config();
  config.parallel_requests = 1;
  start(config);
  for (int i = 0; i < 20; ++i) {
    harness_.send("line\n");
    ASSERT_TRUE(all_acked());
  }
  for (const HttpRequest& request : requests()) EXPECT_EQ(request.connection, 0);
}

TEST_F(HttpSinkTest, SendsWhatTheConfigurationSays) {
  serve({HttpReply::ok()});
  HttpSinkConfig config = raw_config();
  config.encoding = Encoding::kJson;
  config.body = HttpBody::kJsonArray;
  config.method = "PUT";
  config.headers = {{"X-Tenant", "a b"}, {"content-type", "application/custom"}, {"X-Empty", ""}};
  config.auth_user = "user";
  config.auth_password = "pass";
  config.compression = Compression::kGzip;
  start(config);
  harness_.send("1\n2\n");
  ASSERT_TRUE(all_acked());
  const HttpRequest request = requests().at(0);
  EXPECT_EQ(request.line, "PUT /in HTTP/1.1");
  EXPECT_EQ(request.headers.at("x-tenant"), "a b");
  EXPECT_EQ(request.headers.at("x-empty"), "");
  EXPECT_EQ(request.headers.at("content-type"), "application/custom");
  EXPECT_EQ(request.headers.at("content-encoding"), "gzip");
  EXPECT_EQ(request.headers.at("authorization"), "Basic dXNlcjpwYXNz");
  const std::string body = gunzip(request.body);
  EXPECT_EQ(body.find(R"([{"message":"1",)"), 0u) << body;
  EXPECT_NE(body.find(R"(},{"message":"2",)"), std::string::npos) << body;
  EXPECT_TRUE(body.ends_with("}]")) << body;
  EXPECT_EQ(harness_.metrics.sent_bytes.value(), body.size());
}

TEST_F(HttpSinkTest, SendsABearerTokenAndZstd) {
  serve({HttpReply::ok()});
  HttpSinkConfig config = raw_config();
  config.auth_token = "secret";
  config.compression = Compression::kZstd;
  start(config);
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "line " + std::to_string(i) + "\n";
  harness_.send(text);
  ASSERT_TRUE(all_acked());
  const HttpRequest request = requests().at(0);
  EXPECT_EQ(request.headers.at("authorization"), "Bearer secret");
  EXPECT_EQ(request.headers.at("content-encoding"), "zstd");
  EXPECT_EQ(unzstd(request.body), text);
}

// Goal: bodies that several threads compress arrive in the order of their file, each once, also when the
// server refuses some of them as too large. Method: many large bodies, some refused, put together again.
TEST_F(HttpSinkTest, CompressesLargeBodiesOnWorkersInTheOrderOfTheFile) {
  constexpr std::size_t kTooLarge = 150'000;
  serve([&](const HttpRequest& request) {
    return unzstd(request.body).size() > kTooLarge ? HttpReply::status("413 Payload Too Large")
                                                   : HttpReply::ok();
  });
  HttpSinkConfig config = raw_config();
  config.compression = Compression::kZstd;
  config.compression_level = 1;
  config.batch.max_bytes = 200'000;
  config.batch.max_events = 1'000'000;
  config.batch.linger = 500ms;  // bodies fill, however slowly the test writes
  config.parallel_requests = 1;
  start(config);
  std::minstd_rand random(5);
  std::string sent;
  for (int i = 0; i < 100; ++i) {
    std::string text;
    // Now and then one that is sent as it is: it takes no turn on a worker.
    const std::size_t bytes = i % 7 == 0 ? 10'000 : 60'000;
    while (text.size() < bytes) text += "line " + std::to_string(random()) + "\n";
    harness_.send(text);
    sent += text;
  }
  ASSERT_TRUE(all_acked());
  std::string arrived;
  std::size_t refused = 0;
  for (const HttpRequest& request : requests()) {
    const std::string body = unzstd(request.body);
    if (body.size() > kTooLarge) {
      ++refused;
    } else {
      arrived += body;
    }
  }
  EXPECT_GT(refused, 0u);
  EXPECT_EQ(arrived, sent);
}

// Goal: bodies that are compressed while the server wants to be left alone cost nothing until then. Method:
// large bodies for every lane after a refusal that says so; the processor's time over a part of the pause.
TEST_F(HttpSinkTest, SleepsWhileCompressedBodiesWaitForTheServersPause) {
  serve({HttpReply::status("503 Service Unavailable", "", "Retry-After: 2\r\n"), HttpReply::ok()});
  HttpSinkConfig config = raw_config();
  config.compression = Compression::kZstd;
  start(config);
  harness_.send("first\n", 1);
  ASSERT_TRUE(soon([&] { return harness_.health().status == HealthStatus::kDegraded; }));
  const std::string large = std::string(200'000, 'x') + "\n";
  for (std::uint64_t file = 2; file < 12; ++file) harness_.send(large, file);
  ASSERT_TRUE(soon([&] { return harness_.metrics.received_events.value() == 11; }));
  std::this_thread::sleep_for(200ms);  // compressed by now
  const std::clock_t before = std::clock();
  std::this_thread::sleep_for(1s);
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 2);
  EXPECT_EQ(request_count(), 1u);
  ASSERT_TRUE(all_acked());
}

// Goal: a sink may go while workers have its bodies.
TEST_F(HttpSinkTest, EndsWhileBodiesAreCompressed) {
  serve({HttpReply::hang()});
  HttpSinkConfig config = raw_config();
  config.compression = Compression::kZstd;
  config.compression_level = 19;
  start(config);
  for (int i = 0; i < 3; ++i)
    harness_.send(std::string(1'000'000, 'x') + "\n", static_cast<std::uint64_t>(i));
  ASSERT_TRUE(soon([&] { return harness_.metrics.received_events.value() == 3; }));
}

TEST_F(HttpSinkTest, RetriesWhatMayPassAndSaysWhy) {
  std::atomic<bool> well{false};
  serve([&](const HttpRequest&) {
    return well ? HttpReply::ok() : HttpReply::status("503 Service Unavailable", "overloaded\nby \x01 far");
  });
  start(raw_config());
  harness_.send("one\n");
  ASSERT_TRUE(soon([&] { return request_count() >= 4; }));
  EXPECT_EQ(harness_.acked(), 0u);
  ASSERT_TRUE(soon([&] { return harness_.health().status == HealthStatus::kDegraded; }));
  const std::string message = harness_.health().message;
  EXPECT_NE(message.find("503 Service Unavailable"), std::string::npos) << message;
  EXPECT_NE(message.find("overloaded by ? far"), std::string::npos) << message;
  EXPECT_GE(harness_.errors("status_503"), 1u);
  well = true;
  ASSERT_TRUE(all_acked());
  EXPECT_GE(retries(), 3u);
  ASSERT_TRUE(soon([&] { return harness_.health().status == HealthStatus::kOk; }));
  for (const HttpRequest& request : requests()) EXPECT_EQ(request.body, "one\n");
}

TEST_F(HttpSinkTest, EveryOtherRefusalIsRetriedToo) {
  serve({HttpReply::status("401 Unauthorized"), HttpReply::status("403 Forbidden"),
         HttpReply::status("404 Not Found"), HttpReply::status("408 Request Timeout"),
         HttpReply::status("429 Too Many Requests"), HttpReply::status("500 Internal Server Error"),
         HttpReply::status("302 Found", "", "Location: /elsewhere\r\n"), HttpReply::reset(),
         HttpReply::ok()});
  start(raw_config());
  harness_.send("one\n");
  ASSERT_TRUE(all_acked());
  // The reset may cost one more: libcurl itself tries again where a kept connection is dead.
  EXPECT_GE(request_count(), 9u);
  EXPECT_EQ(requests().back().line, "POST /in HTTP/1.1");
  EXPECT_EQ(harness_.metrics.sent_events.value(), 1u);
}

TEST_F(HttpSinkTest, RetryAfterIsHonoured) {
  serve({HttpReply::status("429 Too Many Requests", "", "Retry-After: 1\r\n"), HttpReply::ok()});
  start(raw_config());
  harness_.send("one\n", 1);
  ASSERT_TRUE(soon([&] { return request_count() == 1; }));
  ASSERT_TRUE(soon([&] { return harness_.health().status == HealthStatus::kDegraded; }));
  harness_.send("two\n", 2);  // the other lanes hold back too
  ASSERT_TRUE(all_acked());
  const std::lock_guard lock(mutex_);
  ASSERT_EQ(times_.size(), 3u);
  EXPECT_GE(times_[1] - times_[0], 900ms);
}

TEST_F(HttpSinkTest, ARetryAfterBeyondAllNumbersIsCapped) {
  serve({HttpReply::status("503 Service Unavailable", "", "Retry-After: 99999999999999999999999\r\n"),
         HttpReply::ok()});
  start(raw_config());
  harness_.send("one\n");
  ASSERT_TRUE(soon([&] { return harness_.health().status == HealthStatus::kDegraded; }));
  std::this_thread::sleep_for(200ms);  // twenty times the longest backoff
  EXPECT_EQ(request_count(), 1u);
}

// The status line is the answer; what the server wanted to say beyond it does not matter.
TEST_F(HttpSinkTest, A2xxWhoseBodyBreaksOffAcknowledges) {
  serve({HttpReply{HttpReply::Action::kAnswer, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"}});
  HttpSinkConfig config = raw_config();
  config.request_timeout = 500ms;
  start(std::move(config));
  harness_.send("one\n");
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(request_count(), 1u);
  EXPECT_EQ(harness_.metrics.sent_events.value(), 1u);
}

TEST_F(HttpSinkTest, FinalRefusalsDropAndCount) {
  serve({HttpReply::status("400 Bad Request", "no such index"), HttpReply::status("422 Unprocessable Entity"),
         HttpReply::ok()});
  start(raw_config());
  harness_.send("one\ntwo\n");
  ASSERT_TRUE(all_acked());
  harness_.send("three\n");
  ASSERT_TRUE(all_acked());
  harness_.send("four\n");
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(request_count(), 3u);
  EXPECT_EQ(harness_.discarded("rejected_400"), 2u);
  EXPECT_EQ(harness_.discarded("rejected_422"), 1u);
  EXPECT_EQ(harness_.metrics.sent_events.value(), 1u);
  EXPECT_EQ(harness_.metrics.received_events.value(), 4u);
}

TEST_F(HttpSinkTest, TooLargeBatchesAreHalved) {
  std::string accepted;
  serve([&](const HttpRequest& request) {
    if (request.body.size() > 100) return HttpReply::status("413 Payload Too Large");
    accepted += request.body;
    return HttpReply::ok();
  });
  start(raw_config());
  std::string text, expected;
  for (int i = 0; i < 100; ++i) {
    const std::string line = "line " + std::to_string(i) + "\n";
    text += line;
    expected += line;
    if (i == 37) text.append(200, 'x') += '\n';  // too large alone
  }
  harness_.send(text);
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(accepted, expected);
  EXPECT_EQ(harness_.discarded("too_large"), 1u);
  EXPECT_EQ(harness_.metrics.sent_events.value(), 100u);
}

TEST_F(HttpSinkTest, AHangingServerIsGivenUpOn) {
  serve({HttpReply::hang(), HttpReply::ok()});
  HttpSinkConfig config = raw_config();
  config.request_timeout = 200ms;
  start(config);
  harness_.send("one\n");
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(harness_.errors("timeout"), 1u);
}

TEST_F(HttpSinkTest, AServerThatIsDownIsWaitedFor) {
  serve({HttpReply::ok()});
  HttpSinkConfig config = raw_config();
  config.uri = "http://127.0.0.1:1/";  // nobody listens
  start(config);
  harness_.send("one\n");
  ASSERT_TRUE(soon([&] { return retries() >= 3; }));
  EXPECT_EQ(harness_.acked(), 0u);
  EXPECT_EQ(harness_.health().status, HealthStatus::kDegraded);
  EXPECT_NE(harness_.health().message.find("http://127.0.0.1:1/"), std::string::npos)
      << harness_.health().message;
}

TEST_F(HttpSinkTest, AnEndlessAnswerIsCut) {
  const std::string endless(300'000, 'x');
  serve({HttpReply{HttpReply::Action::kAnswer,
                   "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n" + endless}});
  start(raw_config());
  harness_.send("one\n");
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(request_count(), 1u);
}

TEST_F(HttpSinkTest, EndlessHeadersAreCut) {
  std::string headers;
  while (headers.size() < 600'000) headers += "X-Filler: " + std::string(1000, 'x') + "\r\n";
  serve({HttpReply{HttpReply::Action::kAnswer, "HTTP/1.1 200 OK\r\n" + headers}});
  start(raw_config());
  harness_.send("one\n");
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(request_count(), 1u);
}

TEST_F(HttpSinkTest, DrainSendsWhatLingers) {
  serve({HttpReply::ok()});
  HttpSinkConfig config = raw_config();
  config.batch.linger = 3600s;
  start(config);
  harness_.send("one\n");
  ASSERT_TRUE(soon([&] { return harness_.metrics.received_events.value() == 1; }));
  EXPECT_EQ(request_count(), 0u);
  harness_.loop.post([&] { sink_->drain(); });
  ASSERT_TRUE(all_acked());
  harness_.loop.stop();
  EXPECT_TRUE(sink_->drained());
}

TEST_F(HttpSinkTest, StopsInTheMiddleOfARequest) {
  serve({HttpReply::hang()});
  start(raw_config());
  harness_.send("one\n");
  ASSERT_TRUE(soon([&] { return request_count() == 1; }));
  harness_.loop.stop();
  EXPECT_FALSE(sink_->drained());
  sink_.reset();
  EXPECT_EQ(harness_.acked(), 0u);
}

// Goal: each line of a file arrives once and in order, whatever the server does to the requests.
// Method: six files over four lanes; the server refuses, resets and halves at random, and keeps a body only
// when it answers 200. (A server that keeps a body and then resets gets it twice: at least once.)
TEST_F(HttpSinkTest, KeepsTheOrderOfEachFile) {
  std::minstd_rand random(42);
  std::map<std::string, std::string> accepted;
  serve([&](const HttpRequest& request) {
    switch (random() % 5) {
      case 0:
        return HttpReply::status("503 Service Unavailable");
      case 1:
        return HttpReply::reset();
      case 2:
        if (std::count(request.body.begin(), request.body.end(), '\n') > 1) {
          return HttpReply::status("413 Payload Too Large");
        }
        break;
      default:
        break;
    }
    std::string_view rest = request.body;
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n') + 1);
      accepted[std::string(line.substr(0, line.find(' ')))] += line;
      rest.remove_prefix(line.size());
    }
    return HttpReply::ok();
  });
  HttpSinkConfig config = raw_config();
  config.batch.max_bytes = 500;
  config.batch.linger = 2ms;
  start(config);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 300; ++i) {
    const auto file = static_cast<std::uint64_t>(i % 6 + 1);
    std::string text;
    for (int n = 0; n < 10; ++n) {
      text += "f" + std::to_string(file) + " " + std::to_string(i) + "." + std::to_string(n) + "\n";
    }
    expected["f" + std::to_string(file)] += text;
    harness_.send(text, file);
  }
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(accepted, expected);
  EXPECT_EQ(harness_.metrics.sent_events.value(), 3000u);
}

TEST_F(HttpSinkTest, BadSettingsAreRefusedAtOpen) {
  serve({HttpReply::ok()});
  const auto refused = [&](const std::function<void(HttpSinkConfig&)>& spoil) {
    SinkHarness harness;
    HttpSinkConfig config = raw_config();
    spoil(config);
    const auto opened = make_http_sink(config, harness.context())->open();
    return opened ? std::string() : opened.error().text();
  };
  EXPECT_EQ(refused([](HttpSinkConfig&) {}), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.uri = "ftp://host/"; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.uri = "http://"; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.uri = "http://host:99999/"; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.method = "PO ST"; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.method = "head"; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.headers = {{"a", "b\r\nc: d"}}; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.headers = {{"a b", "c"}}; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.body = HttpBody::kJsonArray; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.compression = Compression::kLz4; }), "");
  EXPECT_NE(refused([](HttpSinkConfig& config) { config.tls.ca_file = "/does/not/exist.pem"; }), "");
}

}  // namespace
}  // namespace logflume
