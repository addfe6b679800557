// The log files of a simulation: what a service writes, rotates and deletes, and what must come out of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "simulation/random.h"

namespace logflume {

// One incarnation of a file. Its number is its inode.
struct LogFile {
  std::uint64_t number = 0;
  std::string path;
  std::string bytes;
  std::uint64_t lines = 0;
  bool current = true;   // the service writes to it
  bool deleted = false;  // cannot be read any more
};

class LogFiles {
 public:
  // `paths`: how many the service writes to.
  LogFiles(Random& random, std::size_t paths);

  // The line that stands at place `index` of a file, with its newline.
  static std::string line(std::uint64_t number, std::uint64_t index);
  // Which line it claims to be; false when it is none.
  static bool parse(std::string_view line, std::uint64_t& number, std::uint64_t& index);

  // Some lines at the end of a file; now and then the last one is written in two parts.
  void write();
  // The service goes on in a new file.
  void rotate();
  // Every file ends with a whole line.
  void finish();

  LogFile& file(std::uint64_t number) { return *files_[number - 1]; }
  const std::vector<std::unique_ptr<LogFile>>& files() const { return files_; }

 private:
  LogFile& create(std::string path);
  LogFile& any_current();
  static void end_line(LogFile& file);

  Random& random_;
  std::vector<std::unique_ptr<LogFile>> files_;
};

}  // namespace logflume
