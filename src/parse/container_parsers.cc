#include "parse/container_parsers.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/civil_time.h"
#include "base/cri_line.h"
#include "parse/docker_line.h"
#include "parse/field_value.h"
#include "parse/fixed_fields.h"
#include "parse/json_members.h"
#include "parse/time_format.h"

namespace logflume {
namespace {

class KlogParser final : public Parser {
 public:
  explicit KlogParser(const KlogParserConfig& config)
      : fields_({"level", "timestamp", "thread_id", "source_file", "source_line", "message"}, config.wanted),
        time_(*TimeFormat::compile("%m%d %H:%M:%S.%f", config.offset_minutes)) {}

  void begin(Columns& columns, std::int64_t now_ns) override {
    fields_.begin(columns);
    now_ns_ = now_ns;
  }

  ParseFault parse(std::string_view line, FoundFields& found) override {
    static constexpr std::array<std::pair<char, std::string_view>, 4> kLevels = {
        {{'I', "info"}, {'W', "warning"}, {'E', "error"}, {'F', "fatal"}}};
    constexpr std::size_t kTimeBytes = 20;  // "0102 03:04:05.678901"
    if (line.size() < 1 + kTimeBytes) return ParseFault::kSyntax;
    const auto* level = kLevels.begin();
    while (level != kLevels.end() && level->first != line[0]) ++level;
    if (level == kLevels.end()) return ParseFault::kSyntax;
    const auto ns = time_.parse(line.substr(1, kTimeBytes), now_ns_);
    if (!ns) return ParseFault::kTime;
    std::string_view rest = line.substr(1 + kTimeBytes);
    const std::size_t bracket = rest.find("] ");
    const std::size_t end =
        bracket == std::string_view::npos && rest.ends_with(']') ? rest.size() - 1 : bracket;
    if (end == std::string_view::npos || !rest.starts_with(' ')) return ParseFault::kSyntax;
    std::string_view head = rest.substr(0, end);
    const std::size_t thread_at = head.find_first_not_of(' ');
    const std::size_t thread_end = head.find(' ', thread_at);
    const std::size_t colon = head.rfind(':');
    if (thread_at == std::string_view::npos || thread_end == std::string_view::npos ||
        colon == std::string_view::npos || colon < thread_end)
      return ParseFault::kSyntax;
    for (const auto& [field, text] : {std::pair{2, head.substr(thread_at, thread_end - thread_at)},
                                      std::pair{4, head.substr(colon + 1)}}) {
      ValueKind kind{};
      Slot slot = Slot::null();
      const ParseFault fault = field_value(fields_.columns(), text, FieldType::kInt, kind, slot);
      if (fault != ParseFault::kNone) return fault;
      fields_.add(found, static_cast<std::size_t>(field), kind, slot);
    }
    fields_.add_made(found, 0, level->second);
    fields_.add(found, 1, ValueKind::kTimestamp, Slot::of(*ns));
    fields_.add(found, 3, head.substr(thread_end + 1, colon - thread_end - 1));
    fields_.add(found, 5, rest.substr(std::min(end + 2, rest.size())));
    return ParseFault::kNone;
  }

 private:
  FixedFields<6> fields_;
  const TimeFormat time_;
  std::int64_t now_ns_ = 0;
};

constexpr std::array<std::string_view, 4> kContainerFields = {"timestamp", "stream", "partial", "message"};

// The message of an event of several lines (the source's `multiline`): that of its first line, and what
// `write(line, partial, out)` writes of each that follows, not more than the line has, and says of it. Parts
// of a line follow each other, lines have a newline between them. `partial`: of the first line, then of the
// last. False: it is too large.
template <typename Write>
bool join_lines(Columns& columns, std::string_view rest, bool& partial, TextRef& message, Write write) {
  char* const begin = columns.begin_text(message.bytes + 1 + rest.size());
  if (begin == nullptr) return false;
  const std::string_view first = columns.text(message);
  char* end = std::copy(first.begin(), first.end(), begin);
  for (bool more = true; more;) {
    const std::size_t newline = rest.find('\n');
    more = newline != std::string_view::npos;
    const std::string_view line = rest.substr(0, newline);
    rest.remove_prefix(more ? newline + 1 : rest.size());
    if (!partial) *end++ = '\n';
    end = write(line, partial, end);
  }
  message = columns.finish_text(static_cast<std::size_t>(end - begin));
  return true;
}

class CriParser final : public Parser {
 public:
  explicit CriParser(const WantedFields& wanted) : fields_(kContainerFields, wanted) {}

