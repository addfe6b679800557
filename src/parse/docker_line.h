// Lines of a container's log as Docker's json-file driver writes them:
//
//   {"log":"the first 16 KiB of a long line","stream":"stdout","time":"2026-01-02T03:04:05.678901234Z"}
//   {"log":" and the last of it\n","stream":"stdout","time":"2026-01-02T03:04:05.678903456Z"}
//
// A line of the container that ends with no newline yet goes on in the next line of its stream. Members may
// stand in any order, with blanks between them and others ("attrs") beside them; of two with one name the
// last one counts.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace logflume {

struct DockerLine {
  std::string_view message;  // as it stands in the line, escaped, without the newline at its end
  bool has_escapes = false;  // in the message
  bool is_stderr = false;
  bool partial = false;  // it goes on in the next line of the stream
};

// `line` without its newline. Null: it is none, which is when parse_docker_json does not accept it (syntax or
// depth; its time is not looked at), or when its stream is neither stdout nor stderr. No byte behind it is
// read.
std::optional<DockerLine> docker_line(std::string_view line);

// Of a line that was cut off within its log, what there is of the message. Null: it is none.
std::optional<std::string_view> cut_docker_message(std::string_view line);

// What the text between the quotes of a string of JSON says, its first `bytes_max` bytes if it has more, and
// the rest of a character that begins there: up to kUnescapeSlack bytes. Returns where it ends. What a text
// says is never longer than the text. REQUIRES: its escapes are valid, as those of a message are.
constexpr std::size_t kUnescapeSlack = 3;
char* unescape_json(std::string_view text, char* out, std::size_t bytes_max);

}  // namespace logflume
