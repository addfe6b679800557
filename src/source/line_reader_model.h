// LineReader against the obvious model, for its unit test and its fuzzer: a file that grows in steps is read
// to its end after each, and the events must be those that a simple split of the whole text gives.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "io/block_reader.h"
#include "multiline/event_rules_model.h"
#include "source/line_reader.h"

namespace logflume {

struct ModelEvent {
  std::string text;  // without the newline that ends it
  bool truncated = false;
  bool operator==(const ModelEvent&) const = default;
};

// What the events of `text` are when nothing is flushed before its end, and all of it at its end.
inline std::vector<ModelEvent> model_events(std::string_view text, std::size_t max_bytes,
                                            const MultilineConfig& rules) {
  MultilineConfig config = rules;
  if (!config.enabled()) config.start_pattern = "^";  // each line is an event
  std::vector<ModelEvent> events;
  for (std::string event : EventRulesModel(config).split(text)) {
    if (event.ends_with('\n')) event.pop_back();
    const bool truncated = event.size() > max_bytes;
    events.push_back({event.substr(0, max_bytes), truncated});
  }
  return events;
}

inline std::optional<EventRules> rules_of(const MultilineConfig& config) {
  if (!config.enabled()) return {};
  return std::move(*EventRules::compile(config));
}

// Takes pieces apart as a sink does, and checks what each owes.
class ModelSink final : public PieceSink {
 public:
  bool take(Piece&& piece) override {
    intact = intact && piece.owed.begin == position && piece.owed.end > piece.owed.begin;
    position = piece.owed.end;
    cut_by_lines += piece.cut_by_lines;
    cut_by_bytes += piece.cut_by_bytes;
    seam = piece.seam;
    std::string_view text(piece.data, piece.bytes);
    std::vector<std::uint32_t> ends = piece.event_ends;
    if (ends.empty()) {
      for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '\n') ends.push_back(static_cast<std::uint32_t>(i));
      }
      if (piece.unterminated) ends.push_back(static_cast<std::uint32_t>(text.size()));
    }
    intact = intact && ends.size() == piece.events && !ends.empty() &&
             ends.back() + (piece.unterminated ? 0 : 1) == text.size();
    std::size_t begin = 0;
    for (const std::uint32_t end : ends) {
      events.push_back({std::string(text.substr(begin, end - begin)), piece.truncated});
      begin = end + 1;
    }
    return --room > 0;
  }

  std::vector<ModelEvent> events;
  std::uint64_t position = 0;
  Seam seam;
  std::uint32_t cut_by_lines = 0;
  std::uint32_t cut_by_bytes = 0;
  bool intact = true;
  int room = 0;
};

struct ModelFile {
  ModelFile() {
    file.fd = UniqueFd(::memfd_create("log", MFD_CLOEXEC));
    file.content = std::make_shared<LogContent>();
  }
  void append(std::string_view text) {
    if (::write(file.fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) std::abort();
    file.size_known += text.size();
  }
  TailedFile file;
};

// Reads to the end, `bytes_max` at a time and with room for `pieces_max` pieces in between.
inline ReadReport read_to_end(LineReader& reader, ModelFile& log, ModelSink& out, std::size_t bytes_max,
                              int pieces_max, bool flush) {
  for (;;) {
    ReadRequest request;
    request.position = out.position;
    request.seam = out.seam;
    request.bytes_max = bytes_max;
    request.flush_partial = flush;
    request.may_read_ahead = true;
    out.room = pieces_max;
    ReadReport report = reader.read(log.file, request, out);
    if (report.status == ReadStatus::kPending) continue;
    log.file.behind = report.status == ReadStatus::kMore;
    if (report.status != ReadStatus::kMore) return report;
  }
}

}  // namespace logflume
