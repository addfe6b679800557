#include "config/checks.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/host_port.h"

namespace logflume {
namespace {

// What is wrong with it; nothing when it is fine.
std::string check_address(std::string_view text, PortRule rule) {
  const Result<HostPort> parsed = parse_host_port(text, rule);
  return parsed ? std::string() : parsed.error().message;
}

std::string reason(int error) {
  char buffer[128];
  return strerror_r(error, buffer, sizeof buffer);
}

// What stands in the way of making an entry in `directory`.
std::string check_can_create_in(const std::string& directory) {
  struct stat status {};
  if (::stat(directory.c_str(), &status) != 0) return fmt::format("{}: {}", directory, reason(errno));
  if (!S_ISDIR(status.st_mode)) return fmt::format("{} is not a directory", directory);
  if (::access(directory.c_str(), W_OK | X_OK) != 0) {
    return fmt::format("the directory {} is not writable: {}", directory, reason(errno));
  }
  return {};
}

std::string parent_of(const std::string& path) {
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const std::string parent = std::filesystem::path(trimmed).parent_path().string();
  return parent.empty() ? "." : parent;
}

}  // namespace

std::string check_not_empty(const std::string& text) { return text.empty() ? "an empty text" : ""; }

std::string check_no_nul(const std::string& text) {
  return text.find('\0') == std::string::npos ? "" : "a NUL byte";
}

std::string check_host_port(const std::string& text) { return check_address(text, PortRule::kNeeded); }

std::string check_listen_address(const std::string& text) { return check_address(text, PortRule::kOrAny); }

std::string check_kafka_servers(const std::string& text) {
  if (text.empty()) return "an empty text";
  std::string_view rest = text;
  while (true) {
    const std::size_t comma = rest.find(',');
    std::string_view one = rest.substr(0, comma);
    while (!one.empty() && one.front() == ' ') one.remove_prefix(1);
    while (!one.empty() && one.back() == ' ') one.remove_suffix(1);
    if (const std::size_t scheme = one.find("://"); scheme != std::string_view::npos)
      one.remove_prefix(scheme + 3);
    if (one.empty()) return "the name of a server is missing";
    if (std::string wrong = check_address(one, PortRule::kOptional); !wrong.empty()) return wrong;
    if (comma == std::string_view::npos) return {};
    rest.remove_prefix(comma + 1);
  }
}

std::string check_data_dir(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) return check_can_create_in(path);
  if (errno != ENOENT) return fmt::format("{}: {}", path, reason(errno));
  const std::string parent = parent_of(path);
  if (::stat(parent.c_str(), &status) != 0) {
    return errno == ENOENT ? fmt::format("{} cannot be created: its parent {} does not exist", path, parent)
                           : fmt::format("{}: {}", parent, reason(errno));
  }
  return check_can_create_in(parent);
}

std::string check_output_file(const std::string& path) {
  if (path.back() == '/') return fmt::format("{} names a directory", path);
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return fmt::format("{} is a directory", path);
    if (::access(path.c_str(), W_OK) != 0) return fmt::format("{} is not writable: {}", path, reason(errno));
    return {};
  }
  if (errno != ENOENT) return fmt::format("{}: {}", path, reason(errno));
  // Directories that are not there yet are made: the nearest one that is there decides.
  std::string directory = parent_of(path);
  while (::stat(directory.c_str(), &status) != 0 && errno == ENOENT && directory != "/" && directory != ".") {
    directory = parent_of(directory);
  }
  return check_can_create_in(directory);
}

std::string check_readable_file(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return fmt::format("{}: {}", path, reason(errno));
  if (S_ISDIR(status.st_mode)) return fmt::format("{} is a directory", path);
  if (::access(path.c_str(), R_OK) != 0) return fmt::format("{}: {}", path, reason(errno));
  return {};
}

}  // namespace logflume
