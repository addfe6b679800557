#include "telemetry/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/printable.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

constexpr Duration kLimitInterval = 10s;
constexpr std::size_t kLimitKeysMax = 1024;

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return spdlog::level::trace;
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarn:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::err;
}

std::string_view padded_name(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "TRACE";
    case LogLevel::kDebug:
      return "DEBUG";
    case LogLevel::kInfo:
      return "INFO ";
    case LogLevel::kWarn:
      return "WARN ";
    case LogLevel::kError:
    case LogLevel::kOff:
      return "ERROR";
  }
  return "ERROR";
}

std::string_view json_name(LogLevel level) {
  switch (level) {
    case LogLevel::kTrace:
      return "trace";
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
    case LogLevel::kOff:
      return "error";
  }
  return "error";
}

}  // namespace

struct Log::Impl {
  struct Limit {
    TimePoint next{};
    std::uint64_t held_back = 0;
  };

  std::atomic<LogLevel> level;
  std::atomic<LogFormat> format;
  spdlog::logger logger{"logflume", std::make_shared<spdlog::sinks::stderr_sink_mt>()};

  std::mutex limits_mutex;
  std::map<std::string, Limit> limits;  // by component and key
};

Log::Log(LogLevel level, LogFormat format) : impl_(std::make_unique<Impl>()) {
  impl_->logger.set_formatter(
      std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc, "\n"));
  // A closed stderr is no reason to stop, and there is nowhere else to say it.
  impl_->logger.set_error_handler([](const std::string&) {});
  impl_->logger.set_level(spdlog::level::trace);
  impl_->logger.flush_on(spdlog::level::trace);
  configure(level, format);
}

Log::~Log() = default;

void Log::configure(LogLevel level, LogFormat format) {
  impl_->level.store(level, std::memory_order_relaxed);
  impl_->format.store(format, std::memory_order_relaxed);
}

bool Log::enabled(LogLevel level) const { return level >= impl_->level.load(std::memory_order_relaxed); }

std::string format_log_line(LogFormat format, std::int64_t wall_ns, LogLevel level,
                            std::string_view component, std::string_view message) {
  std::string line;
  line.reserve(message.size() + component.size() + 96);
  if (format == LogFormat::kJson) {
    line += "{\"timestamp\":\"";
    line += rfc3339(wall_ns);
    line += "\",\"level\":\"";
    line += json_name(level);
    line += "\",\"component\":";
    append_json_string(line, component);
    line += ",\"message\":";
    append_json_string(line, message);
    line += '}';
  } else {
    line += rfc3339(wall_ns);
    line += ' ';
    line += padded_name(level);
    line += ' ';
    line += printable(component);
    line += ": ";
    line += printable(message);
  }
  return line;
}

void Log::write(LogLevel level, std::string_view component, std::string_view message) {
  const std::string line = format_log_line(impl_->format.load(std::memory_order_relaxed), wall_now_ns(),
                                           level, component, message);
  impl_->logger.log(spdlog_level(level), spdlog::string_view_t(line.data(), line.size()));
}

void Log::limited(LogLevel level, std::string_view component, std::string_view key,
                  std::string_view message) {
  if (!enabled(level)) return;
  const TimePoint now = steady_now();
  std::string id;
  id.append(component).append(1, '\0').append(key);
  std::uint64_t held_back = 0;
  {
    const std::lock_guard lock(impl_->limits_mutex);
    auto limit = impl_->limits.find(id);
    if (limit == impl_->limits.end()) {
      if (impl_->limits.size() >= kLimitKeysMax) {
        std::erase_if(impl_->limits, [&](const auto& entry) { return entry.second.next <= now; });
      }
      // So many different troubles at once: one slot for all that are new.
      if (impl_->limits.size() >= kLimitKeysMax) id.clear();
      limit = impl_->limits.try_emplace(std::move(id)).first;
    }
    if (now < limit->second.next) {
      ++limit->second.held_back;
      return;
    }
    held_back = std::exchange(limit->second.held_back, 0);
    limit->second.next = now + kLimitInterval;
  }
  if (held_back == 0) {
    write(level, component, message);
  } else {
    write(level, component, fmt::format("{} (and {} more like it)", message, held_back));
  }
}

}  // namespace logflume
