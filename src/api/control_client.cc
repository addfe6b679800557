#include "api/control_client.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/unique_fd.h"

namespace logflume {
namespace {

constexpr std::size_t kReplyBytesMax = 256 * 1024 * 1024;
constexpr std::string_view kName = "/control.sock";

Result<UniqueFd> connect_to(const std::string& data_dir) {
  const Error nobody{Errc::kNotFound, 0, "no agent runs on data_dir " + data_dir};
  const UniqueFd directory(::open(data_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid()) return errno == ENOENT ? nobody : errno_error("open data_dir " + data_dir);
  // A socket's address has room for 107 bytes only.
  const std::string path = "/proc/self/fd/" + std::to_string(directory.get()) + std::string(kName);
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return errno_error("make a socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return fd;
  if (errno == ENOENT || errno == ECONNREFUSED) return nobody;
  return errno_error("connect to " + control_socket(data_dir));
}

}  // namespace

std::string control_socket(const std::string& data_dir) { return data_dir + std::string(kName); }

Result<ControlReply> ask_agent(const std::string& data_dir, const std::string& method,
                               const std::string& target, const std::string& body, Duration timeout) {
  Result<UniqueFd> fd = connect_to(data_dir);
  if (!fd) return fd.error();
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(timeout).count();
  const timeval limit{us / 1'000'000, us % 1'000'000};
  for (const int option : {SO_RCVTIMEO, SO_SNDTIMEO}) {
    (void)::setsockopt(fd->get(), SOL_SOCKET, option, &limit, sizeof limit);
  }
  const std::string request = method + " " + target + " HTTP/1.0\r\nHost: logflume\r\nContent-Length: " +
                              std::to_string(body.size()) + "\r\n\r\n" + body;
  for (std::size_t sent = 0; sent < request.size();) {
    const ssize_t n = ::send(fd->get(), request.data() + sent, request.size() - sent, MSG_NOSIGNAL);
    if (n < 0 && (errno == EPIPE || errno == ECONNRESET)) break;  // it has refused, and says why
    if (n < 0) return errno_error("ask the agent");
    sent += static_cast<std::size_t>(n);
  }
  std::string reply;
  char part[16 * 1024];
  for (ssize_t n = 0; (n = ::recv(fd->get(), part, sizeof part, 0)) != 0;) {
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ECONNRESET) break;
    if (n < 0) return errno_error("wait for the agent's answer");
    reply.append(part, static_cast<std::size_t>(n));
    if (reply.size() > kReplyBytesMax) return Error{Errc::kCorrupt, 0, "the agent's answer is too long"};
  }
  const std::size_t end = reply.find("\r\n\r\n");
  const std::size_t space = reply.find(' ');
  ControlReply out;
  if (!reply.starts_with("HTTP/1.") || end == std::string::npos ||
      std::from_chars(reply.data() + space + 1, reply.data() + end, out.status).ec != std::errc{}) {
    return Error{Errc::kIo, 0, "the agent ended before it had answered"};
  }
  out.body = reply.substr(end + 4);
  return out;
}

}  // namespace logflume
