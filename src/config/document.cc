#include "config/document.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <exception>
#include <istream>
#include <streambuf>
#include <unordered_map>
#include <unordered_set>

namespace logflume {
namespace {

constexpr std::size_t kLineWindow = 160;  // bytes of a long line that a diagnostic shows

// Thrown through the YAML library to end a parse; caught in parse_yaml().
struct Rejected {
  Position at;
  std::string message;
};

std::size_t node_count(const YamlNode& node) {
  std::size_t count = 1;
  for (const YamlNode& item : node.items) count += node_count(item);
  for (const YamlEntry& entry : node.entries) count += 1 + node_count(entry.value);
  return count;
}

std::size_t text_bytes(const YamlNode& node) {
  std::size_t bytes = node.text.size();
  for (const YamlNode& item : node.items) bytes += text_bytes(item);
  for (const YamlEntry& entry : node.entries) bytes += entry.key.text.size() + text_bytes(entry.value);
  return bytes;
}

class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const SourceText& source) : source_(source) {}

  YamlNode take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& /*mark*/) override {}
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    YamlNode node;
    node.at = position(mark);
    place(std::move(node), anchor);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode node;
    node.kind = YamlNode::Kind::kScalar;
    node.at = position(mark);
    check_tag(tag, node.at);
    node.text = value;
    node.at.length = written_length(node);
    place(std::move(node), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw Rejected{position(mark), "an alias stands inside its own anchor"};
    // Copies are what "billion laughs" documents are made of.
    if (open_.size() + depth_of(found->second) > kConfigDepthMax) too_deep(position(mark));
    account(found->second, position(mark));
    place(YamlNode(found->second), 0);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    start(YamlNode::Kind::kList, mark, tag, anchor);
  }
  void OnSequenceEnd() override { end(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    start(YamlNode::Kind::kMap, mark, tag, anchor);
  }
  void OnMapEnd() override { end(); }

 private:
  struct Open {
    YamlNode node;
    YAML::anchor_t anchor = 0;
    std::optional<YamlNode> key;  // read, its value not yet
  };

  Position position(const YAML::Mark& mark) const {
    Position at;
    at.source = &source_;
    if (!mark.is_null()) {
      at.line = static_cast<std::uint32_t>(mark.line) + 1;
      at.column = static_cast<std::uint32_t>(mark.column) + 1;
    }
    return at;
  }

  // How many bytes of its line the scalar takes as written, quotes included.
  std::uint32_t written_length(const YamlNode& node) const {
    const std::string_view line = source_.line(node.at.line);
    if (node.at.column > line.size()) return 1;
    const std::string_view rest = line.substr(node.at.column - 1);
    const std::size_t quotes = rest.front() == '"' || rest.front() == '\'' ? 1 : 0;
    if (rest.substr(quotes).starts_with(node.text)) {
      return static_cast<std::uint32_t>(
          std::min(rest.size(), std::max<std::size_t>(1, node.text.size() + 2 * quotes)));
    }
    return 1;
  }

  static std::size_t depth_of(const YamlNode& node) {
    std::size_t depth = 0;
    for (const YamlNode& item : node.items) depth = std::max(depth, depth_of(item));
    for (const YamlEntry& entry : node.entries) depth = std::max(depth, depth_of(entry.value));
    return depth + 1;
  }

  [[noreturn]] static void too_deep(const Position& at) {
    throw Rejected{at, fmt::format("nested deeper than {} levels", kConfigDepthMax)};
  }

  static void check_tag(const std::string& tag, const Position& at) {
    if (tag.empty() || tag == "?" || tag == "!" || tag.starts_with("tag:yaml.org,2002:")) return;
    throw Rejected{at, fmt::format("the tag \"{}\" has no meaning here", excerpt(tag))};
  }

  void account(const YamlNode& node, const Position& at) {
    nodes_ += node_count(node);
    bytes_ += text_bytes(node);
    if (nodes_ > kConfigNodesMax)
      throw Rejected{at, fmt::format("more than {} values, aliases expanded", kConfigNodesMax)};
    if (bytes_ > kConfigTextBytesMax) throw Rejected{at, "too much text, aliases expanded"};
  }

  void start(YamlNode::Kind kind, const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    Open open;
    open.node.kind = kind;
    open.node.at = position(mark);
    open.anchor = anchor;
    check_tag(tag, open.node.at);
    if (open_.size() >= kConfigDepthMax) too_deep(open.node.at);
    open_.push_back(std::move(open));
  }

  void end() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    if (closed.node.kind == YamlNode::Kind::kMap) merge(closed.node);
    // Its parts are accounted for; only the node itself is new.
    place(std::move(closed.node), closed.anchor);
  }

  // `<<: *base` or `<<: [*a, *b]`: entries of the bases that the map does not have itself.
  void merge(YamlNode& map) {
    std::vector<YamlEntry> bases;
    std::erase_if(map.entries, [&](YamlEntry& entry) {
      if (entry.key.text != "<<") return false;
      bases.push_back(std::move(entry));
      return true;
    });
    if (bases.empty()) return;
    std::unordered_set<std::string> present;
    for (const YamlEntry& entry : map.entries) present.insert(entry.key.text);
    for (YamlEntry& base : bases) {
      if (base.value.kind == YamlNode::Kind::kMap) {
        merge_from(std::move(base.value), map, present);
      } else if (base.value.kind == YamlNode::Kind::kList) {
        for (YamlNode& item : base.value.items) merge_from(std::move(item), map, present);
      } else {
        throw Rejected{base.key.at, "\"<<\" takes a map or a list of maps"};
      }
    }
  }

  static void merge_from(YamlNode base, YamlNode& map, std::unordered_set<std::string>& present) {
    if (base.kind != YamlNode::Kind::kMap) throw Rejected{base.at, "\"<<\" takes a map or a list of maps"};
    for (YamlEntry& entry : base.entries) {
      if (present.insert(entry.key.text).second) map.entries.push_back(std::move(entry));
    }
  }

  void place(YamlNode node, YAML::anchor_t anchor) {
    if (++nodes_ > kConfigNodesMax)
      throw Rejected{node.at, fmt::format("more than {} values", kConfigNodesMax)};
    if (anchor != 0) {
      account(node, node.at);
      anchors_.insert_or_assign(anchor, node);
    }
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.kind == YamlNode::Kind::kList) {
      parent.node.items.push_back(std::move(node));
    } else if (!parent.key) {
      if (node.kind != YamlNode::Kind::kScalar) throw Rejected{node.at, "a key must be a plain name"};
      parent.key = std::move(node);
    } else {
      if (node.kind == YamlNode::Kind::kNull) node.at = parent.key->at;
      parent.node.entries.push_back({std::move(*parent.key), std::move(node)});
      parent.key.reset();
    }
  }

  const SourceText& source_;
  YamlNode root_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, YamlNode> anchors_;
  std::size_t nodes_ = 0;
  std::size_t bytes_ = 0;
};

