// Templates of paths, topics, keys and headers: "{{ file_name }}-{{ level ?? none }}-%Y-%m-%d".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "event/batch.h"

namespace logflume {

// Names: source, host, file (absolute path), file_name (its last part), and any label; a label named as one
// of the four replaces it. They are those of a batch, and always there. Every other name is a field of the
// events, a key of an object behind a dot; what stands behind "??" takes its place where an event does not
// have it. Where `with_time`, strftime specifiers stand for the batch's timestamp in UTC (%Y %m %d %H %M %S
// %j %y %a %b %e %u %V %G %F %T %s %z %Z) and "%%" is a percent sign; elsewhere a percent sign is just that.
// Without fields of events a template is rendered once a batch, with them once for all events of a batch that
// have the same values.
//
// Threads: any; immutable.
class Template {
 public:
  // Errors: kInvalidArgument: a name that there cannot be (with the nearest one), unclosed "{{", unknown
  // specifier; each with its place in `text`, the first character being 1.
  static Result<Template> parse(std::string_view text, const std::map<std::string, std::string>& labels,
                                bool with_time);

  // Always the same text, whatever the batch: no names (labels aside) and no specifiers.
  bool is_constant() const;

  // The fields of events in it, each once.
  const std::vector<std::string>& fields() const { return fields_; }
  // What is wrong when no event can have the field: as for a name that there cannot be. `others`: names of
  // fields that there may be.
  Error unknown_field(std::size_t field, const std::map<std::string, std::string>& labels,
                      const std::vector<std::string>& others) const;

  // Of fields(), in that order; none where an event does not have it.
  using Values = std::vector<std::optional<std::string>>;

  // Appends to `out`. No `values`: as of an event that has none of the fields. Where `for_path`, no value
  // adds or removes a directory: in values, '/' and NUL become '_', what is empty, "." or ".." becomes "_",
  // and what is longer than kPathValueBytesMax is cut (between UTF-8 characters). The template's own text is
  // trusted.
  void render(const Batch& batch, std::string_view host, bool for_path, std::string& out,
              std::span<const std::optional<std::string>> values = {}) const;
  static constexpr std::size_t kPathValueBytesMax = 200;
  // Of a value of a field; what is longer is cut.
  static constexpr std::size_t kFieldBytesMax = 1024;

 private:
  struct Part {
    enum class Kind { kText, kLabel, kSource, kHost, kFile, kFileName, kField, kTime, kEpoch } kind;
    std::string text;       // literal, the label's value, what is there instead of a field, or specifiers
    std::size_t field = 0;  // in fields_
  };
  void add(Part::Kind kind, std::string_view text);
  Result<void> add_name(std::string_view inside, std::size_t at,
                        const std::map<std::string, std::string>& labels);

  std::vector<Part> parts_;
  std::vector<std::string> fields_;
  std::vector<std::size_t> places_;  // where they stand first
};

}  // namespace logflume
