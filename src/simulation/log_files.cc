#include "simulation/log_files.h"

#include <fmt/format.h>

#include <charconv>

namespace logflume {

LogFiles::LogFiles(Random& random, std::size_t paths) : random_(random) {
  for (std::size_t i = 0; i < paths; ++i) create(fmt::format("/var/log/{}.log", i));
}

std::string LogFiles::line(std::uint64_t number, std::uint64_t index) {
  Random random(number * 1'000'003 + index);
  // Most lines are short; some fill sectors.
  const std::size_t padding = random.below(16) == 0 ? random.below(1500) : random.below(90);
  std::string text = fmt::format("{}:{}:", number, index);
  text.append(padding, static_cast<char>('a' + random.below(26)));
  text += '\n';
  return text;
}

bool LogFiles::parse(std::string_view line, std::uint64_t& number, std::uint64_t& index) {
  const char* const end = line.data() + line.size();
  const auto first = std::from_chars(line.data(), end, number);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') return false;
  const auto second = std::from_chars(first.ptr + 1, end, index);
  return second.ec == std::errc() && second.ptr != end && *second.ptr == ':';
}

void LogFiles::write() {
  LogFile& file = any_current();
  end_line(file);
  const std::uint64_t count = random_.between(1, 20);
  for (std::uint64_t i = 0; i < count; ++i) file.bytes += line(file.number, file.lines++);
  if (random_.chance(0.2)) {
    const std::string next = line(file.number, file.lines);
    file.bytes += next.substr(0, random_.below(next.size()));
  }
}

// What was written of the last line is completed.
void LogFiles::end_line(LogFile& file) {
  const std::size_t end = file.bytes.rfind('\n') + 1;  // 0 where there is none
  const std::size_t begun = file.bytes.size() - end;
  if (begun == 0) return;
  file.bytes += line(file.number, file.lines++).substr(begun);
}

void LogFiles::rotate() {
  LogFile& file = any_current();
  if (file.lines == 0) return;
  end_line(file);
  file.current = false;
  create(file.path);
}

void LogFiles::finish() {
  for (const auto& file : files_) {
    if (!file->deleted) end_line(*file);
  }
}

LogFile& LogFiles::create(std::string path) {
  files_.push_back(std::make_unique<LogFile>());
  files_.back()->number = files_.size();
  files_.back()->path = std::move(path);
  return *files_.back();
}

LogFile& LogFiles::any_current() {
  for (;;) {
    LogFile& file = *files_[random_.below(files_.size())];
    if (file.current) return file;
  }
}

}  // namespace logflume