// Reads a string in place; std::istringstream would copy it.
class ViewBuffer : public std::streambuf {
 public:
  explicit ViewBuffer(std::string_view text) {
    char* begin = const_cast<char*>(text.data());  // streambuf's interface; never written through
    setg(begin, begin, begin + text.size());
  }
};

// The first byte that is not UTF-8 or is a control character; npos when all is well.
std::size_t first_bad_byte(std::string_view text) {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {
      if ((byte < 0x20 && byte != '\t' && byte != '\n' && byte != '\r') || byte == 0x7F) return i;
      ++i;
      continue;
    }
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : 2;
    if (byte < 0xC2 || byte > 0xF4 || i + length > text.size()) return i;
    for (std::size_t k = 1; k < length; ++k) {
      if ((static_cast<unsigned char>(text[i + k]) & 0xC0) != 0x80) return i;
    }
    const auto second = static_cast<unsigned char>(text[i + 1]);
    if ((byte == 0xE0 && second < 0xA0) || (byte == 0xED && second > 0x9F) ||
        (byte == 0xF0 && second < 0x90) || (byte == 0xF4 && second > 0x8F)) {
      return i;  // overlong, a surrogate or beyond U+10FFFF
    }
    i += length;
  }
  return std::string_view::npos;
}

Position position_of_byte(const SourceText& source, std::size_t offset) {
  const std::string_view before = std::string_view(source.text()).substr(0, offset);
  Position at;
  at.source = &source;
  at.line = static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n')) + 1;
  const std::size_t newline = before.rfind('\n');
  at.column =
      static_cast<std::uint32_t>(newline == std::string_view::npos ? offset : offset - newline - 1) + 1;
  return at;
}

}  // namespace

