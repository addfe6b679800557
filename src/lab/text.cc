// A report for a terminal.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/characters.h"
#include "base/units.h"
#include "lab/report.h"
#include "lab/words.h"

namespace logflume {
namespace {

constexpr const char* kBold = "\x1b[1m";
constexpr const char* kGreen = "\x1b[32m";
constexpr const char* kYellow = "\x1b[33m";
constexpr const char* kPlain = "\x1b[0m";
constexpr std::size_t kGap = 2;

// Three digits: "7.12", "71.2", "712"; two of what is small: "0.047", "0.0047".
std::string three_digits(double value) {
  const double size = std::abs(value);
  if (size >= 99.95) return fmt::format("{:.0f}", value);
  if (size >= 9.995) return fmt::format("{:.1f}", value);
  if (size > 0 && size < 0.00095) return fmt::format("{:.1g}", value);
  if (size > 0 && size < 0.0095) return fmt::format("{:.4f}", value);
  if (size > 0 && size < 0.095) return fmt::format("{:.3f}", value);
  return fmt::format("{:.2f}", value);
}

struct Scale {
  double factor;
  const char* unit;
};

// In the largest unit that leaves at least one before the point; below the smallest one, in that.
template <std::size_t N>
std::string scaled(double value, const Scale (&scales)[N]) {
  for (const Scale& scale : scales) {
    // What would be rounded to 1000 of a unit is 1 of the next.
    if (std::abs(value) >= scale.factor * 0.9995) return three_digits(value / scale.factor) + scale.unit;
  }
  return three_digits(value / scales[N - 1].factor) + scales[N - 1].unit;
}

std::string count_text(double value) {
  if (value >= 0 && value < 1000 && value == std::floor(value)) return fmt::format("{:.0f}", value);
  constexpr Scale kScales[] = {{1e9, " G"}, {1e6, " M"}, {1e3, " k"}, {1, ""}};
  return scaled(value, kScales);
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  const std::string space(width - std::min(width, count_characters(text)), ' ');
  return right ? space + text : text + space;
}

std::string cell_text(const LabFigure& figure, LabUnit unit, bool with_spread) {
  std::string text = lab_value_text(figure.median, unit);
  if (with_spread) text += fmt::format(" ±{:.0f}%", std::min(lab_spread(figure) * 100, 999.0));
  return text;
}

// The table: settings to the left, figures to the right.
class Table {
 public:
  Table(const LabReport& report, std::size_t width, bool colour)
      : report_(report), colour_(colour), columns_(report.columns.size()) {
    numbered_ = std::any_of(report.rows.begin(), report.rows.end(),
                            [](const LabRow& row) { return !row.note.empty(); });
    cells_.resize(report.rows.size() + 1);
    if (numbered_) cells_[0].push_back("#");
    for (const std::string& title : report.settings) cells_[0].push_back(title);
    lead_ = cells_[0].size();
    for (const LabColumn& column : report.columns) cells_[0].push_back(column.title);
    for (std::size_t index = 0; index < report.rows.size(); ++index) add(index);
    measure();
    if (width > 0) fit(width);
  }

  std::string text() const {
    std::string out = styled(line(0, columns_), kBold);
    for (std::size_t index = 0; index < report_.rows.size(); ++index) {
      const LabRow& row = report_.rows[index];
      if (index == 0 || row.group != report_.rows[index - 1].group) {
        if (index > 0) out += "\n";
        if (!row.group.empty()) out += row.group + "\n";
      }
      if (!row.error.empty()) {
        out += styled(line(index + 1, 0) + "  " + row.error, kYellow);
      } else {
        out += best(index) ? styled(line(index + 1, columns_), kGreen) : line(index + 1, columns_) + "\n";
      }
    }
    if (columns_ < report_.columns.size()) {
      std::string missing;
      for (std::size_t column = columns_; column < report_.columns.size(); ++column) {
        missing += (missing.empty() ? "" : ", ") + report_.columns[column].title;
      }
      out += "(too narrow for: " + missing + ")\n";
    }
    return out;
  }

 private:
  void add(std::size_t index) {
    const LabRow& row = report_.rows[index];
    std::vector<std::string>& cells = cells_[index + 1];
    if (numbered_) cells.push_back(std::to_string(index + 1));
    cells.insert(cells.end(), row.settings.begin(), row.settings.end());
    cells.resize(lead_);
    if (!row.error.empty()) return;
    for (std::size_t column = 0; column < row.figures.size(); ++column) {
      const bool with_spread = column == 0 && row.repeats > 1;
      cells.push_back(row.figures[column]
                          ? cell_text(*row.figures[column], report_.columns[column].unit, with_spread)
                          : "-");
    }
  }

