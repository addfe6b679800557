#include "api/api_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "api/control_client.h"
#include "base/temp_dir_for_test.h"
#include "base/unique_fd.h"

namespace logflume {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class ApiServerTest : public testing::Test {
 protected:
  void start(ApiLimits limits = {}) {
    ApiHandlers handlers;
    handlers.ready = [this] { return ApiHandlers::Readiness{ready_, "sink bus has not started"}; };
    handlers.health = [this] { return ApiHandlers::Health{serving_, "{\"status\":\"ok\"}\n"}; };
    handlers.metrics = [this] {
      if (broken_) throw std::runtime_error("broken");
      return std::string("# HELP a A.\n");
    };
    auto server = ApiServer::start("127.0.0.1:0", std::move(handlers), limits);
    ASSERT_TRUE(server) << server.error().text();
    server_ = std::move(*server);
  }

  UniqueFd connect() const {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(server_->port());
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  static void send(const UniqueFd& fd, const std::string& text) {
    // A server that refuses may close before it has read everything.
    (void)::send(fd.get(), text.data(), text.size(), MSG_NOSIGNAL);
  }
  // Until the server closes.
  static std::string read_all(const UniqueFd& fd) {
    std::string text;
    char buffer[4096];
    ssize_t size = 0;
    while ((size = ::recv(fd.get(), buffer, sizeof buffer, 0)) > 0)
      text.append(buffer, static_cast<std::size_t>(size));
    return text;
  }
  std::string ask(const std::string& request) const {
    const UniqueFd fd = connect();
    send(fd, request);
    return read_all(fd);
  }
  std::string get(const std::string& path) const {
    return ask("GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  }

  std::atomic<bool> ready_{false}, serving_{true}, broken_{false};
  std::unique_ptr<ApiServer> server_;
};

TEST(ControlSocketTest, AnswersItsOwnerAndNobodyElse) {
  const TempDir dir;
  const std::string data_dir = dir / std::string(150, 'd');  // longer than a socket's address may be
  ASSERT_EQ(::mkdir(data_dir.c_str(), 0750), 0);
  EXPECT_EQ(ask_agent(data_dir, "GET", "/livez", "", 5s).error().code, Errc::kNotFound);
  ApiHandlers handlers;
  handlers.more["POST /echo"] = [](const ApiRequest& request) {
    return ApiReply{202, std::string(request.query).append("|").append(request.body)};
  };
  handlers.more["GET /big"] = [](const ApiRequest&) { return ApiReply{200, std::string(5'000'000, 'x')}; };
  {
    const auto server = ApiServer::start("unix:" + control_socket(data_dir), handlers);
    ASSERT_TRUE(server) << server.error().text();
    struct stat status {};
    ASSERT_EQ(::stat(control_socket(data_dir).c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0600u);
    const auto reply = ask_agent(data_dir, "POST", "/echo?a=1", "body", 5s);
    ASSERT_TRUE(reply) << reply.error().text();
    EXPECT_EQ(reply->status, 202u);
    EXPECT_EQ(reply->body, "a=1|body");
    EXPECT_EQ(ask_agent(data_dir, "GET", "/big", "", 5s)->body.size(), 5'000'000u);
    EXPECT_EQ(ask_agent(data_dir, "GET", "/livez", "", 5s)->body, "ok\n");
    EXPECT_EQ(ask_agent(data_dir, "GET", "/echo", "", 5s)->status, 404u);
    EXPECT_EQ(ask_agent(data_dir, "POST", "/other", "", 5s)->status, 405u);
    EXPECT_EQ(ask_agent(data_dir, "POST", "/echo", std::string(2 << 20, 'x'), 5s)->status, 413u);
  }
  EXPECT_NE(::access(control_socket(data_dir).c_str(), F_OK), 0);
  // What a killed agent leaves behind is in nobody's way.
  const auto server = ApiServer::start("unix:" + control_socket(data_dir), handlers);
  EXPECT_TRUE(server);
}

TEST_F(ApiServerTest, AnswersEachRoute) {
  start();
  EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(get("/livez?verbose=1"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(get("/"), testing::AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("/metrics")));
  EXPECT_THAT(get("/metrics"), testing::AllOf(HasSubstr("Content-Type: text/plain; version=0.0.4\r\n"),
                                              EndsWith("\r\n\r\n# HELP a A.\n")));
  EXPECT_THAT(get("/healthz"), testing::AllOf(StartsWith("HTTP/1.1 200 OK\r\n"),
                                              HasSubstr("Content-Type: application/json\r\n"),
                                              EndsWith("\r\n\r\n{\"status\":\"ok\"}\n")));
  serving_ = false;
  EXPECT_THAT(get("/healthz"), StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(get("/readyz"),
              testing::AllOf(StartsWith("HTTP/1.1 503 "), EndsWith("sink bus has not started\n")));
  ready_ = true;
  EXPECT_THAT(get("/readyz"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(get("/etc/passwd"), StartsWith("HTTP/1.1 404 Not Found\r\n"));
}

TEST_F(ApiServerTest, RefusesOtherMethods) {
  start();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "PATCH", "NONSENSE"}) {
    EXPECT_THAT(ask(std::string(method) + " /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
                testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD\r\n")));
  }
}

TEST_F(ApiServerTest, RefusesOtherMethodsWithABodyToo) {
  start();
  EXPECT_THAT(ask("POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"),
              testing::AllOf(StartsWith("HTTP/1.1 405 "), HasSubstr("Allow: GET, HEAD\r\n")));
  EXPECT_THAT(ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x')),
              StartsWith("HTTP/1.1 405 "));
}

TEST_F(ApiServerTest, HeadHasTheLengthAndNoBody) {
  start();
  EXPECT_THAT(ask("HEAD /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
              testing::AllOf(HasSubstr("Content-Length: 12\r\n"), EndsWith("\r\n\r\n")));
}

TEST_F(ApiServerTest, KeepsConnectionsAndTakesPipelinedRequests) {
  start();
  const std::string request = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";
  const std::string answers = ask(request + request + "GET /nope HTTP/1.1\r\nConnection: close\r\n\r\n");
  const auto second = answers.find("HTTP/1.1 200 OK", 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_THAT(answers.substr(second), HasSubstr("HTTP/1.1 404 "));
  EXPECT_THAT(ask("GET /livez HTTP/1.0\r\n\r\n"), StartsWith("HTTP/1.0 200 OK\r\n"));
}

TEST_F(ApiServerTest, HostileRequestsAreRefusedAndTheNextOneIsServed) {
  start();
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nHost: x\r\nA: " + std::string(100'000, 'a') + "\r\n\r\n"),
              Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"),
              Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"),
              Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(ask("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
              Not(StartsWith("HTTP/1.1 200")));
  EXPECT_THAT(ask("\x16\x03\x01\x02\r\n\r\n"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(ask(std::string(1000, '\0')), StartsWith("HTTP/1.1 400 "));
  for (int byte = 0; byte < 256; ++byte) {
    (void)ask("GET /" + std::string(1, static_cast<char>(byte)) + " HTTP/1.1\r\nConnection: close\r\n\r\n");
  }
  { const UniqueFd gone = connect(); }
  EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ApiServerTest, AHandlerThatFailsIsAnAnswerToo) {
  start();
  broken_ = true;
  EXPECT_THAT(get("/metrics"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ApiServerTest, SilentConnectionsAreClosed) {
  start({.idle_timeout = 20ms});
  const UniqueFd silent = connect();
  const UniqueFd half = connect();
  send(half, "GET / HT");
  EXPECT_EQ(read_all(silent), "");
  EXPECT_EQ(read_all(half), "");
}

TEST_F(ApiServerTest, ConnectionsAreLimited) {
  start({.connections_max = 2, .idle_timeout = std::chrono::minutes(10)});
  const UniqueFd first = connect();
  const UniqueFd second = connect();
  send(first, "GET /livez HTTP/1.1\r\n\r\n");
  char byte = 0;
  EXPECT_EQ(::recv(first.get(), &byte, 1, 0), 1);  // served, and idle after the second one
  const UniqueFd third = connect();
  EXPECT_EQ(read_all(second), "");  // the longest idle makes room
  send(third, "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(read_all(third), StartsWith("HTTP/1.1 200 OK\r\n"));
  send(first, "GET /livez HTTP/1.1\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(read_all(first), HasSubstr("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ApiServerTest, IdleConnectionsKeepNobodyOut) {
  start({.connections_max = 8, .idle_timeout = std::chrono::minutes(10)});
  std::vector<UniqueFd> idle;
  for (int i = 0; i < 200; ++i) {
    idle.push_back(connect());
    if (i % 10 != 0) continue;
    EXPECT_THAT(get("/livez"), StartsWith("HTTP/1.1 200 OK\r\n"));
  }
}

TEST_F(ApiServerTest, StopsWithOpenConnections) {
  start();
  const UniqueFd open = connect();
  send(open, "GET /livez HTTP/1.1\r\n\r\n");
  char byte = 0;
  EXPECT_EQ(::recv(open.get(), &byte, 1, 0), 1);
  const UniqueFd silent = connect();
  server_.reset();
  EXPECT_EQ(read_all(silent), "");
}

TEST_F(ApiServerTest, APortInUseAndBadAddressesAreClearErrors) {
  start();
  const std::string taken = "127.0.0.1:" + std::to_string(server_->port());
  const auto second = ApiServer::start(taken, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kBusy);
  EXPECT_EQ(second.error().text(), "api: cannot listen on " + taken + ": Address already in use");
  for (const char* listen : {"", "localhost", ":8686", "x:", "x:y", "x:70000", "x:-1", "::1:80", "[]:80"}) {
    const auto server = ApiServer::start(listen, {});
    ASSERT_FALSE(server) << listen;
    EXPECT_EQ(server.error().code, Errc::kInvalidArgument) << listen;
  }
  const auto foreign = ApiServer::start("192.0.2.1:0", {});
  ASSERT_FALSE(foreign);
  EXPECT_THAT(foreign.error().text(), HasSubstr("Cannot assign requested address"));
}

}  // namespace
}  // namespace logflume
