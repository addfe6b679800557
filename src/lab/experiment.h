// An experiment of `logflume lab`: some ways to do the same work, each a case, run by turns and compared.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "lab/report.h"
#include "lab/usage.h"

namespace logflume {

// What one repetition of a case did. It counts that itself; time, CPU, context switches and page faults are
// taken around it (lab/usage.h).
struct LabWork {
  std::uint64_t bytes = 0;
  std::uint64_t operations = 0;    // reads, lines, hops: what the experiment calls one
  std::uint64_t system_calls = 0;  // that it made
  // Of single operations, nanoseconds, in any order; empty when they are not measured one by one.
  std::vector<std::uint32_t> latencies_ns;
  // Seconds of the work alone, when what is around it must not count (a set-up within run()).
  std::optional<double> seconds;
  // The same with CPU time, switches and faults (LabMeter); it comes before `seconds`.
  std::optional<LabUsage> usage;
  // Of helping threads that are not part of the work: taken off the CPU time. Child processes do not count
  // anyhow.
  double foreign_cpu_seconds = 0;
  // Figures that only this experiment has, by the key of one of its columns.
  std::vector<std::pair<std::string, double>> others;
};

// One way to do the work.
struct LabCase {
  // What tells it from the others, in the order of LabExperiment::settings: {"pread", "256 KiB", "cold"}.
  std::vector<std::string> settings;
  // Before each repetition, not measured: evicts a cache, say. May be empty.
  std::function<Result<void>()> prepare;
  // One repetition. Errors: what this machine cannot do (EPERM, EOPNOTSUPP) is an answer: it is shown in the
  // case's row as the kernel says it, and the case is not tried again.
  std::function<Result<LabWork>()> run;
  std::string note;  // shown beside the figures: its fio equivalent, say
  // Rows that compare with each other: "relative" is to the best of them, the table sets them apart.
  std::string group;
};

// "sequential, warm: pread 256 KiB 1".
std::string lab_case_name(const LabCase& subject);

struct LabOptions {
  bool thorough = false;  // else the quick form: each experiment under a minute
  // For the files that it makes. What cases() is given is one of its own, removed at the end, and empty for
  // an experiment without disk_bytes(). Given to run_experiment(): where to make it; empty: the temporary
  // directory.
  std::string directory;
  double seconds = 0;       // how long one repetition shall go on at least; 0: the experiment chooses
  std::uint64_t bytes = 0;  // of the file that it works on; 0: the experiment chooses
  // Only the cases in whose name (lab_case_name()) one of these occurs; empty: all.
  std::vector<std::string> only;
  bool fio = false;  // run fio beside, where an experiment has equivalents and fio is installed
  // Asked between repetitions and in long work: the user has had enough. May be empty.
  std::function<bool()> stop;
  std::string file;  // the user's own file or glob, where an experiment takes one; may be empty
  double link_bytes_per_second = 0;  // of `lab compress`; 0: not given
};

// How long a repetition goes on: as the user says, else by the form.
inline Duration lab_time(const LabOptions& options, Duration quick, Duration thorough) {
  if (options.seconds > 0)
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(options.seconds));
  return options.thorough ? thorough : quick;
}

// Lifecycle: make, cases(), (the runner runs them), advise().
// Threads:   one.
class LabExperiment {
 public:
  virtual ~LabExperiment() = default;
  // "io": its name on the command line.
  virtual std::string name() const = 0;
  // What it asks, a sentence.
  virtual std::string question() const = 0;
  // Titles of what LabCase::settings holds.
  virtual std::vector<std::string> settings() const = 0;
  // The figures that its table shows, asked after cases(); see lab/report.h for the keys that the runner
  // computes.
  virtual std::vector<LabColumn> columns() const = 0;
  // Of its files together: whether there is room for them is looked at before.
  virtual std::uint64_t disk_bytes(const LabOptions&) const { return 0; }
  // Makes what the cases need, files and sockets. The cases may refer to the experiment, which outlives them.
  virtual Result<std::vector<LabCase>> cases(const LabOptions& options) = 0;
  // Plots and plain sentences of advice, from what was measured: "on this machine use pread with 256 KiB:
  // mmap is 8 % slower on cold files"; only where the difference exceeds the spread (lab/figures.h). From
  // fewer than three repetitions the runner gives none. Adds to `report`, whose rows are complete, in the
  // order of the cases.
  virtual void conclude(LabReport& report) = 0;
};

// What `logflume lab` knows, in the order of its list.
struct LabEntry {
  std::string name;
  std::unique_ptr<LabExperiment> (*make)();
};
const std::vector<LabEntry>& lab_experiments();

// Runs every case `repeats` times, by turns, so that what disturbs the machine disturbs all alike. The quick
// form begins no repetition after 50 s, but beside fio: on a slow machine there are fewer of them
// (LabRow::repeats). Calls `progress` with what is done of all, 0 to 1. Errors: no room or no right to make
// the files, cases() failed, or the user stopped it; a case's own error stays in its row.
Result<LabReport> run_experiment(LabExperiment& experiment, const LabOptions& options, int repeats,
                                 const std::function<void(double done, const std::string& what)>& progress);

// One file each.
std::unique_ptr<LabExperiment> make_io_experiment();
std::unique_ptr<LabExperiment> make_write_experiment();
std::unique_ptr<LabExperiment> make_copy_experiment();
std::unique_ptr<LabExperiment> make_concurrency_experiment();
std::unique_ptr<LabExperiment> make_ring_experiment();
std::unique_ptr<LabExperiment> make_scan_experiment();
std::unique_ptr<LabExperiment> make_compress_experiment();

}  // namespace logflume