SourceText::SourceText(std::string name, std::string text) : name_(std::move(name)), text_(std::move(text)) {
  starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    if (text_[i] == '\n') starts_.push_back(i + 1);
  }
}

std::string_view SourceText::line(std::uint32_t number) const {
  if (number == 0 || number > starts_.size()) return {};
  const std::size_t start = starts_[number - 1];
  std::size_t end = number < starts_.size() ? starts_[number] - 1 : text_.size();
  if (end > start && text_[end - 1] == '\r') --end;
  return std::string_view(text_).substr(start, end - start);
}

std::optional<std::uint32_t> SourceText::longer_line(std::size_t bytes) const {
  for (std::size_t i = 0; i < starts_.size(); ++i) {
    const std::size_t end = i + 1 < starts_.size() ? starts_[i + 1] : text_.size();
    if (end - starts_[i] > bytes) return static_cast<std::uint32_t>(i + 1);
  }
  return std::nullopt;
}

std::string Position::text() const {
  return fmt::format("{}:{}:{}", source == nullptr ? "" : source->name(), line, column);
}

const YamlEntry* YamlNode::find_entry(std::string_view key) const {
  for (const YamlEntry& entry : entries) {
    if (entry.key.text == key) return &entry;
  }
  return nullptr;
}

const YamlNode* YamlNode::find(std::string_view key) const {
  const YamlEntry* entry = find_entry(key);
  return entry == nullptr ? nullptr : &entry->value;
}

const YamlEntry* YamlNode::find_below(std::string_view path) const {
  for (const YamlNode* map = this; map != nullptr;) {
    if (const YamlEntry* whole = map->find_entry(path)) return whole;
    const std::size_t dot = path.find('.');
    if (dot == std::string_view::npos) return nullptr;
    map = map->find(path.substr(0, dot));
    path.remove_prefix(dot + 1);
  }
  return nullptr;
}

std::string_view describe_kind(YamlNode::Kind kind) {
  switch (kind) {
    case YamlNode::Kind::kNull:
      return "nothing";
    case YamlNode::Kind::kScalar:
      return "a single value";
    case YamlNode::Kind::kList:
      return "a list";
    case YamlNode::Kind::kMap:
      return "a map";
  }
  return "";
}

void Diagnostics::error(const Position& at, std::string message, std::string expected, std::string hint) {
  add(Severity::kError, at, std::move(message), std::move(expected), std::move(hint));
}

void Diagnostics::warning(const Position& at, std::string message, std::string expected, std::string hint) {
  add(Severity::kWarning, at, std::move(message), std::move(expected), std::move(hint));
}

void Diagnostics::file_error(const std::string& file, std::string message, std::string hint) {
  Diagnostic one;
  one.file = file;
  one.message = std::move(message);
  one.hint = std::move(hint);
  add(std::move(one));
}

void Diagnostics::add(Severity severity, const Position& at, std::string message, std::string expected,
                      std::string hint) {
  Diagnostic one;
  one.severity = severity;
  one.message = std::move(message);
  one.expected = std::move(expected);
  one.hint = std::move(hint);
  if (at.source != nullptr) {
    one.file = at.source->name();
    one.line = at.line;
    one.column = at.column;
    one.length = std::max(1U, at.length);
    std::string_view line = at.source->line(at.line);
    if (line.size() > kLineWindow) {
      std::size_t start = at.column > kLineWindow / 2 ? at.column - kLineWindow / 2 : 0;
      start = std::min(start, line.size() - kLineWindow);
      // Not in the middle of a character.
      while (start > 0 && (static_cast<unsigned char>(line[start]) & 0xC0) == 0x80) --start;
      one.window = static_cast<std::uint32_t>(start);
      std::size_t end = std::min(line.size(), start + kLineWindow);
      while (end < line.size() && (static_cast<unsigned char>(line[end]) & 0xC0) == 0x80) ++end;
      line = line.substr(start, end - start);
    }
    // What is shown may come from anybody: no escape sequence reaches the terminal.
    one.source_line.reserve(line.size());
    for (const char c : line) {
      const auto byte = static_cast<unsigned char>(c);
      one.source_line += (byte < 0x20 && byte != '\t') || byte == 0x7F ? '?' : c;
    }
  }
  add(std::move(one));
}

