#include "api/api_server.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/basic_stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <cerrno>
#include <exception>
#include <list>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "base/host_port.h"
#include "base/unique_fd.h"

namespace logflume {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using Local = asio::local::stream_protocol;
using Socket = asio::generic::stream_protocol::socket;

struct Answer {
  http::status status = http::status::ok;
  std::string_view type = "text/plain; charset=utf-8";
  std::string body;
};

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

// Null: nobody is there for it.
const std::function<ApiReply(const ApiRequest&)>* find_handler(const ApiHandlers& handlers,
                                                               std::string_view method,
                                                               std::string_view target) {
  const auto it = handlers.more.find(std::string(method).append(" ").append(path_of(target)));
  return it == handlers.more.end() ? nullptr : &it->second;
}

constexpr std::string_view kIndex = "logflume " LOGFLUME_VERSION
                                    "\n\n"
                                    "/livez    200 while the process works\n"
                                    "/readyz   200 once every component has started\n"
                                    "/healthz  the state of each component, JSON\n"
                                    "/metrics  counters, Prometheus text format\n";
constexpr std::string_view kAuditIndex = "/audit    what became of each byte of each file, JSON\n";

Answer answer(std::string_view target, const ApiHandlers& handlers) {
  const std::string_view path = path_of(target);
  if (path == "/") {
    std::string index(kIndex);
    if (handlers.more.contains("GET /audit")) index += kAuditIndex;
    return {http::status::ok, "text/plain; charset=utf-8", std::move(index)};
  }
  if (path == "/livez") return {http::status::ok, "text/plain; charset=utf-8", "ok\n"};
  if (path == "/readyz") {
    auto readiness = handlers.ready();
    if (readiness.ready) return {http::status::ok, "text/plain; charset=utf-8", "ok\n"};
    return {http::status::service_unavailable, "text/plain; charset=utf-8", readiness.reason + "\n"};
  }
  if (path == "/healthz") {
    auto health = handlers.health();
    return {health.serving ? http::status::ok : http::status::service_unavailable, "application/json",
            std::move(health.json)};
  }
  if (path == "/metrics") return {http::status::ok, "text/plain; version=0.0.4", handlers.metrics()};
  return {http::status::not_found, "text/plain; charset=utf-8", "no such page; / lists those there are\n"};
}

// What a request that could not be read is told, as far as its sender can still be told anything.
std::optional<Answer> refusal(const beast::error_code& error) {
  if (error.category() != http::make_error_code(http::error::bad_method).category()) return std::nullopt;
  if (error == http::error::end_of_stream || error == http::error::partial_message) return std::nullopt;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return Answer{http::status::request_header_fields_too_large, "text/plain; charset=utf-8",
                  "the header is too large\n"};
  }
  if (error == http::error::body_limit || error == http::error::unexpected_body) {
    return Answer{http::status::payload_too_large, "text/plain; charset=utf-8", "no such body is taken\n"};
  }
  return Answer{http::status::bad_request, "text/plain; charset=utf-8", "not a valid HTTP request\n"};
}

class Session;

struct Connections {
  std::size_t open = 0;
  std::list<Session*> idle;  // wait for a request, the longest first
};