  void begin(Columns& columns, std::int64_t /*now_ns*/) override { fields_.begin(columns); }

  ParseFault parse(std::string_view event, FoundFields& found) override {
    const std::size_t newline = event.find('\n');
    const auto line = cri_line(event.substr(0, newline));
    if (!line) return ParseFault::kSyntax;
    const auto ns = parse_rfc3339(line->time);
    if (!ns) return ParseFault::kTime;
    fields_.add(found, 0, ValueKind::kTimestamp, Slot::of(*ns));
    fields_.add(found, 1, line->stream);
    bool partial = line->partial;
    TextRef message = fields_.columns().ref(line->message);
    if (newline != std::string_view::npos &&
        !join_lines(fields_.columns(), event.substr(newline + 1), partial, message, write))
      return ParseFault::kTooLarge;
    fields_.add(found, 2, ValueKind::kBool, Slot::of(partial));
    fields_.add(found, 3, ValueKind::kString, Slot::of(message));
    return ParseFault::kNone;
  }

 private:
  static char* write(std::string_view text, bool& partial, char* out) {
    const auto line = cri_line(text);
    partial = line && line->partial;
    return std::ranges::copy(line ? line->message : text, out).out;
  }

  FixedFields<4> fields_;
};

class DockerJsonParser final : public Parser {
 public:
  explicit DockerJsonParser(WantedFields wanted)
      : wanted_(std::move(wanted)),
        fields_(kContainerFields, wanted_),
        members_(wanted_, kFieldsMax, kTaken) {}

  void begin(Columns& columns, std::int64_t /*now_ns*/) override {
    fields_.begin(columns);
    members_.begin(columns);
  }

  ParseFault parse(std::string_view event, FoundFields& found) override {
    const std::size_t newline = event.find('\n');
    const ParseFault fault = members_.parse(event.substr(0, newline), found);
    if (fault != ParseFault::kNone) return fault;
    const JsonMembers::Value &log = members_.taken(0), &stream = members_.taken(1), &time = members_.taken(2);
    if (log.kind != ValueKind::kString || stream.kind != ValueKind::kString ||
        time.kind != ValueKind::kString)
      return ParseFault::kSyntax;
    const auto ns = parse_rfc3339(fields_.columns().text(time.slot.text));
    if (!ns) return ParseFault::kTime;
    TextRef message = log.slot.text;
    bool partial = !fields_.columns().text(message).ends_with('\n');
    if (!partial) --message.bytes;
    if (newline != std::string_view::npos &&
        !join_lines(fields_.columns(), event.substr(newline + 1), partial, message, write))
      return ParseFault::kTooLarge;
    fields_.add(found, 0, ValueKind::kTimestamp, Slot::of(*ns));
    fields_.add(found, 1, ValueKind::kString, stream.slot);
    fields_.add(found, 2, ValueKind::kBool, Slot::of(partial));
    fields_.add(found, 3, ValueKind::kString, Slot::of(message));
    return ParseFault::kNone;
  }

 private:
  static constexpr std::array<std::string_view, 3> kTaken = {"log", "stream", "time"};
  static constexpr std::size_t kFieldsMax = 256;

  static char* write(std::string_view text, bool& partial, char* out) {
    const auto line = docker_line(text);
    // What `max_line_bytes` has cut off may end within a line's log.
    const auto message = line ? line->message : cut_docker_message(text);
    partial = line ? line->partial : message.has_value();
    return message ? unescape_json(*message, out, message->size()) : std::ranges::copy(text, out).out;
  }

  const WantedFields wanted_;
  FixedFields<4> fields_;
  JsonMembers members_;
};

}  // namespace

std::unique_ptr<Parser> make_klog_parser(KlogParserConfig config) {
  return std::make_unique<KlogParser>(config);
}
std::unique_ptr<Parser> make_cri_parser(WantedFields wanted) { return std::make_unique<CriParser>(wanted); }
std::unique_ptr<Parser> make_docker_json_parser(WantedFields wanted) {
  return std::make_unique<DockerJsonParser>(std::move(wanted));
}

}  // namespace logflume
