// Runs the simulation for as long as is wanted, on some processes (SQLite's random numbers are one sequence
// for a process), and replays a seed call by call.
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <vector>

#include "base/clock.h"
#include "simulation/simulation.h"

namespace logflume {
namespace {

struct Totals : SimulationCounts {
  std::uint64_t runs = 0;
  std::uint64_t failures = 0;
};

struct Plan {
  std::uint64_t first = 1;
  std::uint64_t runs = 1000;
  double minutes = 0;  // instead of `runs`
  unsigned jobs = 2;
  DiskModel disk;
  bool buffered = false;  // only so; else each seed both ways
};

// The seeds first + job, first + job + jobs, ...
Totals run_job(const Plan& plan, unsigned job) {
  const TimePoint end =
      steady_now() + std::chrono::duration_cast<Duration>(std::chrono::duration<double>(plan.minutes * 60));
  Totals totals;
  for (std::uint64_t i = job; plan.minutes > 0 ? steady_now() < end : i < plan.runs; i += plan.jobs) {
    for (const bool buffered : {false, true}) {
      if (plan.buffered && !buffered) continue;
      SimulationOptions options;
      options.seed = plan.first + i;
      options.disk = plan.disk;
      options.buffered = buffered;
      const SimulationReport report = simulate(options);
      ++totals.runs;
      totals += report;
      if (!report.failure) continue;
      ++totals.failures;
      fmt::print("seed {}{}: {}\n", options.seed, buffered ? " --buffered" : "", *report.failure);
      std::fflush(stdout);
    }
  }
  return totals;
}

Totals run(const Plan& plan) {
  struct Job {
    pid_t pid;
    int results;
  };
  std::vector<Job> jobs;
  Totals totals;
  for (unsigned job = 0; job < plan.jobs; ++job) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    const pid_t pid = ::fork();
    if (pid < 0) throw std::runtime_error("fork");
    if (pid == 0) {
      const Totals own = run_job(plan, job);
      const bool told = ::write(ends[1], &own, sizeof own) == static_cast<ssize_t>(sizeof own);
      ::_exit(told ? 0 : 2);
    }
    ::close(ends[1]);
    jobs.push_back({pid, ends[0]});
  }
  for (const Job& job : jobs) {
    Totals part;
    if (::read(job.results, &part, sizeof part) == static_cast<ssize_t>(sizeof part)) {
      totals.runs += part.runs;
      totals.failures += part.failures;
      totals += part;
    } else {
      ++totals.failures;
      fmt::print("a process of the simulation died\n");
    }
    ::close(job.results);
    int status = 0;
    ::waitpid(job.pid, &status, 0);
  }
  return totals;
}

int replay(std::uint64_t seed, bool trace, const Plan& plan) {
  SimulationOptions options;
  options.seed = seed;
  options.disk = plan.disk;
  options.buffered = plan.buffered;
  options.talks = trace;
  if (trace) {
    options.trace = [](std::string_view line) { fmt::print(stderr, "{}\n", line); };
  }
  const SimulationReport report = simulate(options);
  fmt::print("seed {}: {} lines, {} kills, {} power losses, {} steps, {} disk operations: {}\n", seed,
             report.lines, report.kills, report.power_losses, report.steps, report.disk_operations,
             report.failure.value_or("ok"));
  return report.failure ? 1 : 0;
}

int main_of(int argc, char** argv) {
  CLI::App app("The agent on a simulated disk, through random crashes; any failure is replayed by its seed.");
  Plan plan;
  std::uint64_t seed = 0;
  bool trace = false;
  app.add_option("--first", plan.first, "first seed");
  app.add_option("--runs", plan.runs, "how many seeds");
  app.add_option("--minutes", plan.minutes, "for so long, instead of --runs");
  app.add_option("--jobs", plan.jobs, "processes")->check(CLI::Range(1U, 256U));
  auto* one = app.add_option("--seed", seed, "only this seed");
  app.add_flag("--trace", trace, "with --seed: each step and each call to the disk, to stderr")->needs(one);
  app.add_flag("--buffered", plan.buffered, "sinks with disk buffers only; with --seed: with, not without");
  app.add_flag("--sync-lies", plan.disk.sync_lies, "a disk that does not do what fdatasync promises");
  app.add_flag("--directory-sync-lies", plan.disk.directory_sync_lies, "the same of a directory's fsync");
  CLI11_PARSE(app, argc, argv);
  if (one->count() != 0) return replay(seed, trace, plan);

  const TimePoint begun = steady_now();
  const Totals totals = run(plan);
  const double seconds = std::chrono::duration<double>(steady_now() - begun).count();
  fmt::print(
      "{} runs from seed {} in {:.1f} s: {} kills, {} power losses, {} clean stops, {} starts that failed, "
      "{} "
      "lines, {} announced repeats, {} steps, {} disk operations: {} failed\n",
      totals.runs, plan.first, seconds, totals.kills, totals.power_losses, totals.clean_stops,
      totals.failed_starts, totals.lines, totals.repeated, totals.steps, totals.disk_operations,
      totals.failures);
  return totals.failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace logflume

int main(int argc, char** argv) { return logflume::main_of(argc, argv); }
