// From what was measured on the user's own files to a configuration: `logflume tune`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "config/config.h"
#include "lab/compress_advice.h"
#include "lab/report.h"

namespace logflume {

// One way to read, in rates of bytes a second of repetitions.
struct ReadFigure {
  ReadMode mode = ReadMode::kPread;
  LabFigure warm;     // out of the page cache, by CPU time: what a live tail costs
  LabFigure cold;     // from the disk, by the clock: what a backlog takes
  std::string error;  // why this machine cannot; then no figures
};

// Of a sample.
struct LineFigures {
  std::uint64_t lines = 0;
  double mean_bytes = 0;  // newline included
  std::uint64_t longest_bytes = 0;
  double crlf = 0;       // share of lines that end in a carriage return
  double continued = 0;  // share of lines that begin with a blank, as those of a stack trace do
};

struct GrowthFigures {
  double seconds = 0;  // that the files were watched
  std::uint64_t bytes = 0;
  std::size_t files = 0;  // that grew

  double rate() const { return seconds > 0 ? static_cast<double>(bytes) / seconds : 0; }
};

struct TuneFindings {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
  std::size_t open_files_max = 0;  // hard limit of this process
  int cores = 1;                   // that it may use
  LineFigures lines;               // lines 0: there was nothing to look at
  GrowthFigures growth;
  std::vector<ReadFigure> reads;
  std::vector<CompressionFigure> compression;
};

// A key that should not have its default.
struct Recommendation {
  std::string key;  // "sources.logs.read_mode"
  std::string value;
  std::string why;             // with figures
  std::optional<double> gain;  // times as much as with the default, where that was measured
};

struct TuneAdvice {
  std::vector<Recommendation> changes;
  std::vector<std::string> remarks;  // what was looked at and stays as it is, or is the user's choice
};

// Changes `config`, which has one source and one sink, to what the findings recommend. `link`: bytes a second
// to the receiver; 0: 1 Gbit/s is assumed and said.
TuneAdvice recommend(const TuneFindings& findings, double link, Config& config);

// What lines look like, as far as `sample` tells.
LineFigures measure_lines(std::string_view sample);

std::string_view read_mode_name(ReadMode mode);

}  // namespace logflume
