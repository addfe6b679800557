#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "base/unique_fd.h"
#include "sink/encode.h"
#include "sink/sink_test_fixture.h"
#include "sink/tcp_sink.h"

namespace logflume {
namespace {

// A listener on the loopback whose connections take little before they are read.
class Peer {
 public:
  Peer() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const int bytes = 4096;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 4), 0);
    EXPECT_EQ(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size), 0);
    address_ = fmt::format("127.0.0.1:{}", ::ntohs(address.sin_port));
  }
  const std::string& address() const { return address_; }
  void accept() { connection_ = UniqueFd(::accept4(listener_.get(), nullptr, nullptr, SOCK_NONBLOCK)); }
  // What has arrived.
  void read(std::string& out) {
    char bytes[65536];
    for (ssize_t n; (n = ::recv(connection_.get(), bytes, sizeof bytes, 0)) > 0;) {
      out.append(bytes, static_cast<std::size_t>(n));
    }
  }

 private:
  UniqueFd listener_, connection_;
  std::string address_;
};

TcpSinkConfig config_for(const Peer& peer, Encoding encoding) {
  TcpSinkConfig config;
  config.addresses = {peer.address()};
  config.encoding = encoding;
  return config;
}

// False when it takes too long.
template <typename Done>
bool until(Done done) {
  for (const TimePoint end = steady_now() + 20s; !done(); std::this_thread::sleep_for(1ms)) {
    if (steady_now() > end) return false;
  }
  return true;
}

// Goal: a batch of short events that becomes a hundred times as large stays within the memory, while the
// peer reads nothing and while it reads again. Method: batches of empty lines, a budget of 16 MiB.
TEST(TcpEncodeTest, JsonOfShortEventsStaysWithinTheBudget) {
  constexpr std::size_t kBudgetBytes = 16 * 1024 * 1024;
  constexpr std::size_t kMostBytes = kBudgetBytes / 4 * 3 + 128 * 1024;  // the rest stays for reading
  SinkHarness harness({}, "out", kBudgetBytes);
  Peer peer;
  const TcpSinkConfig config = config_for(peer, Encoding::kJson);
  const auto sink = make_tcp_sink(config, harness.context());
  ASSERT_TRUE(sink->open());

  std::string expected;
  BatchEncoder encoder(config, "host.example");
  for (int i = 0; i < 4; ++i) {
    Delivery delivery = harness.make_delivery(std::string(128 * 1024, '\n'));
    encoder.append(*delivery.batch, expected);
    ASSERT_TRUE(harness.send(std::move(delivery)));
  }
  harness.loop.add(*sink);
  harness.loop.start();
  ASSERT_GT(expected.size(), 3 * kBudgetBytes);

  std::size_t most = 0;
  const auto watched = [&] { most = std::max(most, harness.budget.used_bytes()); };
  ASSERT_TRUE(until([&, end = steady_now() + 300ms] {
    watched();
    return steady_now() > end;
  }));
  EXPECT_GT(most, 1024u * 1024);  // as much as the kernel takes is encoded ...
  EXPECT_LE(most, kMostBytes);
  EXPECT_EQ(harness.acked(), 0u);

  peer.accept();
  std::string got;
  ASSERT_TRUE(until([&] {
    watched();
    peer.read(got);
    return harness.all_acked() && got.size() >= expected.size();
  }));
  EXPECT_LE(most, kMostBytes);
  EXPECT_TRUE(got == expected);
  EXPECT_EQ(harness.metrics.sent_events.value(), 4u * 128 * 1024);
  EXPECT_EQ(harness.metrics.sent_bytes.value(), expected.size());
  EXPECT_TRUE(sink->drained());
  harness.slabs.trim();
  EXPECT_EQ(harness.budget.used_bytes(), 0u);
  harness.loop.stop();
}

TEST(TcpEncodeTest, APeerThatTakesNothingIsShown) {
  SinkHarness harness;
  Peer peer;
  TcpSinkConfig config = config_for(peer, Encoding::kRaw);
  config.request_timeout = 200ms;
  const auto sink = make_tcp_sink(config, harness.context());
  ASSERT_TRUE(sink->open());
  // One delivery that the kernel does not take as a whole.
  std::string text(16 * 1024 * 1024, 'x');
  text.back() = '\n';
  harness.send(text);
  harness.loop.add(*sink);
  harness.loop.start();
  ASSERT_TRUE(until([&] { return harness.health().status == HealthStatus::kDegraded; }));
  EXPECT_NE(harness.health().message.find("the peer takes nothing since 20"), std::string::npos)
      << harness.health().message;

  peer.accept();
  std::string got;
  ASSERT_TRUE(until([&] {
    peer.read(got);
    return harness.all_acked();
  }));
  EXPECT_EQ(harness.health().status, HealthStatus::kOk);
  EXPECT_EQ(harness.errors("connection"), 0u);
  harness.loop.stop();
}

TEST(TcpEncodeTest, AnEmptyBatchIsDoneAtOnce) {
  SinkHarness harness;
  Peer peer;
  const auto sink = make_tcp_sink(config_for(peer, Encoding::kRaw), harness.context());
  ASSERT_TRUE(sink->open());
  harness.send("");
  sink->do_work(steady_now());
  EXPECT_TRUE(harness.all_acked());
  EXPECT_TRUE(sink->drained());
}

}  // namespace
}  // namespace logflume
