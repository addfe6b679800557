#include "telemetry/process_metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/allocator.h"
#include "base/unique_fd.h"

namespace logflume {
namespace {

std::string read_text(const char* path) {
  const UniqueFd fd(::open(path, O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd.valid()) return text;
  char buffer[4096];
  ssize_t size = 0;
  while ((size = ::read(fd.get(), buffer, sizeof buffer)) > 0)
    text.append(buffer, static_cast<std::size_t>(size));
  return text;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  return value;
}

// /proc/self/stat from its third field on: the second is the name, which may hold anything.
std::vector<std::string_view> stat_fields(std::string_view stat) {
  std::vector<std::string_view> fields;
  const auto name_end = stat.rfind(')');
  if (name_end == std::string_view::npos) return fields;
  stat.remove_prefix(name_end + 1);
  while (!stat.empty()) {
    const auto begin = stat.find_first_not_of(" \n");
    if (begin == std::string_view::npos) break;
    const auto end = std::min(stat.find_first_of(" \n", begin), stat.size());
    fields.push_back(stat.substr(begin, end - begin));
    stat.remove_prefix(end);
  }
  return fields;
}

std::optional<double> boot_time_seconds() {
  const std::string stat = read_text("/proc/stat");
  const auto at = stat.find("\nbtime ");
  if (at == std::string::npos) return std::nullopt;
  return number(std::string_view(stat).substr(at + 7));
}

std::optional<double> open_fds() {
  DIR* directory = ::opendir("/proc/self/fd");
  if (directory == nullptr) return std::nullopt;
  double count = 0;
  while (const dirent* entry = ::readdir(directory)) {
    if (entry->d_name[0] != '.') ++count;
  }
  ::closedir(directory);
  return count - 1;  // the one that counts
}

void collect(MetricPage& page) {
  const auto gauge = [&](std::string_view name, std::string_view help, std::optional<double> value) {
    if (value) page.gauge(name, help, {}, *value);
  };
  page.gauge("logflume_build_info", "Version of this logflume; always 1.",
             {{"version", LOGFLUME_VERSION}, {"compiler", __VERSION__}}, 1);

  rusage usage{};
  if (::getrusage(RUSAGE_SELF, &usage) == 0) {
    const auto seconds = [](const timeval& time) {
      return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
    };
    page.counter("process_cpu_seconds_total", "Total user and system CPU time spent in seconds.", {},
                 seconds(usage.ru_utime) + seconds(usage.ru_stime));
  }

  // Field n of proc(5) stands at n - 3.
  const std::string stat = read_text("/proc/self/stat");
  const auto fields = stat_fields(stat);
  const auto field = [&](std::size_t n) {
    return n - 3 < fields.size() ? number(fields[n - 3]) : std::nullopt;
  };
  if (const auto pages = field(24)) {
    gauge("process_resident_memory_bytes", "Resident memory size in bytes.",
          *pages * static_cast<double>(::sysconf(_SC_PAGESIZE)));
  }
  gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", field(23));
  page.counter("logflume_memory_refusals_total", "Times that the system had no memory for the agent.", {},
               static_cast<double>(memory_refusals()));
  gauge("process_threads", "Number of operating system threads in the process.", field(20));
  if (const auto ticks = field(22)) {
    if (const auto boot = boot_time_seconds()) {
      gauge("process_start_time_seconds", "Start time of the process since unix epoch in seconds.",
            *boot + *ticks / static_cast<double>(::sysconf(_SC_CLK_TCK)));
    }
  }

  gauge("process_open_fds", "Number of open file descriptors.", open_fds());
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    gauge("process_max_fds", "Maximum number of open file descriptors.", static_cast<double>(files.rlim_cur));
  }
}

}  // namespace

std::shared_ptr<MetricRegistry::Collector> collect_process_metrics(MetricRegistry& registry) {
  return registry.collect(collect);
}

}  // namespace logflume
