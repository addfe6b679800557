// Reports as one page that needs nothing but itself: text and tables are in it as such, plots are drawn by
// the Chart.js that it carries.
#include <fmt/format.h>

#include "lab/embedded.h"
#include "lab/report.h"
#include "telemetry/json_text.h"

namespace logflume {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : valid_utf8(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// JSON within <script>: nothing in it may end or begin an element or a comment.
std::string script_json(const std::vector<LabReport>& reports) {
  std::string out = "[";
  for (const LabReport& report : reports) {
    if (out.size() > 1) out += ",";
    for (const char c : lab_json(report)) {
      if (c == '<') {
        out += "\\u003c";
      } else {
        out += c;
      }
    }
  }
  return out + "]";
}

std::string table(const LabReport& report) {
  std::string out = "<div class=\"table\"><table>\n<thead><tr>";
  for (const std::string& title : report.settings) out += "<th>" + escaped(title) + "</th>";
  for (const LabColumn& column : report.columns)
    out += "<th class=\"figure\">" + escaped(column.title) + "</th>";
  out += "</tr></thead>\n<tbody>\n";
  for (std::size_t index = 0; index < report.rows.size(); ++index) {
    const LabRow& row = report.rows[index];
    if (!row.group.empty() && (index == 0 || row.group != report.rows[index - 1].group)) {
      out += fmt::format("<tr class=\"group\"><th colspan=\"{}\" scope=\"rowgroup\">{}</th></tr>\n",
                         report.settings.size() + report.columns.size(), escaped(row.group));
    }
    out += "<tr>";
    for (const std::string& setting : row.settings) out += "<td>" + escaped(setting) + "</td>";
    if (!row.error.empty()) {
      out += fmt::format("<td class=\"error\" colspan=\"{}\">{}</td>", report.columns.size(),
                         escaped(row.error));
    }
    for (std::size_t column = 0; row.error.empty() && column < row.figures.size(); ++column) {
      if (!row.figures[column]) {
        out += "<td class=\"figure\">-</td>";
        continue;
      }
      const LabFigure& figure = *row.figures[column];
      const LabUnit unit = report.columns[column].unit;
      out += fmt::format("<td class=\"figure\" title=\"{} to {}\">{}", lab_value_text(figure.low, unit),
                         lab_value_text(figure.high, unit), lab_value_text(figure.median, unit));
      if (column == 0 && row.repeats > 1)
        out += fmt::format(" <small>±{:.0f}%</small>", lab_spread(figure) * 100);
      out += "</td>";
    }
    out += "</tr>\n";
    if (!row.note.empty()) {
      out += fmt::format("<tr class=\"note\"><td colspan=\"{}\">{}</td></tr>\n",
                         report.settings.size() + report.columns.size(), escaped(row.note));
    }
  }
  return out + "</tbody></table></div>\n";
}

std::string section(const LabReport& report, std::size_t number) {
  std::string out = fmt::format("<section id=\"{0}\">\n<h2>lab {0}</h2>\n<p class=\"question\">{1}</p>\n",
                                escaped(report.experiment), escaped(report.question));
  out += "<p class=\"machine\">" + escaped(report.machine.text()) + "</p>\n";
  if (!report.advice.empty()) {
    out += "<ul class=\"advice\">\n";
    for (const std::string& sentence : report.advice) out += "<li>" + escaped(sentence) + "</li>\n";
    out += "</ul>\n";
  }
  for (std::size_t plot = 0; plot < report.plots.size(); ++plot) {
    out += fmt::format(
        "<figure hidden><figcaption>{0}</figcaption><div class=\"canvas\"><canvas data-report=\"{1}\" "
        "data-plot=\"{2}\" role=\"img\" aria-label=\"{0}\"></canvas></div></figure>\n",
        escaped(report.plots[plot].title), number, plot);
  }
  out += table(report);
  out += fmt::format(
      "<p class=\"method\">{} repetition{} of each, by turns, in {:.0f} s{}; medians, ± half of what lies "
      "between "
      "the slowest and the fastest. Point at a figure for both.</p>\n</section>\n",
      report.repeats, report.repeats == 1 ? "" : "s", report.seconds, report.thorough ? "" : " (quick form)");
  return out;
}

}  // namespace

std::string lab_html(const std::vector<LabReport>& reports) {
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n<title>logflume lab</title>\n<style>\n";
  out += embedded_page_css();
  out += "</style>\n</head>\n<body>\n<h1>logflume lab</h1>\n";
  if (reports.size() > 1) {
    out += "<nav>";
    for (const LabReport& report : reports) {
      out += fmt::format("<a href=\"#{0}\">{0}</a> ", escaped(report.experiment));
    }
    out += "</nav>\n";
  }
  for (std::size_t number = 0; number < reports.size(); ++number) out += section(reports[number], number);
  out += "<script type=\"application/json\" id=\"reports\">";
  out += script_json(reports);
  out += "</script>\n<script>\n";
  out += embedded_chart_js();
  out += "</script>\n<script>\n";
  out += embedded_page_js();
  out += "</script>\n</body>\n</html>\n";
  return out;
}

}  // namespace logflume
