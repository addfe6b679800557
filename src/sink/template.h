// Templates of paths, topics, keys and headers: "{{ file_name }}-%Y-%m-%d".
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "event/batch.h"

namespace logflume {

// Fields: source, host, file (absolute path), file_name (its last part), and any label; a label named as one
// of the four replaces it. Where `with_time`, strftime specifiers stand for the batch's timestamp in UTC
// (%Y %m %d %H %M %S %j %y %a %b %e %u %V %G %F %T %s %z %Z) and "%%" is a percent sign; elsewhere a percent
// sign is just that.
// All fields are those of a batch, so a template is rendered once a batch, not once an event.
//
// Threads: any; immutable.
class Template {
 public:
  // Errors: kInvalidArgument: unknown field (with the nearest name), unclosed "{{", unknown specifier; each
  // with its place in `text`, the first character being 1.
  static Result<Template> parse(std::string_view text, const std::map<std::string, std::string>& labels,
                                bool with_time);

  // Always the same text, whatever the batch: no fields (labels aside) and no specifiers.
  bool is_constant() const;

  // Appends to `out`. Where `for_path`, no value adds or removes a directory: in values, '/' and NUL become
  // '_', what is empty, "." or ".." becomes "_", and what is longer than kPathValueBytesMax is cut (between
  // UTF-8 characters). The template's own text is trusted.
  void render(const Batch& batch, std::string_view host, bool for_path, std::string& out) const;
  static constexpr std::size_t kPathValueBytesMax = 200;

 private:
  struct Part {
    enum class Kind { kText, kLabel, kSource, kHost, kFile, kFileName, kTime, kEpoch } kind;
    std::string text;  // literal, the label's value, or strftime specifiers
  };
  void add(Part::Kind kind, std::string_view text);

  std::vector<Part> parts_;
};

}  // namespace logflume