  void measure() {
    widths_.assign(cells_[0].size(), 0);
    for (const std::vector<std::string>& cells : cells_) {
      for (std::size_t at = 0; at < cells.size(); ++at)
        widths_[at] = std::max(widths_[at], count_characters(cells[at]));
    }
  }

  void fit(std::size_t width) {
    const auto total = [this] {
      std::size_t sum = 0;
      for (std::size_t at = 0; at < lead_ + columns_; ++at) sum += widths_[at] + (at > 0 ? kGap : 0);
      return sum;
    };
    while (columns_ > 1 && total() > width) --columns_;
  }

  // Without its end.
  std::string line(std::size_t index, std::size_t columns) const {
    std::string out;
    for (std::size_t at = 0; at < std::min(lead_ + columns, cells_[index].size()); ++at) {
      if (at > 0) out.append(kGap, ' ');
      const bool right = at >= lead_ || (numbered_ && at == 0);
      out += padded(cells_[index][at], widths_[at], right);
    }
    return out;
  }

  std::string styled(const std::string& text, const char* style) const {
    return (colour_ ? style + text + kPlain : text) + "\n";
  }

  // The first of its group by what the first column says.
  bool best(std::size_t index) const {
    const auto speed = [this](std::size_t at) {
      const std::optional<LabFigure> relative = report_.figure(at, "relative");
      const std::optional<LabFigure> rate = relative ? relative : report_.figure(at, "rate");
      return rate ? rate->median : 0;
    };
    const double own = speed(index);
    if (!(own > 0)) return false;
    for (std::size_t other = 0; other < report_.rows.size(); ++other) {
      if (report_.rows[other].group == report_.rows[index].group && speed(other) > own) return false;
    }
    return true;
  }

  const LabReport& report_;
  bool colour_;
  bool numbered_ = false;
  std::size_t lead_ = 0;                         // cells before the figures
  std::size_t columns_;                          // that are shown
  std::vector<std::vector<std::string>> cells_;  // the titles first
  std::vector<std::size_t> widths_;
};

}  // namespace

std::optional<LabFigure> LabReport::figure(std::size_t index, const std::string& key) const {
  for (std::size_t column = 0; column < columns.size(); ++column) {
    if (columns[column].key == key && column < rows[index].figures.size()) return rows[index].figures[column];
  }
  return std::nullopt;
}

double lab_spread(const LabFigure& figure) {
  return figure.median > 0 ? (figure.high - figure.low) / 2 / figure.median : 0;
}

std::string lab_value_text(double value, LabUnit unit) {
  constexpr Scale kRates[] = {{1e9, " GB/s"}, {1e6, " MB/s"}, {1e3, " kB/s"}, {1, " B/s"}};
  constexpr Scale kTimes[] = {{1, " s"}, {1e-3, " ms"}, {1e-6, " us"}, {1e-9, " ns"}};
  switch (unit) {
    case LabUnit::kBytesPerSecond:
      return scaled(value, kRates);
    case LabUnit::kPerSecond:
      return count_text(value) + "/s";
    case LabUnit::kSeconds:
      return scaled(value, kTimes);
    case LabUnit::kSecondsPerGB:
      return three_digits(value) + " s/GB";
    case LabUnit::kPercentOfCore:
    case LabUnit::kPercent:
      return fmt::format("{:.{}f} %", value, value < 9.95 ? 1 : 0);
    case LabUnit::kBytes:
      return human_bytes(value);
    case LabUnit::kCount:
      return count_text(value);
    case LabUnit::kRatio:
      return three_digits(value) + "x";
  }
  return {};
}

std::string lab_size_text(std::size_t bytes) {
  const bool whole = bytes >= 1024 * 1024 && bytes % (1024 * 1024) == 0;
  return whole ? fmt::format("{} MiB", bytes >> 20) : fmt::format("{} KiB", bytes >> 10);
}

std::string lab_text(const LabReport& report, std::size_t width, bool colour) {
  const std::string title = fmt::format("lab {}: {}", report.experiment, report.question);
  std::string out = colour ? kBold + title + kPlain + "\n" : title + "\n";
  out += wrap_words(report.machine.text(), width, "", "");
  out += wrap_words(
      fmt::format("{} repetition{} of each by turns in {:.0f} s; medians, ± half of what lies between "
                  "the slowest and the fastest",
                  report.repeats, report.repeats == 1 ? "" : "s", report.seconds),
      width, "", "");
  out += "\n" + Table(report, width, colour).text();
  bool notes = false;
  for (std::size_t index = 0; index < report.rows.size(); ++index) {
    if (report.rows[index].note.empty()) continue;
    if (!notes) out += "\n";
    notes = true;
    out += fmt::format("{:>3}  {}\n", index + 1, report.rows[index].note);
  }
  if (!report.advice.empty()) out += "\n";
  for (const std::string& sentence : report.advice) out += wrap_words(sentence, width, "* ", "  ");
  return out;
}

}  // namespace logflume