void Diagnostics::add(Diagnostic diagnostic) {
  if (diagnostic.severity == Severity::kError) ++errors_;
  note_file(diagnostic.file);
  if (all_.size() >= kMax) {
    ++left_out_;
    return;
  }
  all_.push_back(std::move(diagnostic));
}

std::vector<Diagnostic> Diagnostics::take() {
  std::stable_sort(all_.begin(), all_.end(), [this](const Diagnostic& a, const Diagnostic& b) {
    const std::size_t first = file_order_.at(a.file);
    const std::size_t second = file_order_.at(b.file);
    return std::tie(first, a.line, a.column) < std::tie(second, b.line, b.column);
  });
  if (left_out_ > 0) {
    Diagnostic more;
    more.message = fmt::format("and {} more", left_out_);
    if (errors_ == 0) more.severity = Severity::kWarning;
    all_.push_back(std::move(more));
  }
  std::vector<Diagnostic> out = std::move(all_);
  *this = Diagnostics();
  return out;
}

std::optional<YamlNode> parse_yaml(const SourceText& source, Diagnostics& diagnostics) {
  if (source.text().size() > kConfigFileBytesMax) {
    diagnostics.file_error(source.name(), fmt::format("larger than {} MiB", kConfigFileBytesMax >> 20));
    return std::nullopt;
  }
  if (const std::optional<std::uint32_t> line = source.longer_line(kConfigLineBytesMax)) {
    Position at;
    at.source = &source;
    at.line = *line;
    diagnostics.error(at, fmt::format("a line longer than {} MiB", kConfigLineBytesMax >> 20));
    return std::nullopt;
  }
  if (const std::size_t bad = first_bad_byte(source.text()); bad != std::string_view::npos) {
    diagnostics.error(
        position_of_byte(source, bad),
        fmt::format("byte 0x{:02x} is not text", static_cast<unsigned char>(source.text()[bad])),
        "UTF-8 without control characters");
    return std::nullopt;
  }
  try {
    // Without what is blank at the end: behind a newline there, yaml-cpp 0.7 takes the end of the file for
    // the end of a quoted text that was never closed.
    std::string_view text = source.text();
    text = text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
    ViewBuffer buffer(text);
    std::istream stream(&buffer);
    YAML::Parser parser(stream);
    TreeBuilder builder(source);
    if (!parser.HandleNextDocument(builder)) {
      YamlNode empty;
      empty.kind = YamlNode::Kind::kMap;
      empty.at.source = &source;
      return empty;
    }
    TreeBuilder second(source);
    YamlNode root = builder.take();
    if (parser.HandleNextDocument(second)) {
      diagnostics.error(second.take().at, "a second YAML document in one file", "one document a file");
      return std::nullopt;
    }
    return root;
  } catch (const Rejected& rejected) {
    diagnostics.error(rejected.at, rejected.message);
  } catch (const YAML::Exception& error) {
    Position at;
    at.source = &source;
    if (!error.mark.is_null()) {
      at.line = static_cast<std::uint32_t>(error.mark.line) + 1;
      at.column = static_cast<std::uint32_t>(error.mark.column) + 1;
    }
    // In a flow map, YAML takes the brace that closes a plain ${VAR} or {{ field }} for its own.
    const bool braces = source.line(at.line).find("${") != std::string_view::npos ||
                        source.line(at.line).find("{{") != std::string_view::npos;
    diagnostics.error(at, "not valid YAML: " + error.msg, {},
                      braces ? "inside { } or [ ], a value with braces must be quoted: \"${VAR}\"" : "");
  } catch (const std::exception& error) {
    // The library has let standard exceptions out before (std::bad_alloc, std::out_of_range).
    diagnostics.file_error(source.name(), fmt::format("not valid YAML: {}", error.what()));
  }
  return std::nullopt;
}

}  // namespace logflume
