#if defined(__clang__)
// Boost 1.74 knows clang's coroutines only by the names that they had before C++20.
#define BOOST_ASIO_HAS_CO_AWAIT 1
#define BOOST_ASIO_HAS_STD_COROUTINE 1
#endif
#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "lab/readers.h"

namespace logflume::lab_readers {
namespace {

namespace asio = boost::asio;

asio::awaitable<void> read_for_ever(asio::ip::tcp::socket socket, const OnMessage& message) {
  for (;;) {
    std::uint64_t sent_ns = 0;
    co_await socket.async_read_some(asio::buffer(&sent_ns, sizeof sent_ns), asio::use_awaitable);
    message(sent_ns);
  }
}

}  // namespace

void wait_by_asio(const std::vector<int>& sockets, const OnMessage& message, const OnReady& ready) {
  asio::io_context context(1);
  Made made;
  try {
    for (const int fd : sockets) {
      asio::ip::tcp::socket socket(context, asio::ip::tcp::v4(), fd);
      asio::co_spawn(context, read_for_ever(std::move(socket), message), asio::detached);
      ++made.count;
    }
  } catch (const std::exception& error) {
    made.refused = error.what();
  }
  // Each coroutine begins when it is first run: let them all come to wait.
  context.poll();
  ready(made);
  context.run();
  std::abort();  // a reader always waits
}

}  // namespace logflume::lab_readers
