// YAML text as a tree that remembers where everything stood. The only door to the YAML library.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"

namespace logflume {

// Limits on what a configuration may be made of: hostile input costs bounded time and memory.
inline constexpr std::size_t kConfigFileBytesMax = 10 * 1024 * 1024;
inline constexpr std::size_t kConfigLineBytesMax =
    1024 * 1024;  // the YAML library looks ahead to the line's end
inline constexpr std::size_t kConfigValueBytesMax = 64 * 1024;  // of one text
inline constexpr std::size_t kConfigDepthMax = 64;
inline constexpr std::size_t kConfigNodesMax = 100'000;  // aliases expanded
inline constexpr std::size_t kConfigTextBytesMax =
    32 * 1024 * 1024;  // of all scalars, aliases and variables expanded

// One file's text. Outlives the nodes that point into it.
class SourceText {
 public:
  SourceText(std::string name, std::string text);
  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }
  // `number` from 1; empty beyond the end. Without its newline.
  std::string_view line(std::uint32_t number) const;
  // The first line that takes more than `bytes`.
  std::optional<std::uint32_t> longer_line(std::size_t bytes) const;

 private:
  std::string name_;
  std::string text_;
  std::vector<std::size_t> starts_;
};

struct Position {
  const SourceText* source = nullptr;
  std::uint32_t line = 1;
  std::uint32_t column = 1;  // bytes, from 1
  std::uint32_t length = 1;

  std::string text() const;  // "logflume.yaml:3:5"
};

struct YamlEntry;
struct YamlNode {
  enum class Kind { kNull, kScalar, kList, kMap };

  Kind kind = Kind::kNull;
  Position at;  // a null value stands where its key does
  std::string text;
  bool broken = false;  // its variables could not be expanded: reported already, nothing more to say
  std::vector<YamlNode> items;
  std::vector<YamlEntry> entries;  // duplicates kept, in order

  // The first entry of that name; nullptr when there is none.
  const YamlEntry* find_entry(std::string_view key) const;
  // Its value.
  const YamlNode* find(std::string_view key) const;
  // The same of a key in the maps of this map, "tls.ca_file"; dots may be in a key, too.
  const YamlEntry* find_below(std::string_view path) const;
};
struct YamlEntry {
  YamlNode key;  // always a scalar
  YamlNode value;
};

// "a map", "a list", ... for messages.
std::string_view describe_kind(YamlNode::Kind kind);

// Collects diagnostics, bounded.
class Diagnostics {
 public:
  static constexpr std::size_t kMax = 100;

  void error(const Position& at, std::string message, std::string expected = {}, std::string hint = {});
  void warning(const Position& at, std::string message, std::string expected = {}, std::string hint = {});
  // About a file as a whole.
  void file_error(const std::string& file, std::string message, std::string hint = {});
  // Files are reported in the order of their first mention.
  void note_file(const std::string& file) { file_order_.emplace(file, file_order_.size()); }
  std::size_t errors() const { return errors_; }
  // In the order of files and lines. The collection is empty afterwards.
  std::vector<Diagnostic> take();

 private:
  void add(Severity severity, const Position& at, std::string message, std::string expected,
           std::string hint);
  void add(Diagnostic diagnostic);

  std::vector<Diagnostic> all_;
  std::map<std::string, std::size_t> file_order_;
  std::size_t errors_ = 0;
  std::size_t left_out_ = 0;
};

// Parses one document: aliases expanded, merge keys (`<<`) applied. Returns nothing, with a diagnostic, for
// what is not YAML, not UTF-8 or over the limits. An empty document is an empty map.
std::optional<YamlNode> parse_yaml(const SourceText& source, Diagnostics& diagnostics);

}  // namespace logflume
