#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "lab/experiment.h"
#include "lab/figures.h"
#include "lab/machine.h"
#include "lab/work_directory.h"

namespace logflume {
namespace {

constexpr Duration kQuickTime = 50s;
constexpr int kRepeatsToJudge = 3;

// What the repetitions of a case gave.
struct Measured {
  std::vector<std::vector<double>> values;  // one list for each column
  std::vector<double> speeds;
  int repeats = 0;
  std::string error;

  void add(LabWork work, LabUsage usage, const std::vector<LabColumn>& columns) {
    if (work.usage) usage = *work.usage;
    if (work.seconds && !work.usage) usage.seconds = *work.seconds;
    usage.cpu_seconds = std::max(usage.cpu_seconds - work.foreign_cpu_seconds, 0.0);
    std::sort(work.latencies_ns.begin(), work.latencies_ns.end());
    values.resize(columns.size());
    for (std::size_t column = 0; column < columns.size(); ++column) {
      if (const auto value = lab_value(columns[column].key, work, usage)) values[column].push_back(*value);
    }
    speeds.push_back(lab_speed(work, usage));
    ++repeats;
  }
};

Result<void> run_once(const LabCase& subject, const std::vector<LabColumn>& columns, Measured& into) {
  if (subject.prepare) {
    if (Result<void> prepared = subject.prepare(); !prepared) return prepared;
  }
  const LabMeter meter;
  Result<LabWork> work = subject.run();
  const LabUsage usage = meter.usage();
  if (!work) return std::move(work).error();
  into.add(std::move(*work), usage, columns);
  return {};
}

LabRow row_of(const LabCase& subject, const Measured& measured, std::size_t columns) {
  LabRow row{subject.settings, {}, subject.note, measured.error, subject.group, measured.repeats};
  row.figures.resize(columns);
  if (!row.error.empty()) return row;
  if (measured.repeats == 0) {
    row.error = "no time was left for it: --thorough takes it";
    return row;
  }
  for (std::size_t column = 0; column < columns; ++column) {
    if (!measured.values[column].empty()) row.figures[column] = lab_figure(measured.values[column]);
  }
  return row;
}

void keep_only(std::vector<LabCase>& cases, const std::vector<std::string>& only) {
  if (only.empty()) return;
  std::erase_if(cases, [&only](const LabCase& subject) {
    const std::string name = lab_case_name(subject);
    return std::none_of(only.begin(), only.end(),
                        [&name](const std::string& text) { return name.find(text) != std::string::npos; });
  });
}

}  // namespace

std::string lab_case_name(const LabCase& subject) {
  return (subject.group.empty() ? "" : subject.group + ": ") +
         fmt::format("{}", fmt::join(subject.settings, " "));
}

Result<LabReport> run_experiment(LabExperiment& experiment, const LabOptions& options, int repeats,
                                 const std::function<void(double, const std::string&)>& progress) {
  const TimePoint begin = steady_now();
  const auto stopped = [&options] { return options.stop && options.stop(); };
  const Error stop_error{Errc::kBusy, 0, "stopped before it was done"};
  LabReport report;
  report.experiment = experiment.name();
  report.question = experiment.question();
  report.thorough = options.thorough;
  report.repeats = repeats;

  LabOptions own = options;
  std::optional<WorkDirectory> directory;
  own.directory.clear();
  if (const std::uint64_t bytes = experiment.disk_bytes(options); bytes > 0) {
    Result<WorkDirectory> made = WorkDirectory::make(options.directory, bytes);
    if (!made) return std::move(made).error();
    directory = std::move(*made);
    own.directory = directory->path();
  }
  report.machine = this_machine(own.directory);
  progress(0, "set-up");
  Result<std::vector<LabCase>> cases = experiment.cases(own);
  if (stopped()) return stop_error;
  if (!cases) return std::move(cases).error();
  keep_only(*cases, options.only);
  if (cases->empty()) return Error{Errc::kInvalidArgument, 0, "no case has such a name"};
  report.settings = experiment.settings();
  report.columns = experiment.columns();

  std::vector<Measured> measured(cases->size());
  const double all = static_cast<double>(cases->size()) * repeats;
  double done = 0;
  for (int turn = 0; turn < repeats; ++turn) {
    for (std::size_t index = 0; index < cases->size(); ++index, ++done) {
      const LabCase& subject = (*cases)[index];
      if (!measured[index].error.empty()) continue;
      if (!options.thorough && !options.fio && steady_now() - begin > kQuickTime) continue;
      progress(done / all, lab_case_name(subject));
      Result<void> once = run_once(subject, report.columns, measured[index]);
      if (stopped()) return stop_error;
      if (!once) measured[index].error = once.error().text();
    }
  }
  std::vector<std::vector<double>> speeds;
  for (std::size_t index = 0; index < cases->size(); ++index) {
    report.rows.push_back(row_of((*cases)[index], measured[index], report.columns.size()));
    const bool good = report.rows.back().error.empty();
    speeds.push_back(good ? std::move(measured[index].speeds) : std::vector<double>());
  }
  lab_relative(report, speeds);
  report.seconds = std::chrono::duration<double>(steady_now() - begin).count();
  experiment.conclude(report);
  if (repeats < kRepeatsToJudge) {
    report.advice = {
        fmt::format("There is no advice from fewer than {} repetitions: what differs by chance cannot "
                    "be told from what differs.",
                    kRepeatsToJudge)};
  }
  progress(1, "done");
  return report;
}

}  // namespace logflume
