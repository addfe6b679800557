#include "lab/fio.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <sstream>

#include "base/printable.h"
#include "base/unique_fd.h"

namespace logflume {
namespace {

// REQUIRES: whole KiB.
std::string size_text(std::uint64_t bytes) {
  return bytes % (1024 * 1024) == 0 ? fmt::format("{}m", bytes >> 20) : fmt::format("{}k", bytes >> 10);
}

std::vector<std::string> arguments_of(const FioJob& job) {
  std::vector<std::string> arguments{
      "fio",
      "--name=lab",
      "--ioengine=" + job.engine,
      std::string("--rw=") + (job.random ? "randread" : "read"),
      "--bs=" + size_text(job.block_bytes),
      fmt::format("--nrfiles={}", job.files),
      "--filesize=" + size_text(job.file_bytes),
      fmt::format("--runtime={}ms", std::chrono::duration_cast<std::chrono::milliseconds>(job.time).count()),
      "--invalidate=0",
      "--disable_slat=1",  // one look at the clock less for each read
      "--iomem_align=4k",  // as ours; copying to where pages begin may be twice as fast
  };
  const bool advised = std::any_of(job.options.begin(), job.options.end(), [](const std::string& option) {
    return option.starts_with("--fadvise_hint");
  });
  if (!advised) arguments.push_back("--fadvise_hint=0");
  if (job.random) arguments.push_back("--random_generator=lfsr");  // each block once, as ours, and soon found
  if (job.again) arguments.push_back("--time_based");
  if (job.direct) arguments.push_back("--direct=1");
  if (job.in_flight > 1) {
    arguments.push_back(fmt::format("--iodepth={}", job.in_flight));
    arguments.push_back(fmt::format("--iodepth_batch={}", job.in_flight));
    arguments.push_back("--iodepth_batch_complete_min=1");
    arguments.push_back(fmt::format("--iodepth_batch_complete_max={}", job.in_flight));
  }
  arguments.insert(arguments.end(), job.options.begin(), job.options.end());
  return arguments;
}

// What it printed to standard output.
Result<std::string> output_of(const std::vector<std::string>& arguments) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return errno_error("pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> words;
  for (const std::string& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  pid_t pid = 0;
  const int refused = ::posix_spawnp(&pid, words[0], &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (refused != 0) return errno_error(refused, "run fio");
  write_end.reset();
  std::string text;
  std::array<char, 16 * 1024> buffer;
  for (ssize_t n = 1; n != 0;) {
    n = ::read(read_end.get(), buffer.data(), buffer.size());
    if (n > 0) text.append(buffer.data(), static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
    const std::string first = text.substr(0, text.find('\n'));
    return Error{Errc::kIo, 0, "fio failed: " + printable(first.substr(0, 200))};
  }
  return text;
}

Result<LabWork> parse(const std::string& text) {
  const Error strange{Errc::kCorrupt, 0, "what fio printed is not understood"};
  // Notes may come before it.
  const std::size_t begin = text.find('{');
  if (begin == text.npos) return strange;
  simdjson::dom::parser parser;
  simdjson::dom::element job;
  if (parser.parse(text.data() + begin, text.size() - begin)["jobs"].at(0).get(job) != simdjson::SUCCESS) {
    return strange;
  }
  LabWork work;
  double milliseconds = 0, user = 0, system = 0;
  bool good = job["read"]["io_bytes"].get(work.bytes) == simdjson::SUCCESS;
  good = good && job["read"]["total_ios"].get(work.operations) == simdjson::SUCCESS;
  good = good && job["read"]["runtime"].get(milliseconds) == simdjson::SUCCESS;
  good = good && job["usr_cpu"].get(user) == simdjson::SUCCESS;
  good = good && job["sys_cpu"].get(system) == simdjson::SUCCESS;
  LabUsage usage;
  good = good && job["ctx"].get(usage.voluntary) == simdjson::SUCCESS;
  good = good && job["minf"].get(usage.faults) == simdjson::SUCCESS;
  if (!good) return strange;
  usage.seconds = milliseconds / 1000;
  usage.cpu_seconds = (user + system) / 100 * usage.seconds;
  work.usage = usage;
  for (const auto& [key, percent] :
       {std::pair{"p50", "50.000000"}, {"p99", "99.000000"}, {"p999", "99.900000"}}) {
    double nanoseconds = 0;
    if (job["read"]["clat_ns"]["percentile"][percent].get(nanoseconds) == simdjson::SUCCESS) {
      work.others.emplace_back(key, nanoseconds / 1e9);
    }
  }
  return work;
}

}  // namespace

bool fio_installed() {
  const char* const path = std::getenv("PATH");
  std::istringstream directories(path == nullptr ? "" : path);
  for (std::string directory; std::getline(directories, directory, ':');) {
    if (::access((directory + "/fio").c_str(), X_OK) == 0) return true;
  }
  return false;
}

std::string fio_command(const FioJob& job) { return fmt::format("{}", fmt::join(arguments_of(job), " ")); }

Result<LabWork> run_fio(const FioJob& job, const std::string& directory, const std::string& name) {
  std::vector<std::string> arguments = arguments_of(job);
  arguments.push_back("--directory=" + directory);
  arguments.push_back("--filename_format=" + name + ".$filenum");
  arguments.push_back("--output-format=json");
  Result<std::string> text = output_of(arguments);
  if (!text) return std::move(text).error();
  return parse(*text);
}

std::optional<LabFigure> fio_ratio(const LabFigure& own, const LabFigure& other, double overhead_seconds) {
  if (!(other.low > 0)) return std::nullopt;
  // The fastest of fio's has the least time left.
  if (1 / other.high <= overhead_seconds) return std::nullopt;
  const auto left = [overhead_seconds](double operations) { return 1 / operations - overhead_seconds; };
  return LabFigure{own.median * left(other.median), own.low * left(other.high), own.high * left(other.low)};
}

}  // namespace logflume
