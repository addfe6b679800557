// The agent's own log: to stderr, text or JSON, rate-limited for each call site's key.
//
// A thin front so that spdlog stays in one file. Messages name the file, the offset and what the user can
// do. Threads: any.
#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace logflume {

enum class LogLevel { kTrace, kDebug, kInfo, kWarn, kError, kOff };  // kOff: a log that says nothing
enum class LogFormat { kText, kJson };

class Log {
 public:
  explicit Log(LogLevel level = LogLevel::kInfo, LogFormat format = LogFormat::kText);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  void configure(LogLevel level, LogFormat format);
  bool enabled(LogLevel level) const;

  // `component` is who speaks ("app", "bus", "topology").
  template <typename... Args>
  void debug(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::kDebug))
      write(LogLevel::kDebug, component, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void info(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::kInfo))
      write(LogLevel::kInfo, component, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void warn(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::kWarn))
      write(LogLevel::kWarn, component, fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void error(std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
    if (enabled(LogLevel::kError))
      write(LogLevel::kError, component, fmt::format(format, std::forward<Args>(args)...));
  }

  // At most one line each ten seconds for one (component, key): "... (and 412 more like it)". For what may
  // repeat at the rate of the data.
  void limited(LogLevel level, std::string_view component, std::string_view key, std::string_view message);

 private:
  void write(LogLevel level, std::string_view component, std::string_view message);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// One line without its newline, as the log writes it. Whatever bytes `message` holds, it stays one line, a
// terminal obeys none of it, and JSON stays valid.
std::string format_log_line(LogFormat format, std::int64_t wall_ns, LogLevel level,
                            std::string_view component, std::string_view message);

}  // namespace logflume
