// Lines as Kubernetes and container runtimes write them.
#pragma once

#include <memory>

#include "parse/parser.h"

namespace logflume {

struct KlogParserConfig {
  int offset_minutes = 0;  // of its times, which have neither offset nor year
  WantedFields wanted;
};

// klog's lines, "I0102 03:04:05.678901   17 server.go:42] text": level (info, warning, error, fatal),
// timestamp, thread_id, source_file, source_line, message.
std::unique_ptr<Parser> make_klog_parser(KlogParserConfig config);

// The lines of a container runtime (CRI), "2026-01-02T03:04:05.678Z stdout F text": timestamp, stream,
// partial (the line goes on with the next one), message. An event of several lines has the time and the
// stream of the first one; parts of a line are joined, lines keep a newline between them.
std::unique_ptr<Parser> make_cri_parser(WantedFields wanted);

// Docker's lines (json-file), {"log":"text\n","stream":"stdout","time":"2026-01-02T03:04:05.678Z"}: the same
// fields; the message is without its newline, and partial when it has none. Other members ("attrs") are
// fields too. An event of several lines is as one of CRI's; these members are those of its first line.
std::unique_ptr<Parser> make_docker_json_parser(WantedFields wanted);

}  // namespace logflume
