// A small HTTP/1.1 server on loopback that does to its clients what a test tells it to.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cctype>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "base/unique_fd.h"

namespace logflume {

struct HttpRequest {
  std::string line;                            // "POST /path HTTP/1.1"
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  int connection = 0;  // counted from 0
};

struct HttpReply {
  enum class Action { kAnswer, kReset, kHang } action = Action::kAnswer;
  std::string text;

  static HttpReply status(const std::string& line, const std::string& body = {},
                          const std::string& headers = {}) {
    return {Action::kAnswer, "HTTP/1.1 " + line + "\r\nContent-Length: " + std::to_string(body.size()) +
                                 "\r\n" + headers + "\r\n" + body};
  }
  static HttpReply ok() { return status("200 OK"); }
  static HttpReply reset() { return {Action::kReset, {}}; }
  static HttpReply hang() { return {Action::kHang, {}}; }
};

// Threads: one for each connection; the handler is called by one at a time.
class HttpServer {
 public:
  using Handler = std::function<HttpReply(const HttpRequest&)>;

  explicit HttpServer(Handler handler) : handler_(std::move(handler)) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_.get(), 64), 0);
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ::ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~HttpServer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    {
      const std::lock_guard lock(mutex_);
      for (const int fd : connections_) ::shutdown(fd, SHUT_RDWR);
    }
    for (std::thread& thread : threads_) thread.join();
    for (const int fd : connections_) ::close(fd);
  }

  int port() const { return port_; }
  std::string uri(const std::string& path = "/") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }

 private:
  void accept_all() {
    while (true) {
      const int fd = ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      const std::lock_guard lock(mutex_);
      const int number = static_cast<int>(connections_.size());
      connections_.push_back(fd);
      threads_.emplace_back([this, fd, number] { serve(fd, number); });
    }
  }

  void serve(int fd, int number) {
    std::string buffer;
    while (auto request = read_request(fd, buffer)) {
      request->connection = number;
      HttpReply reply;
      {
        const std::lock_guard lock(handler_mutex_);
        reply = handler_(*request);
      }
      if (reply.action == HttpReply::Action::kReset) {
        const linger now{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
        ::dup2(listener_.get(), fd);  // closes the connection, with a reset, and keeps the number
        return;
      }
      if (reply.action == HttpReply::Action::kHang) continue;
      if (::send(fd, reply.text.data(), reply.text.size(), MSG_NOSIGNAL) < 0) break;
    }
    ::shutdown(fd, SHUT_RDWR);
  }

  static bool read_more(int fd, std::string& buffer) {
    char bytes[65536];
    const ssize_t size = ::recv(fd, bytes, sizeof(bytes), 0);
    if (size > 0) buffer.append(bytes, static_cast<std::size_t>(size));
    return size > 0;
  }

  static std::optional<HttpRequest> read_request(int fd, std::string& buffer) {
    std::size_t end;
    while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
      if (!read_more(fd, buffer)) return std::nullopt;
    }
    HttpRequest request;
    std::string_view head(buffer.data(), end);
    request.line = head.substr(0, head.find("\r\n"));
    while (head.find("\r\n") != std::string_view::npos) {
      head.remove_prefix(head.find("\r\n") + 2);
      const std::string_view field = head.substr(0, head.find("\r\n"));
      std::string name(field.substr(0, field.find(':')));
      for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
      std::string_view value = field.substr(field.find(':') + 1);
      while (value.starts_with(' ')) value.remove_prefix(1);
      request.headers[name] = value;
    }
    buffer.erase(0, end + 4);
    const std::size_t length = std::strtoul(request.headers["content-length"].c_str(), nullptr, 10);
    while (buffer.size() < length) {
      if (!read_more(fd, buffer)) return std::nullopt;
    }
    request.body = buffer.substr(0, length);
    buffer.erase(0, length);
    return request;
  }

  const Handler handler_;
  UniqueFd listener_;
  int port_ = 0;
  std::mutex handler_mutex_;
  std::mutex mutex_;  // guards the two below
  std::vector<int> connections_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

}  // namespace logflume
