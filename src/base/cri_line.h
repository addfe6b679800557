// Lines of a container's log as container runtimes write them (CRI):
//
//   2026-01-02T03:04:05.678901234Z stdout P the first part of a long line
//   2026-01-02T03:04:05.678903456Z stdout F and the last one
//
// Source: the Kubernetes design proposal "CRI: Log management for container stdout/stderr streams".
#pragma once

#include <optional>
#include <string_view>

namespace logflume {

struct CriLine {
  std::string_view time;    // not looked at
  std::string_view stream;  // stdout or stderr
  bool partial = false;     // it goes on in the next line of the stream
  std::string_view message;

  bool is_stderr() const { return stream == "stderr"; }
};

// `line` without its newline, or its first bytes. Null: it is none. Tags that follow the flag ("F:TAG") are
// for later versions of the format, and passed by.
std::optional<CriLine> cri_line(std::string_view line);

}  // namespace logflume
