// A report as JSON. The shape is a promise: docs/lab.md.
#include <fmt/format.h>

#include "lab/json_writer.h"
#include "lab/report.h"

namespace logflume {
namespace {

const char* unit_name(LabUnit unit) {
  switch (unit) {
    case LabUnit::kBytesPerSecond:
      return "bytes/s";
    case LabUnit::kPerSecond:
      return "1/s";
    case LabUnit::kSeconds:
      return "s";
    case LabUnit::kSecondsPerGB:
      return "s/GB";
    case LabUnit::kPercentOfCore:
    case LabUnit::kPercent:
      return "%";
    case LabUnit::kBytes:
      return "bytes";
    case LabUnit::kCount:
      return "count";
    case LabUnit::kRatio:
      return "ratio";
  }
  return "";
}

using Writer = JsonWriter;

const char* boolean(bool value) { return value ? "true" : "false"; }

void write_machine(Writer& json, const LabMachine& machine) {
  json.open('{').key("cpu").text(machine.cpu).key("cores").raw(std::to_string(machine.cores));
  json.key("instruction_sets").text(machine.instruction_sets).key("caches").open('{');
  for (const auto& [name, bytes] : machine.caches) json.key(name).raw(std::to_string(bytes));
  json.close('}').key("memory_bytes").raw(std::to_string(machine.memory_bytes));
  json.key("kernel").text(machine.kernel).key("file_system").text(machine.file_system);
  json.key("device").text(machine.device).key("virtualised").raw(boolean(machine.virtualised));
  json.key("load").number(machine.load).key("cpu_quota").text(machine.cpu_quota).close('}');
}

void write_row(Writer& json, const LabReport& report, const LabRow& row) {
  json.open('{').key("settings").texts(row.settings).key("group").text(row.group);
  json.key("repeats").raw(std::to_string(row.repeats)).key("figures").open('{');
  for (std::size_t column = 0; column < row.figures.size(); ++column) {
    const std::optional<LabFigure>& figure = row.figures[column];
    if (!figure) continue;
    json.key(report.columns[column].key).open('{').key("median").number(figure->median);
    json.key("low").number(figure->low).key("high").number(figure->high).close('}');
  }
  json.close('}').key("note").text(row.note).key("error").text(row.error).close('}');
}

void write_plot(Writer& json, const LabPlot& plot) {
  json.open('{').key("title").text(plot.title).key("x_title").text(plot.x_title);
  json.key("y_title").text(plot.y_title).key("labels").texts(plot.labels).key("series").open('[');
  for (const LabPlot::Series& series : plot.series) {
    json.open('{').key("name").text(series.name).key("values").open('[');
    for (const std::optional<double>& value : series.values) json.number(value);
    json.close(']').close('}');
  }
  json.close(']').key("lines").raw(boolean(plot.lines));
  json.key("logarithmic").raw(boolean(plot.logarithmic)).close('}');
}

}  // namespace

std::string lab_json(const LabReport& report) {
  Writer json;
  json.open('{').key("experiment").text(report.experiment).key("question").text(report.question);
  json.key("machine");
  write_machine(json, report.machine);
  json.key("thorough").raw(boolean(report.thorough)).key("repeats").raw(std::to_string(report.repeats));
  json.key("seconds").number(report.seconds).key("settings").texts(report.settings).key("columns").open('[');
  for (const LabColumn& column : report.columns) {
    json.open('{').key("key").text(column.key).key("title").text(column.title);
    json.key("unit").text(unit_name(column.unit)).close('}');
  }
  json.close(']').key("rows").open('[');
  for (const LabRow& row : report.rows) write_row(json, report, row);
  json.close(']').key("plots").open('[');
  for (const LabPlot& plot : report.plots) write_plot(json, plot);
  json.close(']').key("advice").texts(report.advice).close('}');
  return json.take();
}

}  // namespace logflume
