#include "generate/verifier.h"

#include <fcntl.h>
#include <simdjson.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "base/unique_fd.h"

namespace logflume {
namespace {

constexpr std::size_t kLineBytesMax = 64 * 1024 * 1024;
constexpr std::size_t kReadBytes = 256 * 1024;
constexpr std::size_t kExamples = 5;

template <typename T>
void remember(std::vector<T>& first, T value) {
  if (first.size() < kExamples) first.push_back(value);
}

// A directory's regular files, by name; anything else is itself.
Result<std::vector<std::string>> files_at(const std::string& path) {
  std::error_code failed;
  if (path == "-" || !std::filesystem::is_directory(path, failed)) return std::vector{path};
  std::vector<std::string> files;
  std::filesystem::recursive_directory_iterator at(path, failed);
  for (; !failed && at != std::filesystem::recursive_directory_iterator(); at.increment(failed)) {
    if (at->is_regular_file(failed)) files.push_back(at->path().string());
  }
  if (failed) return errno_error(failed.value(), "read directory " + path);
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

// The unescaped "message" of a JSON object.
class Verifier::JsonMessage {
 public:
  // False when `line` is no object with such a string. The result lives until the next call.
  bool find(std::string_view line, std::string_view& message) {
    padded_.assign(line);
    padded_.reserve(line.size() + simdjson::SIMDJSON_PADDING);
    simdjson::ondemand::document document;
    if (parser_.iterate(padded_.data(), padded_.size(), padded_.capacity()).get(document) !=
        simdjson::SUCCESS) {
      return false;
    }
    return document.find_field_unordered("message").get_string().get(message) == simdjson::SUCCESS;
  }

 private:
  simdjson::ondemand::parser parser_;
  std::string padded_;
};

Verifier::Verifier() : json_(std::make_unique<JsonMessage>()) {}
Verifier::~Verifier() = default;

void Verifier::feed(std::string_view bytes) {
  bytes_ += bytes.size();
  while (!bytes.empty()) {
    const void* const found = std::memchr(bytes.data(), '\n', bytes.size());
    const std::size_t size = found == nullptr
                                 ? bytes.size()
                                 : static_cast<std::size_t>(static_cast<const char*>(found) - bytes.data());
    if (!skipping_) {
      if (found != nullptr && pending_.empty()) {
        scratch_.assign(bytes.substr(0, size));
        line(scratch_);
      } else {
        pending_.append(bytes.substr(0, size));
        if (found != nullptr) {
          line(pending_);
          pending_.clear();
        } else if (pending_.size() > kLineBytesMax) {
          damaged();
          skipping_ = true;
          pending_ = {};
        }
      }
    } else if (found != nullptr) {
      skipping_ = false;
    }
    bytes.remove_prefix(found == nullptr ? size : size + 1);
  }
}

void Verifier::end_input() {
  if (!pending_.empty()) line(pending_);
  pending_.clear();
  skipping_ = false;
}

void Verifier::line(std::span<char> text) {
  const bool object = !text.empty() && text.front() == '{';
  if (object && json_first_ && lines_of_message(text)) return;
  if (const std::optional<Mark> mark = check_line(text)) {
    json_first_ = false;
    count(*mark);
    return;
  }
  if (object && !json_first_ && lines_of_message(text)) {
    json_first_ = true;
    return;
  }
  damaged();
}

bool Verifier::lines_of_message(std::span<char> text) {
  std::string_view message;
  if (!json_->find({text.data(), text.size()}, message)) return false;
  // Of a raw line that happens to have a message of its own, the mark is outside of it.
  if (message.find(kMarkPrefix) == std::string_view::npos) return false;
  std::string copy(message);
  for (std::size_t at = 0; at <= copy.size();) {
    const std::size_t end = std::min(copy.find('\n', at), copy.size());
    if (const std::optional<Mark> mark = check_line({copy.data() + at, end - at})) {
      count(*mark);
    } else {
      damaged();
    }
    at = end + 1;
  }
  return true;
}

Verifier::StreamState& Verifier::stream(std::string_view name) {
  if (last_stream_ == nullptr || last_name_ != name) {
    auto at = streams_.find(name);
    if (at == streams_.end()) at = streams_.try_emplace(std::string(name)).first;
    last_name_ = name;
    last_stream_ = &at->second;
  }
  return *last_stream_;
}

void Verifier::count(const Mark& mark) {
  ++lines_;
  StreamState& state = stream(mark.stream);
  if (!state.numbers.insert(mark.sequence)) {
    ++state.duplicated;
    remember(state.duplicated_first, mark.sequence);
  } else if (mark.sequence < state.last) {
    ++state.reordered;
    remember(state.reordered_first, mark.sequence);
  } else {
    state.last = mark.sequence;
  }
}

void Verifier::damaged() {
  ++lines_;
  ++damaged_;
  remember(damaged_first_, lines_);
}

void Verifier::expect(const std::string& name, std::uint64_t last) {
  StreamState& state = stream(name);
  state.expected = std::max(state.expected, last);
}

void Verifier::expect_each(std::uint64_t last) { expected_each_ = last; }

std::map<std::string, std::uint64_t> Verifier::seen() const {
  std::map<std::string, std::uint64_t> all;
  for (const auto& [name, state] : streams_) all.emplace(name, state.last);
  return all;
}

VerifyReport Verifier::report() const {
  VerifyReport report;
  report.lines = lines_;
  report.damaged = damaged_;
  report.damaged_first = damaged_first_;
  for (const auto& [name, state] : streams_) {
    const std::uint64_t last = std::max({state.last, state.expected, expected_each_});
    VerifyReport::Stream& stream = report.streams[name];
    stream.lost = last - state.numbers.size();
    stream.duplicated = state.duplicated;
    stream.reordered = state.reordered;
    if (stream.lost > 0) stream.lost_first = state.numbers.holes(last, kExamples);
    stream.duplicated_first = state.duplicated_first;
    stream.reordered_first = state.reordered_first;
    report.lost += stream.lost;
    report.duplicated += stream.duplicated;
    report.reordered += stream.reordered;
  }
  return report;
}

Result<void> Verifier::feed_file(const std::string& path) {
  // zlib passes through what is not gzip.
  UniqueFd fd(path == "-" ? ::dup(STDIN_FILENO) : ::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno_error("open " + path);
  gzFile file = ::gzdopen(fd.get(), "rb");
  if (file == nullptr) return errno_error("open " + path);
  fd.release();
  ::gzbuffer(file, kReadBytes);
  std::vector<char> buffer(kReadBytes);
  int got = 0;
  while ((got = ::gzread(file, buffer.data(), kReadBytes)) > 0) {
    feed({buffer.data(), static_cast<std::size_t>(got)});
    progress_(bytes_, stored_bytes_ + static_cast<std::uint64_t>(std::max<z_off_t>(::gzoffset(file), 0)));
  }
  stored_bytes_ += static_cast<std::uint64_t>(std::max<z_off_t>(::gzoffset(file), 0));
  int code = Z_OK;
  const std::string reason = ::gzerror(file, &code);
  const int os_errno = code == Z_ERRNO ? errno : 0;
  ::gzclose(file);
  end_input();
  if (got < 0 || (code != Z_OK && code != Z_STREAM_END)) {
    if (os_errno != 0) return errno_error(os_errno, "read " + path);
    return Error{Errc::kCorrupt, 0, "read " + path + ": " + reason};
  }
  return {};
}

Result<void> Verifier::feed_path(const std::string& path) {
  auto files = files_at(path);
  if (!files) return std::move(files).error();
  for (const std::string& file : *files) {
    if (Result<void> done = feed_file(file); !done) return done;
  }
  return {};
}

std::optional<std::uint64_t> stored_bytes(const std::string& path) {
  const auto files = files_at(path);
  if (!files) return std::nullopt;
  std::uint64_t total = 0;
  for (const std::string& file : *files) {
    std::error_code failed;
    if (file == "-" || !std::filesystem::is_regular_file(file, failed)) return std::nullopt;
    total += std::filesystem::file_size(file, failed);
    if (failed) return std::nullopt;
  }
  return total;
}

}  // namespace logflume