// One connection: requests in turn until it is closed, breaks, or falls silent.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Socket socket, const ApiHandlers& handlers, const ApiLimits& limits, Connections& all)
      : stream_(std::move(socket)),
        handlers_(handlers),
        limits_(limits),
        all_(all),
        buffer_(2 * limits.header_bytes_max) {
    ++all_.open;
  }
  ~Session() {
    busy();
    --all_.open;
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  void read() {
    parser_.emplace();
    parser_->header_limit(static_cast<std::uint32_t>(limits_.header_bytes_max));
    parser_->body_limit(handlers_.more.empty() ? 0 : limits_.body_bytes_max);
    stream_.expires_after(limits_.idle_timeout);
    idle_ = all_.idle.insert(all_.idle.end(), this);
    http::async_read(
        stream_, buffer_, *parser_,
        [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
  }

  // Makes room for another one.
  void close() {
    busy();
    stream_.close();
  }

 private:
  void busy() {
    if (idle_) all_.idle.erase(*idle_);
    idle_.reset();
  }

  static bool allowed(http::verb method) { return method == http::verb::get || method == http::verb::head; }
  static Answer not_allowed() {
    return {http::status::method_not_allowed, "text/plain; charset=utf-8", "only GET and HEAD\n"};
  }

  void on_read(beast::error_code error) {
    busy();
    if (error) {
      const bool has_body = error == http::error::body_limit || error == http::error::unexpected_body;
      const auto& begun = parser_->get();
      const bool known =
          find_handler(handlers_, view(begun.method_string()), view(begun.target())) != nullptr;
      if (has_body && !known && !allowed(begun.method())) {
        return write(not_allowed(), parser_->get().method(), 11, false);
      }
      // What follows a broken request cannot be told from it: answer and close.
      if (auto refused = refusal(error)) write(std::move(*refused), http::verb::get, 11, false);
      return;
    }
    const auto& request = parser_->get();
    Answer reply;
    const std::string_view target = view(request.target());
    const auto* handler = find_handler(handlers_, view(request.method_string()), target);
    if (handler == nullptr && !allowed(request.method())) {
      reply = not_allowed();
    } else {
      try {
        if (handler != nullptr) {
          const std::size_t query = target.find('?');
          ApiReply made =
              (*handler)({query == std::string_view::npos ? std::string_view() : target.substr(query + 1),
                          request.body()});
          reply = {http::status(made.status), made.type, std::move(made.body)};
        } else {
          reply = answer(target, handlers_);
        }
      } catch (const std::exception& exception) {
        reply = {http::status::internal_server_error, "text/plain; charset=utf-8",
                 std::string(exception.what()) + "\n"};
      }
    }
    write(std::move(reply), request.method(), request.version(), request.keep_alive());
  }

  void write(Answer reply, http::verb method, unsigned version, bool keep_alive) {
    response_ = {};
    response_.version(version);
    response_.result(reply.status);
    response_.set(http::field::server, "logflume/" LOGFLUME_VERSION);
    response_.set(http::field::content_type, beast::string_view(reply.type.data(), reply.type.size()));
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (reply.status == http::status::method_not_allowed) response_.set(http::field::allow, "GET, HEAD");
    response_.content_length(reply.body.size());
    response_.keep_alive(keep_alive);
    if (method != http::verb::head) response_.body() = std::move(reply.body);
    stream_.expires_after(limits_.idle_timeout);
    http::async_write(stream_, response_,
                      [self = shared_from_this(), keep_alive](beast::error_code error, std::size_t) {
                        if (error) return;
                        if (keep_alive) return self->read();
                        beast::error_code ignored;
                        self->stream_.socket().shutdown(Socket::shutdown_send, ignored);
                        self->discard(kDiscardBytesMax);
                      });
  }

  // What is unread when a socket is closed makes the kernel reset the connection, and the peer may never see
  // the answer.
  void discard(std::size_t bytes_max) {
    stream_.expires_after(kDiscardWait);
    stream_.async_read_some(asio::buffer(discarded_), [self = shared_from_this(), bytes_max](
                                                          beast::error_code error, std::size_t bytes) {
      if (!error && bytes < bytes_max) self->discard(bytes_max - bytes);
    });
  }

  static constexpr std::size_t kDiscardBytesMax = 256 * 1024;
  static constexpr Duration kDiscardWait = std::chrono::seconds(1);

  beast::basic_stream<asio::generic::stream_protocol> stream_;
  const ApiHandlers& handlers_;
  const ApiLimits& limits_;
  Connections& all_;
  std::optional<std::list<Session*>::iterator> idle_;  // its place among them
  std::array<char, 4096> discarded_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::string_body>> parser_;
  http::response<http::string_body> response_;
};

Error listen_error(const beast::error_code& error, const std::string& listen) {
  const bool of_system = error.category() == boost::system::system_category() ||
                         error.category() == asio::error::get_system_category();
  if (error.value() == EADDRINUSE && of_system) {
    return Error{Errc::kBusy, EADDRINUSE, "api: cannot listen on " + listen};
  }
  if (of_system) return errno_error(error.value(), "api: cannot listen on " + listen);
  return Error{Errc::kNotFound, 0, "api: cannot listen on " + listen + ": " + error.message()};
}

}  // namespace

struct ApiServer::Impl {
  ApiHandlers handlers;
  ApiLimits limits;
  Connections connections;
  asio::io_context context{1};
  tcp::acceptor acceptor{context};
  Local::acceptor local{context};
  std::string local_path;  // ours, to be removed
  asio::steady_timer retry{context};
  std::uint16_t port = 0;
  std::jthread thread;  // last: ends before what it uses

  ~Impl() {
    if (!local_path.empty()) ::unlink(local_path.c_str());
  }

  // The path goes by a descriptor of its directory: a socket's address has room for 107 bytes only.
  Result<void> bind_local(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const UniqueFd directory(::open(path.substr(0, slash).c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (slash == std::string::npos || !directory.valid()) return errno_error("listen at " + path);
    const std::string name = "/proc/self/fd/" + std::to_string(directory.get()) + path.substr(slash);
    ::unlink(name.c_str());
    beast::error_code error;
    local.open(Local(), error);
    // Before it has a name: nobody else may use it for a moment.
    if (!error && ::fchmod(local.native_handle(), 0600) != 0) return errno_error("listen at " + path);
    if (!error) local.bind(Local::endpoint(name), error);
    if (!error) local.listen(asio::socket_base::max_listen_connections, error);
    if (error) return errno_error(error.value(), "listen at " + path);
    local_path = path;
    return {};
  }

  Result<void> bind(const std::string& listen) {
    if (listen.starts_with("unix:")) return bind_local(listen.substr(5));
    const auto parts = parse_host_port(listen, PortRule::kOrAny);
    if (!parts) {
      return Error{Errc::kInvalidArgument, 0,
                   "api: listen is \"" + listen + "\", expected \"host:port\": " + parts.error().message};
    }
    beast::error_code error;
    tcp::resolver resolver(context);
    const auto found = resolver.resolve(parts->host, std::to_string(parts->port),
                                        tcp::resolver::passive | tcp::resolver::numeric_service, error);
    if (error || found.empty()) return listen_error(error, listen);
    // A name may stand for addresses that this machine has not, as ::1 where there is no IPv6.
    std::optional<beast::error_code> first_error;
    for (const auto& one : found) {
      error = listen_at(one.endpoint());
      if (!error) return {};
      if (!first_error) first_error = error;
    }
    return listen_error(*first_error, listen);
  }

  beast::error_code listen_at(const tcp::endpoint& endpoint) {
    beast::error_code error, ignored;
    acceptor.close(ignored);
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (!error) port = acceptor.local_endpoint(error).port();
    return error;
  }

  void accept() {
    if (local.is_open()) return accept(local);
    accept(acceptor);
  }

  template <typename Acceptor>
  void accept(Acceptor& from) {
    from.async_accept(
        [this, &from](beast::error_code error, typename Acceptor::protocol_type::socket socket) {
          if (error == asio::error::operation_aborted) return;
          if (error) {
            // Out of descriptors, most likely: the connection stays in the backlog until there is one.
            retry.expires_after(100ms);
            retry.async_wait([this, &from](beast::error_code cancelled) {
              if (!cancelled) accept(from);
            });
            return;
          }
          // The one that has been silent the longest makes room. Where none is silent the new one is closed:
          // a queue would only grow.
          const bool full = connections.open >= limits.connections_max;
          const bool makes_room = full && !connections.idle.empty();
          if (makes_room) connections.idle.front()->close();
          if (!full || makes_room) {
            std::make_shared<Session>(Socket(std::move(socket)), handlers, limits, connections)->read();
          }
          accept(from);
        });
  }
};

ApiServer::ApiServer() : impl_(std::make_unique<Impl>()) {}

ApiServer::~ApiServer() {
  impl_->context.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::uint16_t ApiServer::port() const { return impl_->port; }

Result<std::unique_ptr<ApiServer>> ApiServer::start(const std::string& listen, ApiHandlers handlers,
                                                    ApiLimits limits) {
  std::unique_ptr<ApiServer> server(new ApiServer());
  Impl& impl = *server->impl_;
  impl.handlers = std::move(handlers);
  impl.limits = limits;
  if (auto bound = impl.bind(listen); !bound) return std::move(bound).error();
  impl.accept();
  impl.thread = std::jthread([&impl] {
    ::pthread_setname_np(::pthread_self(), "api");
    impl.context.run();
  });
  return server;
}

}  // namespace logflume
