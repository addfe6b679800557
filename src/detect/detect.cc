#include "detect/detect.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "config/yaml_text.h"
#include "detect/config_text.h"
#include "detect/events.h"
#include "detect/formats.h"
#include "detect/sample.h"

namespace logflume {
namespace {

constexpr double kSure = 0.95;     // of the events: the first format that accepts so many is it
constexpr double kPossible = 0.5;  // else the one that accepts most, if it accepts so many
constexpr double kWorthTelling = 0.1;
constexpr std::size_t kOthersMax = 3;
constexpr std::size_t kHeadsTried = 3;

// A format, and what it made of the sample.
struct Candidate {
  LogFormat format;
  EventCut cut;
  std::unique_ptr<Trial> trial;
};

std::unique_ptr<Trial> trial_of(const LogFormat& format, const LogSample& sample, const EventCut& cut,
                                std::int64_t now_ns) {
  auto trial = std::make_unique<Trial>();
  const std::span<const std::string_view> events(cut.events);
  try_parser(*format.make(), sample.text(), events.subspan(std::min(format.lines_skipped, events.size())),
             now_ns, format.is_one, *trial);
  return trial;
}

// Events that begin as those of the format, or have several lines: a trace by itself.
double well_cut(const EventCut& cut, const Trial& trial) {
  std::size_t good = trial.rows.size();
  for (std::size_t row = 0, next = 0; row < cut.events.size(); ++row) {
    if (next < trial.rows.size() && trial.rows[next] == row) {
      ++next;
    } else if (cut.events[row].find('\n') != std::string_view::npos) {
      ++good;
    }
  }
  return static_cast<double>(good) / static_cast<double>(std::max<std::size_t>(cut.events.size(), 1));
}

// Lines that are not of a format may belong to the event before them. A preset that knows the traces among
// them is better than a pattern, which joins whatever stands between two events.
void join_lines(Candidate& candidate, const LogSample& sample, std::int64_t now_ns) {
  constexpr double kGain = 0.02, kWell = 0.8;
  double best = kWell;
  for (EventCut& cut : cut_by_presets(sample)) {
    std::unique_ptr<Trial> trial = trial_of(candidate.format, sample, cut, now_ns);
    const double good = well_cut(cut, *trial);
    if (good < best || (good == best && cut.events.size() >= candidate.cut.events.size())) continue;
    best = good;
    candidate.cut = std::move(cut);
    candidate.trial = std::move(trial);
  }
  if (!candidate.cut.preset.empty()) return;
  for (EventCut& cut : cut_by_starts(sample)) {
    std::unique_ptr<Trial> trial = trial_of(candidate.format, sample, cut, now_ns);
    if (trial->share() < candidate.trial->share() + kGain) continue;
    candidate.cut = std::move(cut);
    candidate.trial = std::move(trial);
  }
}

// Traces in the lines of a container.
void join_lines_inside(Candidate& candidate, const LogSample& sample, std::int64_t now_ns) {
  std::vector<EventCut> cuts = cut_by_presets(sample, candidate.format.wraps);
  const auto fewest =
      std::ranges::min_element(cuts, {}, [](const EventCut& cut) { return cut.events.size(); });
  if (fewest == cuts.end()) return;
  candidate.cut = std::move(*fewest);
  candidate.trial = trial_of(candidate.format, sample, candidate.cut, now_ns);
}

std::vector<Candidate> candidates_of(const LogSample& sample, const DetectOptions& options) {
  std::vector<Candidate> candidates;
  for (LogFormat& format : log_formats(sample, options.path)) {
    const MultilineInside wraps = format.wraps;
    EventCut cut =
        wraps == MultilineInside::kNothing ? cut_at_lines(sample) : cut_at_lines_inside(sample, wraps);
    Candidate candidate{std::move(format), std::move(cut), nullptr};
    candidate.trial = trial_of(candidate.format, sample, candidate.cut, options.now_ns);
    candidates.push_back(std::move(candidate));
  }
  std::vector<Candidate*> heads;
  for (Candidate& candidate : candidates) {
    const std::size_t rows = candidate.trial->rows.size();
    if (candidate.format.heads_events && rows > 0 && rows < candidate.trial->events)
      heads.push_back(&candidate);
  }
  std::ranges::stable_sort(heads, std::ranges::greater(),
                           [](const Candidate* candidate) { return candidate->trial->rows.size(); });
  heads.resize(std::min(heads.size(), kHeadsTried));
  for (Candidate* const candidate : heads) join_lines(*candidate, sample, options.now_ns);
  return candidates;
}

Candidate* best_of(std::vector<Candidate>& candidates) {
  const auto sure =
      std::ranges::find_if(candidates, [](const Candidate& one) { return one.trial->share() >= kSure; });
  if (sure != candidates.end()) return &*sure;
  const auto most =
      std::ranges::max_element(candidates, {}, [](const Candidate& one) { return one.trial->share(); });
  return most != candidates.end() && most->trial->share() >= kPossible ? &*most : nullptr;
}

// What stands in the messages, one a line; those that have lines, or go on in the next event, are left out.
std::string messages_of(const Trial& trial) {
  std::string text;
  const Column* const messages = trial.columns.find("message");
  const Column* const partial = trial.columns.find("partial");
  if (messages == nullptr) return text;
  for (const std::uint32_t row : trial.rows) {
    if (partial != nullptr && value_text(trial.columns, *partial, row) == "true") continue;
    const std::string message = value_text(trial.columns, *messages, row);
    if (message.empty() || message.find('\n') != std::string::npos) continue;
    text.append(message).push_back('\n');
  }
  return text;
}

std::string flow_map(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string text;
  for (const auto& [key, value] : pairs)
    text.append(text.empty() ? "" : ", ").append(yaml_text(key)).append(": ").append(value);
  return fmt::format("{{{}}}", text);
}

// The transform of a format, and the fields that it gives. Types of texts are told to it where it takes some.
DetectedTransform transform_of(const Candidate& found, std::int64_t now_ns,
                               std::vector<DetectedField>& fields) {
  DetectedTransform transform{found.format.transform, found.format.options};
  fields = detect_fields(*found.trial);
  const auto time = detect_time(*found.trial, fields, now_ns);
  std::vector<std::pair<std::string, std::string>> types;
  for (DetectedField& field : fields) {
    if (time && field.name == time->field) {
      field.type = "timestamp";
    } else if (field.made && found.format.takes_types) {
      types.emplace_back(field.name, field.type);
    } else if (field.made) {
      field.type = "string";
    }
  }
  if (!types.empty()) transform.options.emplace_back("types", flow_map(types));
  if (time) {
    transform.options.emplace_back("timestamp_field", yaml_scalar(time->field));
    if (time->format != "rfc3339")
      transform.options.emplace_back("timestamp_format", yaml_pattern(time->format));
  }
  return transform;
}

// A program's lines within those of a container or of syslog.
void look_into_messages(const Candidate& outer, const DetectOptions& options, DetectedFormat& detected) {
  const LogSample sample(messages_of(*outer.trial));
  std::vector<Candidate> candidates;
  for (LogFormat& format : log_formats(sample, options.path)) {
    if (format.holds_message || format.lines_skipped > 0) continue;
    Candidate candidate{std::move(format), cut_at_lines(sample), nullptr};
    candidate.trial = trial_of(candidate.format, sample, candidate.cut, options.now_ns);
    candidates.push_back(std::move(candidate));
  }
  const Candidate* const inner = best_of(candidates);
  if (inner == nullptr || inner->trial->share() < kSure) return;
  std::vector<DetectedField> fields;
  detected.transforms.push_back(transform_of(*inner, options.now_ns, fields));
  detected.name += ", with " + inner->format.name;
  std::erase_if(detected.fields, [&](const DetectedField& field) {
    return field.name == "message" ||
           std::ranges::find(fields, field.name, &DetectedField::name) != fields.end();
  });
  std::ranges::move(fields, std::back_inserter(detected.fields));
}

}  // namespace

DetectedFormat detect_format(std::string_view text, const DetectOptions& options) {
  const LogSample sample(text);
  DetectedFormat detected;
  detected.name = "plain text";
  detected.lines = sample.lines().size();
  detected.strip_cr = sample.strips_cr();
  std::vector<Candidate> candidates = candidates_of(sample, options);
  Candidate* const found = best_of(candidates);
  if (found != nullptr && found->format.wraps != MultilineInside::kNothing)
    join_lines_inside(*found, sample, options.now_ns);
  EventCut cut = found != nullptr ? found->cut : cut_plain_text(sample);
  detected.events = cut.events.size();
  detected.preset = std::move(cut.preset);
  detected.inside = std::move(cut.inside);
  detected.start_pattern = std::move(cut.start_pattern);
  if (found != nullptr) {
    detected.name = found->format.name;
    detected.share = found->trial->share();
    detected.transforms.push_back(transform_of(*found, options.now_ns, detected.fields));
    if (found->format.holds_message) look_into_messages(*found, options, detected);
  }
  for (const Candidate& candidate : candidates) {
    if (&candidate != found && candidate.trial->share() > kWorthTelling)
      detected.others.emplace_back(candidate.format.name, candidate.trial->share());
  }
  std::ranges::stable_sort(detected.others, std::ranges::greater(),
                           [](const auto& other) { return other.second; });
  if (detected.others.size() > kOthersMax) detected.others.resize(kOthersMax);
  detected.config = config_text(detected, options.path);
  return detected;
}

}  // namespace logflume
