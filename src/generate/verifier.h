// Tells from a sink's output which generated lines are lost, duplicated, reordered or damaged.
//
// Output may be raw or JSON events as our sinks encode them: in an object the mark is looked for in the
// line and in the unescaped "message", which may hold several lines.
//
// Memory: a bit for each line at most (sequence_set.h) and one line of text. Threads: one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "generate/mark.h"
#include "generate/sequence_set.h"

namespace logflume {

struct VerifyReport {
  struct Stream {
    std::uint64_t lost = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t reordered = 0;
    std::vector<SequenceSet::Range> lost_first;   // the first few
    std::vector<std::uint64_t> duplicated_first;  // the first few
    std::vector<std::uint64_t> reordered_first;
  };
  std::uint64_t lines = 0;  // all, damaged and duplicated ones included
  std::uint64_t lost = 0;   // numbers from 1 to the highest seen or expected that never came
  std::uint64_t duplicated = 0;
  std::uint64_t reordered = 0;               // came after a higher number of their stream, for the first time
  std::uint64_t damaged = 0;                 // lines without a mark whose checksum is right
  std::vector<std::uint64_t> damaged_first;  // numbers of such lines in the whole input, from 1
  std::map<std::string, Stream> streams;
};

class Verifier {
 public:
  Verifier();
  ~Verifier();

  // The next piece of the current input, of any size.
  void feed(std::string_view bytes);
  // The input ends: a last line without newline counts as a line.
  void end_input();
  // Feeds whole files, directories (each regular file below, by name) and "-" (standard input);
  // gzip is decompressed.
  Result<void> feed_path(const std::string& path);

  // Called now and then with the bytes of text read so far, and with the bytes of the files that held them.
  using OnProgress = std::function<void(std::uint64_t text_bytes, std::uint64_t stored_bytes)>;
  void on_progress(OnProgress call) { progress_ = std::move(call); }

  // `stream` must reach `last`.
  void expect(const std::string& stream, std::uint64_t last);
  // Every stream that is seen must.
  void expect_each(std::uint64_t last);
  // Streams and their highest number, as seen: what another verifier may expect.
  std::map<std::string, std::uint64_t> seen() const;

  VerifyReport report() const;

 private:
  struct StreamState {
    SequenceSet numbers;
    std::uint64_t last = 0;
    std::uint64_t expected = 0;
    std::uint64_t duplicated = 0;
    std::uint64_t reordered = 0;
    std::vector<std::uint64_t> duplicated_first;
    std::vector<std::uint64_t> reordered_first;
  };
  class JsonMessage;

  void line(std::span<char> text);
  bool lines_of_message(std::span<char> text);
  void count(const Mark& mark);
  void damaged();
  Result<void> feed_file(const std::string& path);
  StreamState& stream(std::string_view name);

  std::map<std::string, StreamState, std::less<>> streams_;
  StreamState* last_stream_ = nullptr;
  std::string last_name_;
  std::uint64_t expected_each_ = 0;
  std::uint64_t lines_ = 0;
  std::uint64_t damaged_ = 0;
  std::uint64_t bytes_ = 0;
  std::vector<std::uint64_t> damaged_first_;
  std::string pending_;      // an unfinished line
  bool skipping_ = false;    // within a line too long to be ours
  bool json_first_ = false;  // the last line's mark was in its message
  std::unique_ptr<JsonMessage> json_;
  std::string scratch_;
  std::uint64_t stored_bytes_ = 0;  // of the files before this one
  OnProgress progress_ = [](std::uint64_t, std::uint64_t) {};
};

// Bytes of the files that feed_path() would read; nothing where their end is not known: "-", a pipe.
std::optional<std::uint64_t> stored_bytes(const std::string& path);

}  // namespace logflume
