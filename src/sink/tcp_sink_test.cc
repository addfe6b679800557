// What a peer's kernel acknowledges is tested with the whole agent (tests/test_tcp.py); here: whom it
// connects to.
#include "sink/tcp_sink.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>

#include "base/unique_fd.h"
#include "sink/sink_test_fixture.h"

namespace logflume {
namespace {

// A port of 127.0.0.1, listened at or not. Whoever connects to it is in the backlog: its kernel acknowledges.
class Place {
 public:
  explicit Place(bool listens) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int bytes = 4096;  // that it takes before anybody reads
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&any), sizeof any), 0);
    EXPECT_TRUE(!listens || ::listen(fd_.get(), 8) == 0);
    address_.bytes = sizeof address_.address;
    EXPECT_EQ(::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address_.address), &address_.bytes), 0);
  }
  const SocketAddress& address() const { return address_; }

 private:
  UniqueFd fd_;
  SocketAddress address_;
};

class TcpSinkTest : public testing::Test {
 protected:
  ~TcpSinkTest() override {
    harness_.loop.stop();
    sink_.reset();
  }

  void make(std::vector<std::string> addresses, TcpLookUp look_up_name) {
    TcpSinkConfig config;
    config.addresses = std::move(addresses);
    config.encoding = Encoding::kRaw;
    config.retry = {1ms, 10ms};
    sink_ = make_tcp_sink(std::move(config), harness_.context(), std::move(look_up_name));
    const auto opened = sink_->open();
    ASSERT_TRUE(opened) << opened.error().text();
  }
  void start(std::vector<std::string> addresses, TcpLookUp look_up_name) {
    make(std::move(addresses), std::move(look_up_name));
    harness_.loop.add(*sink_);
    harness_.loop.start();
  }
  bool all_acked() {
    const TimePoint end = steady_now() + 30s;
    while (!harness_.all_acked()) {
      if (steady_now() > end) return false;
      std::this_thread::sleep_for(1ms);
    }
    return true;
  }

  SinkHarness harness_;
  std::unique_ptr<Sink> sink_;
};

TEST_F(TcpSinkTest, TriesAllThatANameStandsFor) {
  const Place dead(false);
  const Place live(true);
  start({"both.example:1"}, [&](const HostPort&) -> Result<std::vector<SocketAddress>> {
    return std::vector{dead.address(), live.address()};
  });
  harness_.send("line\n");
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(harness_.health().status, HealthStatus::kOk);
  EXPECT_EQ(harness_.errors("connection"), 1u);
}

TEST_F(TcpSinkTest, GoesOnToTheNextAddressWhenNothingOfANameAnswers) {
  const Place dead(false);
  const Place live(true);
  start({"dead.example:1", "unknown.example:1", "live.example:1"},
        [&](const HostPort& name) -> Result<std::vector<SocketAddress>> {
          if (name.host == "unknown.example")
            return Error{Errc::kNotFound, 0, "unknown.example: no such name"};
          if (name.host == "live.example") return std::vector{live.address()};
          return std::vector{dead.address(), dead.address()};
        });
  harness_.send("line\n");
  ASSERT_TRUE(all_acked());
  EXPECT_EQ(harness_.errors("connection"), 3u);
}

// Its loop may park after a pass in which all was sent; what the peer did not take asks for another pass.
TEST_F(TcpSinkTest, IsIdleOnceAllIsSent) {
  const Place live(true);
  make({"live.example:1"},
       [&](const HostPort&) -> Result<std::vector<SocketAddress>> { return std::vector{live.address()}; });
  EXPECT_FALSE(sink_->is_idle());  // it has yet to connect
  const auto pass_until_idle = [&](int passes_max) {
    for (int i = 0; i < passes_max && !sink_->is_idle(); ++i) sink_->do_work(steady_now());
    return sink_->is_idle();
  };
  EXPECT_TRUE(pass_until_idle(1000));
  harness_.send("line\n");
  EXPECT_TRUE(sink_->has_input());
  sink_->do_work(steady_now());
  EXPECT_TRUE(sink_->is_idle());
  EXPECT_FALSE(sink_->has_input());
  std::string much(255 * 1024, 'x');
  much.back() = '\n';
  for (int i = 0; i < 64; ++i) harness_.send(much);
  for (int i = 0; i < 1000 && sink_->is_idle(); ++i) sink_->do_work(steady_now());
  EXPECT_FALSE(sink_->is_idle());  // nobody reads
}

TEST(SocketAddressTest, NumericHostsAreLookedUpAsThemselves) {
  for (const char* text : {"127.0.0.1:5140", "[::1]:5140"}) {
    const auto found = look_up(*parse_host_port(text));
    ASSERT_TRUE(found) << found.error().text();
    ASSERT_EQ(found->size(), 1u);
    EXPECT_EQ(found->front().text(), text);
  }
}

}  // namespace
}  // namespace logflume
